"""The file that holds recipes (chapter 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spec.vectors.generator.binary import (
    b3,
    patch,
    recipe,
    recipes,
)
from spec.vectors.generator.container import Vector, accept, refuse
from spec.vectors.generator.records import common
from spec.vectors.generator.samples import (
    HELLO,
    OTHER,
    TINY_CONTENTS,
    TINY_RECIPE,
    TINY_RECIPES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spec.vectors.generator.recipes import Cases


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _recipes_files()


def _recipes_files() -> Iterator[Vector]:
    empty = recipe([])
    both = recipes([TINY_RECIPE, empty], TINY_CONTENTS)
    yield accept(
        "recipes",
        "one",
        "7.2.2 7.3.2",
        TINY_RECIPES,
        "The recipe of 6.9.",
        value=_table([TINY_RECIPE], [128]),
    )
    yield accept(
        "recipes",
        "two",
        "7.2.2 7.4.1",
        both,
        "The second begins at the next multiple of 64.",
        value=_table([TINY_RECIPE, empty], [192, 512]),
    )
    required = sorted([b3(HELLO), b3(OTHER)])
    yield accept(
        "recipes",
        "none_and_required_ids",
        "7.4.1 7.4.2",
        recipes([], TINY_CONTENTS, required),
        "All recipes are at the receiver already, and so are two chunks.",
        value={**_table([], []), "required": [name.hex() for name in required]},
    )
    yield from common("recipes", "7.1", TINY_RECIPES)
    for name, (rules, data, comment, *_) in _bad_recipes_files(empty).items():
        code = 11 if rules.startswith("7.3.2") else 10
        yield refuse("recipes", name, rules, data, comment, exit=code)


def _table(held: Sequence[bytes], places: Sequence[int]) -> dict[str, Any]:
    return {
        "contents": TINY_CONTENTS.hex(),
        "recipes": [
            {"digest": b3(data).hex(), "offset": place, "size": len(data)}
            for data, place in zip(held, places, strict=True)
        ],
        "required": [],
    }


def _bad_recipes_files(empty: bytes) -> Cases:
    def one(**changes: Any) -> bytes:
        return recipes([TINY_RECIPE], TINY_CONTENTS, **changes)

    name, size = b3(TINY_RECIPE), len(TINY_RECIPE)
    ids = sorted([b3(HELLO), b3(OTHER)])
    return {
        "over_100000_recipes": (
            "7.1.6 2.1.4",
            one(recipes=100_001)[:64],
            "One too many.",
        ),
        "a_table_that_is_cut_off": ("7.2.1", TINY_RECIPES[:111], "A byte short."),
        "a_recipe_before_its_place": (
            "7.2.2 2.1.2",
            one(table=[(name, 112, size)]),
            "112.",
        ),
        "a_recipe_after_its_place": (
            "7.2.2 2.1.2",
            one(table=[(name, 192, size)]),
            "192.",
        ),
        "two_recipes_in_one_place": (
            "7.2.2",
            recipes(
                [TINY_RECIPE, empty],
                TINY_CONTENTS,
                table=[(name, 192, size), (b3(empty), 192, 64)],
            ),
            "The second has to come after the first.",
        ),
        "a_recipe_of_63_bytes": (
            "7.2.3",
            one(table=[(name, 128, 63)]),
            "Not a header.",
        ),
        "a_recipe_over_64_gib": (
            "7.2.3 2.1.4",
            one(table=[(name, 128, (64 << 30) + 1)]),
            "One byte more than the most.",
        ),
        "a_recipe_twice": (
            "7.2.4",
            recipes([TINY_RECIPE, TINY_RECIPE], TINY_CONTENTS),
            "Two artifacts share it.",
        ),
        "a_gap_before_a_recipe_that_is_not_zero": (
            "7.3.1 2.1.3",
            patch(TINY_RECIPES, 127, b"\1"),
            "The last byte before it.",
        ),
        "a_gap_after_a_recipe_that_is_not_zero": (
            "7.3.1 2.1.3",
            patch(TINY_RECIPES, len(TINY_RECIPES) - 1, b"\1"),
            "The last byte of the file.",
        ),
        "a_damaged_recipe": (
            "7.3.2",
            patch(TINY_RECIPES, 128 + 0x118, b"["),
            "One byte of its literal; the digest is compared before it is parsed.",
        ),
        "a_byte_after_the_last_recipe": ("7.4.1", TINY_RECIPES + b"\0", "Too many."),
        "a_file_that_is_cut_off": ("7.4.1", TINY_RECIPES[:-1], "A byte short."),
        "a_required_id_that_is_cut_off": (
            "7.4.1",
            recipes([], TINY_CONTENTS, ids)[:-1],
            "A byte short.",
        ),
        "required_ids_that_overflow": (
            "7.4.1 2.1.4",
            one(required_count=(1 << 64) - 1),
            "32 times the count is no integer of 64 bits.",
        ),
        "required_ids_that_descend": (
            "7.4.2",
            recipes([], TINY_CONTENTS, ids[::-1]),
            "Not sorted.",
        ),
        "a_required_id_twice": (
            "7.4.2",
            recipes([], TINY_CONTENTS, ids[:1] * 2),
            "Once.",
        ),
    }
