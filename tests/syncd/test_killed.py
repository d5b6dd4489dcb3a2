"""A daemon that is killed at any moment of the whole cycle ends the same."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from bundle.state.receiver import enrol
from bundle.store.check import check
from bundle.store.local import LocalStore
from tests.bundles import Site, no_flushing, snapshot, write_tree
from tests.cli.shell import Shell
from tests.crossing.killed import KILLED, Stage

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO = 1_700_000_000.0
"""When a bundle is made that the daemon reads by the clock on the wall."""

FILES = {f"part-{n}": random.Random(n).randbytes(120_000) for n in range(4)}
CHANGED = {**FILES, "part-0": b"other" * 30_000}


class Scene:
    """A bastion that has the first release; the medium with the second is plugged."""

    def __init__(self, path: Path) -> None:
        self.base, self.run = path / "base", path / "run"
        with no_flushing():
            site = Site(path / "site", now=LONG_AGO)
            first = site.packed(FILES)
            self.first = snapshot(site.path / "tree")
            second = site.bundle(write_tree(site.path / "tree", CHANGED))
            self.second = snapshot(site.path / "tree")
            enrol(self.base / "state", site.keys["1.root.json"])
        (self.base / "media").mkdir()
        shutil.copytree(first, self.base / "media/first")
        self.words = ("syncd", "run", "--once", "--config", self.run / "syncd.toml")
        self._write_config()
        with Stage() as stage:
            self.fresh()
            done = stage.run(Shell(self.run), *self.words)
            assert done.code == 0, done.out
        shutil.rmtree(self.base)
        shutil.copytree(self.run, self.base)
        shutil.copytree(second, self.base / "media/second")

    def _write_config(self) -> None:
        (self.base / "syncd.toml").write_text(
            f'state = "{self.run}/state"\n'
            f'[store]\npath = "{self.run}/store"\n'
            f'[media]\nwatch = ["{self.run}/media"]\nsettle_seconds = 0\n'
            f'[[target]]\nname = "tree"\nto = "tree:{self.run}/tree"\n'
            f'[[target]]\nname = "more"\nto = "tree:{self.run}/more"\n'
        )

    def fresh(self) -> Shell:
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.copytree(self.base, self.run)
        return Shell(self.run)

    def published(self, name: str) -> dict[str, tuple[object, ...]]:
        return {
            path: entry
            for path, entry in snapshot(self.run / name).items()
            if path.partition("/")[0] != ".bundle"
        }

    def releases(self) -> list[tuple[int, str]]:
        with closing(LocalStore(self.run / "store")) as store:
            assert check(store, quick=True).lost == ()
            return [(one.seq, one.digest) for one in asyncio.run(store.releases())]

    def acknowledged(self) -> list[int]:
        """The releases that the newest receipt names."""
        (path,) = (self.run / "state/receipts").iterdir()
        envelope: dict[str, Any] = json.loads(path.read_bytes())
        payload = json.loads(base64.b64decode(envelope["payload"]))
        return [one["seq"] for one in payload["streams"][0]["releases"]]

    def at(self, stage: Stage, call: int) -> None:
        """Kill the daemon at one call, look at what is left, and start it again."""
        shell = self.fresh()
        assert stage.run(shell, *self.words, at=call).code == KILLED
        assert [seq for seq, _ in self.releases()] in ([1], [1, 2]), call
        assert set(self.acknowledged()) <= {seq for seq, _ in self.releases()}, call
        for name in ("tree", "more"):
            for path, entry in self.published(name).items():
                assert entry in (self.first[path], self.second[path]), (call, path)
        done = stage.run(shell, *self.words)
        assert done.code == 0, (call, done.out)
        assert [seq for seq, _ in self.releases()] == [1, 2], call
        assert self.acknowledged() == [2, 1], call
        assert self.published("tree") == self.published("more") == self.second, call


def kill(path: Path, count: int, seed: int) -> None:
    scene = Scene(path)
    with Stage() as stage:
        calls = stage.calls(scene.fresh(), *scene.words)
        assert len(calls) > 50
        for call in random.Random(seed).choices(calls, k=count):
            scene.at(stage, call)


@pytest.mark.parametrize("part", range(2))
def test_killed_at_any_moment_of_the_cycle_it_ends_the_same(
    tmp_path: Path, part: int
) -> None:
    kill(tmp_path, 10, part)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(10))
def test_killed_at_many_moments_of_the_cycle_it_ends_the_same(
    tmp_path: Path, part: int
) -> None:
    kill(tmp_path, 30, 100 + part)
