"""All damage of a medium, whichever of it comes up first."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest

from bundle.errors import IntegrityError, MissingError, StoreError
from bundle.limits import MIB, MIN_VOLUME
from tests.bundles import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("damage"))
    noise = np.random.default_rng(9).bytes(20 * MIB)
    site.packed({"noise": noise}, volume_size=MIN_VOLUME)
    return site


@pytest.fixture
def bundle(site: Site, tmp_path: Path) -> Path:
    """A bundle of three volumes, to damage."""
    return shutil.copytree(site.out / "models-prod-000001", tmp_path / "usb")


def change(bundle: Path, volume: int, *shards: int) -> None:
    with (bundle / f"vol-0000{volume}.bdv").open("r+b") as file:
        for shard in shards:
            file.seek(shard * MIB + 7)
            byte = file.read(1)[0]
            file.seek(shard * MIB + 7)
            file.write(bytes([byte ^ 1]))


def bad_sectors(
    *bad: tuple[str, int],
) -> Callable[[int, Sequence[memoryview], int], int]:
    """Return a read that fails for these shards, as the system does for bad sectors."""
    preadv = os.preadv

    def read(file: int, buffers: Sequence[memoryview], offset: int) -> int:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{file}"))  # noqa: PTH115, PTH119
        if (name, offset // MIB) in bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return preadv(file, buffers, offset)

    return read


def test_every_place_is_listed_and_neighbours_are_one(site: Site, bundle: Path) -> None:
    change(bundle, 1, 2, 3)
    change(bundle, 3, 0)
    with pytest.raises(IntegrityError) as caught:
        site.verify(bundle)
    assert str(caught.value).startswith("3.0 MiB of the volumes are damaged or cannot")
    assert caught.value.left == (
        "vol-00001.bdv, bytes 2097152 to 4194304: not what was signed",
        "vol-00003.bdv, bytes 0 to 1048576: not what was signed",
    )


def test_what_cannot_be_read_is_a_loss_and_reading_goes_on(
    site: Site, bundle: Path
) -> None:
    reading = bad_sectors(("vol-00001.bdv", 0), ("vol-00002.bdv", 5))
    with mock.patch.object(os, "preadv", reading), pytest.raises(StoreError) as caught:
        site.verify(bundle)
    assert caught.value.left == (
        "vol-00001.bdv, bytes 0 to 1048576: cannot be read: Input/output error",
        "vol-00002.bdv, bytes 5242880 to 6291456: cannot be read: Input/output error",
    )


def test_changed_and_unreadable_is_damaged(site: Site, bundle: Path) -> None:
    change(bundle, 2, 1)
    reading = bad_sectors(("vol-00001.bdv", 1))
    with (
        mock.patch.object(os, "preadv", reading),
        pytest.raises(IntegrityError) as caught,
    ):
        site.verify(bundle)
    assert [line.rpartition(": ")[2] for line in caught.value.left] == [
        "Input/output error",
        "not what was signed",
    ]


def test_one_bad_sector_is_named_as_it_was_met(site: Site, bundle: Path) -> None:
    reading = bad_sectors(("vol-00002.bdv", 3))
    with (
        mock.patch.object(os, "preadv", reading),
        pytest.raises(
            StoreError, match=r"^vol-00002\.bdv: cannot be read at byte 3145728"
        ),
    ):
        site.verify(bundle)


def test_volumes_that_are_missing_or_cut_off_do_not_hide_damage(
    site: Site, bundle: Path
) -> None:
    change(bundle, 3, 1)
    (bundle / "vol-00001.bdv").unlink()
    with (bundle / "vol-00002.bdv").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(IntegrityError) as caught:
        site.verify(bundle)
    lines = caught.value.left
    assert "vol-00002.bdv has 5000 bytes where" in lines[0]
    assert lines[1] == "vol-00003.bdv, bytes 1048576 to 2097152: not what was signed"
    assert lines[2].startswith("1 medium seen; need vol-00001 (")


def test_good_volumes_without_the_others_are_only_asked_for(
    site: Site, bundle: Path
) -> None:
    (bundle / "vol-00001.bdv").unlink()
    with pytest.raises(MissingError, match="need vol-00001"):
        site.verify(bundle)
