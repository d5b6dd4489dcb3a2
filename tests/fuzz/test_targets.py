"""A slice of the fuzzing, and every input that it ever found."""

from __future__ import annotations

import zlib
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS, run, seeds

FOUND = Path(__file__).parent / "found"
SLICE = 250
FULL = 100_000


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_comes_out_but_our_errors(name: str) -> None:
    _fuzz(name, SLICE)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_comes_out_but_our_errors_in_many_tries(name: str) -> None:
    _fuzz(name, FULL)


def _fuzz(name: str, count: int) -> None:
    held = list(seeds(name))
    accepted = [data for data in held if run(name, data)]
    assert accepted, "no seed is accepted: nothing behind the first check is tried"
    random = Random(zlib.crc32(name.encode()))
    for _ in range(count):
        run(name, mutated(held, random))


def test_what_was_found_once_is_mended() -> None:
    for path in sorted(FOUND.glob("*/*")):
        run(path.parent.name, path.read_bytes())


def test_every_reader_of_a_vector_is_fuzzed() -> None:
    kinds = {path.partition("/")[0] for path in _paths()}
    whole = {"bundle", "stream", "trust", "enrolment", "policy", "chunk"}
    parts = {"volume_header", "paths", "digest", "descriptor", "parity_rows", "image"}
    parts |= {"parity_record", "parity_head"}
    assert kinds - whole - parts <= {*TARGETS}


def _paths() -> list[str]:
    from tests.fuzz.targets import VECTORS  # noqa: PLC0415 - made once, when asked for

    return [*VECTORS]
