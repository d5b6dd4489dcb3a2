"""What a target keeps to say what it holds, and what becomes of damage to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.format.recipe import Recipe
from bundle.target.ledger import KEPT, Applied, Given, Ledger
from bundle.target.workspace import Workspace
from tests.store.contents import chunk, digest, recipe_of

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "0" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Workspace(tmp_path))


def applied(seq: int, *recipes: bytes, stream: str = STREAM) -> Applied:
    given = tuple(Given("tree", f"t{n}", digest(one)) for n, one in enumerate(recipes))
    return Applied(stream, "models", seq, digest(b"%d" % seq), given)


def test_nothing_is_known_where_nothing_was_kept(ledger: Ledger) -> None:
    assert ledger.identity() is None
    assert ledger.releases() == ()
    assert ledger.recipe(digest(b"")) is None
    assert ledger.recipe("no digest") is None
    ledger.lose({"anything"})
    assert ledger.identity() is None


def test_a_recipe_is_kept_and_read_again(tmp_path: Path, ledger: Ledger) -> None:
    data = recipe_of([chunk(1)])
    for _ in range(2):
        ledger.keep(digest(data), Recipe.parse(data))
    kept = ledger.recipe(digest(data))
    assert kept is not None
    assert kept.data == data
    (path,) = (tmp_path / ".bundle/recipes").iterdir()
    for damage in (b"", data[:-1], b"?" + data[1:]):
        path.write_bytes(damage)
        assert ledger.recipe(digest(data)) is None
    ledger.keep(digest(data), Recipe.parse(data))
    assert path.read_bytes() == data


def test_releases_are_remembered_in_the_order_of_publication(ledger: Ledger) -> None:
    ledger.note(applied(1), changed=True)
    ledger.note(applied(2), changed=True)
    identity = ledger.identity()
    assert identity is not None
    assert identity.generation == 1
    ledger.note(applied(2), changed=False)
    assert [one.seq for one in ledger.releases()] == [1, 2]
    ledger.note(applied(1), changed=False)
    assert [one.seq for one in ledger.releases()] == [2, 1]
    ledger.note(applied(2), changed=True)
    assert [one.seq for one in ledger.releases()] == [1, 2]
    assert ledger.identity() == identity


def test_what_is_lost_begins_a_generation(ledger: Ledger) -> None:
    ledger.note(applied(1), changed=True)
    ledger.note(applied(2), changed=True)
    before = ledger.identity()
    ledger.lose([])
    assert ledger.identity() == before
    ledger.lose([digest(b"1")])
    after = ledger.identity()
    assert before is not None
    assert after is not None
    assert (after.id, after.generation) == (before.id, before.generation + 1)
    assert [one.seq for one in ledger.releases()] == [2]


def test_old_releases_are_forgotten_with_their_recipes(
    tmp_path: Path, ledger: Ledger
) -> None:
    shared = recipe_of([chunk(0)])
    ledger.keep(digest(shared), Recipe.parse(shared))
    for seq in range(1, KEPT + 3):
        own = recipe_of([chunk(seq)])
        ledger.keep(digest(own), Recipe.parse(own))
        ledger.note(applied(seq, shared, own), changed=True)
    assert [one.seq for one in ledger.releases()] == list(range(3, KEPT + 3))
    assert len(list((tmp_path / ".bundle/recipes").iterdir())) == KEPT + 1
    identity = ledger.identity()
    assert identity is not None
    assert identity.generation == 3


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"[" * 10_000, b'{"id":"","format":2}'], ids=range(4)
)
def test_a_damaged_ledger_is_a_new_one(
    tmp_path: Path, ledger: Ledger, damage: bytes
) -> None:
    ledger.note(applied(1), changed=True)
    before = ledger.identity()
    (tmp_path / ".bundle/store.json").write_bytes(damage)
    assert ledger.identity() is None
    ledger.note(applied(2), changed=True)
    assert ledger.identity() != before
