"""Killed at any moment: what was there still loads, and the next run finishes."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.caches import commit_of, repository, small_model
from tests.cli.events import check_events
from tests.cli.shell import Shell
from tests.clients import ClientError, HubClient
from tests.crossing.gap import fill, open_gap
from tests.crossing.killed import KILLED, Stage
from tests.crossing.loading import check_loads, check_scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.caches import Repository

OLD, NEW = small_model("of old"), small_model("of now")
BEFORE = repository(OLD, refs={"v1": commit_of(OLD)})
AFTER = repository(NEW, older=[OLD], refs={"v1": commit_of(OLD), "v2": commit_of(NEW)})
KEPT = replace(BEFORE, refs={"v1": commit_of(OLD)})
"""What is there before and after, whatever happens."""

SLICE = 10
PARTS = 4


@pytest.fixture(scope="module")
def client() -> Iterator[HubClient]:
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    with HubClient(environment=quiet) as client:
        yield client


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


class Scene:
    """Someone's home, from which every run starts afresh."""

    def __init__(self, path: Path, home: Path, variables: dict[str, str]) -> None:
        self._base, self._run = home, path / "run"
        self._variables = variables

    def fresh(self) -> Shell:
        shutil.rmtree(self._run, ignore_errors=True)
        shutil.copytree(self._base, self._run, symlinks=True)
        return Shell(self._run, dict(self._variables))


def some(calls: Iterable[int], seed: int) -> list[int]:
    """Return a slice of all calls, the same every time."""
    every = list(calls)
    return sorted(random.Random(seed).sample(every, min(SLICE, len(every))))


def check_whole(client: HubClient, repo: Repository, hub: Path) -> None:
    """Assert that main is one of the revisions, complete, or not there at all."""
    try:
        folder = client.snapshot(repo.name, cache_dir=str(hub))
    except ClientError as error:
        assert error.kind == "LocalEntryNotFoundError"  # noqa: PT017 - one of two ways
        return
    one = replace(repo, commits={folder.name: repo.commits[folder.name]}, refs={})
    check_loads(client, one, hub)


class Unpacking:
    """The second release on its way into a volume, killed before a call."""

    def __init__(self, path: Path, stage: Stage, *, copy: bool, first: bool) -> None:
        gap = open_gap(path)
        fill(gap, [BEFORE])
        bundles = [gap.pack()]
        fill(gap, [AFTER])
        bundles.append(gap.pack())
        if not first:
            gap.publish(bundles[0], f"hf-home:{gap.inside.home / 'pvc'}", copy=copy)
        self._stage = stage
        self._scene = Scene(path, gap.inside.home, gap.inside.variables)
        options = ["--copy"] if copy else []
        self._words = ["unpack", bundles[1], "--json", *options, "--to"]
        self.first = first

    def calls(self) -> range:
        shell = self._scene.fresh()
        return self._stage.calls(shell, *self._words, f"hf-home:{shell.home / 'pvc'}")

    def check(self, client: HubClient, at: int) -> None:
        shell = self._scene.fresh()
        pvc = shell.home / "pvc"
        words = [*self._words, f"hf-home:{pvc}"]
        assert self._stage.run(shell, *words, at=at).code == KILLED
        if not self.first:
            check_loads(client, KEPT, pvc / "hub")
            assert client.scan(pvc / "hub").warnings == []
        check_whole(client, AFTER, pvc / "hub")
        ended = self._stage.run(shell, *words)
        assert ended.code == 0, ended.out
        check_loads(client, AFTER, pvc / "hub")
        check_scan(client.scan(pvc / "hub"), AFTER)
        assert not list(pvc.glob(".bundle/run-*"))
        again = check_events(self._stage.run(shell, *words).out)
        assert again[-1]["writtenFiles"] == 0


SITUATIONS = pytest.mark.parametrize(
    ("copy", "first"),
    [
        pytest.param(False, False, id="an update with links"),
        pytest.param(True, False, id="an update with copies"),
        pytest.param(False, True, id="the first unpack"),
    ],
)


@SITUATIONS
def test_a_killed_unpack_leaves_what_loads(
    tmp_path: Path, client: HubClient, stage: Stage, *, copy: bool, first: bool
) -> None:
    unpacking = Unpacking(tmp_path, stage, copy=copy, first=first)
    for at in some(unpacking.calls(), seed=5):
        unpacking.check(client, at)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
@SITUATIONS
def test_an_unpack_killed_anywhere_leaves_what_loads(
    tmp_path: Path,
    client: HubClient,
    stage: Stage,
    *,
    copy: bool,
    first: bool,
    part: int,
) -> None:
    unpacking = Unpacking(tmp_path, stage, copy=copy, first=first)
    for at in unpacking.calls()[part::PARTS]:
        unpacking.check(client, at)


class Packing:
    """The second release on its way to the medium, killed before a call."""

    def __init__(self, path: Path, stage: Stage) -> None:
        gap = open_gap(path)
        fill(gap, [BEFORE])
        gap.publish(gap.pack(), f"hf-home:{gap.inside.home / 'pvc'}")
        fill(gap, [AFTER])
        self._gap, self._stage = gap, stage
        self._scene = Scene(path, gap.outside.home, gap.outside.variables)

    def _words(self, shell: Shell) -> list[object]:
        source = f"hf-cache:{shell.home / 'hf-home'}"
        return ["pack", source, "--out", shell.home / "out", "--quiet"]

    def calls(self) -> range:
        shell = self._scene.fresh()
        return self._stage.calls(shell, *self._words(shell))

    def check(self, at: int) -> None:
        shell = self._scene.fresh()
        words, out = self._words(shell), shell.home / "out"
        assert self._stage.run(shell, *words, at=at).code == KILLED
        for left in out.iterdir() if out.is_dir() else ():
            finished = (left / "bundle.json").exists()
            assert self._gap.inside("verify", left).code == (0 if finished else 13)
        ended = self._stage.run(shell, *words)
        assert ended.code == 0, ended.out
        bundle = ended.out.strip()
        self._gap.inside.ok("verify", bundle)
        here = sorted(out.iterdir())
        assert str(here[-1]) == bundle
        assert all((one / "bundle.json").exists() for one in here)


def test_a_killed_pack_starts_clean_again(tmp_path: Path, stage: Stage) -> None:
    packing = Packing(tmp_path, stage)
    for at in some(packing.calls(), seed=6):
        packing.check(at)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_pack_killed_anywhere_starts_clean_again(
    tmp_path: Path, stage: Stage, part: int
) -> None:
    packing = Packing(tmp_path, stage)
    for at in packing.calls()[part::PARTS]:
        packing.check(at)
