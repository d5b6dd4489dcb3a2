"""Runs of a new file that old objects have, chunk by chunk."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from bundle.digest import digest_of
from bundle.format.recipe import Mode, Recipe
from bundle.format.recipe_builder import ChunkRun, Literal, RecipeBuilder
from bundle.s3.parts import Copy
from bundle.store.chunk_map import Placed
from bundle.target.s3_runs import RunFinder

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B, C, D = (bytes([number]) * (100 + number) for number in range(4))


def recipe(*files: Sequence[bytes], between: bytes = b"") -> Recipe:
    """Return a recipe of files ``0``, ``1``…, each of these chunks."""
    builder = RecipeBuilder()
    for number, pieces in enumerate(files):
        data = b"".join(pieces) + between
        ids = np.frombuffer(b"".join(digest_of(one).raw for one in pieces), np.uint8)
        lengths = np.array([len(one) for one in pieces], np.uint32)
        segments: list[ChunkRun | Literal] = [ChunkRun(ids.reshape(-1, 32), lengths)]
        if between:
            segments.append(Literal(between))
        digest = hashlib.sha256(data).digest()
        builder.add(f"{number}", Mode.FILE, len(data), digest, None, segments)
    return Recipe.parse(builder.finish())


def finder(old: Recipe, **sizes: int) -> RunFinder:
    places = [(index, f"old{index}") for index in range(old.files)]
    known = {f"old{index}": int(old.sizes[index]) for index in range(old.files)}
    known |= sizes
    return RunFinder([Placed("", old, places)], lambda path: known.get(path, -1))


def test_what_follows_there_too_is_one_run() -> None:
    found = finder(recipe([A, B, C])).runs(recipe([D, A, B, D, C]), 0)
    assert found == [
        Copy(len(D), len(A + B), "old0", 0),
        Copy(len(D + A + B + D), len(C), "old0", len(A + B)),
    ]


def test_a_run_ends_where_the_object_does() -> None:
    found = finder(recipe([A, B], [C, D])).runs(recipe([A, B, C, D]), 0)
    assert found == [
        Copy(0, len(A + B), "old0", 0),
        Copy(len(A + B), len(C + D), "old1", 0),
    ]


def test_the_same_chunk_many_times_is_one_run() -> None:
    found = finder(recipe([A] * 50)).runs(recipe([A] * 50), 0)
    assert found == [Copy(0, 50 * len(A), "old0", 0)]


def test_an_object_of_another_size_has_nothing() -> None:
    assert finder(recipe([A, B]), old0=7).runs(recipe([A, B]), 0) == []


def test_bytes_that_are_in_no_chunk_are_counted() -> None:
    old = recipe([A], [B], between=b"x" * 9)
    found = finder(old).runs(recipe([D, B], between=b"yy"), 0)
    assert found == [Copy(len(D), len(B), "old1", 0)]


def test_without_objects_there_are_no_runs() -> None:
    assert RunFinder([], lambda _: -1).runs(recipe([A]), 0) == []
