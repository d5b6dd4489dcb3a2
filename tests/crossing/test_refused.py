"""What is refused leaves the volume as it was, and servers go on loading from it."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.caches import commit_of, identity, real_model, repository, small_model
from tests.clients import HubClient, contents
from tests.crossing.gap import Gap, fill, open_gap
from tests.crossing.loading import check_loads
from tests.source.unprivileged import NOBODY, as_nobody, open_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.shell import Shell

PROJECT = Path(__file__).parents[2]
NAMESPACE = ("unshare", "--map-root-user", "--mount")
OLD, NEW = small_model("of old"), small_model("of now")
BEFORE = repository(OLD, name="sentence-transformers/all-MiniLM-L6-v2")
REAL = repository(real_model(), name=BEFORE.name, older=[OLD])


def tree(root: Path) -> dict[str, tuple[int, int, int]]:
    """Return every name below ``root`` but passing ones, and what a write changes."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_ino,
            path.lstat().st_size if path.is_file() else 0,
            path.lstat().st_mtime_ns if path.is_file() else 0,
        )
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture(scope="module")
def update(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gap, Path, Path]:
    """A volume with the old revision, and a bundle with the real model beside it."""
    gap = open_gap(tmp_path_factory.mktemp("update"))
    pvc = gap.inside.home / "pvc"
    fill(gap, [BEFORE])
    gap.publish(gap.pack(), f"hf-home:{pvc}")
    fill(gap, [REAL])
    return gap, gap.pack(), pvc


@pytest.fixture(scope="module")
def server(update: tuple[Gap, Path, Path]) -> Iterator[HubClient]:
    """A client that has been loading from the volume all the time."""
    with HubClient(home=update[2]) as client:
        yield client


@pytest.mark.parametrize("part", range(4), ids="part {} of the volume".format)
def test_one_flipped_byte_of_the_real_model_is_refused(
    update: tuple[Gap, Path, Path], server: HubClient, part: int
) -> None:
    gap, bundle, pvc = update
    (volume,) = bundle.glob("vol-*.bdv")
    quarter = volume.stat().st_size // 4
    before = tree(pvc)
    with flipped(volume, random.Random(part).randrange(quarter) + part * quarter):
        for verb in (["verify", bundle], ["unpack", bundle, "--to", f"hf-home:{pvc}"]):
            ran = gap.inside(*verb, "--json")
            assert ran.code == 11
            assert "vol-00001.bdv" in ran.error["message"]
    assert tree(pvc) == before
    check_loads(server, BEFORE)


class flipped:  # noqa: N801 - reads as a verb
    """One byte of a file is another one as long as the block lasts."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path, self._offset = path, offset

    def __enter__(self) -> None:
        self._flip()

    def __exit__(self, *_: object) -> None:
        self._flip()

    def _flip(self) -> None:
        with self._path.open("r+b") as file:
            file.seek(self._offset)
            byte = file.read(1)[0]
            file.seek(self._offset)
            file.write(bytes([byte ^ 0x40]))


def in_small_space(
    gap: Gap, bundle: Path, options: str, *, before: Path | None = None
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Unpack into a file system that is made with ``options``, in its own namespace.

    ``before`` is a bundle that is unpacked there first. Returns how the unpack
    ended, and the names, inodes and times that changed by it.
    """
    place = gap.path / "small"
    place.mkdir()
    bundle_command = f"{shlex.quote(sys.executable)} -m bundle unpack --json"
    listing = f"find {shlex.quote(str(place))} -printf '%P %i %s %T@ %C@\\n' | sort"
    target = shlex.quote(f"hf-home:{place}")
    script = f"""
        set -e
        mount -t tmpfs -o {options} none {shlex.quote(str(place))}
        {f"{bundle_command} {before} --to {target} >/dev/null" if before else ""}
        {listing} >{gap.path}/before
        {bundle_command} {bundle} --to {target} && code=0 || code=$?
        {listing} >{gap.path}/after
        exit $code
    """
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", script],
        env=gap.inside.environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    lists = [(gap.path / name).read_text().splitlines() for name in ("before", "after")]
    return done, sorted(set(lists[0]) ^ set(lists[1]))


def can_mount() -> bool:
    """Return whether this process may mount a file system that nobody else sees."""
    trial = [
        "unshare",
        "--map-root-user",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "x",
        "/mnt",
    ]
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


needs_mount = pytest.mark.skipif(
    not can_mount(), reason="no namespace of its own to mount a small file system in"
)


@needs_mount
@pytest.mark.parametrize(
    ("options", "needed"),
    [
        pytest.param("size=1m", "bytes are needed", id="bytes"),
        pytest.param("size=100m,nr_inodes=80", "files are needed", id="files"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_byte(
    tmp_path: Path, options: str, needed: str
) -> None:
    gap = open_gap(tmp_path)
    small = {f"{number}.txt": b"%d" % number for number in range(60)}
    fill(gap, [repository(OLD)])
    first = gap.pack()
    fill(gap, [repository({**small, "model.safetensors": bytes(2 << 20)})])
    done, changed = in_small_space(gap, gap.pack(), options, before=first)
    assert done.returncode == 14, done.stdout + done.stderr
    error = json.loads(done.stdout.splitlines()[-1])
    assert error["class"] == "SpaceError"
    assert needed in error["message"]
    assert error["advice"]
    assert changed == []


def test_a_file_that_may_not_grow_leaves_what_was_there(tmp_path: Path) -> None:
    """A quota shows only when it is met: in the middle of the writing."""
    gap = open_gap(tmp_path)
    pvc = gap.inside.home / "pvc"
    fill(gap, [repository(OLD)])
    gap.publish(gap.pack(), f"hf-home:{pvc}")
    fill(gap, [repository({**NEW, "model.safetensors": os.urandom(1 << 20)})])
    second = gap.pack()
    before = tree(pvc)
    done = subprocess.run(
        [
            *("sh", "-c", 'ulimit -f 500 && exec "$@"', "sh", sys.executable, "-m"),
            *("bundle", "unpack", second, "--to", f"hf-home:{pvc}", "--json"),
        ],
        env=gap.inside.environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 14, done.stdout + done.stderr
    assert tree(pvc) == before
    with HubClient(home=pvc) as client:
        check_loads(client, repository(OLD))


@pytest.fixture
def open_gap_to_all() -> Iterator[Gap]:
    """Two homes that belong to a user whom file modes bind, with one crossing done."""
    with open_directory() as path:
        gap = open_gap(path / "gap")
        fill(gap, [repository(OLD)])
        gap.unpack(gap.pack(), f"hf-home:{gap.inside.home / 'pvc'}")
        fill(gap, [repository(NEW, older=[OLD])])
        yield gap


def as_user(gap: Gap, shell: Shell, *words: object) -> tuple[int, dict[str, Any]]:
    """Run a command as the owner of both homes; return its code and last event."""
    for path in (gap.path, *gap.path.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def run() -> list[object]:
        ran = shell(*words, "--json")
        return [ran.code, ran.events[-1]]

    code, event = as_nobody(run)
    return code, event


def test_an_unreadable_blob_is_named_and_the_rest_can_go(open_gap_to_all: Gap) -> None:
    gap = open_gap_to_all
    blob = gap.hub / "models--org--model/blobs" / identity(NEW["config.json"]).git_sha1
    blob.chmod(0)
    source = f"hf-cache:{gap.hub}"
    code, error = as_user(gap, gap.outside, "pack", source)
    assert code == 15
    assert f"snapshots/{commit_of(NEW)}/config.json" in error["message"]
    assert "permission" in error["message"].lower()
    assert not list((gap.outside.home / "out").iterdir())
    code, error = as_user(gap, gap.outside, "pack", source, "--keep-going")
    assert code == 20
    assert any("config.json" in line for line in error["left"])
    (packed,) = (gap.outside.home / "out").iterdir()
    pvc = gap.inside.home / "pvc"
    gap.unpack(gap.carry(f"out/{packed.name}"), f"hf-home:{pvc}")
    with HubClient(home=pvc) as client:
        check_loads(client, replace(repository(OLD), refs={}))
        found = contents(client.snapshot("org/model"))
    assert found == {path: NEW[path] for path in NEW if path != "config.json"}


def test_a_medium_that_cannot_be_read_is_worth_another_try(
    open_gap_to_all: Gap,
) -> None:
    gap = open_gap_to_all
    bundle, pvc = gap.pack(), gap.inside.home / "pvc"
    before = tree(pvc)
    (bundle / "vol-00001.bdv").chmod(0)
    words = ("unpack", bundle, "--to", f"hf-home:{pvc}")
    code, error = as_user(gap, gap.inside, *words)
    assert code == 16
    assert "vol-00001.bdv" in error["message"]
    assert tree(pvc) == before


def test_a_volume_that_is_read_only_is_refused_unless_all_of_it_is_there(
    open_gap_to_all: Gap,
) -> None:
    gap = open_gap_to_all
    pvc = gap.inside.home / "pvc"
    (first,) = (gap.inside.home / "medium").iterdir()
    second = gap.pack()
    for path in (pvc, *pvc.rglob("*")):
        if path.is_dir():
            path.chmod(0o555)
    before = tree(pvc)
    code, error = as_user(gap, gap.inside, "unpack", second, "--to", f"hf-home:{pvc}")
    assert code == 14
    assert str(pvc) in error["message"]
    code, result = as_user(gap, gap.inside, "unpack", first, "--to", f"hf-home:{pvc}")
    assert (code, result["writtenFiles"]) == (0, 0)
    assert tree(pvc) == before
