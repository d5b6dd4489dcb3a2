"""Recipes a sender keeps: named by what they are, and nothing but a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.digest import digest_of
from bundle.state.files import names_in
from bundle.state.shelf import Shelf
from tests.format.samples import tiny_recipe

if TYPE_CHECKING:
    from pathlib import Path


def test_a_recipe_is_there_again(tmp_path: Path) -> None:
    shelf, data = Shelf(tmp_path / "recipes"), tiny_recipe()
    digest = shelf.put(data)
    assert digest == shelf.put(data) == str(digest_of(data))
    recipe = shelf.get(digest)
    assert recipe is not None
    assert recipe.files == 2
    assert shelf.read(digest) == data


def test_what_was_never_put_is_not_there(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "recipes")
    digest = str(digest_of(b"x"))
    assert (shelf.get(digest), shelf.read(digest)) == (None, None)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("damaged", [b"", b"x", tiny_recipe() + b"x"])
def test_what_is_damaged_is_not_there(tmp_path: Path, damaged: bytes) -> None:
    shelf = Shelf(tmp_path)
    digest = shelf.put(tiny_recipe())
    (tmp_path / names_in(tmp_path)[0]).write_bytes(damaged)
    assert (shelf.get(digest), shelf.read(digest)) == (None, None)


def test_what_is_no_recipe_is_none(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert shelf.get(shelf.put(b"not a recipe")) is None


def test_what_nothing_uses_is_dropped(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    (tmp_path / "other").touch()
    kept, dropped = shelf.put(tiny_recipe()), shelf.put(b"another")
    shelf.trim({kept})
    assert shelf.read(dropped) is None
    assert shelf.get(kept) is not None
    assert "other" in names_in(tmp_path)
