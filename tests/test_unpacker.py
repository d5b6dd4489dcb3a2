"""Every file is verified before any is published; what was refused left no trace."""

from __future__ import annotations

import errno
import os
import random
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from bundle.errors import MissingError, SpaceError, TargetError
from bundle.limits import MIB, MIN_VOLUME
from bundle.progress import Reporter
from bundle.source.base import HF_MODEL, SourceFile
from bundle.state.receiver import read_marks
from bundle.target.handover import Handover
from bundle.target.tree import TreeTarget
from bundle.unpacker import UnpackRequest, unpack
from tests.bundles import FILES, Site, snapshot, write_tree
from tests.meddling import Cancelling, Given, When, artifact, generated
from tests.target.sample import listing_of

if TYPE_CHECKING:
    from pathlib import Path

NOISE = random.Random(2).randbytes(10 * MIB)
COMMIT = "1" * 40


def _request(site: Site, bundle: Path, jobs: int = 1) -> UnpackRequest:
    return UnpackRequest(
        bundle=bundle,
        targets=(TreeTarget(site.target),),
        trust=site.enrolled(),
        clock=lambda: site.now,
        jobs=jobs,
    )


def _published(root: Path) -> dict[str, tuple[object, ...]]:
    return {
        path: entry
        for path, entry in snapshot(root).items()
        if path.partition("/")[0] != ".bundle"
    }


# -- where things go -----------------------------------------------------------


def test_every_target_gets_all_that_it_takes(tmp_path: Path) -> None:
    site = Site(tmp_path)
    files = {**FILES, "noise": NOISE[: 5 * MIB]}
    bundle = site.packed(files)
    roots = [tmp_path / name for name in ("one", "two", "three")]
    write_tree(roots[1], {"noise": NOISE[: 5 * MIB]})
    report = site.unpack(bundle, *map(TreeTarget, roots), jobs=2)
    assert [one.target for one in report.placed] == [f"tree:{root}" for root in roots]
    assert [one.written_files for one in report.placed] == [4, 3, 4]
    assert [one.kept_files for one in report.placed] == [0, 1, 0]
    for root in roots:
        assert _published(root) == snapshot(tmp_path / "tree")


def test_what_no_target_takes_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    model = artifact(
        SourceFile(f"snapshots/{COMMIT}/config.json", b"{}", 2, git_sha1_wanted=True),
        SourceFile("refs/main", COMMIT.encode(), 40),
        name="org/model",
        kind=HF_MODEL,
    )
    bundle = site.bundle(Given(model, generated({"a": b"1"})))
    report = site.unpack(bundle)
    assert report.left == ("hf-model org/model: no target takes it",)
    assert [one.name for one in report.placed] == ["given"]


def test_without_a_target_everything_is_named_and_nothing_read(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    (bundle / "vol-00001.bdv").unlink()
    before = snapshot(tmp_path)
    request = UnpackRequest(
        bundle=bundle, targets=(), trust=site.stateless, clock=lambda: site.now
    )
    cancelling = Cancelling()
    assert not cancelling.run(unpack(request, Reporter()))
    assert snapshot(tmp_path) == before


def test_modes_and_empty_directories_come_across(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = write_tree(
        tmp_path / "tree", FILES, executable=["bin/run"], directories=["void/within"]
    )
    site.unpack(site.bundle(tree))
    assert _published(site.target) == snapshot(tree)


def test_a_medium_is_left_as_it_was(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({**FILES, "noise": NOISE})
    before = listing_of(bundle)
    site.verify(bundle, jobs=2)
    site.unpack(bundle, jobs=2)
    assert listing_of(bundle) == before


# -- again -----------------------------------------------------------------------


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({**FILES, "noise": NOISE})
    site.unpack(bundle, trust=site.enrolled())
    before = listing_of(tmp_path)
    report = site.unpack(bundle, trust=site.enrolled())
    after = listing_of(tmp_path)
    for listing in (before, after):
        # Where it looks for what other runs left, and for itself.
        listing.pop("target/.bundle")
        # What was tried, and when.
        listing.pop("receiver/audit.jsonl")
    assert after == before
    assert (report.placed[0].written_files, report.placed[0].kept_files) == (0, 4)


def test_a_second_run_needs_no_volume(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    site.unpack(bundle)
    (bundle / "vol-00001.bdv").unlink()
    assert site.unpack(bundle).placed[0].written_files == 0


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.unpack(site.packed({**FILES, "noise": NOISE}))
    (site.target / "a file.txt").write_bytes(b"damaged")
    kept = (site.target / "noise").stat().st_ino
    bundle = site.packed({**FILES, "noise": NOISE, "new": b"new"})
    report = site.unpack(bundle)
    assert (report.placed[0].written_files, report.placed[0].kept_files) == (2, 3)
    assert report.placed[0].written_bytes == len(FILES["a file.txt"]) + 3
    assert (site.target / "noise").stat().st_ino == kept


# -- refused ---------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
def test_a_volume_that_is_not_here(tmp_path: Path, number: int) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"noise": NOISE}, volume_size=MIN_VOLUME)
    (bundle / f"vol-0000{number}.bdv").unlink()
    before = snapshot(tmp_path)
    with pytest.raises(MissingError, match=f"vol-0000{number}") as caught:
        site.unpack(bundle)
    assert caught.value.exit_code == 13
    assert snapshot(tmp_path) == before


def test_a_target_whose_parent_is_not_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    with pytest.raises(TargetError):
        site.unpack(bundle, TreeTarget(tmp_path / "no" / "where"))
    assert not (tmp_path / "no").exists()


def test_a_target_with_too_little_room_is_refused_before_the_first_byte(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"noise": NOISE})
    before = snapshot(tmp_path)
    statvfs = os.statvfs

    def small(path: Any) -> os.statvfs_result:  # noqa: ANN401 - as os.statvfs
        fields = list(statvfs(path))
        fields[4] = 5 * MIB // fields[1]
        return os.statvfs_result(fields)

    with (
        mock.patch.object(os, "statvfs", small),
        pytest.raises(SpaceError, match=r"bytes are needed and \d+ are free"),
    ):
        site.unpack(bundle)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("call", [1, 2, 5])
def test_a_target_that_takes_no_more(tmp_path: Path, call: int, jobs: int) -> None:
    site = Site(tmp_path)
    bundle = site.packed({**FILES, "noise": NOISE})
    write_tree(site.target, {"noise": b"the one before"})
    before = snapshot(site.target)
    pwrite, seen = os.pwrite, 0

    def writing(file: int, data: Any, offset: int) -> int:  # noqa: ANN401 - as os.pwrite
        nonlocal seen
        seen += 1
        if seen >= call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(file, data, offset)

    with mock.patch.object(os, "pwrite", writing), pytest.raises(SpaceError) as caught:
        site.unpack(bundle, jobs=jobs)
    assert caught.value.exit_code == 14
    assert snapshot(site.target) == before
    site.unpack(bundle)
    assert _published(site.target) == snapshot(tmp_path / "tree")


def test_a_target_that_loses_what_was_written_is_not_believed(tmp_path: Path) -> None:
    """A chunk that comes late in its file is read back from staging, and hashed."""
    site = Site(tmp_path)
    early, late = NOISE[: 5 * MIB], NOISE[5 * MIB :]
    bundle = site.packed({"a": early, "b": late + early})
    write_tree(site.target, {"a": early})
    before = snapshot(site.target)
    with (
        mock.patch.object(os, "pread", return_value=b""),
        pytest.raises(TargetError, match="are gone"),
    ):
        site.unpack(bundle)
    assert snapshot(site.target) == before


# -- interrupted -----------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("event", ["started", "advanced 1", "advanced 3", "finished"])
def test_a_run_that_is_cancelled_before_it_publishes(
    tmp_path: Path, event: str, jobs: int
) -> None:
    site = Site(tmp_path)
    bundle = site.packed({**FILES, "noise": NOISE})
    write_tree(site.target, {"noise": b"the one before"})
    before = snapshot(site.target)
    cancelling = Cancelling()
    reporter = When(event, cancelling.now)
    assert cancelling.run(unpack(_request(site, bundle, jobs), reporter))
    assert _published(site.target) == before
    assert read_marks(site.receiver) == []
    assert not cancelling.run(unpack(_request(site, bundle), Reporter()))
    assert _published(site.target) == snapshot(tmp_path / "tree")
    assert [mark.seq for mark in read_marks(site.receiver)] == [1]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_run_that_is_cancelled_while_it_publishes(tmp_path: Path, at: int) -> None:
    """Each file is the old one or the new one; the next run does what is left."""
    site = Site(tmp_path)
    files = {"a": NOISE[:MIB], "b": NOISE[MIB : 3 * MIB], "c": b"few"}
    bundle = site.packed(files)
    old = dict.fromkeys(files, b"the one before")
    write_tree(site.target, old)
    cancelling = Cancelling()
    put, seen = Handover.put, 0

    def putting(self: Handover, *arguments: Any) -> os.stat_result:  # noqa: ANN401 - as put
        nonlocal seen
        seen += 1
        if seen == at:
            cancelling.now()
        return put(self, *arguments)

    with mock.patch.object(Handover, "put", putting):
        assert cancelling.run(unpack(_request(site, bundle), Reporter()))
    for path, data in files.items():
        assert (site.target / path).read_bytes() in (data, old[path])
    assert read_marks(site.receiver) == []
    assert not cancelling.run(unpack(_request(site, bundle), Reporter()))
    assert _published(site.target) == snapshot(tmp_path / "tree")
    assert not list((site.target / ".bundle").glob("run-*"))


# -- progress --------------------------------------------------------------------


def test_progress_comes_to_its_end(tmp_path: Path) -> None:
    site = Site(tmp_path)
    reporter = When("never", lambda: None)
    site.unpack(site.packed(), reporter=reporter)
    assert (reporter.seen[0], reporter.seen[-1]) == ("started", "finished")
