from __future__ import annotations

import struct

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from bundle.errors import FormatError, IntegrityError
from bundle.format.recipe import Recipe
from bundle.format.recipes import Recipes, serialize_recipes
from bundle.limits import MAX_RECIPE
from tests.format.samples import (
    NOTHING,
    assert_refused,
    assert_whole,
    ids_of,
    patched,
    rich_recipe,
    tiny_recipe,
    with_field,
)

NO_IDS = np.empty((0, 32), np.uint8)
IDS = ids_of(b"a", b"b", b"c")[
    np.argsort([blake3(x).digest() for x in (b"a", b"b", b"c")])
]
TINY, RICH = tiny_recipe(), rich_recipe()
GOOD = b"".join(serialize_recipes(NOTHING, [TINY, RICH], IDS))
EMPTY = b"".join(serialize_recipes(NOTHING, [], NO_IDS))


def test_a_recipes_file_is_these_bytes() -> None:
    body = b"\x89BDC\r\n\x1a\n" + struct.pack("<HHIQ", 1, 0, 1, 3) + bytes(32)
    entry = blake3(TINY).digest() + struct.pack("<QQ", 128, len(TINY))
    head = (body + blake3(body).digest(8) + entry).ljust(128, b"\0")
    padded = TINY + bytes(-len(TINY) % 64)
    assert b"".join(serialize_recipes(NOTHING, [TINY], IDS)) == (
        head + padded + IDS.tobytes()
    )


@pytest.mark.parametrize(
    "data",
    [EMPTY, GOOD, b"".join(serialize_recipes(NOTHING, [TINY], NO_IDS))],
    ids=["nothing", "two recipes and ids", "no ids"],
)
def test_a_recipes_file_is_read_whole_or_not_at_all(data: bytes) -> None:
    assert_whole(Recipes.parse, data)


def test_every_recipe_is_found_where_it_is() -> None:
    released: list[tuple[int, int]] = []

    def release(start: int, end: int) -> None:
        released.append((start, end))

    found = Recipes.parse(memoryview(GOOD), release=release)
    assert [bytes(found.read(entry)) for entry in found.entries] == [TINY, RICH]
    assert found.required.tolist() == IDS.tolist()
    Recipe.parse(found.read(found.entries[1], release=release))
    last = found.entries[1]
    assert released == [
        (len(GOOD) - 96, len(GOOD)),
        (last.offset, last.offset + last.size),
    ]


OFFSET, SIZE = 64 + 32, 64 + 40
SECOND = 64 + 48
START = 192
BAD = {
    "the magic of a recipe": (patched(GOOD, 3, b"R"), "7.1.2"),
    "a damaged count": (patched(GOOD, 12, b"\3"), "7.1.3"),
    "a format this reader is too old for": (with_field(GOOD, 8, "<H", 2), "7.1.4"),
    "a flag": (with_field(GOOD, 10, "<H", 1), "7.1.5"),
    "more recipes than a reader takes": (with_field(GOOD, 12, "<I", 100_001), "7.1.6"),
    "more recipes than bytes": (with_field(EMPTY, 12, "<I", 1), "7.2.1"),
    "a recipe inside the table": (
        patched(GOOD, OFFSET, struct.pack("<Q", 64)),
        "7.2.2",
    ),
    "a recipe that is not aligned": (
        patched(GOOD, OFFSET, struct.pack("<Q", START + 8)),
        "7.2.2",
    ),
    "a hole between recipes": (
        patched(GOOD, SECOND + 32, struct.pack("<Q", START + 4096)),
        "7.2.2",
    ),
    "recipes that overlap": (
        patched(GOOD, SECOND + 32, struct.pack("<Q", START)),
        "7.2.2",
    ),
    "a recipe smaller than its header": (
        patched(GOOD, SIZE, struct.pack("<Q", 63)),
        "7.2.3",
    ),
    "a recipe larger than a reader takes": (
        patched(GOOD, SIZE, struct.pack("<Q", MAX_RECIPE + 1)),
        "7.2.3",
    ),
    "a size that wraps around": (patched(GOOD, SIZE, b"\xff" * 8), "7.2.3"),
    "a recipe twice": (patched(GOOD, SECOND, GOOD[64:96]), "7.2.4"),
    "a byte between table and recipe": (patched(GOOD, 64 + 96, b"\1"), "7.3.1"),
    "a byte after the first recipe": (patched(GOOD, START + len(TINY), b"\1"), "7.3.1"),
    "an id too few": (with_field(GOOD, 16, "<Q", 4), "7.4.1"),
    "an id too many": (with_field(GOOD, 16, "<Q", 2), "7.4.1"),
    "a count of ids that wraps around": (with_field(GOOD, 16, "<Q", 1 << 63), "7.4.1"),
    "ids out of order": (
        GOOD[:-96] + IDS[[1, 0, 2]].tobytes(),
        "7.4.2",
    ),
    "an id twice": (GOOD[:-96] + IDS[[0, 1, 1]].tobytes(), "7.4.2"),
}


@pytest.mark.parametrize(("data", "rule"), BAD.values(), ids=BAD.keys())
def test_a_recipes_file_is_refused_for(data: bytes, rule: str) -> None:
    assert_refused(Recipes.parse, data, rule)


def test_a_damaged_recipe_is_not_handed_out() -> None:
    found = Recipes.parse(patched(GOOD, START + 80, b"\xff"))
    with pytest.raises(IntegrityError) as caught:
        found.read(found.entries[0])
    assert caught.value.rule == "7.3.2"
    assert bytes(found.read(found.entries[1])) == RICH


def test_no_recipes_file_is_written_that_cannot_be_read() -> None:
    with pytest.raises(FormatError) as twice:
        serialize_recipes(NOTHING, [TINY, RICH, TINY], NO_IDS)
    assert twice.value.rule == "7.2.4"
    with pytest.raises(FormatError) as unsorted:
        serialize_recipes(NOTHING, [TINY], IDS[::-1].copy())
    assert unsorted.value.rule == "7.4.2"


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))
def test_a_recipes_file_is_accepted_as_it_is_or_refused(
    offset: int, new: bytes
) -> None:
    changed = patched(GOOD, offset, new)[: len(GOOD)]
    if offset < 56:
        changed = patched(changed, 56, blake3(changed[:56]).digest(8))
    try:
        found = Recipes.parse(changed)
        recipes = [found.read(entry) for entry in found.entries]
    except (FormatError, IntegrityError):
        return
    again = serialize_recipes(found.contents, recipes, found.required)
    assert b"".join(again) == changed
