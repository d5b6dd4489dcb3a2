"""What every store must do: a test class for each implementation inherits this."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bundle.errors import (
    BundleError,
    LimitError,
    MissingError,
    NotFoundError,
    UsageError,
)
from bundle.limits import MAX_CHUNK
from bundle.store.base import Retention
from tests.store.contents import chunk, digest, recipe_of, release, rows

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.store.base import Committed, ReadStore, Store


async def ids_in(store: ReadStore) -> list[bytes]:
    """Return every id that a store lists."""
    return [row.tobytes() async for batch in store.list() for row in batch]


async def commit(store: Store, seq: int, *recipes: list[bytes]) -> Committed:
    """Put chunks, recipes and a release of them, in the order of the rules."""
    made = []
    for number, chunks in enumerate(recipes):
        await store.put(chunks)
        made.append(recipe_of(chunks, f"file-{number}"))
        await store.put_recipe(made[-1])
    wanted = release(seq, made)
    await store.commit(wanted)
    return wanted


class StoreSuite(ABC):
    """The behaviour of a store, whatever it is made of."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """An empty store."""
        return self.make(tmp_path / "store")

    @abstractmethod
    def make(self, path: Path) -> Store:
        """Return an empty store; ``path`` is free for it."""

    async def test_an_empty_store_holds_nothing(self, store: Store) -> None:
        assert not (await store.has_many(rows([chunk(1)]))).any()
        assert await ids_in(store) == []
        assert await store.releases() == ()

    async def test_an_id_is_32_hexadecimal_digits_and_stays(self, store: Store) -> None:
        identity = await store.identity()
        assert re.fullmatch(r"[0-9a-f]{32}", identity.id)
        await store.put([chunk(1)])
        assert await store.identity() == identity

    async def test_what_was_put_is_read_again(self, store: Store) -> None:
        chunks = [chunk(number, 1 + number * 700) for number in range(30)]
        ids = await store.put(chunks)
        assert np.array_equal(ids, rows(chunks))
        assert [await store.read(row.tobytes()) for row in ids] == chunks
        assert (await store.has_many(ids)).all()

    async def test_the_largest_chunk_is_taken(self, store: Store) -> None:
        (row,) = await store.put([bytes(MAX_CHUNK)])
        assert await store.read(row.tobytes()) == bytes(MAX_CHUNK)

    @pytest.mark.parametrize("size", [0, MAX_CHUNK + 1])
    async def test_no_frame_could_hold_it(self, store: Store, size: int) -> None:
        with pytest.raises(LimitError, match=r"5\.2\.12"):
            await store.put([chunk(1), bytes(size)])
        assert not (await store.has_many(rows([bytes(size)]))).any()

    async def test_a_chunk_that_was_put_twice_is_listed_once(
        self, store: Store
    ) -> None:
        await store.put([chunk(1), chunk(2), chunk(1)])
        await store.put([chunk(2), chunk(3)])
        expected = sorted(row.tobytes() for row in rows([chunk(n) for n in (1, 2, 3)]))
        assert sorted(await ids_in(store)) == expected

    async def test_answers_come_in_the_order_of_the_question(
        self, store: Store
    ) -> None:
        await store.put([chunk(number) for number in range(0, 40, 2)])
        asked = [chunk(number) for number in range(39, -1, -1)]
        held = await store.has_many(rows(asked))
        assert held.tolist() == [number % 2 == 0 for number in range(39, -1, -1)]

    async def test_nothing_is_asked_for(self, store: Store) -> None:
        assert (await store.has_many(rows([]))).tolist() == []
        assert (await store.put([])).shape == (0, 32)

    async def test_what_is_not_held_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFoundError):
            await store.read(bytes(32))
        with pytest.raises(NotFoundError):
            await store.recipe(digest(b""))

    async def test_a_recipe_is_named_by_its_digest(self, store: Store) -> None:
        recipe = recipe_of([chunk(1)])
        assert await store.put_recipe(recipe) == digest(recipe)
        assert await store.put_recipe(recipe) == digest(recipe)
        assert await store.recipe(digest(recipe)) == recipe

    async def test_what_is_no_recipe_is_refused(self, store: Store) -> None:
        with pytest.raises(BundleError):
            await store.put_recipe(b"not a recipe")

    async def test_a_release_counts_once_it_is_committed(self, store: Store) -> None:
        wanted = await commit(store, 1, [chunk(1), chunk(2)], [chunk(2), chunk(3)])
        assert await store.releases() == (wanted,)
        await store.commit(wanted)
        assert await store.releases() == (wanted,)

    async def test_a_release_without_its_recipe_is_refused(self, store: Store) -> None:
        await store.put([chunk(1)])
        with pytest.raises(MissingError, match="recipe"):
            await store.commit(release(1, [recipe_of([chunk(1)])]))
        assert await store.releases() == ()

    async def test_a_release_without_a_chunk_is_refused(self, store: Store) -> None:
        recipe = recipe_of([chunk(1), chunk(2)])
        await store.put([chunk(1)])
        await store.put_recipe(recipe)
        with pytest.raises(MissingError, match=rows([chunk(2)]).tobytes().hex()):
            await store.commit(release(1, [recipe]))
        assert await store.releases() == ()

    async def test_a_collection_keeps_the_newest_release_whole(
        self, store: Store
    ) -> None:
        await commit(store, 1, [chunk(1), chunk(2)])
        newest = await commit(store, 2, [chunk(2), chunk(3)])
        collected = await store.collect(Retention(keep=1))
        assert [one.seq for one in collected.releases] == [1]
        assert await store.releases() == (newest,)
        assert await store.read(rows([chunk(2)]).tobytes()) == chunk(2)
        assert await store.read(rows([chunk(3)]).tobytes()) == chunk(3)

    async def test_what_no_release_uses_is_collected(self, store: Store) -> None:
        await store.put([chunk(1)])
        recipe = await store.put_recipe(recipe_of([chunk(1)]))
        collected = await store.collect(Retention())
        assert (collected.chunks, collected.recipes, collected.bytes) == (1, 1, 600)
        assert not (await store.has_many(rows([chunk(1)]))).any()
        with pytest.raises(NotFoundError):
            await store.recipe(recipe)

    async def test_a_collection_counts_the_generation_up(self, store: Store) -> None:
        before = await store.identity()
        collected = await store.collect(Retention())
        after = await store.identity()
        assert after.id == before.id
        assert before.generation < after.generation == collected.generation

    async def test_a_pinned_release_stays(self, store: Store) -> None:
        old = await commit(store, 1, [chunk(1)])
        await commit(store, 2, [chunk(2)])
        newest = await commit(store, 3, [chunk(3)])
        await store.collect(Retention(keep=1, pins=frozenset({old.digest})))
        assert await store.releases() == (old, newest)
        assert await store.read(rows([chunk(1)]).tobytes()) == chunk(1)

    async def test_a_pin_that_names_nothing_is_refused(self, store: Store) -> None:
        kept = await commit(store, 1, [chunk(1)])
        with pytest.raises(UsageError, match="no release"):
            await store.collect(Retention(pins=frozenset({digest(b"")})))
        assert await store.releases() == (kept,)

    async def test_each_stream_keeps_its_own(self, store: Store) -> None:
        await commit(store, 7, [chunk(1)])
        recipe = recipe_of([chunk(1)])
        await store.put_recipe(recipe)
        other = release(1, [recipe], stream="f" * 32)
        await store.commit(other)
        await store.collect(Retention(keep=1))
        assert {one.seq for one in await store.releases()} == {1, 7}

    async def test_a_dry_run_changes_nothing(self, store: Store) -> None:
        await commit(store, 1, [chunk(1)])
        await commit(store, 2, [chunk(2)])
        before = await store.identity(), await store.releases(), await ids_in(store)
        dry = await store.collect(Retention(keep=1), dry_run=True)
        after = await store.identity(), await store.releases(), await ids_in(store)
        assert before == after
        assert await store.collect(Retention(keep=1)) == dry
