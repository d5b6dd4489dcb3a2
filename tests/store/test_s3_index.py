"""What a machine keeps of a store in a bucket, and what reading costs."""

from __future__ import annotations

import asyncio
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from bundle.errors import FormatError, NotFoundError, TransientError
from bundle.flow.together import together
from bundle.store import s3_state
from bundle.store.base import Retention
from bundle.store.s3 import S3Store
from bundle.store.s3_packs import MERGED
from tests.bundles import no_flushing
from tests.store.contents import chunk, rows
from tests.store.shelf import ShelfPlace, at_once, store_on
from tests.store.suite import commit, ids_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BIG = [random.Random(seed).randbytes(900_000) for seed in range(12)]


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    with no_flushing():
        yield


class Counting(ShelfPlace):
    """Notes what is asked of it."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self.asked: list[tuple[str, str]] = []
        self.before = self.note

    async def note(self, operation: str, name: str) -> None:
        self.asked.append((operation, name))

    def count(self, operation: str, prefix: str = "") -> int:
        return sum(
            one == operation and name.startswith(prefix) for one, name in self.asked
        )


@pytest.fixture
def objects() -> dict[str, bytes]:
    """A bucket."""
    return {}


@pytest.fixture
async def store(objects: dict[str, bytes], tmp_path: Path) -> S3Store:
    """An empty store in the bucket."""
    made = store_on(objects, tmp_path / "writer")
    await made.make()
    return made


async def test_near_chunks_come_with_one_request(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    ids = await store.put(BIG)
    place = Counting(objects)
    reader = S3Store(place, tmp_path / "reader")
    assert (await reader.has_many(ids)).all()
    place.asked.clear()
    assert await reader.read_many(ids) == BIG
    assert place.count("part", "packs/") == 1
    place.asked.clear()
    assert await reader.read(ids[-1].tobytes()) == BIG[-1]
    assert place.asked == []


async def test_what_is_asked_at_the_same_time_is_one_question(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    ids = await store.put(BIG)
    place = Counting(objects)
    reader = S3Store(place, tmp_path / "reader")
    await reader.has_many(ids)
    place.asked.clear()
    chunks = [row.tobytes() for row in ids]
    assert await together(reader.read, chunks, at_once=len(chunks)) == BIG
    assert place.count("part", "packs/") == 1
    with pytest.raises(NotFoundError):
        await together(reader.read, [*chunks, bytes(32)], at_once=20)


async def test_whoever_waits_for_a_question_that_was_given_up_is_told(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    ids = await store.put(BIG[:2])
    place = ShelfPlace(objects)
    reader = S3Store(place, tmp_path / "reader")
    await reader.has_many(ids)
    started = asyncio.Event()

    async def hang(operation: str, name: str) -> None:  # noqa: ARG001 - whatever it is
        started.set()
        await asyncio.Event().wait()

    place.before = hang
    first = asyncio.ensure_future(reader.read(ids[0].tobytes()))
    second = asyncio.ensure_future(reader.read(ids[1].tobytes()))
    await started.wait()
    first.cancel()
    with pytest.raises(TransientError, match="given up"):
        await second
    place.before = None
    assert await reader.read(ids[1].tobytes()) == BIG[1]


async def test_a_second_look_fetches_nothing_twice(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    await store.put([chunk(1)])
    place = Counting(objects)
    reader = S3Store(place, tmp_path / "reader")
    await reader.has_many(rows([chunk(1)]))
    await store.put([chunk(2)])
    place.asked.clear()
    again = S3Store(place, tmp_path / "reader")
    assert (await again.has_many(rows([chunk(1), chunk(2)]))).all()
    assert place.count("part", "indexes/") + place.count("get", "indexes/") == 1
    assert place.count("part", "packs/") == 0


async def test_without_index_objects_packs_tell_again(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    ids = await store.put(BIG)
    for name in [one for one in objects if one.startswith("indexes/")]:
        del objects[name]
    reader = store_on(objects, tmp_path / "reader")
    assert await reader.read_many(ids) == BIG


async def test_an_index_object_that_lies_is_left_out(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    ids = await store.put([chunk(1)])
    (name,) = [one for one in objects if one.startswith("indexes/")]
    objects[name] = objects[name][:-40] + bytes(40)
    assert (await store_on(objects, tmp_path / "reader").has_many(ids)).all()


async def test_an_index_object_that_is_too_large_is_left_out(
    store: S3Store,
    objects: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = await store.put([chunk(1)])
    (name,) = [one for one in objects if one.startswith("indexes/")]
    for limit, fetched in ((len(objects[name]), 1), (len(objects[name]) - 1, 0)):
        monkeypatch.setattr(s3_state, "MAX_INDEX_OBJECT", limit)
        place = Counting(objects)
        assert (await S3Store(place, tmp_path / f"{limit}").has_many(ids)).all()
        assert place.count("part", "indexes/") == fetched


async def test_a_list_of_what_leaves_is_bounded(
    store: S3Store, objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = [one for one in objects if one.startswith("generations/")]
    monkeypatch.setattr(s3_state, "MAX_LEAVING", len(objects[name]))
    await store.state.refresh()
    store.state.index.drop(name)
    objects[name] += b" "
    with pytest.raises((AssertionError, FormatError)):
        await store.state.refresh()


async def test_a_copy_that_is_gone_or_damaged_is_made_again(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    ids = await store.put([chunk(1), chunk(2)])
    cache = tmp_path / "reader"
    assert (await store_on(objects, cache).has_many(ids)).all()
    (segment,) = cache.glob("*/indexes/*.bdx")
    segment.write_bytes(b"not a segment")
    assert (await store_on(objects, cache).has_many(ids)).all()
    shutil.rmtree(cache)
    assert (await store_on(objects, cache).has_many(ids)).all()


async def test_many_index_objects_become_few(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    for number in range(2 * MERGED):
        await store.put([chunk(number)])
    await commit(store, 1, [chunk(0)])
    assert len([one for one in objects if one.startswith("indexes/")]) == MERGED + 1
    assert len(await ids_in(store_on(objects, tmp_path / "reader"))) == 2 * MERGED


async def test_a_reader_finds_what_was_moved_since(
    store: S3Store, objects: dict[str, bytes], tmp_path: Path
) -> None:
    await store.put([chunk(number) for number in range(10)])
    await commit(store, 1, [chunk(3)])
    reader = store_on(objects, tmp_path / "reader")
    assert (await reader.has_many(rows([chunk(3), chunk(4)]))).all()
    before = {one for one in objects if one.startswith("packs/")}
    await store.collect(Retention())
    assert not before & objects.keys()
    assert await reader.read(rows([chunk(3)]).tobytes()) == chunk(3)
    with pytest.raises(NotFoundError):
        await reader.read(rows([chunk(4)]).tobytes())
