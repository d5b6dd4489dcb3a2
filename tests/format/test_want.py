from __future__ import annotations

import struct

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from bundle.digest import digest_of
from bundle.errors import FormatError, LimitError
from bundle.format import want as module
from bundle.format.want import Want, want_name
from tests.format.samples import (
    assert_refused,
    assert_whole,
    ids_of,
    patched,
    with_field,
)

RELEASE = digest_of(b"release")
NONE = np.zeros((0, 32), np.uint8)
LOW, HIGH = sorted([blake3(b"one").digest(), blake3(b"two").digest()])
ROWS = np.frombuffer(LOW + HIGH, np.uint8).reshape(2, 32)
GOOD = Want(RELEASE, ids_of(b"recipe"), ROWS).serialize()


def test_a_want_is_these_bytes() -> None:
    body = b"\x89BDW\r\n\x1a\n" + struct.pack("<HHIQ", 1, 0, 1, 2) + RELEASE.raw
    recipe = blake3(b"recipe").digest()
    assert body + blake3(body).digest(8) + recipe + LOW + HIGH == GOOD
    assert_whole(Want.parse, GOOD)


BAD = {
    "the magic of a recipe": (patched(GOOD, 3, b"R"), "60.2.2"),
    "a damaged count": (patched(GOOD, 16, b"\3"), "60.2.3"),
    "a format this reader is too old for": (with_field(GOOD, 8, "<H", 2), "60.2.4"),
    "a flag": (with_field(GOOD, 10, "<H", 1), "60.2.5"),
    "an id too few": (with_field(GOOD, 16, "<Q", 3), "60.2.6"),
    "an id too many": (with_field(GOOD, 16, "<Q", 1), "60.2.6"),
    "a count that wraps around": (with_field(GOOD, 16, "<Q", (1 << 64) - 1), "60.2.6"),
    "ids in another order": (GOOD[:96] + HIGH + LOW, "60.2.8"),
    "an id twice": (GOOD[:96] + LOW + LOW, "60.2.8"),
    "nothing": (
        with_field(with_field(GOOD, 16, "<Q", 0), 12, "<I", 0)[:64],
        "60.2.7",
    ),
}


@pytest.mark.parametrize(("data", "rule"), BAD.values(), ids=BAD.keys())
def test_a_want_is_refused_for(data: bytes, rule: str) -> None:
    assert_refused(Want.parse, data, rule)


def test_nothing_is_wanted_by_nobody() -> None:
    with pytest.raises(FormatError, match="a want of nothing"):
        Want(RELEASE, NONE, NONE).serialize()


def test_a_want_of_any_size_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WANT", 128)
    with pytest.raises(LimitError):
        Want(RELEASE, ids_of(b"recipe"), ROWS).serialize()
    with pytest.raises(LimitError):
        Want.parse(GOOD)


@given(
    st.sets(st.binary(min_size=32, max_size=32), max_size=9),
    st.sets(st.binary(min_size=32, max_size=32), max_size=9),
)
def test_what_was_wanted_is_read_back(recipes: set[bytes], chunks: set[bytes]) -> None:
    rows = [
        np.frombuffer(b"".join(sorted(ids)), np.uint8).reshape(-1, 32)
        for ids in (recipes, chunks)
    ]
    if not recipes | chunks:
        return
    want = Want.parse(Want(RELEASE, *rows).serialize())
    assert want.release == RELEASE
    assert (want.recipes == rows[0]).all()
    assert (want.chunks == rows[1]).all()


def test_a_want_is_named_after_what_it_asks_for() -> None:
    assert want_name("lab-1", "models", 12) == "want-lab-1-models-000012.bdw"
    assert len(want_name("s" * 64, "t" * 64, 10**15)) <= 64
    with pytest.raises(FormatError):
        want_name("../lab", "models", 12)
