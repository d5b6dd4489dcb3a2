"""Collections where it is tight: a full disk, a collection that is cut off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bundle.store.base import Retention
from bundle.store.check import check
from bundle.store.local import LocalStore
from tests.store.contents import chunk, rows
from tests.store.suite import commit
from tests.target.interrupted import Interruption, PowerCut

if TYPE_CHECKING:
    from bundle.store.base import Committed

PROJECT = Path(__file__).parents[2]
NAMESPACE = ("unshare", "--map-root-user", "--mount")

FULL = """
import asyncio, os, subprocess, sys
from pathlib import Path
from bundle.store.base import Retention
from bundle.store.check import check
from bundle.store.local import LocalStore
from tests.store.contents import chunk
from tests.store.suite import commit

async def run(place):
    store = LocalStore.make(place / "store")
    for seq in (1, 2):
        await commit(store, seq, [chunk(10 * seq + n, 300_000) for n in range(4)])
    await store.put([chunk(90 + n, 100_000) for n in range(2)])
    with (place / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass
    assert os.statvfs(place).f_bavail == 0
    collected = await store.collect(Retention(keep=1))
    assert [one.seq for one in collected.releases] == [1]
    assert (await store.identity()).generation == 2
    assert os.statvfs(place).f_bavail * 4096 > 1_000_000
    assert [one.seq for one in await store.releases()] == [2]
    checked = check(LocalStore(place / "store"))
    assert checked.problems == () == checked.lost, checked

place = Path(sys.argv[1])
words = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)]
if subprocess.run(words, check=False).returncode:
    sys.exit(77)
asyncio.run(run(place))
"""


def test_a_full_disk_is_collected(tmp_path: Path) -> None:
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", FULL, str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this machine does not let a file system be mounted")
    assert done.returncode == 0, done.stderr


async def filled(root: Path) -> Committed:
    """Two releases that share a pack with what nobody uses; return the newer."""
    store = LocalStore.make(root)
    await store.put([chunk(number) for number in range(12)])
    await commit(store, 1, [chunk(1), chunk(2)])
    newer = await commit(store, 2, [chunk(2), chunk(3)])
    await store.put([chunk(50)])
    store.close()
    return newer


async def collected(root: Path, at: int | None) -> int:
    """Collect, cut off at a call that changes the disk; return how many there were."""
    cut = Interruption(at)
    store = LocalStore(root)
    try:
        with cut.armed():
            await store.collect(Retention(keep=1))
    except PowerCut:
        pass
    finally:
        store.close()
    return cut.calls


@pytest.mark.timeout(120)
async def test_a_collection_that_is_cut_off_loses_nothing_in_use(
    tmp_path: Path,
) -> None:
    await filled(tmp_path / "whole")
    calls = await collected(tmp_path / "whole", None)
    assert calls > 8
    for at in range(1, calls + 1):
        root = tmp_path / str(at)
        newer = await filled(root)
        await collected(root, at)
        store = LocalStore(root)
        assert newer in await store.releases(), at
        assert await store.read(rows([chunk(3)]).tobytes()) == chunk(3), at
        assert check(store, quick=True).lost == (), at
        await store.collect(Retention(keep=1))
        assert await store.releases() == (newer,), at
        assert check(store).problems == (), at
        store.close()
