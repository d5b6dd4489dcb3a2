"""Whatever is interrupted, a real client loads the old revision or the new one."""

import errno
import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bundle.errors import SpaceError, TargetError
from bundle.target.hf_cache import HuggingFaceTarget
from tests.clients import HubClient, contents
from tests.target.interrupted import Interruption, PowerCut, bury
from tests.target.sample import ONE, TWO, Sample, repository, unpack

WEIGHTS = bytes(range(256)) * 40
OLD = {"config.json": b"{}", "1_Pooling/config.json": b'{"a": 1}', "w.bin": WEIGHTS}
NEW = {**OLD, "config.json": b'{"b": 2}', "w.bin": WEIGHTS[::-1], "x/y": b"deep"}
BEFORE = repository({ONE: OLD}, {"main": ONE})
AFTER = repository({ONE: OLD, TWO: NEW}, {"main": TWO, "v/1": ONE}, no_exist=["n"])
MORE = {**OLD, "x/y": b"deep", "config.json": b"{}"}
FILLED = repository({ONE: MORE}, {"main": ONE, "v/2": ONE})
SLICE = 30


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubClient]:
    with HubClient(home=tmp_path_factory.mktemp("home")) as client:
        yield client


def _target(root: Path, *, copy: bool) -> HuggingFaceTarget:
    return HuggingFaceTarget(f"hf-cache:{root}", root, home=False, copy=copy)


class Rehearsal:
    """A cache with the old revision, as many times as needed."""

    def __init__(self, directory: Path, *, copy: bool) -> None:
        self._directory = directory
        self.copy = copy
        unpack(_target(directory / "base", copy=copy), BEFORE)

    def fresh(self) -> HuggingFaceTarget:
        root = self._directory / "run"
        if root.exists():
            shutil.rmtree(root)
        shutil.copytree(self._directory / "base", root, symlinks=True)
        return _target(root, copy=self.copy)

    def watch(self, item: Sample) -> Interruption:
        """Return the calls of a publication that is left alone."""
        target, watch = self.fresh(), Interruption()
        with watch.armed():
            unpack(target, item)
        return watch

    def calls(self, item: Sample) -> range:
        """Return their numbers."""
        return range(1, self.watch(item).calls + 1)


def _check(client: HubClient, root: Path) -> None:
    """Assert that one of the two revisions loads, and that no part of one shows."""
    where = {"cache_dir": str(root)}
    assert contents(client.snapshot("org/model", **where)) in (OLD, NEW)
    assert contents(client.snapshot("org/model", revision=ONE, **where)) == OLD
    for name, data in OLD.items():
        path = client.file("org/model", name, **where)
        assert path.read_bytes() in (data, NEW[name])
    scan = client.scan(root)
    assert scan.warnings == []
    assert set(scan.repositories["model/org/model"]) <= {ONE, TWO}
    snapshot = root / "models--org--model" / "snapshots" / TWO
    assert not snapshot.exists() or contents(snapshot) == NEW


def _finish(client: HubClient, root: Path, *, copy: bool) -> None:
    """Assert that the next run completes what was interrupted, and tidies up."""
    with Interruption().armed():
        unpack(_target(root, copy=copy), AFTER)
    assert contents(client.snapshot("org/model", cache_dir=str(root))) == NEW
    assert client.scan(root).warnings == []
    assert not list((root / ".locks" / ".bundle").glob("run-*"))
    assert not list(root.rglob("*.tmp"))


def _power_cuts(client: HubClient, rehearsal: Rehearsal, calls: list[int]) -> None:
    for at in calls:
        target = rehearsal.fresh()
        with Interruption(at).armed(), pytest.raises(PowerCut):
            unpack(target, AFTER)
        bury(target)
        _check(client, target.hub)
        _finish(client, target.hub, copy=rehearsal.copy)


def _errors(client: HubClient, rehearsal: Rehearsal, calls: list[int]) -> None:
    for at in calls:
        target = rehearsal.fresh()
        with Interruption(at, errno.ENOSPC).armed(), suppress(SpaceError):
            unpack(target, AFTER)
        bury(target)
        _check(client, target.hub)
        _finish(client, target.hub, copy=rehearsal.copy)


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_a_power_cut_leaves_a_cache_that_loads(
    tmp_path: Path, client: HubClient, *, copy: bool
) -> None:
    rehearsal = Rehearsal(tmp_path, copy=copy)
    calls = rehearsal.calls(AFTER)
    seeded = random.Random(1)
    _power_cuts(client, rehearsal, sorted(seeded.sample(calls, SLICE)))


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_a_full_disk_leaves_a_cache_that_loads(
    tmp_path: Path, client: HubClient, *, copy: bool
) -> None:
    rehearsal = Rehearsal(tmp_path, copy=copy)
    seeded = random.Random(2)
    _errors(client, rehearsal, sorted(seeded.sample(rehearsal.calls(AFTER), SLICE)))


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_every_power_cut_and_every_full_disk_leave_a_cache_that_loads(
    tmp_path: Path, client: HubClient, *, copy: bool
) -> None:
    rehearsal = Rehearsal(tmp_path, copy=copy)
    calls = list(rehearsal.calls(AFTER))
    _power_cuts(client, rehearsal, calls)
    _errors(client, rehearsal, calls)


def test_a_flush_that_fails_is_final(tmp_path: Path, client: HubClient) -> None:
    rehearsal = Rehearsal(tmp_path, copy=False)
    watch = rehearsal.watch(AFTER)
    flushes = [
        number
        for number, (call, _) in enumerate(watch.events, start=1)
        if call == "fsync"
    ]
    for at in random.Random(3).sample(flushes, 5):
        target = rehearsal.fresh()
        with Interruption(at, errno.EIO).armed(), pytest.raises(TargetError):
            unpack(target, AFTER)
        bury(target)
        _check(client, target.hub)


def test_filling_a_snapshot_never_shows_a_file_that_is_not_whole(
    tmp_path: Path, client: HubClient
) -> None:
    rehearsal = Rehearsal(tmp_path, copy=False)
    for at in random.Random(4).sample(rehearsal.calls(FILLED), 20):
        target = rehearsal.fresh()
        with Interruption(at).armed(), pytest.raises(PowerCut):
            unpack(target, FILLED)
        bury(target)
        seen = contents(target.hub / "models--org--model" / "snapshots" / ONE)
        assert OLD.items() <= seen.items() <= MORE.items()
        assert client.scan(target.hub).warnings == []


def test_content_that_vanished_since_it_was_looked_at_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _target(tmp_path, copy=False)
    unpack(target, BEFORE)
    again = _target(tmp_path, copy=False)
    real = again.missing

    async def gone(*arguments: object) -> list[int]:
        found = await real(*arguments)  # type: ignore[arg-type]
        for blob in (tmp_path / "models--org--model" / "blobs").iterdir():
            blob.unlink()
        return found

    monkeypatch.setattr(again, "missing", gone)
    with pytest.raises(TargetError, match="changed while this run was unpacking"):
        unpack(again, BEFORE)
