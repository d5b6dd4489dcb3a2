"""Another process that may write where we publish exchanges directories for links."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from typing import TYPE_CHECKING

import pytest

from bundle.errors import TargetError
from bundle.target import beneath
from bundle.target.hf_cache import HuggingFaceTarget
from bundle.target.tree import TreeTarget
from bundle.target.workspace import Workspace
from tests.attacks.forgery import Forgery, frame, volume, whole
from tests.bundles import Site, no_flushing, snapshot, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXCHANGE = 2
"""The flag of ``renameat2`` by which two names change places at once."""

COUNT = 10_000
ONE = b"1" * 200


class Adversary(threading.Thread):
    """Makes directories of the target links to ``outside``, and back, for ever."""

    def __init__(self, place: Path, outside: Path, names: tuple[str, ...]) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._above: list[tuple[int, bytes]] = []
        self.exchanged = 0
        for path in (place / name for name in names):
            path.with_name(f"{path.name}.decoy").symlink_to(outside)
            flags = os.O_RDONLY | os.O_DIRECTORY
            self._above.append((os.open(path.parent, flags), path.name.encode()))

    def run(self) -> None:
        exchange = ctypes.CDLL(None, use_errno=True).renameat2
        while not self._done.is_set():
            for above, name in self._above:
                failed = exchange(above, name, above, name + b".decoy", EXCHANGE)
                self.exchanged += not failed

    def stop(self) -> None:
        self._done.set()
        self.join()
        for above, _ in self._above:
            os.close(above)


@contextlib.contextmanager
def exchanging(place: Path, outside: Path, *names: str) -> Iterator[Adversary]:
    adversary = Adversary(place, outside, names)
    adversary.start()
    try:
        yield adversary
    finally:
        adversary.stop()


@pytest.fixture(params=["in one step", "level by level"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the system call and without it."""
    if request.param == "level by level":
        monkeypatch.setattr(beneath, "is_supported", lambda: False)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_no_write_leaves_the_target_while_directories_become_links(
    tmp_path: Path,
) -> None:
    """10,000 files in many directories, each of which is a link half of the time."""
    root, outside = tmp_path / "target", tmp_path / "outside"
    write_tree(outside, {"precious": b"mine", "a/b/precious": b"mine"})
    (root / "d" / "a" / "b").mkdir(parents=True)
    before = snapshot(outside)
    workspace = Workspace(root)
    written = refused = 0
    with no_flushing():
        workspace.begin()
        with exchanging(root, outside, "d", "d/a", "d/a/b") as adversary:
            for number in range(COUNT):
                try:
                    with (
                        workspace.opened() as held,
                        held.made(("d", "a", "b")) as folder,
                    ):
                        folder.write(f"{number}", b"new")
                    written += 1
                except TargetError:
                    refused += 1
        workspace.end()
    assert snapshot(outside) == before
    assert written + refused == COUNT
    assert min(written, refused, adversary.exchanged) > COUNT // 100


def _bundle(site: Site, count: int) -> Path:
    files = {f"d/a/{number}": ONE + b"%d" % number for number in range(count)}
    return Forgery([whole(files)], [volume(frame(*files.values()))]).write(site)


@pytest.mark.parametrize("names", [("d", "d/a"), (".bundle",)], ids=["tree", "staging"])
def test_a_whole_unpack_writes_nothing_outside(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    site, outside = Site(tmp_path), tmp_path / "outside"
    bundle = _bundle(site, 200)
    write_tree(outside, {"precious": b"mine", "a/0": b"mine"})
    write_tree(site.target, {"d/a/0": b"the one before", ".bundle/mine": b"x"})
    before = snapshot(outside)
    ended = set()
    with (
        no_flushing(),
        exchanging(site.target, outside, *names) as adversary,
    ):
        for _ in range(20):
            try:
                site.unpack(bundle)
                ended.add("published")
            except TargetError:
                ended.add("refused")
    assert adversary.exchanged > 20
    assert ended
    assert snapshot(outside) == before


def test_staging_that_was_exchanged_is_written_where_it_was_made(
    tmp_path: Path,
) -> None:
    root, outside = tmp_path / "target", tmp_path / "outside"
    write_tree(outside, {"files/0": b"mine"})
    root.mkdir()
    workspace = Workspace(root)
    workspace.begin()
    place = workspace.files / "0"
    run = place.parents[1]
    run.rename(tmp_path / "moved")
    run.symlink_to(outside)
    descriptor = workspace.open_staged(place, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.write(descriptor, b"content")
    os.close(descriptor)
    assert (outside / "files" / "0").read_bytes() == b"mine"
    assert (tmp_path / "moved" / "files" / "0").read_bytes() == b"content"
    with workspace.opened() as held:
        workspace.move_staged(place, held, "published")
    assert (root / "published").read_bytes() == b"content"
    with pytest.raises(TargetError, match="is not staged by this run"):
        workspace.open_staged(outside / "files" / "0", os.O_RDONLY)


def test_a_file_that_waits_in_staging_is_not_written_into(tmp_path: Path) -> None:
    """Somebody guessed the name and made a hard link of a file that is not theirs."""
    root = tmp_path / "target"
    root.mkdir()
    (tmp_path / "precious").write_bytes(b"mine")
    workspace = Workspace(root)
    workspace.begin()
    place = workspace.files / "0"
    place.hardlink_to(tmp_path / "precious")
    with pytest.raises(FileExistsError):
        workspace.open_staged(place, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_a_target_that_became_a_link_is_still_the_one_that_the_run_began_in(
    tmp_path: Path,
) -> None:
    root, outside = tmp_path / "target", tmp_path / "outside"
    write_tree(outside, {"precious": b"mine"})
    root.mkdir()
    workspace = Workspace(root)
    workspace.begin()
    root.rename(tmp_path / "moved")
    root.symlink_to(outside)
    workspace.write(("note",), b"content")
    workspace.end()
    assert snapshot(outside) == {
        "precious": snapshot(tmp_path / "outside")["precious"],
    }
    assert (tmp_path / "moved" / ".bundle" / "note").read_bytes() == b"content"


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_a_cache_whose_blobs_are_a_link_is_refused(
    tmp_path: Path, *, copy: bool
) -> None:
    site, outside = Site(tmp_path), tmp_path / "outside"
    write_tree(outside, {"precious": b"mine"})
    commit = "0" * 40
    files = {f"snapshots/{commit}/config.json": ONE}
    bundle = Forgery(
        [whole(files)],
        [volume(frame(ONE))],
        artifact={"kind": "hf-model"},
        names=["acme"],
    ).write(site)
    hub = tmp_path / "hub"
    repository = hub / "models--acme"
    repository.mkdir(parents=True)
    (repository / ("snapshots" if copy else "blobs")).symlink_to(outside)
    before = snapshot(outside)
    target = HuggingFaceTarget(f"hf-cache:{hub}", hub, home=False, copy=copy)
    with no_flushing(), pytest.raises(TargetError, match="where a directory belongs"):
        site.unpack(bundle, target)
    assert snapshot(outside) == before


def test_links_in_a_tree_are_replaced_and_never_written_through(tmp_path: Path) -> None:
    site, outside = Site(tmp_path), tmp_path / "outside"
    write_tree(outside, {"precious": b"mine"})
    bundle = Forgery([whole({"file": ONE})], [volume(frame(ONE))]).write(site)
    site.target.mkdir()
    (site.target / "file").symlink_to(outside / "precious")
    site.unpack(bundle, TreeTarget(site.target))
    assert (site.target / "file").read_bytes() == ONE
    assert not (site.target / "file").is_symlink()
    assert (outside / "precious").read_bytes() == b"mine"


def test_whoever_goes_by_paths_does_write_outside(tmp_path: Path) -> None:
    """The adversary of these tests bites: a writer that follows links is led away."""
    root, outside = tmp_path / "target", tmp_path / "outside"
    write_tree(outside, {"a/b/precious": b"mine"})
    (root / "d" / "a" / "b").mkdir(parents=True)
    before = snapshot(outside)
    with exchanging(root, outside, "d"):
        for number in range(COUNT):
            with contextlib.suppress(OSError):
                (root / "d" / "a" / "b" / f"{number}").write_bytes(b"new")
    assert snapshot(outside) != before
