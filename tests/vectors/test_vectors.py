"""Every vector in ``spec/vectors`` goes through the readers that everybody uses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from bundle.errors import BundleError
from spec.vectors.generator.container import Vector, parse
from tests.vectors.readers import READERS, VECTORS, body
from tests.vectors.writers import WRITERS

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from _pytest.mark.structures import ParameterSet

HUGE = 1 << 22
"""Bytes of a document that takes seconds to parse."""

MAY_FOLLOW = ("volume_header", "frame", "parity_record")
"""Kinds that other bytes may follow."""

CUT = (
    *("json", "digest", "time", "descriptor", "shards", "volume_header", "frame"),
    *("index", "tail", "volume", "payload", "recipe", "recipes", "release"),
    *("manifest", "envelope", "signature", "key", "root", "receipt", "want"),
    *("parity_record", "parity_head", "image"),
)
"""Kinds that are never good when something is missing or follows."""


def load(path: Path) -> Vector:
    vector = parse(path.read_text())
    assert vector.kind == path.parent.name
    return dataclasses.replace(vector, name=path.name)


FOUND = [load(path) for kind in READERS for path in sorted((VECTORS / kind).iterdir())]


def cases(*, accepted: bool, kinds: Collection[str] = READERS) -> list[ParameterSet]:
    return [
        pytest.param(
            vector,
            id=f"{vector.kind}: {vector.name.replace('_', ' ')}",
            marks=[pytest.mark.soak] if is_huge(vector) else [],
        )
        for vector in FOUND
        if vector.kind in kinds and (vector.exit == 0) is accepted
    ]


def is_huge(vector: Vector) -> bool:
    documents = ("release", "manifest")
    return vector.kind in documents and len(body(vector)) > HUGE


@pytest.mark.parametrize("vector", cases(accepted=True))
def test_it_means_what_it_says(vector: Vector, tmp_path: Path) -> None:
    found = READERS[vector.kind](vector, tmp_path)
    if vector.value is not None:
        assert found == vector.value
    elif vector.kind not in ("slug", "path", "paths"):
        pytest.fail("a vector that is accepted says what is in it")


@pytest.mark.parametrize("vector", cases(accepted=False))
def test_it_is_refused_by_its_rule(vector: Vector, tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        READERS[vector.kind](vector, tmp_path)
    assert caught.value.exit_code == vector.exit
    if vector.exit != 13:
        expected = vector.names or vector.rules[0]
        assert getattr(caught.value, "rule", None) == expected, caught.value


@pytest.mark.parametrize("vector", cases(accepted=True, kinds=CUT))
def test_it_is_refused_when_it_is_cut_off(vector: Vector, tmp_path: Path) -> None:
    data = body(vector).rstrip(b" \n") if vector.kind == "json" else body(vector)
    for end in sorted({0, 1, len(data) // 2, len(data) - 1} - {len(data)}):
        if end >= 0:
            refuse_changed(vector, data[:end], tmp_path)


@pytest.mark.parametrize("vector", cases(accepted=True, kinds=CUT))
def test_it_is_refused_when_a_byte_follows(vector: Vector, tmp_path: Path) -> None:
    longer = body(vector) + b"\0"
    if vector.kind in MAY_FOLLOW:
        changed = dataclasses.replace(vector, body=longer)
        assert READERS[vector.kind](changed, tmp_path) == vector.value
    else:
        refuse_changed(vector, longer, tmp_path)


def refuse_changed(vector: Vector, data: bytes, scratch: Path) -> None:
    changed = dataclasses.replace(vector, body=data)
    with pytest.raises(BundleError) as caught:
        READERS[vector.kind](changed, scratch)
    assert caught.value.exit_code in (10, 11, 12), caught.value


@pytest.mark.parametrize("vector", cases(accepted=True, kinds=(*WRITERS,)))
def test_it_is_written_again_byte_for_byte(vector: Vector) -> None:
    assert WRITERS[vector.kind](body(vector)) == body(vector)


def test_the_kinds_are_those_with_a_reader() -> None:
    found = {path.name for path in VECTORS.iterdir() if path.is_dir()}
    assert found - {"attacks", "cutting", "generator", "__pycache__"} == {*READERS}
