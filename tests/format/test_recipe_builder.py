from __future__ import annotations

import numpy as np
import pytest

from bundle.errors import FormatError, LimitError
from bundle.format.recipe import Mode, Recipe, Segment, SegmentKind
from bundle.format.recipe_builder import SMALL_FILE, ChunkRun, Literal, RecipeBuilder
from tests.format.samples import add, ids_of, run_of


def test_runs_that_meet_become_one() -> None:
    builder = RecipeBuilder()
    empty = ChunkRun(ids_of(), np.empty(0, np.uint32))
    nothing = Literal(b"")
    parts: list[ChunkRun | Literal] = [
        run_of(b"a"),
        empty,
        run_of(b"bc"),
        nothing,
        run_of(b"d", b"e"),
    ]
    add(builder, "joined", b"abcde", parts)
    recipe = Recipe.parse(builder.finish())
    assert recipe.segments(0) == [Segment(SegmentKind.CHUNKS, 0, 4, 5)]
    assert recipe.chunk_ids.tolist() == ids_of(b"a", b"bc", b"d", b"e").tolist()


def test_the_order_of_adding_does_not_matter() -> None:
    files = {"b": b"bb", "a/c": b"", "a-": b"x", "é": b"y"}
    recipes = set()
    for order in (list(files), list(reversed(files)), sorted(files)):
        builder = RecipeBuilder()
        for path in order:
            add(builder, path, files[path], [Literal(files[path])])
        recipes.add(builder.finish())
    assert len(recipes) == 1


def test_directories_that_hold_something_are_left_out() -> None:
    builder = RecipeBuilder()
    for path in ("a", "a/b", "a/b/hollow", "c", "d-"):
        builder.add_directory(path)
    add(builder, "c/file", b"", [])
    recipe = Recipe.parse(builder.finish())
    assert list(recipe.paths()) == ["a/b/hollow", "c/file", "d-"]
    assert recipe.modes.tolist() == [2, 0, 2]


BAD_ADDS = {
    "a size that the parts do not have": (5, bytes(32), None, "segments of 2 bytes"),
    "a short SHA-256": (2, bytes(31), None, "wrong size"),
    "a short Git SHA-1": (2, bytes(32), bytes(19), "wrong size"),
}


@pytest.mark.parametrize(
    ("size", "sha256", "git_sha1", "message"), BAD_ADDS.values(), ids=BAD_ADDS.keys()
)
def test_the_caller_is_told_of(
    size: int, sha256: bytes, git_sha1: bytes | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        RecipeBuilder().add("a", Mode.FILE, size, sha256, git_sha1, [Literal(b"xy")])


BAD_FINISHES = {
    "two files of one path": (["a", "a"], "6.3.5"),
    "two paths that collide": (["A", "a"], "2.4"),
    "a path that leads out": (["../a"], "2.3"),
}


@pytest.mark.parametrize(
    ("paths", "rule"), BAD_FINISHES.values(), ids=BAD_FINISHES.keys()
)
def test_no_recipe_is_written_for(paths: list[str], rule: str) -> None:
    builder = RecipeBuilder()
    for path in paths:
        add(builder, path, b"", [])
    with pytest.raises(FormatError) as caught:
        builder.finish()
    assert caught.value.rule == rule


def test_a_literal_over_4_kib_is_refused() -> None:
    builder = RecipeBuilder()
    add(builder, "a", bytes(4096), [Literal(bytes(4096))])
    builder.finish()
    add(builder, "b", bytes(4097), [Literal(bytes(4097))])
    with pytest.raises(LimitError) as caught:
        builder.finish()
    assert caught.value.rule == "6.5.3"


def test_a_small_file_costs_less_than_the_chunks_it_replaces() -> None:
    assert SMALL_FILE <= 4 * 32
