"""An update that builds on what is there, killed or out of room at any moment."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.caches import commit_of, repository, small_model
from tests.cli.events import check_events
from tests.cli.shell import Shell
from tests.clients import HubClient
from tests.crossing.gap import fill, open_gap
from tests.crossing.killed import KILLED, Stage
from tests.crossing.loading import check_loads, check_scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.crossing.gap import Gap

KIB = 1024
WEIGHTS = random.Random(3).randbytes(600 * KIB)
OLD = {**small_model("of old"), "model.safetensors": WEIGHTS}
NEW = {
    **small_model("of now"),
    "model.safetensors": WEIGHTS[: 500 * KIB] + b"of now" + WEIGHTS[500 * KIB :],
}
BEFORE = repository(OLD, refs={"v1": commit_of(OLD)})
AFTER = repository(NEW, older=[OLD], refs={"v1": commit_of(OLD), "v2": commit_of(NEW)})
KEPT = replace(BEFORE, refs={"v1": commit_of(OLD)})
"""What is there before and after, whatever happens."""

SLICE = 30
FULL_COUNT = 500


@pytest.fixture(scope="module")
def client() -> Iterator[HubClient]:
    with HubClient(environment={"HF_HUB_DISABLE_PROGRESS_BARS": "1"}) as client:
        yield client


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


def update(gap: Gap) -> Path:
    """Apply the old state, and pack the new one for whoever has that."""
    pvc, receipts = gap.inside.home / "pvc", gap.inside.home / "receipts"
    fill(gap, [BEFORE])
    gap.inside.ok(
        *("unpack", gap.pack(), "--to", f"hf-home:{pvc}", "--receipt-to", receipts)
    )
    fill(gap, [AFTER])
    (receipt,) = receipts.iterdir()
    bundle = gap.pack(BUNDLE_HAVE=str(receipt))
    assert gap.inside.ok("inspect", bundle, "--json").result["requires"] > 0
    return bundle


def check_old(client: HubClient, hub: Path) -> None:
    """Assert that whoever uses the old revision notices nothing."""
    check_loads(client, KEPT, hub)
    assert client.scan(hub).warnings == []
    folder = client.snapshot(AFTER.name, cache_dir=str(hub))
    one = replace(AFTER, commits={folder.name: AFTER.commits[folder.name]}, refs={})
    check_loads(client, one, hub)


class Killing:
    """A delta on its way into a volume, killed before a call."""

    def __init__(self, path: Path, stage: Stage) -> None:
        gap = open_gap(path)
        self._bundle = update(gap)
        self._stage = stage
        self._base, self._home = gap.inside.home, path / "run"
        self._variables = gap.inside.variables

    def fresh(self) -> tuple[Shell, Sequence[object]]:
        shutil.rmtree(self._home, ignore_errors=True)
        shutil.copytree(self._base, self._home, symlinks=True)
        words = ["unpack", self._bundle, "--to", f"hf-home:{self._home / 'pvc'}"]
        receipts = ["--receipt-to", self._home / "given"]
        return Shell(self._home, dict(self._variables)), [*words, *receipts, "--json"]

    def calls(self) -> range:
        shell, words = self.fresh()
        return self._stage.calls(shell, *words)

    def check(self, client: HubClient, at: int) -> None:
        shell, words = self.fresh()
        pvc = self._home / "pvc"
        assert self._stage.run(shell, *words, at=at).code == KILLED
        check_old(client, pvc / "hub")
        ended = self._stage.run(shell, *words)
        assert ended.code == 0, ended.out
        check_loads(client, AFTER, pvc / "hub")
        check_scan(client.scan(pvc / "hub"), AFTER)
        assert not list(pvc.glob(".bundle/run-*"))
        assert len(list((self._home / "given").glob("receipt-*"))) == 1
        again = check_events(self._stage.run(shell, *words).out)
        assert again[-1]["writtenFiles"] == 0


@pytest.mark.timeout(300)
def test_a_killed_update_leaves_what_loads(
    tmp_path: Path, client: HubClient, stage: Stage
) -> None:
    killing = Killing(tmp_path, stage)
    calls = killing.calls()
    for at in sorted(random.Random(5).sample(calls, min(SLICE, len(calls)))):
        killing.check(client, at)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_an_update_killed_anywhere_leaves_what_loads(
    tmp_path: Path, client: HubClient, stage: Stage
) -> None:
    killing = Killing(tmp_path, stage)
    calls = killing.calls()
    chosen = random.Random(6).choices(calls, k=max(0, FULL_COUNT - len(calls)))
    for at in [*calls, *chosen][:FULL_COUNT]:
        killing.check(client, at)


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """Mount a file system in memory at ``path``, or skip the test."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(path)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let a file system be mounted")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def resize(path: Path, size: int) -> None:
    words = ["mount", "-o", f"remount,size={size}", str(path)]
    subprocess.run(words, check=True)


def used(path: Path) -> int:
    status = os.statvfs(path)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


@pytest.mark.timeout(300)
def test_a_full_disk_leaves_what_loads_and_the_next_run_finishes(
    tmp_path: Path, client: HubClient
) -> None:
    gap = open_gap(tmp_path)
    bundle = update(gap)
    base = gap.inside.home / "pvc"
    disk = tmp_path / "disk"
    words = ["unpack", bundle, "--to", f"hf-home:{disk}", "--json", "--state"]
    codes = []
    with small_disk(disk):
        for number in range(30):
            shutil.copytree(base, disk, symlinks=True, dirs_exist_ok=True)
            state = tmp_path / f"state-{number}"
            shutil.copytree(gap.inside.home / ".local/state/bundle", state)
            # Up to 580 KiB nothing fits; then files do and notes do not.
            room = number * 29 if number < 20 else 580 + 8 * (number - 20)
            resize(disk, used(disk) + room * KIB)
            codes.append(gap.inside(*words, state).code)
            check_old(client, disk / "hub")
            resize(disk, 16 * KIB * KIB)
            assert gap.inside(*words, state).code == 0
            check_loads(client, AFTER, disk / "hub")
            for path in disk.iterdir():
                shutil.rmtree(path)
    assert set(codes) == {0, 14}
