"""What verify says of good bundles; ``tests/attacks`` has the others."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from bundle.errors import IntegrityError, MissingError
from bundle.limits import MIB, MIN_VOLUME
from bundle.progress import Reporter
from bundle.state.receiver import NOT_CHECKED
from bundle.trust.envelope import RELEASE_TYPE, parse, sign_detached
from bundle.verifier import verify
from tests.bundles import FILES, Site, snapshot, write_tree
from tests.meddling import Cancelling, When
from tests.trust.ceremony import key

if TYPE_CHECKING:
    from pathlib import Path

NOISE = random.Random(3).randbytes(9 * MIB)


class _Warnings(Reporter):
    def __init__(self) -> None:
        self.said: list[str] = []

    def warned(self, message: str) -> None:
        self.said.append(message)


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_good_bundle_is_described(tmp_path: Path, jobs: int) -> None:
    site = Site(tmp_path)
    packed = site.pack(
        write_tree(tmp_path / "tree", {**FILES, "noise": NOISE}), volume_size=MIN_VOLUME
    )
    assert packed.bundle is not None
    site.enrolled()
    before = snapshot(tmp_path)
    report = site.verify(packed.bundle, site.enrolled(), jobs=jobs)
    assert snapshot(tmp_path) == before
    assert (report.stream, report.seq) == ("models-prod", 1)
    assert report.release == packed.release
    assert report.signers == (site.signing_key.public.keyid,)
    assert (report.files, report.bytes) == (packed.files, packed.bytes)
    assert report.volumes == 2
    assert (report.left, report.warnings) == ((), ())
    [artifact] = report.artifacts
    assert (artifact.kind, artifact.name, artifact.state) == (
        "tree",
        "tree",
        "verified",
    )


def test_warnings_are_told_at_once_and_in_the_end(tmp_path: Path) -> None:
    site = Site(tmp_path)
    reporter = _Warnings()
    report = site.verify(site.packed(), reporter=reporter)
    assert report.warnings == (NOT_CHECKED,)
    assert NOT_CHECKED in reporter.said


def test_a_chunk_that_comes_late_in_its_file_is_fetched_again(tmp_path: Path) -> None:
    """Nothing is kept, so what was seen too early is read a second time."""
    site = Site(tmp_path)
    parts = [NOISE[at : at + MIB] for at in range(0, 9 * MIB, MIB)]
    files = {
        "a": b"".join(parts),
        "b": b"".join(reversed(parts)),
        "c": parts[8] + b"new" * 100 + parts[0],
    }
    report = site.verify(site.packed(files, volume_size=MIN_VOLUME), jobs=2)
    assert report.bytes == sum(map(len, files.values()))


@pytest.mark.parametrize("name", ["release.json", "bundle.json"])
@pytest.mark.parametrize("damage", ["gone", "of another", "longer"])
def test_a_copy_that_is_none_is_refused_here_alone(
    tmp_path: Path, name: str, damage: str
) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    copy = bundle / "copy" / name
    match damage:
        case "gone":
            copy.unlink()
        case "of another":
            shutil.copy(bundle / "approval.md", copy)
        case _:
            copy.write_bytes(copy.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match=rf"copy/{name} .*rule 4\.8") as caught:
        site.verify(bundle)
    assert "can still be unpacked" in caught.value.advice
    assert site.unpack(bundle).left == ()


def test_a_bundle_without_copies_is_not_complete(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    shutil.rmtree(bundle / "copy")
    with pytest.raises(IntegrityError, match=r"rule 4\.8"):
        site.verify(bundle)


def test_a_signature_that_nobody_here_can_check_is_said_to_be_that(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    payload = parse((bundle / "release.json").read_bytes(), limit=1 << 20).payload
    (bundle / "sig").mkdir()
    for number in (10, 77):
        path = bundle / "sig" / f"{key(number).public.keyid}.json"
        path.write_bytes(sign_detached(payload, RELEASE_TYPE, key(number)))
    report = site.verify(bundle, site.enrolled())
    [warning] = report.warnings
    assert warning == (
        f"sig/{key(77).public.keyid}.json is by a key that no role lists: not checked"
    )


def test_a_volume_that_is_not_here_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"noise": NOISE}, volume_size=MIN_VOLUME)
    (bundle / "vol-00002.bdv").unlink()
    with pytest.raises(MissingError, match="vol-00002"):
        site.verify(bundle)


def test_a_medium_that_nobody_may_write_to(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    for path in [*bundle.rglob("*"), bundle]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert site.verify(bundle).left == ()
    assert site.unpack(bundle).left == ()
    for path in [bundle, *bundle.rglob("*")]:
        path.chmod(0o755)


@pytest.mark.parametrize("event", ["started", "advanced 1", "advanced 2"])
def test_a_run_that_is_cancelled_ends_with_its_threads(
    tmp_path: Path, event: str
) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"noise": NOISE})
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of descriptors
    cancelling = Cancelling()
    reporter = When(event, cancelling.now)
    work = verify(bundle, site.stateless, 2, reporter, site.now)
    assert cancelling.run(work)
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208 - as above
