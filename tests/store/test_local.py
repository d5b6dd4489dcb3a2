"""A store in a directory: what a crash, a bad disk or another process leaves."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from bundle.errors import (
    IntegrityError,
    MissingError,
    NotFoundError,
    TargetError,
    TransientError,
)
from bundle.store.base import Retention
from bundle.store.check import check
from bundle.store.local import LocalStore
from tests.store.contents import chunk, recipe_of, release, rows
from tests.store.suite import StoreSuite, commit, ids_in

if TYPE_CHECKING:
    from pathlib import Path


class TestLocalStore(StoreSuite):
    """A store of packs does what every store does."""

    def make(self, path: Path) -> LocalStore:
        return LocalStore.make(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalStore:
    """An empty store."""
    return LocalStore.make(root)


def packs_of(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "packs").iterdir())


async def test_another_process_sees_what_was_put(store: LocalStore, root: Path) -> None:
    wanted = await commit(store, 1, [chunk(1), chunk(2)])
    other = LocalStore(root)
    assert await other.identity() == await store.identity()
    assert await other.releases() == (wanted,)
    assert await other.read(rows([chunk(2)]).tobytes()) == chunk(2)


async def test_many_puts_leave_few_segments(store: LocalStore, root: Path) -> None:
    for number in range(40):
        await store.put([chunk(number)])
    assert len(list((root / "indexes").iterdir())) <= 6
    assert len(await ids_in(store)) == 40


async def test_without_segments_packs_tell_again(store: LocalStore, root: Path) -> None:
    ids = await store.put([chunk(1), chunk(2)])
    shutil.rmtree(root / "indexes")
    assert (await LocalStore(root).has_many(ids)).all()
    assert not (root / "indexes").exists()
    writer = LocalStore(root)
    await writer.put([chunk(1)])
    assert len(packs_of(root)) == 1
    assert len(list((root / "indexes").iterdir())) == 1


async def test_a_chunk_is_hashed_whenever_it_is_read(
    store: LocalStore, root: Path
) -> None:
    data = random.Random(5).randbytes(5000)
    (row,) = await store.put([data])
    pack = root / "packs" / packs_of(root)[0]
    raw = bytearray(pack.read_bytes())
    raw[2000] ^= 1
    pack.write_bytes(raw)
    with pytest.raises(IntegrityError):
        await LocalStore(root).read(row.tobytes())


async def test_a_pack_that_is_gone_holds_nothing(store: LocalStore, root: Path) -> None:
    ids = await store.put([chunk(1)])
    (root / "packs" / packs_of(root)[0]).unlink()
    with pytest.raises(NotFoundError):
        await store.read(ids[0].tobytes())
    assert not (await LocalStore(root).has_many(ids)).any()


async def test_a_damaged_recipe_is_refused_and_put_again(
    store: LocalStore, root: Path
) -> None:
    recipe = recipe_of([chunk(1)])
    digest = await store.put_recipe(recipe)
    (path,) = (root / "recipes").iterdir()
    path.write_bytes(recipe[:-1])
    with pytest.raises(IntegrityError, match=r"50\.4\.2"):
        await store.recipe(digest)
    await store.put_recipe(recipe)
    assert await store.recipe(digest) == recipe


async def test_a_store_is_not_made_in_a_directory_of_others(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()
    with pytest.raises(TargetError, match="letter"):
        LocalStore.make(tmp_path)
    with pytest.raises(MissingError, match="no store here"):
        LocalStore(tmp_path)


async def test_what_a_crash_left_is_removed_by_the_next_writer(
    store: LocalStore, root: Path
) -> None:
    (root / "tmp" / "half").write_bytes(b"half a pack")
    (root / "tmp" / "rebuild").mkdir()
    await store.put([chunk(1)])
    assert list((root / "tmp").iterdir()) == []


async def test_nobody_collects_while_somebody_adds(
    store: LocalStore, root: Path
) -> None:
    await store.put([chunk(1)])
    with pytest.raises(TransientError, match="changing this store"):
        await LocalStore(root).collect(Retention())
    store.close()
    await LocalStore(root).collect(Retention())


async def test_mostly_dead_packs_are_written_again(
    store: LocalStore, root: Path
) -> None:
    await store.put([chunk(number) for number in range(10)])
    await commit(store, 1, [chunk(3), chunk(4)])
    collected = await store.collect(Retention())
    assert (collected.chunks, collected.bytes) == (8, 4800)
    assert packs_of(root) == ["0000000002.bdv"]
    assert len(await ids_in(store)) == 2
    assert await store.read(rows([chunk(4)]).tobytes()) == chunk(4)
    assert check(store).problems == ()


async def test_packs_in_use_stay_as_they_are(store: LocalStore, root: Path) -> None:
    await store.put([chunk(number) for number in range(4)])
    await commit(store, 1, [chunk(number) for number in range(3)])
    collected = await store.collect(Retention())
    assert collected.chunks == 0
    assert packs_of(root) == ["0000000001.bdv"]
    assert len(await ids_in(store)) == 4


async def test_a_collection_stops_before_a_store_that_lost_something(
    store: LocalStore, root: Path
) -> None:
    await commit(store, 1, [chunk(1)])
    await commit(store, 2, [chunk(2)])
    (root / "packs" / packs_of(root)[1]).unlink()
    with pytest.raises(MissingError, match="is not in the store"):
        await store.collect(Retention())
    assert len(await store.releases()) == 2
    assert (await store.identity()).generation == 1


async def test_a_release_that_lost_something_counts_again_when_it_is_back(
    store: LocalStore, root: Path
) -> None:
    wanted = await commit(store, 1, [chunk(1)], [chunk(2)])
    (root / "packs" / packs_of(root)[1]).unlink()
    checked = check(store, rebuild=True)
    assert [one.chunks for one in checked.lost] == [1]
    assert checked.lost[0].files == ("file-1",)
    assert await store.releases() == ()
    assert await store.read(rows([chunk(1)]).tobytes()) == chunk(1)
    await store.put([chunk(2)])
    assert check(store).lost == ()
    await store.commit(wanted)
    assert await store.releases() == (wanted,)


async def test_a_chunk_that_is_damaged_is_not_held_after_a_rebuild(
    store: LocalStore, root: Path
) -> None:
    ids = await store.put([chunk(1)])
    pack = root / "packs" / packs_of(root)[0]
    raw = bytearray(pack.read_bytes())
    raw[300] ^= 1
    pack.write_bytes(raw)
    store.close()
    assert len(check(store, rebuild=True).problems) == 1
    other = LocalStore(root)
    assert not (await other.has_many(ids)).any()
    await other.put([chunk(1)])
    assert await other.read(ids[0].tobytes()) == chunk(1)


async def test_a_lost_recipe_is_named(store: LocalStore, root: Path) -> None:
    await commit(store, 1, [chunk(1)])
    (path,) = (root / "recipes").iterdir()
    path.unlink()
    (lost,) = check(store).lost
    assert (lost.chunks, lost.files) == (0, ())


async def test_frames_behind_damage_are_found(store: LocalStore, root: Path) -> None:
    chunks = [random.Random(seed).randbytes(900_000) for seed in range(12)]
    await commit(store, 1, chunks)
    pack = root / "packs" / packs_of(root)[0]
    raw = bytearray(pack.read_bytes())
    raw[64:100] = bytes(36)
    raw[-100:] = b""
    pack.write_bytes(raw)
    checked = check(store, rebuild=True)
    assert 0 < checked.lost[0].chunks < 12
    assert len(await ids_in(store)) == 12 - checked.lost[0].chunks


async def test_a_quick_check_sees_what_is_gone(store: LocalStore, root: Path) -> None:
    await commit(store, 1, [chunk(1)])
    assert check(store, quick=True).lost == ()
    os.truncate(root / "packs" / packs_of(root)[0], 200)
    checked = check(store, quick=True)
    assert len(checked.problems) >= 1
    assert checked.lost[0].chunks == 1


async def test_a_commit_by_another_name_is_refused(
    store: LocalStore, root: Path
) -> None:
    await commit(store, 1, [chunk(1)])
    (path,) = (root / "commits").iterdir()
    path.rename(path.with_name(f"0000000001-{'0' * 64}"))
    with pytest.raises(Exception, match=r"50\.5\.3"):
        await store.releases()


async def test_commit_is_refused_for_lost_chunks(store: LocalStore) -> None:
    recipe = recipe_of([chunk(8)])
    await store.put_recipe(recipe)
    with pytest.raises(MissingError):
        await store.commit(release(1, [recipe]))
