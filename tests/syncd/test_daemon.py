"""Media come and go, and what is at the targets follows."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from bundle.limits import MIN_VOLUME
from bundle.packing.holdings import FarSide
from syncd.phases import Need, Phase
from tests.bundles import Site, no_flushing, snapshot, trust_files, write_tree
from tests.syncd.bastion import Bastion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {"noise": random.Random(3).randbytes(400_000), "text": b"a line\n" * 9_000}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path / "sender")


@pytest.fixture
def bastion(tmp_path: Path) -> Bastion:
    return Bastion(tmp_path / "bastion")


def test_a_medium_lands_at_the_target_and_a_receipt_says_so(
    site: Site, bastion: Bastion
) -> None:
    bastion.plug(site.packed(FILES))
    (arrival,) = bastion.settle(site)
    assert arrival.phase is Phase.INGESTED
    assert bastion.published() == snapshot(site.path / "tree")
    (receipt,) = bastion.receipts.iterdir()
    assert receipt.stat().st_size < 2048
    tree = write_tree(site.path / "tree", {"more": b"news " * 1_000})
    bundle = site.bundle(tree, far=FarSide(have=receipt))
    assert sum(path.stat().st_size for path in bundle.rglob("*")) < 60_000
    bastion.plug(bundle, "next")
    assert [one.phase for one in bastion.settle(site)] == [Phase.INGESTED] * 2
    assert bastion.published() == snapshot(tree)
    assert bastion.history(site, "removable")


def test_nothing_is_done_twice(site: Site, bastion: Bastion) -> None:
    bastion.plug(site.packed(FILES))
    bastion.settle(site)
    before = snapshot(bastion.path)
    bastion.settle(site)
    after = snapshot(bastion.path)
    changed = {path for path in after if before.get(path) != after[path]}
    assert all("journal.sqlite" in path for path in changed)


def test_a_refused_bundle_keeps_its_reason_and_stops_no_other(
    site: Site, bastion: Bastion, tmp_path: Path
) -> None:
    other = Site(tmp_path / "stranger", keys=trust_files((11,), root=2), key=11)
    bad = bastion.plug(other.packed({"evil": b"x" * 2_000}), "bad")
    bastion.plug(site.packed(FILES), "good")
    arrivals = {one.places[0]: one for one in bastion.settle(site)}
    refused = arrivals.pop(str(bad))
    assert refused.phase is Phase.REFUSED
    assert "(rule " in refused.reason
    assert [one.phase for one in arrivals.values()] == [Phase.INGESTED]
    assert bastion.published() == snapshot(site.path / "tree")


def test_media_come_one_by_one_over_days(site: Site, bastion: Bastion) -> None:
    noise = random.Random(11).randbytes(3 * MIN_VOLUME - 1_000_000)
    tree = write_tree(site.path / "tree", {"noise": noise})
    media = site.pack(
        tree, volume_size=MIN_VOLUME, media_size=MIN_VOLUME * 5 // 4
    ).media
    assert len(media) == 3
    reasons = []
    for medium in reversed(media[1:]):
        bastion.plug(medium)
        (arrival,) = bastion.settle(site)
        assert (arrival.phase, arrival.need) == (Phase.WAITING, Need.MEDIA)
        reasons.append(arrival.reason)
        assert not bastion.tree.exists()
        bastion.unplug()
    assert "need vol-00001…vol-00002 (" in reasons[0]
    assert "need vol-00001 (" in reasons[1]
    bastion.plug(media[0])
    (arrival,) = bastion.settle(site)
    assert arrival.phase is Phase.INGESTED
    assert bastion.published() == snapshot(tree)


def test_the_newest_release_is_published_whatever_order_the_media_come_in(
    site: Site, bastion: Bastion
) -> None:
    first = site.packed(FILES)
    second = site.packed({**FILES, "text": b"other\n" * 9_000})
    bastion.plug(second, "a")
    bastion.settle(site)
    late = bastion.plug(first, "b")
    late_one = next(one for one in bastion.settle(site) if one.places == (str(late),))
    assert late_one.phase is Phase.REFUSED
    assert late_one.reason.startswith("roll-back: release 1 of models-prod")
    assert bastion.published() == snapshot(site.path / "tree")


def test_a_bundle_that_is_still_being_copied_is_left_alone(
    site: Site, bastion: Bastion
) -> None:
    bundle = site.packed(FILES)
    place = bastion.plug(bundle)
    volume = next(place.glob("vol-*.bdv"))
    whole = volume.read_bytes()
    volume.write_bytes(whole[: len(whole) // 2])
    (arrival,) = bastion.settle(site)
    assert (arrival.phase, arrival.need) == (Phase.WAITING, Need.MEDIA)
    assert f"has {len(whole) // 2} of {len(whole)} bytes" in arrival.reason
    assert not bastion.tree.exists()
    volume.write_bytes(whole)
    (arrival,) = bastion.settle(site)
    assert arrival.phase is Phase.INGESTED
    assert bastion.published() == snapshot(site.path / "tree")


def test_a_target_that_fails_is_tried_again_and_holds_up_no_other(
    site: Site, bastion: Bastion
) -> None:
    bastion.targets = (bastion.target("tree"), bastion.target("far"))
    bastion.path.mkdir(parents=True)
    (bastion.path / "far").write_bytes(b"no directory")
    bastion.plug(site.packed(FILES))
    bastion.settle(site)
    assert bastion.published() == snapshot(site.path / "tree")
    (failed,) = bastion.history(site, "unpublished")
    assert failed["target"] == "far"
    (bastion.path / "far").unlink()
    site.now += 31
    bastion.settle(site)
    assert bastion.published("far") == snapshot(site.path / "tree")
