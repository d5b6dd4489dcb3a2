from __future__ import annotations

import numpy as np
import pytest

from bundle.format.columns import windows
from bundle.format.recipe import Mode, Recipe
from bundle.format.recipe_builder import ChunkRun, Literal, RecipeBuilder
from tests.format.samples import (
    add,
    assert_refused,
    rebuilt,
    rich_recipe,
    run_of,
    tiny_recipe,
    with_cell,
    with_field,
)

RICH = rich_recipe()
# Files: a, b-/mixed, b/again, b/literals, b/run, git, größe/日本語, hollow/inside.
# Segments: 0-2 mixed, 3 again, 4-5 literals, 6 run, 7 git, 8 größe/日本語.
CASES: dict[str, tuple[str, int, int, str]] = {
    "a mode of the future": ("mode", 0, 3, "6.4.1"),
    "a directory with a size": ("size", 7, 1, "6.4.2"),
    "a directory with content": ("mode", 6, 2, "6.4.2"),
    "a directory with a SHA-256": ("sha256", 7, 1, "6.4.3"),
    "an empty file that becomes a directory keeps its digest": ("mode", 0, 2, "6.4.3"),
    "a directory with a Git SHA-1": ("git_sha1", 7, 1, "6.4.3"),
    "segments that end before they begin": ("segment_end", 2, 2, "6.4.4"),
    "a first file with segments of the second": ("segment_end", 0, 1, "6.4.5"),
    "fewer segments than there are": ("segment_end", 7, 8, "6.4.4"),
    "a file longer than its segments": ("size", 1, 3003, "6.4.5"),
    "an empty file with a size": ("size", 0, 1, "6.4.5"),
    "a size that wraps around": ("size", 1, (1 << 64) - 1, "6.4.5"),
    "a kind of the future": ("segment_kind", 1, 3, "6.5.1"),
    "a transform without its feature": ("segment_kind", 1, 2, "6.8.1"),
    "a run of no chunks": ("segment_count", 0, 0, "6.5.2"),
    "a literal of no bytes": ("segment_count", 1, 0, "6.5.2"),
    "a literal over 4 KiB": ("segment_count", 1, 4097, "6.5.3"),
    "a literal with two sizes": ("segment_size", 1, 3, "6.5.4"),
    "a run longer than its chunks": ("segment_size", 0, 1001, "6.5.5"),
    "a run shorter than its chunks": ("segment_size", 6, 2999, "6.5.5"),
    "a run of more chunks than there are": ("segment_count", 8, 2, "6.5.6"),
    "a count that wraps around": ("segment_count", 0, 0xFFFFFFFF, "6.5.6"),
    "an empty chunk": ("chunk_length", 5, 0, "6.5.9"),
    "a chunk over 1 MiB": ("chunk_length", 0, (1 << 20) + 1, "6.5.9"),
}


@pytest.mark.parametrize(
    ("name", "row", "value", "rule"), CASES.values(), ids=CASES.keys()
)
def test_a_recipe_is_refused_for(name: str, row: int, value: int, rule: str) -> None:
    assert_refused(Recipe.parse, with_cell(RICH, name, row, value), rule)


def built(*files: list[ChunkRun | Literal]) -> bytes:
    builder = RecipeBuilder()
    for number, parts in enumerate(files):
        size = sum(
            len(part.data) if isinstance(part, Literal) else int(part.lengths.sum())
            for part in parts
        )
        builder.add(str(number), Mode.FILE, size, bytes(32), None, parts)
    return builder.finish()


def test_two_runs_in_a_row_are_refused_inside_a_file_only() -> None:
    one, two = run_of(b"one"), run_of(b"two")
    split = built([one], [two])
    Recipe.parse(split)
    joined = with_cell(with_cell(split, "segment_end", 0, 0), "size", 0, 0)
    assert_refused(Recipe.parse, with_cell(joined, "size", 1, 6), "6.5.8")


def test_chunks_and_literals_that_nothing_uses_are_refused() -> None:
    data = built([run_of(b"one"), Literal(b"two")])
    swapped = with_cell(with_cell(data, "segment_kind", 0, 1), "segment_size", 0, 1)
    assert_refused(Recipe.parse, with_cell(swapped, "size", 0, 4), "6.5.6")
    shorter = with_cell(with_cell(data, "segment_count", 1, 2), "segment_size", 1, 2)
    assert_refused(Recipe.parse, with_cell(shorter, "size", 0, 5), "6.5.7")


def test_segments_that_no_file_has_are_refused() -> None:
    orphaned = with_cell(tiny_recipe(), "segment_end", 1, 1)
    assert_refused(Recipe.parse, orphaned, "6.4.4")
    files_gone = RecipeBuilder().finish()
    assert Recipe.parse(files_gone).files == 0


def test_a_total_that_is_not_the_sum_is_refused() -> None:
    assert_refused(Recipe.parse, with_field(RICH, 48, "<Q", 8309), "6.4.6", 48)
    assert_refused(Recipe.parse, with_field(RICH, 48, "<Q", (1 << 64) - 1), "6.4.6")


def many() -> bytes:
    """Return a recipe whose files, segments and chunks end at every turn."""
    builder = RecipeBuilder()
    random = np.random.default_rng(7)
    for number in range(40):
        parts: list[ChunkRun | Literal] = []
        content = b""
        for _ in range(int(random.integers(0, 4))):
            chunks = [random.bytes(int(n)) for n in random.integers(1, 9, 3)]
            parts += [run_of(*chunks), Literal(b"-")]
            content += b"".join(chunks) + b"-"
        add(builder, f"{number:02}", content, parts)
    return builder.finish()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 16])
def test_rules_hold_across_windows_of_any_size(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = many()
    expected = [Recipe.parse(data).segments(file) for file in range(40)]
    damaged = [
        with_cell(RICH, name, row, value) for name, row, value, _ in CASES.values()
    ]

    def narrow(start: int, end: int, *, step: int = step) -> object:
        return windows(start, end, step=step)

    for module in ("columns", "recipe_rules", "path_table"):
        monkeypatch.setattr(f"bundle.format.{module}.windows", narrow)
    monkeypatch.setattr("bundle.format.recipe_rules.STRIDE", 1)
    monkeypatch.setattr("bundle.format.recipe.STRIDE", 1)
    recipe = Recipe.parse(data)
    assert [recipe.segments(file) for file in range(40)] == expected
    assert rebuilt(recipe) == data
    for case, (_, _, _, rule) in zip(damaged, CASES.values(), strict=True):
        assert_refused(Recipe.parse, case, rule)
