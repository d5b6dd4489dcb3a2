"""A pack is a finished bundle or nothing; what it packed is what was there."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from bundle.errors import (
    BundleError,
    ExistsError,
    SourceError,
    SpaceError,
    TargetError,
    TrustError,
    UsageError,
)
from bundle.format import layout
from bundle.format.release import GENESIS, Release
from bundle.limits import MAX_VOLUME, MIB, MIN_VOLUME
from bundle.medium.writer import BundleWriter
from bundle.packer import pack
from bundle.packing.holdings import FarSide
from bundle.progress import Reporter
from bundle.source.base import SourceFile
from bundle.trust.envelope import parse
from tests.bundles import FILES, Site, no_flushing, snapshot, trust_files, write_tree
from tests.deltas import Medium, chunks_of
from tests.meddling import Cancelling, Given, ThenChanges, When, artifact, generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

NOISE = random.Random(1).randbytes(10 * MIB)


def _release(bundle: Path) -> Release:
    data = (bundle / layout.RELEASE).read_bytes()
    return Release.parse(parse(data, limit=1 << 20).payload)


def _nothing_is_left(out: Path) -> bool:
    return not out.is_dir() or not list(out.rglob("*"))


def _paths(bundle: Path, site: Site) -> list[str]:
    site.unpack(bundle)
    unpacked = snapshot(site.target)
    return [path for path in unpacked if not path.startswith(".bundle")]


# -- what is packed ------------------------------------------------------------


def test_a_release_says_what_was_asked_for(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed(audience=("bonn", "berlin"), expires_days=30)
    release = _release(bundle)
    assert bundle == site.out / "models-prod-000001"
    assert (release.seq, release.prev) == (1, GENESIS)
    assert release.audience == ("bonn", "berlin")
    assert release.created == "2027-01-15T08:00:00Z"
    assert release.expires == "2027-02-14T08:00:00Z"
    assert release.budgets.bytes == sum(map(len, FILES.values()))
    assert (release.budgets.depth, release.budgets.name_bytes) == (2, 10)
    assert sorted(path.name for path in bundle.iterdir()) == [
        *("approval.md", "bundle.json", "copy", "recipes.bdr", "release.json"),
        *("shards.bds", "trust", "vol-00001.bdv"),
    ]


def test_each_release_follows_the_one_before(tmp_path: Path) -> None:
    site = Site(tmp_path)
    reports = [site.pack(write_tree(tmp_path / "tree", FILES)) for _ in range(3)]
    releases = [_release(one.bundle) for one in reports if one.bundle]
    assert [one.seq for one in releases] == [1, 2, 3]
    assert [one.prev for one in releases] == [
        GENESIS,
        *(one.release for one in reports[:2]),
    ]
    assert len({one.stream.id for one in releases}) == 1


def test_two_streams_have_numbers_and_ids_of_their_own(tmp_path: Path) -> None:
    site = Site(tmp_path)
    one, other = _release(site.packed()), _release(site.packed(stream="other"))
    assert (one.seq, other.seq) == (1, 1)
    assert one.stream.id != other.stream.id


def test_content_from_memory_is_packed_like_files(tmp_path: Path) -> None:
    site = Site(tmp_path)
    files = {"refs/main": b"1" * 40, "large": NOISE[: 5 * MIB], "none": b""}
    bundle = site.bundle(Given(generated(files)))
    site.unpack(bundle)
    for path, data in files.items():
        assert (site.target / path).read_bytes() == data


# -- sources that do not stay --------------------------------------------------

SIZES = {"in one read": 100, "in one buffer": MIB, "in three": 10 * MIB}


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")


def _overwrite_end(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-5, os.SEEK_END)
        file.write(b"other")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


BETWEEN: dict[str, Callable[[Path], object]] = {
    "grows": _append,
    "shrinks": _shorten,
    "is emptied": lambda path: os.truncate(path, 0),
    "goes away": os.unlink,
    "becomes a link": _link,
    "becomes a pipe": _pipe,
    "becomes a directory": _directory,
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("change", BETWEEN.values(), ids=BETWEEN)
def test_a_file_that_changes_after_it_was_listed(
    tmp_path: Path, change: Callable[[Path], object], size: int
) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"a": b"fine", "file": NOISE[:size]})
    source = ThenChanges(tree, lambda: change(tree / "file"))
    with pytest.raises(SourceError, match=r"^file: ") as caught:
        site.pack(source)
    assert caught.value.exit_code == 15
    assert caught.value.advice
    assert _nothing_is_left(site.out)


DURING: dict[str, Callable[[Path], object]] = {
    "grows": _append,
    "shrinks": lambda path: os.truncate(path, 5 * MIB),
    "is emptied": lambda path: os.truncate(path, 0),
    "is written to where it was read": _overwrite,
    "is written to where it is still to be read": _overwrite_end,
}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("change", DURING.values(), ids=DURING)
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, change: Callable[[Path], object], jobs: int
) -> None:
    site = Site(tmp_path)
    # Larger than what two workers read ahead of the first that is done.
    tree = write_tree(tmp_path / "tree", {"file": NOISE + NOISE})
    os.utime(tree / "file", (1_000_000, 1_000_000))
    reporter = When("advanced 1", lambda: change(tree / "file"))
    with pytest.raises(SourceError, match="file: it changed while it was read"):
        site.pack(tree, jobs=jobs, reporter=reporter)
    assert _nothing_is_left(site.out)
    assert site.pack(tree).seq == 1


def test_other_content_of_the_same_size_is_packed_as_it_is_then(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"file": b"1" * 500})
    source = ThenChanges(tree, lambda: (tree / "file").write_bytes(b"2" * 500))
    site.unpack(site.bundle(source))
    assert (site.target / "file").read_bytes() == b"2" * 500


def test_a_file_that_cannot_be_read_to_its_end(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"file": NOISE})
    preadv = os.preadv

    def failing(file: int, buffers: Any, offset: int) -> int:  # noqa: ANN401 - as os.preadv
        if offset > 5 * MIB:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return preadv(file, buffers, offset)

    with (
        mock.patch.object(os, "preadv", failing),
        pytest.raises(SourceError, match="file: Input/output error"),
    ):
        site.pack(tree)
    assert _nothing_is_left(site.out)


def _promising(
    size: int, sha256: bytes | None = None, git_sha1: bytes | None = None
) -> SourceFile:
    return SourceFile("file", NOISE[:size], size, sha256=sha256, git_sha1=git_sha1)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()


@pytest.mark.parametrize("size", [0, *SIZES.values()])
def test_content_that_keeps_its_promise(tmp_path: Path, size: int) -> None:
    site = Site(tmp_path)
    data = NOISE[:size]
    file = _promising(size, sha256=hashlib.sha256(data).digest(), git_sha1=_sha1(data))
    assert site.pack(Given(artifact(file))).problems == ()


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(
    ("sha256", "git_sha1", "name"),
    [(bytes(32), None, "SHA-256"), (None, bytes(20), "Git SHA-1")],
    ids=["SHA-256", "Git SHA-1"],
)
def test_content_that_is_not_what_its_name_says(
    tmp_path: Path,
    sha256: bytes | None,
    git_sha1: bytes | None,
    name: str,
    size: int,
) -> None:
    site = Site(tmp_path)
    file = _promising(size, sha256, git_sha1)
    with pytest.raises(SourceError, match=f"file: its {name} is not the one") as caught:
        site.pack(Given(artifact(file)))
    assert "download it again" in caught.value.advice
    assert _nothing_is_left(site.out)


# -- keep going ----------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("change", BETWEEN.values(), ids=BETWEEN)
def test_the_rest_is_packed_when_told_to_keep_going(
    tmp_path: Path, change: Callable[[Path], object], size: int
) -> None:
    site = Site(tmp_path)
    files = {"a": b"fine", "file": NOISE[:size], "z": b"also fine" * 100}
    tree = write_tree(tmp_path / "tree", files)
    report = site.pack(
        ThenChanges(tree, lambda: change(tree / "file")), keep_going=True
    )
    assert report.bundle is not None
    assert [one.partition(":")[0] for one in report.problems] == ["file"]
    assert (report.files, report.bytes) == (2, 4 + 900)
    site.verify(report.bundle)
    assert _paths(report.bundle, site) == ["a", "z"]


def test_a_file_that_turns_out_damaged_at_its_end_is_left_out(tmp_path: Path) -> None:
    """Its chunks are on the medium by then; all is read again without them."""
    site = Site(tmp_path)
    bad = SourceFile("bad", NOISE, len(NOISE), sha256=bytes(32))
    good = SourceFile("good", NOISE[MIB:], len(NOISE) - MIB)
    report = site.pack(Given(artifact(bad, good)), keep_going=True, jobs=2)
    assert report.bundle is not None
    assert len(report.problems) == 1
    site.verify(report.bundle)
    assert _paths(report.bundle, site) == ["good"]
    assert (site.target / "good").read_bytes() == NOISE[MIB:]
    medium = Medium(report.bundle)
    assert medium.carried == chunks_of(medium.recipes)
    assert report.new_bytes == len(NOISE) - MIB


def test_an_artifact_that_loses_all_takes_its_chunks_along(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bad = SourceFile("bad", NOISE, len(NOISE), sha256=bytes(32))
    worse = SourceFile("worse", NOISE[::-1], len(NOISE), sha256=bytes(32))
    given = Given(artifact(bad, worse, name="lost"), generated({"a": NOISE[:MIB]}))
    report = site.pack(given, keep_going=True)
    assert report.bundle is not None
    assert [one.partition(":")[0] for one in report.problems] == ["bad", "worse"]
    assert [one.new_bytes for one in report.artifacts] == [MIB]
    medium = Medium(report.bundle)
    assert medium.carried == chunks_of(medium.recipes)


def test_what_the_far_side_has_is_no_reason_to_read_again(tmp_path: Path) -> None:
    site = Site(tmp_path)
    reporter = Starts()
    good = SourceFile("good", NOISE, len(NOISE))
    first = site.bundle(Given(artifact(good)))
    bad = SourceFile("good", NOISE, len(NOISE), sha256=bytes(32))
    given = Given(artifact(bad, SourceFile("other", NOISE[::-1], len(NOISE))))
    far = FarSide(base=first)
    report = site.pack(given, keep_going=True, far=far, reporter=reporter)
    assert len(report.problems) == 1
    assert reporter.count == 1


def test_problems_of_listing_and_reading_are_told_together(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bad = SourceFile("bad", b"x", 1, sha256=bytes(32))
    listed = artifact(
        bad, SourceFile("good", b"y", 1), problems=("gone: no such file",)
    )
    report = site.pack(Given(listed), keep_going=True)
    assert report.problems == (
        "gone: no such file",
        "bad: its SHA-256 is not the one it is stored under",
    )


def test_nothing_that_is_left_is_no_bundle(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bad = SourceFile("bad", b"x", 1, sha256=bytes(32))
    with pytest.raises(SourceError, match="nothing is left to pack") as caught:
        site.pack(Given(artifact(bad)), keep_going=True)
    assert caught.value.advice.startswith("bad: ")
    assert _nothing_is_left(site.out)


def test_an_artifact_that_lost_everything_is_not_in_the_release(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bad = artifact(SourceFile("bad", b"x", 1, sha256=bytes(32)), name="lost")
    report = site.pack(Given(bad, generated({"a": b"1"})), keep_going=True)
    assert [one.name for one in report.artifacts] == ["given"]


# -- what is refused before anything is read -----------------------------------


def test_nothing_is_no_bundle(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with pytest.raises(SourceError, match="there is nothing to pack"):
        site.pack(write_tree(tmp_path / "tree", {}))
    assert not site.out.exists()


def test_one_artifact_from_two_sources(tmp_path: Path) -> None:
    site = Site(tmp_path)
    trees = [write_tree(tmp_path / where / "same", {where: b"x"}) for where in "ab"]
    with pytest.raises(SourceError, match="tree same comes from") as caught:
        site.pack(*trees)
    assert all(str(tree) in str(caught.value) for tree in trees)
    assert not site.out.exists()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file", "file"),
        ("file", "FILE"),
        ("a", "a/b"),
        ("é", "e\N{COMBINING ACUTE ACCENT}"),
    ],
    ids=["the same", "in another case", "a file and a directory", "composed or not"],
)
def test_one_path_from_two_trees(tmp_path: Path, one: str, other: str) -> None:
    """They are unpacked into one directory."""
    site = Site(tmp_path)
    trees = [
        write_tree(tmp_path / "first", {one: b"1"}),
        write_tree(tmp_path / "second", {other: b"2"}),
    ]
    with pytest.raises(SourceError) as caught:
        site.pack(*trees)
    assert caught.value.exit_code == 15
    assert not site.out.exists()


@pytest.mark.parametrize("size", [0, MIN_VOLUME - 1, MAX_VOLUME + 1])
def test_volumes_of_an_impossible_size(tmp_path: Path, size: int) -> None:
    with pytest.raises(UsageError, match="a volume has"):
        Site(tmp_path).packed(volume_size=size)


def test_a_key_that_the_roles_do_not_name(tmp_path: Path) -> None:
    site = Site(tmp_path, keys=trust_files((11,)))
    with pytest.raises(TrustError, match="do not let this key sign releases"):
        site.packed()
    assert not site.out.exists()
    assert not site.sender.exists()


# -- a dry run -----------------------------------------------------------------


def test_a_dry_run_writes_nothing_at_all(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {**FILES, "noise": NOISE})
    site.key_directory.is_dir()
    for _ in range(2):
        before = snapshot(tmp_path)
        report = site.pack(tree, dry_run=True, jobs=2)
        assert snapshot(tmp_path) == before
        assert (report.bundle, report.release) == (None, "")
        assert report.needed_bytes >= len(NOISE)
        site.pack(tree)


def test_a_dry_run_finds_what_a_pack_would(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bad = Given(artifact(_promising(500, sha256=bytes(32))))
    with pytest.raises(SourceError):
        site.pack(bad, dry_run=True)


# -- where it goes -------------------------------------------------------------


def test_a_finished_bundle_is_never_overwritten(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    before = snapshot(bundle)
    shutil.rmtree(site.sender)
    with pytest.raises(ExistsError, match="a finished bundle is there already"):
        site.packed({"file": b"other"})
    assert snapshot(bundle) == before


def test_what_a_pack_left_unfinished_is_cleared_without_asking(tmp_path: Path) -> None:
    site = Site(tmp_path)
    leftover = {"vol-00001.bdv": b"half", "trust/old.json": b"", "recipes.bdr": b""}
    write_tree(site.out / "models-prod-000001", leftover)
    bundle = site.packed()
    assert not (bundle / "trust" / "old.json").exists()
    site.verify(bundle)


def test_a_file_of_somebody_in_the_way(tmp_path: Path) -> None:
    site = Site(tmp_path)
    write_tree(site.out / "models-prod-000001", {"thesis.doc": b"years of work"})
    with pytest.raises(ExistsError, match=r"thesis\.doc") as caught:
        site.packed()
    assert caught.value.exit_code == 14
    assert (site.out / "models-prod-000001" / "thesis.doc").read_bytes()


def test_two_packs_of_one_number_at_a_time(tmp_path: Path) -> None:
    site = Site(tmp_path)
    other: list[BundleError] = []

    def another() -> None:
        with pytest.raises(ExistsError) as caught:
            site.pack(write_tree(tmp_path / "second", {"file": b"other"}))
        other.append(caught.value)

    report = site.pack(
        write_tree(tmp_path / "tree", {"noise": NOISE}),
        reporter=When("advanced 1", another),
    )
    assert [one.exit_code for one in other] == [14]
    assert report.bundle is not None
    site.verify(report.bundle)


@pytest.mark.parametrize(
    ("before", "error"),
    [(0, "another packer has started the stream"), (1, "has taken number 2")],
    ids=["of a new stream", "of a stream that is there"],
)
def test_two_packs_of_one_number_into_two_places(
    tmp_path: Path, before: int, error: str
) -> None:
    """The first to burn the number has it; the other signs nothing."""
    site = Site(tmp_path)
    for _ in range(before):
        site.packed(out=tmp_path / "before")

    def another() -> None:
        site.packed(out=tmp_path / "elsewhere")

    tree = write_tree(tmp_path / "noise", {"noise": NOISE})
    with pytest.raises(BundleError, match=error) as caught:
        site.pack(tree, reporter=When("advanced 1", another))
    assert caught.value.advice == "run the same command again"
    assert _nothing_is_left(site.out)
    [elsewhere] = (tmp_path / "elsewhere").iterdir()
    follower = _release(site.bundle(tree))
    assert follower.seq > _release(elsewhere).seq == before + 1
    assert follower.stream == _release(elsewhere).stream


# -- numbers -------------------------------------------------------------------


class Starts(Reporter):
    """Counts how often work begins."""

    count = 0

    def started(self, verb: str, total: int) -> None:  # noqa: ARG002 - what is told
        self.count += 1


class _Crash(BaseException):
    """The machine stops: nothing is cleaned up."""


def _crashing(times: int) -> Callable[[BundleWriter, Any, Any], Any]:
    commit = BundleWriter.commit
    left = times

    def crash(self: BundleWriter, payload: Any, signer: Any) -> Any:  # noqa: ANN401 - as commit
        nonlocal left
        if not left:
            return commit(self, payload, signer)
        left -= 1
        raise _Crash

    return crash


def _no_cleaning(self: BundleWriter) -> None:
    self._unlock()


@pytest.mark.parametrize("crashes", [1, 3])
@pytest.mark.parametrize("finished", [0, 1])
def test_a_crash_after_a_number_was_burnt(
    tmp_path: Path, crashes: int, finished: int
) -> None:
    """The number is gone for good; the next release follows the last that is."""
    site = Site(tmp_path)
    before = [site.pack(write_tree(tmp_path / "tree", FILES)) for _ in range(finished)]
    with (
        mock.patch.object(BundleWriter, "commit", _crashing(crashes)),
        mock.patch.object(BundleWriter, "abandon", _no_cleaning),
    ):
        for _ in range(crashes):
            with pytest.raises(_Crash):
                site.packed()
        bundle = site.packed()
    release = _release(bundle)
    assert release.seq == finished + crashes + 1
    assert release.prev == (before[-1].release if before else GENESIS)
    assert site.unpack(bundle, trust=site.enrolled()).seq == release.seq
    for number in range(finished + 1, release.seq):
        unfinished = site.out / layout.directory_name("models-prod", number)
        assert not (unfinished / layout.MANIFEST).exists()


def test_a_state_that_is_full_leaves_no_bundle_behind(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with (
        mock.patch(
            "bundle.packing.lineage.Lineage.finish", side_effect=SpaceError("full")
        ),
        pytest.raises(SpaceError),
    ):
        site.packed()
    assert _nothing_is_left(site.out)
    assert _release(site.packed()).seq == 2


# -- going on ------------------------------------------------------------------


def test_adding_keeps_what_the_stream_holds(tmp_path: Path) -> None:
    site = Site(tmp_path)
    first = site.bundle(write_tree(tmp_path / "first", {"deep/one": b"1" * 500}))
    report = site.pack(write_tree(tmp_path / "second", {"two": b"2" * 500}), add=True)
    assert report.bundle is not None
    assert [one.name for one in report.artifacts] == ["second"]
    release = _release(report.bundle)
    assert [one.name for one in release.artifacts] == ["first", "second"]
    assert release.artifacts[0] == _release(first).artifacts[0]
    assert (release.budgets.files, release.budgets.depth) == (2, 2)
    verified = site.verify(report.bundle)
    assert [one.state for one in verified.artifacts] == ["not carried", "verified"]
    assert verified.left == ("tree first: not carried",)


def test_adding_an_artifact_again_puts_it_in_the_place_of_the_old(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    site.bundle(write_tree(tmp_path / "first", {"one": b"1" * 500}))
    bundle = site.bundle(write_tree(tmp_path / "first", {"one": b"2" * 500}), add=True)
    assert len(_release(bundle).artifacts) == 1
    site.unpack(bundle)
    assert (site.target / "one").read_bytes() == b"2" * 500


def test_without_adding_what_is_not_named_has_left_the_stream(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.bundle(write_tree(tmp_path / "first", {"one": b"1"}))
    bundle = site.bundle(write_tree(tmp_path / "second", {"two": b"2"}))
    assert [one.name for one in _release(bundle).artifacts] == ["second"]


@pytest.mark.parametrize("what", ["the bundle", "its release alone"])
def test_another_machine_goes_on_from_a_bundle(tmp_path: Path, what: str) -> None:
    site = Site(tmp_path)
    first = site.pack(write_tree(tmp_path / "tree", FILES))
    assert first.bundle is not None
    shutil.rmtree(site.sender)
    after = first.bundle if what == "the bundle" else first.bundle / layout.RELEASE
    second = _release(site.packed(after=after))
    assert (second.seq, second.prev) == (2, first.release)
    assert second.stream == _release(first.bundle).stream
    assert _release(site.packed()).seq == 3


def test_going_on_from_an_older_release_uses_no_number_twice(tmp_path: Path) -> None:
    site = Site(tmp_path)
    reports = [site.pack(write_tree(tmp_path / "tree", FILES)) for _ in range(3)]
    release = _release(site.packed(after=reports[0].bundle))
    assert (release.seq, release.prev) == (4, reports[0].release)


def test_going_on_from_another_stream_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path)
    other = site.packed(stream="other")
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match="is a release of other"):
        site.packed(after=other)
    assert snapshot(tmp_path) == before


def test_going_on_from_a_strangers_release_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path)
    stranger = Site(tmp_path / "stranger", keys=trust_files((11,), root=2), key=11)
    bundle = stranger.packed()
    site.key_directory.is_dir()
    before = snapshot(tmp_path)
    with pytest.raises(TrustError, match="0 of 1 needed"):
        site.bundle(tmp_path / "stranger" / "tree", after=bundle)
    assert snapshot(tmp_path) == before


# -- interrupted ---------------------------------------------------------------


def _starts_again(site: Site, tree: Path) -> None:
    """Nothing is left that looks finished, and the next pack needs no help."""
    assert _nothing_is_left(site.out)
    bundle = site.bundle(tree)
    site.verify(bundle)
    assert [path.name for path in site.out.iterdir()] == [bundle.name]


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    "event", ["started", "file tree/a", "advanced 1", "advanced 3", "finished"]
)
def test_a_pack_that_is_cancelled_while_it_reads(
    tmp_path: Path, event: str, jobs: int
) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"a": NOISE, "b": NOISE[::-1]})
    cancelling = Cancelling()
    request = site.request(tree, jobs=jobs)
    assert cancelling.run(pack(request, When(event, cancelling.now)))
    _starts_again(site, tree)


COMMIT = (
    *("recipes.bdr", "shards.bds", "approval.md", "trust/1.root.json"),
    *("release.json", "copy/release.json", "copy/bundle.json", "bundle.json"),
)


@pytest.mark.parametrize("name", COMMIT)
def test_a_pack_that_is_cancelled_while_it_commits(tmp_path: Path, name: str) -> None:
    """The thread that writes has ended before anything is cleared away."""
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"a": NOISE[:MIB]})
    cancelling = Cancelling()
    write = BundleWriter._write

    def writing(self: BundleWriter, file: str, data: bytes) -> None:
        if file == name:
            cancelling.now()
            while not self._stopped:
                os.sched_yield()
        write(self, file, data)

    with mock.patch.object(BundleWriter, "_write", writing):
        assert cancelling.run(pack(site.request(tree), Reporter()))
    _starts_again(site, tree)


def test_a_pack_that_is_cancelled_too_late_is_done(tmp_path: Path) -> None:
    site = Site(tmp_path)
    cancelling = Cancelling()
    commit = BundleWriter.commit

    def committing(self: BundleWriter, payload: Any, signer: Any) -> Any:  # noqa: ANN401 - as commit
        manifest = commit(self, payload, signer)
        cancelling.now()
        return manifest

    tree = write_tree(tmp_path / "tree", FILES)
    with mock.patch.object(BundleWriter, "commit", committing):
        assert not cancelling.run(pack(site.request(tree), Reporter()))
    site.verify(site.out / "models-prod-000001")
    assert site.pack(tree).seq == 2


_INTERRUPTED = """
import asyncio, os, signal, sys
from pathlib import Path
from bundle.packer import pack
from tests.bundles import Site
from tests.meddling import When

def interrupt():
    # The signal is handled in the main thread, which cancels the task of the pack.
    os.kill(os.getpid(), signal.SIGINT)
    while not task.cancelling():
        os.sched_yield()

async def main():
    global task
    task = asyncio.current_task()
    site = Site(Path(sys.argv[1]))
    request = site.request(Path(sys.argv[2]), jobs=2)
    await pack(request, When(sys.argv[3], interrupt))

try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("event", ["file tree/b", "advanced 2"])
def test_a_pack_that_is_interrupted_from_the_keyboard(
    tmp_path: Path, event: str
) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"a": NOISE, "b": NOISE[::-1]})
    command = [sys.executable, "-c", _INTERRUPTED, str(tmp_path), str(tree), event]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")
    _starts_again(site, tree)


# -- a medium that is full -----------------------------------------------------


def _failing_at(call: int, code: int) -> Callable[..., int]:
    """Return a ``pwrite`` that writes a little less and then no more."""
    pwrite, seen = os.pwrite, 0

    def writing(file: int, data: Any, offset: int) -> int:  # noqa: ANN401 - as os.pwrite
        nonlocal seen
        seen += 1
        if seen == call:
            return pwrite(file, data[: len(data) // 2], offset)
        if seen > call:
            raise OSError(code, os.strerror(code))
        return pwrite(file, data, offset)

    return writing


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("call", [1, 2, 4, 7])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_medium_that_takes_no_more(
    tmp_path: Path, code: int, call: int, jobs: int
) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"a": NOISE})
    kind = TargetError if code == errno.EIO else SpaceError
    with (
        mock.patch.object(os, "pwrite", _failing_at(call, code)),
        pytest.raises(kind) as caught,
    ):
        site.pack(tree, jobs=jobs)
    assert caught.value.exit_code == 14
    _starts_again(site, tree)


class _Flushes:
    """Counts flushes, and lets one of them fail."""

    def __init__(self, failing: int) -> None:
        self.seen = 0
        self._failing = failing

    def fsync(self, _: int) -> None:
        self.seen += 1
        if self.seen == self._failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_flush_that_fails_is_the_end_of_a_pack(tmp_path: Path) -> None:
    flushes = _Flushes(0)
    with mock.patch.object(os, "fsync", flushes.fsync):
        Site(tmp_path / "0").packed()
    for failing in range(1, flushes.seen + 1):
        site = Site(tmp_path / str(failing))
        with (
            mock.patch.object(os, "fsync", _Flushes(failing).fsync),
            pytest.raises(TargetError, match="Input/output error"),
        ):
            site.packed()
        assert not list(site.path.rglob(layout.MANIFEST))
        with no_flushing():
            bundle = site.packed()
            assert list(site.out.iterdir()) == [bundle]


_LIMITED = """
import sys
from pathlib import Path
from bundle.errors import BundleError
from tests.bundles import Site

try:
    Site(Path(sys.argv[1])).pack(Path(sys.argv[2]), jobs=2)
except BundleError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_files_that_may_not_grow_so_large(tmp_path: Path) -> None:
    """As on FAT, whose files end at 4 GiB; here the system's own limit is lower."""
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"a": NOISE})
    limit = 6 * MIB
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path), str(tree)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 14, done.stderr
    assert "vol-00001.bdv: File too large" in done.stdout
    _starts_again(site, tree)


# -- progress ------------------------------------------------------------------


def _events(reporter: When, kind: str) -> Iterable[str]:
    return (one for one in reporter.seen if one.startswith(kind))


def test_progress_is_told_in_order(tmp_path: Path) -> None:
    site = Site(tmp_path)
    reporter = When("never", lambda: None)
    site.pack(write_tree(tmp_path / "tree", FILES), reporter=reporter)
    assert reporter.seen[0] == "started"
    assert reporter.seen[-1] == "finished"
    assert list(_events(reporter, "file")) == [
        f"file tree/{path}" for path in sorted(FILES)
    ]
