"""A bundle whose volumes are on several media, in any order."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bundle.errors import ExistsError, IntegrityError, MissingError, TargetError
from bundle.limits import MIB, MIN_VOLUME
from bundle.medium.spread import share_out
from bundle.target.tree import TreeTarget
from tests.bundles import Site, snapshot, write_tree

if TYPE_CHECKING:
    from pathlib import Path

NOISE = np.random.default_rng(7).bytes(36 * MIB)
SHARES = [(1, 4), (2,), (3, 5)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with one bundle of five volumes, spread over three directories."""
    site = Site(tmp_path_factory.mktemp("spread"))
    whole = site.packed({"noise": NOISE}, volume_size=MIN_VOLUME)
    for number, share in enumerate(SHARES, start=1):
        medium = _medium(site, number)
        shutil.copytree(whole, medium)
        for volume in medium.glob("vol-*"):
            if int(volume.stem[4:]) not in share:
                volume.unlink()
    return site


def _medium(site: Site, number: int) -> Path:
    return site.path / f"usb-{number}/models-prod-000001-{number}-of-3"


ORDERS = list(itertools.permutations((1, 2, 3)))


@pytest.mark.parametrize("order", ORDERS, ids=map(str, ORDERS))
def test_the_order_makes_no_difference(
    site: Site, tmp_path: Path, order: tuple[int, ...]
) -> None:
    first, *rest = (_medium(site, number) for number in order)
    assert site.verify(first, beside=tuple(rest)).volumes == 5
    before = snapshot(site.path / "usb-1")
    site.unpack(first, TreeTarget(tmp_path / "to"), beside=tuple(rest))
    assert (tmp_path / "to/noise").read_bytes() == NOISE
    assert snapshot(site.path / "usb-1") == before


SEEN = {
    "the first alone": ((1,), "1 of 3 media seen; need vol-00002…vol-00003, vol-00005"),
    "all but the last": ((2, 1), "2 of 3 media seen; need vol-00003, vol-00005"),
    "one named twice": (
        (3, 3),
        "1 of 3 media seen; need vol-00001…vol-00002, vol-0000",
    ),
}


@pytest.mark.parametrize(("numbers", "words"), SEEN.values(), ids=SEEN.keys())
def test_what_was_seen_and_is_needed_is_said(
    site: Site, tmp_path: Path, numbers: tuple[int, ...], words: str
) -> None:
    first, *rest = (_medium(site, number) for number in numbers)
    with pytest.raises(MissingError) as caught:
        site.verify(first, beside=tuple(rest))
    assert str(caught.value).startswith(words)
    assert str(caught.value).endswith(" MiB)")
    with pytest.raises(MissingError, match="media seen"):
        site.unpack(first, TreeTarget(tmp_path / "to"), beside=tuple(rest))
    assert not (tmp_path / "to").exists()


def test_directories_with_other_names_are_only_counted(
    site: Site, tmp_path: Path
) -> None:
    shutil.copytree(_medium(site, 1), tmp_path / "a")
    with pytest.raises(
        MissingError, match=r"^2 media seen; need vol-00002…vol-00003, "
    ):
        site.verify(tmp_path / "a", beside=(tmp_path / "a/../a",))


def test_a_volume_that_is_cut_off_here_is_read_there(
    site: Site, tmp_path: Path
) -> None:
    bad = tmp_path / "models-prod-000001-2-of-3"
    shutil.copytree(_medium(site, 2), bad)
    (bad / "vol-00002.bdv").write_bytes(b"short")
    beside = tuple(_medium(site, number) for number in (1, 2, 3))
    assert site.verify(bad, beside=beside).volumes == 5
    with pytest.raises(IntegrityError, match=r"vol-00002\.bdv has 5 bytes"):
        site.verify(bad, beside=(beside[0], beside[2]))


def test_another_bundle_is_refused(site: Site, tmp_path: Path) -> None:
    other = site.packed({"noise": b"1"})
    first = _medium(site, 1)
    with pytest.raises(IntegrityError, match=r"not of one bundle.*4\.10\.2"):
        site.verify(first, beside=(other,))
    with pytest.raises(IntegrityError, match=r"not of one bundle.*4\.10\.2"):
        site.unpack(first, TreeTarget(tmp_path / "to"), beside=(other,))
    assert not (tmp_path / "to").exists()


def test_what_lies_beside_is_checked_in_every_directory(
    site: Site, tmp_path: Path
) -> None:
    last = tmp_path / "last"
    shutil.copytree(_medium(site, 3), last)
    (last / "copy/release.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError, match=r"copy/release\.json"):
        site.verify(_medium(site, 1), beside=(_medium(site, 2), last))
    (last / "notes.txt").touch()
    shutil.copy(last / "release.json", last / "copy/release.json")
    report = site.verify(_medium(site, 1), beside=(_medium(site, 2), last))
    assert "notes.txt" in report.warnings[-1]


# -- writing -------------------------------------------------------------------


SHARED_OUT = {
    "all on one": ([4, 4], [range(2)]),
    "as many as go on each": ([4, 4, 4, 1], [range(2), range(2, 4)]),
    "in order, though a later one had room": (
        [5, 5, 1, 5],
        [range(1), range(1, 3), range(3, 4)],
    ),
    "nothing at all": ([], [range(0)]),
}


@pytest.mark.parametrize(
    ("volumes", "shares"), SHARED_OUT.values(), ids=SHARED_OUT.keys()
)
def test_volumes_are_shared_out(volumes: list[int], shares: list[range]) -> None:
    sizes = [size * MIB for size in volumes]
    assert share_out([100, 200], sizes, 9 * MIB) == shares


def test_a_medium_that_holds_no_volume_is_too_small() -> None:
    with pytest.raises(TargetError, match=r"media of 9\.0 MiB are too small") as caught:
        share_out([2 * MIB], [8 * MIB], 9 * MIB)
    assert "--media-size" in caught.value.advice


def test_a_pack_makes_a_directory_for_each_medium(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"noise": NOISE})
    report = site.pack(tree, volume_size=MIN_VOLUME, media_size=18 * MIB)
    names = [f"models-prod-000001-{number}-of-3" for number in (1, 2, 3)]
    assert [one.name for one in report.media] == names
    assert sorted(path.name for path in site.out.iterdir()) == names
    assert report.bundle == report.media[0]
    for medium in report.media:
        files = [path for path in medium.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < 18 * MIB
    volumes = [sorted(p.name[:9] for p in m.glob("vol-*")) for m in report.media]
    assert volumes == [
        ["vol-00001", "vol-00002"],
        ["vol-00003", "vol-00004"],
        ["vol-00005"],
    ]
    first, *rest = report.media
    assert (
        site.verify(first, beside=tuple(rest)).warnings
        == site.verify(rest[0], beside=(first, rest[1])).warnings
    )
    site.unpack(rest[1], TreeTarget(tmp_path / "to"), beside=(first, rest[0]))
    assert (tmp_path / "to/noise").read_bytes() == NOISE


def test_what_one_medium_holds_is_not_spread(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"little": b"1" * 1000})
    report = site.pack(tree, volume_size=MIN_VOLUME, media_size=18 * MIB)
    assert report.media == (site.out / "models-prod-000001",)
    site.verify(site.out / "models-prod-000001")


def test_a_finished_medium_in_the_way_is_left_alone(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"noise": NOISE})
    files = {"bundle.json": b"{}", "vol-00009.bdv": b"1"}
    medium = write_tree(site.out / "models-prod-000001-2-of-3", files)
    before = snapshot(medium)
    with pytest.raises(ExistsError, match="finished bundle"):
        site.pack(tree, volume_size=MIN_VOLUME, media_size=18 * MIB)
    assert snapshot(medium) == before
    assert [path.name for path in site.out.iterdir()] == [medium.name]


def test_a_pack_onto_media_that_fails_leaves_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", {"noise": NOISE})
    last = site.out / "models-prod-000001-3-of-3"
    write_tree(last, {"holiday.jpg": b"1"})
    with pytest.raises(ExistsError, match="is in the way"):
        site.pack(tree, volume_size=MIN_VOLUME, media_size=18 * MIB)
    assert [path.name for path in site.out.iterdir()] == [last.name]
    assert [path.name for path in last.iterdir()] == ["holiday.jpg"]
