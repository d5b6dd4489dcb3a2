"""Bundles that build on what is here: applied whole, or refused with a want."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest

from bundle.digest import digest_of
from bundle.errors import MissingError, TrustError
from bundle.format.receipt import HeldRelease, HeldStream, Receipt
from bundle.format.want import Want
from bundle.limits import MIB
from bundle.medium.lending import LendingStore
from bundle.medium.reader import open_bundle
from bundle.packing.holdings import FarSide
from bundle.state.site import site_key
from bundle.target.tree import TreeTarget
from bundle.trust.receipts import read_receipt, sign_receipt
from tests.bundles import Site, snapshot, write_tree
from tests.cli.conftest import contents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WEIGHTS = random.Random(7).randbytes(3 * MIB)
"""Content whose chunks are worth leaving out."""

OLD = {"weights.bin": WEIGHTS, "README.md": b"of old\n" * 40, "small": b"as ever"}
NEW = OLD | {
    "README.md": b"of now\n" * 40,
    "more.bin": WEIGHTS[:MIB] + random.Random(8).randbytes(MIB) + WEIGHTS[MIB:],
}


def full(site: Site) -> Path:
    """Pack and apply the old files; leave the receipt in ``receipts``."""
    bundle = site.packed(OLD)
    site.unpack(bundle, trust=site.enrolled(), receipt_to=site.path / "receipts")
    return bundle


def receipt(site: Site) -> Path:
    """The newest receipt that the receiver wrote."""
    (found,) = (site.path / "receipts").glob("receipt-*")
    return found


def delta(site: Site, files: dict[str, bytes] = NEW) -> Path:
    """Pack the new files for whoever wrote the receipt."""
    shutil.rmtree(site.path / "tree")
    return site.packed(files, far=FarSide(have=receipt(site)))


def held(path: Path) -> dict[int, str]:
    (stream,) = read_receipt(path.read_bytes(), None).receipt.streams
    return {one.seq: one.digest for one in stream.releases}


def test_a_delta_carries_what_is_new_and_applies(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site)
    opened = open_bundle(bundle, site.stateless, site.now)
    assert opened.manifest.requires.count > 8
    assert sum(volume.size for volume in opened.manifest.volumes) < 1.6 * MIB
    report = site.unpack(bundle, trust=site.enrolled())
    assert contents(site.target) == NEW
    assert report.reused_bytes > 1.4 * MIB
    assert report.placed[0].written_files == 2


def test_a_bundle_that_builds_on_what_is_there_can_be_applied_twice(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site)
    site.unpack(bundle, trust=site.enrolled(), receipt_to=tmp_path / "one")
    before = snapshot(site.target)
    again = site.unpack(bundle, trust=site.enrolled(), receipt_to=tmp_path / "two")
    assert again.placed[0].written_files == 0
    assert snapshot(site.target) == before
    outcomes = []
    for directory in ("one", "two"):
        (path,) = (tmp_path / directory).iterdir()
        outcomes.append(read_receipt(path.read_bytes(), None).receipt.outcome)
    assert outcomes == ["applied", "already-applied"]


def test_an_unchanged_release_travels_without_its_content(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site, OLD)
    opened = open_bundle(bundle, site.stateless, site.now)
    assert opened.manifest.volumes == ()
    assert opened.manifest.carried == ()
    report = site.unpack(bundle, trust=site.enrolled())
    assert report.placed[0].kept_files == 3
    assert contents(site.target) == OLD


def test_verify_says_what_only_the_base_can_show(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    report = site.verify(delta(site))
    assert [one.state for one in report.artifacts] == ["incomplete"]
    assert report.left == ("tree tree: incomplete",)
    report = site.verify(delta(site, OLD))
    assert [one.state for one in report.artifacts] == ["not carried"]


def test_the_receipt_names_what_is_held_whole(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    first = read_receipt(receipt(site).read_bytes(), None).receipt
    assert (first.site, first.outcome, first.store.generation) == (
        "default",
        "applied",
        1,
    )
    assert list(held(receipt(site))) == [1]
    second = site.unpack(
        delta(site), trust=site.enrolled(), receipt_to=tmp_path / "later"
    )
    assert second.receipt is not None
    later = read_receipt(second.receipt.read_bytes(), None).receipt
    assert list(held(second.receipt)) == [2]  # a tree keeps no older README
    assert later.store.id == first.store.id
    assert later.store.generation == 2
    signed = site_key(site.receiver, "default").public
    assert signed.keyid in second.receipt.read_text()
    assert (site.receiver / "sites/default.pem").stat().st_mode & 0o777 == 0o600


def want(site: Site, bundle: Path) -> Path:
    """Have a bundle refused for what lacks; return the want."""
    before = snapshot(site.target)
    marks = snapshot(site.receiver / "streams")
    with pytest.raises(MissingError, match="neither in it nor here") as caught:
        site.unpack(bundle, trust=site.enrolled(), want_to=site.path / "wants")
    assert "bundle pack --fill want-default-models-prod-000002.bdw" in (
        caught.value.advice
    )
    assert snapshot(site.target) == before
    assert snapshot(site.receiver / "streams") == marks
    (path,) = (site.path / "wants").iterdir()
    return path


def fill(site: Site, asked: Path) -> Path:
    return site.bundle(site.path / "tree", fill=asked)


def apply_with(site: Site, bundle: Path, lender: Path) -> None:
    """Apply a bundle with another one that lends what it has."""
    opened = open_bundle(lender, site.stateless, site.now, judged=False)
    with opened.volumes() as volumes:
        store = LendingStore(opened, volumes)
        site.unpack(bundle, trust=site.enrolled(), stores=(store,))
    assert contents(site.target) == NEW


LOSSES: dict[str, Callable[[Path], object]] = {
    "a store that was reset": shutil.rmtree,
    "a base that was collected": lambda target: (target / "weights.bin").unlink(),
    "a file that was cut short": lambda target: (target / "weights.bin").write_bytes(
        WEIGHTS[:MIB]
    ),
    "a file that was changed": lambda target: (target / "weights.bin").write_bytes(
        b"?" + WEIGHTS[1:]
    ),
    "recipes that were lost": lambda target: shutil.rmtree(target / ".bundle"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_lacks_is_wanted_and_filled(tmp_path: Path, loss: str) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site)
    LOSSES[loss](site.target)
    if not site.target.exists():
        site.target.mkdir()
    asked = want(site, bundle)
    parsed = Want.parse(asked.read_bytes())
    opened = open_bundle(bundle, site.stateless, site.now)
    assert parsed.release == opened.digest
    assert len(parsed.chunks) <= opened.manifest.requires.count
    apply_with(site, bundle, fill(site, asked))


def test_a_fill_can_be_applied_with_the_bundle_it_completes(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site)
    shutil.rmtree(site.target)
    site.target.mkdir()
    apply_with(site, fill(site, want(site, bundle)), bundle)


def test_a_recipe_that_lacks_is_wanted_with_all_it_needs(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site, OLD)
    shutil.rmtree(site.target)
    site.target.mkdir()
    asked = want(site, bundle)
    assert len(Want.parse(asked.read_bytes()).recipes) == 1
    site.unpack(fill(site, asked), trust=site.enrolled())
    assert contents(site.target) == OLD


def test_the_full_bundle_lends_what_a_reset_store_lost(tmp_path: Path) -> None:
    site = Site(tmp_path)
    base = full(site)
    bundle = delta(site)
    shutil.rmtree(site.target)
    apply_with(site, bundle, base)


def test_without_a_place_for_a_want_the_way_to_one_is_said(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site)
    shutil.rmtree(site.target)
    with pytest.raises(MissingError) as caught:
        site.unpack(bundle, trust=site.enrolled())
    assert "--want-to DIR" in caught.value.advice
    assert not site.target.exists()


def test_another_target_lends_what_one_lacks(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    other = tmp_path / "other"
    targets = TreeTarget(site.target), TreeTarget(other)
    site.unpack(delta(site), *targets, trust=site.enrolled())
    assert contents(other) == contents(site.target) == NEW


def test_a_stale_receipt_leads_to_a_refusal(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site)  # by a receipt that was true when it was written
    (site.target / "weights.bin").unlink()
    want(site, bundle)


def test_a_forged_receipt_leads_to_a_refusal(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.target.mkdir()
    bundle = site.packed(OLD)
    opened = open_bundle(bundle, site.stateless, site.now)
    site.unpack(
        bundle,
        TreeTarget(tmp_path / "elsewhere"),
        trust=site.stateless,
        receipt_to=tmp_path / "theirs",
    )
    (theirs,) = (tmp_path / "theirs").iterdir()
    said = read_receipt(theirs.read_bytes(), None).receipt
    stream = opened.release.stream
    claim = HeldStream(stream.id, stream.name, (HeldRelease(1, str(opened.digest)),))
    forged = Receipt(
        site="default",
        store=said.store,
        streams=(claim,),
        outcome="applied",
        created=said.created,
        trust_version=said.trust_version,
    )
    (tmp_path / "receipts").mkdir()
    path = tmp_path / "receipts/receipt-forged.json"
    path.write_bytes(sign_receipt(forged, site.signing_key))
    want(site, delta(site))


def test_a_forged_want_changes_nothing_but_what_is_carried(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full(site)
    bundle = delta(site)
    (site.target / "weights.bin").unlink()
    asked = want(site, bundle)
    honest = Want.parse(asked.read_bytes())
    asked.write_bytes(
        Want(honest.release, honest.recipes, honest.chunks[:1]).serialize()
    )
    too_little = fill(site, asked)
    opened = open_bundle(too_little, site.stateless, site.now)
    with opened.volumes() as volumes, pytest.raises(MissingError):
        site.unpack(
            bundle,
            trust=site.enrolled(),
            stores=(LendingStore(opened, volumes),),
        )
    unknown = Want(digest_of(b"another"), honest.recipes, honest.chunks)
    asked.write_bytes(unknown.serialize())
    with pytest.raises(MissingError, match="not remembered"):
        fill(site, asked)


def test_what_left_the_release_stays_and_is_said(tmp_path: Path) -> None:
    site = Site(tmp_path)
    trees = [write_tree(tmp_path / name, {name: WEIGHTS}) for name in ("one", "two")]
    site.unpack(site.bundle(*trees), trust=site.enrolled())
    report = site.unpack(site.bundle(trees[0]), trust=site.enrolled())
    assert report.stays == (f"tree two: left the stream, stays at tree:{site.target}",)
    assert contents(site.target) == {"one": WEIGHTS, "two": WEIGHTS}


def test_going_back_is_a_new_release_that_carries_almost_nothing(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    first = full(site)
    site.unpack(delta(site), trust=site.enrolled(), receipt_to=tmp_path / "later")
    with pytest.raises(TrustError, match="roll-back"):
        site.unpack(first, trust=site.enrolled())
    (path,) = (tmp_path / "later").iterdir()
    shutil.rmtree(tmp_path / "tree")
    back = site.packed(OLD, far=FarSide(have=path))
    assert sum(one.stat().st_size for one in back.glob("vol-*")) < 20_000
    site.unpack(back, trust=site.enrolled())
    assert contents(site.target) == OLD | {"more.bin": NEW["more.bin"]}


def test_only_a_reader_without_a_memory_puts_an_older_release_back(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    first = full(site)
    site.unpack(delta(site), trust=site.enrolled())
    report = site.unpack(first, trust=site.stateless, receipt_to=tmp_path / "back")
    assert any("roll-back not checked" in one for one in report.warnings)
    assert contents(site.target) == OLD | {"more.bin": NEW["more.bin"]}
    assert report.receipt is not None
    assert list(held(report.receipt)) == [1]  # the newer README was replaced
