"""Two that write by mistake: one stopped at every request, and nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bundle.errors import MissingError, TransientError
from bundle.store.base import Retention
from bundle.store.s3_check import check
from tests.bundles import no_flushing
from tests.store.contents import chunk, recipe_of, release
from tests.store.shelf import ShelfPlace, at_once, store_on
from tests.store.suite import commit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from bundle.store.base import Committed
    from bundle.store.s3 import S3Store

    Work = Callable[[S3Store], Awaitable[str | None]]

SHARED = [chunk(1), chunk(2)]
OTHER = [chunk(number) for number in (3, 4, 5)]
SPARE = [chunk(number) for number in range(6, 12)]


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    with no_flushing():
        yield


async def add_sharing(store: S3Store) -> str | None:
    """Commit a release of chunks that only an old release uses, and of a new one."""
    chunks = [*SHARED, chunk(40)]
    await store.begin()
    await store.put(chunks)
    recipe = recipe_of(chunks, "new")
    await store.put_recipe(recipe)
    wanted = release(3, [recipe], stream="e" * 32)
    await store.commit(wanted)
    return wanted.digest


async def add_the_old_one_again(store: S3Store) -> str | None:
    """Commit a release of which everything but the pointer may be there."""
    await store.begin()
    await store.put(SHARED)
    recipe = recipe_of(SHARED, "file-0")
    await store.put_recipe(recipe)
    wanted = release(9, [recipe], stream="d" * 32)
    await store.commit(wanted)
    return wanted.digest


async def collect(store: S3Store) -> str | None:
    """Drop all but the newest release of each stream."""
    await store.collect(Retention(keep=1))
    return None


async def rebuild(store: S3Store) -> str | None:
    """Check, and let what is damaged leave."""
    await check(store, rebuild=True)
    return None


class Race:
    """A store with two releases, and two machines that write to it."""

    def __init__(self, path: Path) -> None:
        self.objects: dict[str, bytes] = {}
        self.path = path
        self.places: list[ShelfPlace] = []

    def machine(self, name: str) -> S3Store:
        store = store_on(self.objects, self.path / name)
        assert isinstance(store.place, ShelfPlace)
        self.places.append(store.place)
        return store

    async def run(self, first: Work, other: Work, at: int) -> tuple[bool, set[str]]:
        """Run ``first``, and all of ``other`` before its request number ``at``.

        Returns whether it came to that, and the releases that were acknowledged.
        """
        made = self.machine("maker")
        await made.make()
        await commit(made, 1, [*SHARED, *SPARE])
        kept = await commit(made, 2, OTHER)
        acknowledged: set[str | None] = {kept.digest}
        one, two = self.machine("one"), self.machine("two")
        await two.begin()
        left, ran = at, False

        async def before(operation: str, name: str) -> None:  # noqa: ARG001 - the n-th, whatever it is
            nonlocal left, ran
            left -= 1
            if left == 0:
                ran = True
                with suppress(TransientError, MissingError):
                    acknowledged.add(await other(two))

        self.places[-2].before = before
        with suppress(TransientError, MissingError):
            acknowledged.add(await first(one))
        return ran, {one for one in acknowledged if one is not None}

    async def held(self) -> dict[str, Committed]:
        """Read everything as somebody who was never here."""
        reader = self.machine("reader")
        found = await reader.releases()
        report = await check(reader)
        assert report.lost == ()
        assert report.problems == ()
        for ids in [batch async for batch in reader.list()]:
            assert all(one is not None for one in await reader.read_many(ids))
        assert [name for place in self.places for name in place.overwritten] == []
        return {one.digest: one for one in found}


PAIRS: list[tuple[Work, Work]] = [
    *itertools.permutations([add_sharing, collect, rebuild], 2),
    (collect, collect),
    (add_sharing, add_the_old_one_again),
    (collect, add_the_old_one_again),
    (add_the_old_one_again, collect),
]


@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.soak), 11], ids=["every", "some"]
)
@pytest.mark.parametrize(
    ("first", "other"), PAIRS, ids=[f"{a.__name__}-{b.__name__}" for a, b in PAIRS]
)
async def test_what_was_acknowledged_is_there(
    first: Work, other: Work, step: int, tmp_path: Path
) -> None:
    for at in itertools.count(1 + PAIRS.index((first, other)) % step, step):
        race = Race(tmp_path / "race")
        ran, acknowledged = await race.run(first, other, at)
        assert acknowledged <= (await race.held()).keys(), f"before request {at}"
        shutil.rmtree(race.path)
        if not ran:
            break
    assert at > 5


@pytest.mark.parametrize("other", [collect, rebuild])
async def test_whoever_was_refused_gets_through_the_next_time(
    other: Work, tmp_path: Path
) -> None:
    refused = 0
    for at in itertools.count(1, 3):
        race = Race(tmp_path / "race")
        ran, acknowledged = await race.run(add_sharing, other, at)
        wanted = await add_sharing(race.machine("again"))
        refused += wanted not in acknowledged
        assert wanted in await race.held()
        shutil.rmtree(race.path)
        if not ran:
            break
    assert (refused > 0) == (other is collect)


async def test_a_collection_that_died_is_finished_by_the_next(tmp_path: Path) -> None:
    class DeadError(Exception):
        pass

    for at in itertools.count(1, 4):
        race = Race(tmp_path / "race")
        left, died = at, False

        async def before(operation: str, name: str) -> None:  # noqa: ARG001 - the n-th, whatever it is
            nonlocal left, died
            left -= 1
            if left == 0:
                died = True
                raise DeadError

        made = race.machine("maker")
        await made.make()
        await commit(made, 1, [*SHARED, *SPARE])
        kept = await commit(made, 2, OTHER)
        one = race.machine("one")
        race.places[-1].before = before
        with suppress(DeadError):
            await collect(one)
        assert kept.digest in await race.held()
        await collect(race.machine("next"))
        assert (await race.held()).keys() == {kept.digest}
        assert len([name for name in race.objects if name.startswith("packs/")]) == 1
        shutil.rmtree(race.path)
        if not died:
            break
    assert at > 5
