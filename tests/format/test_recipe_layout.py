from __future__ import annotations

import pytest

from bundle.format.recipe import Recipe
from bundle.format.recipe_layout import COLUMNS, Columns, Layout, RecipeHeader
from bundle.limits import MAX_FILES
from tests.format.samples import (
    assert_refused,
    patched,
    rich_recipe,
    tiny_recipe,
    with_field,
)

TINY = tiny_recipe()
BAD = {
    "the magic of a volume": (patched(TINY, 3, b"V"), "6.1.2", 0),
    "a damaged count": (patched(TINY, 12, b"\3"), "6.1.3", 56),
    "a format this reader is too old for": (with_field(TINY, 8, "<H", 2), "6.1.4", 8),
    "a flag": (with_field(TINY, 10, "<H", 1), "6.1.5", 10),
    "a transform without its feature": (with_field(TINY, 20, "<I", 1), "6.8.1", 20),
    "more files than a reader takes": (
        with_field(TINY, 12, "<I", MAX_FILES + 1),
        "6.1.6",
        12,
    ),
    "a file more than bytes": (with_field(TINY, 12, "<I", 3), "6.2.1", len(TINY)),
    "a path byte less": (with_field(TINY, 40, "<Q", 24), "6.2.1", len(TINY) - 1),
    "chunks that wrap around": (with_field(TINY, 24, "<Q", 1 << 63), "6.2.3", 12),
    "literals that wrap around": (with_field(TINY, 32, "<Q", 1 << 63), "6.2.3", 12),
}


@pytest.mark.parametrize(("data", "rule", "at"), BAD.values(), ids=BAD.keys())
def test_a_layout_is_refused_for(data: bytes, rule: str, at: int) -> None:
    assert_refused(Recipe.parse, data, rule, at)


def gaps(data: bytes) -> list[int]:
    """Return the first byte of every gap between columns."""
    layout = Layout.parse(memoryview(data))
    columns = Columns.of(layout, memoryview(data))
    ends = [
        columns.place(column.name, getattr(layout.header, column.counted))
        for column in COLUMNS
    ]
    starts = list(layout.starts.values())
    pairs = zip(ends, starts[1:], strict=False)
    return [end for end, start in pairs if end != start]


@pytest.mark.parametrize(
    "data", [TINY, rich_recipe()], ids=["two files", "eight files"]
)
def test_a_byte_in_a_gap_is_refused(data: bytes) -> None:
    assert gaps(data)
    for gap in gaps(data):
        assert_refused(Recipe.parse, patched(data, gap, b"\1"), "6.2.2", gap)


def test_columns_start_at_multiples_of_eight_and_end_the_recipe() -> None:
    header = RecipeHeader(3, 5, 7, 9, 11, 13)
    layout = Layout.of(header)
    assert all(start % 8 == 0 for start in layout.starts.values())
    assert layout.size == layout.starts["path_table"] + 11
    assert RecipeHeader.parse(memoryview(header.serialize())) == header
