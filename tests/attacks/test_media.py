"""Media that are mixed, odd, much too large, or not the same when looked at twice."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    MissingError,
    StoreError,
    TrustError,
)
from bundle.limits import (
    MAX_APPROVAL,
    MAX_DIRECTORY_SCAN,
    MAX_ENVELOPE,
    MAX_TRUST_FILE,
    MIB,
    MIN_VOLUME,
)
from tests.bundles import Site, snapshot, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

REFUSED = (FormatError, IntegrityError, TrustError)
FILES = (
    "release.json",
    "bundle.json",
    "recipes.bdr",
    "shards.bds",
    "approval.md",
    "vol-00001.bdv",
)


def _refused(
    site: Site,
    bundle: Path,
    error: type[BundleError] | tuple[type[BundleError], ...] = REFUSED,
    verbs: Sequence[str] = ("verify", "unpack"),
) -> None:
    """Neither verb takes it; the target is what it was."""
    write_tree(site.target, {"file": b"the one before"})
    before = snapshot(site.target)
    for verb in verbs:
        with pytest.raises(error) as caught:
            getattr(site, verb)(bundle)
        assert str(caught.value).isprintable()
        assert snapshot(site.target) == before


# -- two bundles, mixed --------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Path, Path]:
    """Two good bundles of one stream, whose files have the same names and sizes."""
    site = Site(tmp_path_factory.mktemp("pair"))
    one = site.packed({"file": b"1" * 500})
    other = site.packed({"file": b"2" * 500})
    for name in ("recipes.bdr", "shards.bds", "vol-00001.bdv"):
        assert (one / name).stat().st_size == (other / name).stat().st_size
    return site, one, other


MIXES = [
    mix
    for count in range(1, len(FILES))
    for mix in itertools.combinations(FILES, count)
    if "release.json" not in mix
]


@pytest.mark.parametrize("mix", MIXES, ids=[" ".join(mix) for mix in MIXES])
def test_files_of_another_good_bundle_do_not_belong(
    pair: tuple[Site, Path, Path], tmp_path: Path, mix: tuple[str, ...]
) -> None:
    """Every file is signed by the right key, and is of another bundle."""
    site, one, other = pair
    bundle = tmp_path / "mixed"
    shutil.copytree(one, bundle)
    for name in mix:
        shutil.copy(other / name, bundle / name)
    with pytest.raises(REFUSED, match=r"\(rule"):
        site.verify(bundle)


def test_volumes_of_one_bundle_do_not_change_places(tmp_path: Path) -> None:
    site = Site(tmp_path)
    # Two volumes of one size: the same content but for one byte in each chunk.
    files = {
        str(number): os.urandom(1) + bytes(range(256)) * 4095 + os.urandom(255)
        for number in range(2)
    }
    assert {len(data) for data in files.values()} == {MIB}
    random = {f"r{number}": os.urandom(6 * MIB) for number in range(2)}
    bundle = site.packed({**files, **random}, volume_size=MIN_VOLUME)
    first, second = (bundle / f"vol-0000{number}.bdv" for number in (1, 2))
    second_data = second.read_bytes()
    second.write_bytes(first.read_bytes())
    first.write_bytes(second_data)
    _refused(site, bundle)


# -- files that are none -------------------------------------------------------


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def _link_to_zeros(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _socket(path: Path) -> None:
    path.unlink()
    os.mknod(path, stat.S_IFSOCK | 0o600)


ODD: dict[str, Callable[[Path], None]] = {
    "a link to the very same bytes": _link,
    "a link to zeros without end": _link_to_zeros,
    "a link to itself": _loop,
    "a pipe that nobody writes to": _pipe,
    "a directory": _directory,
    "a socket": _socket,
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", [*FILES, "trust/1.roles.json"])
def test_only_regular_files_are_read(
    tmp_path: Path, name: str, odd: Callable[[Path], None]
) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"file": b"1" * 500})
    odd(bundle / name)
    _refused(site, bundle, (FormatError, StoreError))


@pytest.mark.parametrize("name", ["copy/release.json", "sig"])
def test_verify_reads_only_regular_files_beside(tmp_path: Path, name: str) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"file": b"1" * 500})
    (bundle / name).unlink(missing_ok=True)
    (bundle / name).symlink_to("/dev")
    _refused(site, bundle, (FormatError, IntegrityError), verbs=["verify"])
    assert site.unpack(bundle).left == ()


def test_a_link_in_place_of_the_trust_files_is_not_followed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"file": b"1" * 500})
    (bundle / "trust").rename(tmp_path / "elsewhere")
    (bundle / "trust").symlink_to(tmp_path / "elsewhere")
    _refused(site, bundle, FormatError)


def test_a_link_to_the_whole_bundle_is_its_owners_business(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / "usb").symlink_to(site.packed({"file": b"1" * 500}))
    assert len(site.verify(tmp_path / "usb").warnings) == 1
    site.unpack(tmp_path / "usb")


# -- too much ------------------------------------------------------------------


LARGE = {
    "release.json": (MAX_ENVELOPE + 1, FormatError, "4.5"),
    "bundle.json": (MAX_ENVELOPE + 1, FormatError, "4.5"),
    "approval.md": (MAX_APPROVAL + 1, FormatError, "4.5"),
    "trust/1.root.json": (MAX_TRUST_FILE + 1, FormatError, "4.5"),
    "trust/2.roles.json": (MAX_TRUST_FILE + 1, FormatError, "4.5"),
    "recipes.bdr": (1 << 40, IntegrityError, "3.2.4"),
    "shards.bds": (1 << 40, FormatError, "4.5"),
    "vol-00001.bdv": (1 << 40, IntegrityError, "3.2.4"),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_refused_by_its_size(tmp_path: Path, name: str) -> None:
    size, error, rule = LARGE[name]
    site = Site(tmp_path)
    bundle = site.packed({"file": b"1" * 500})
    with (bundle / name).open("ab") as file:
        file.truncate(size)
    with mock.patch.object(os, "preadv", _bounded(MIB)):
        _refused(site, bundle, error)
        with pytest.raises(error, match=rf"\(rule {rule}\)$"):
            site.unpack(bundle)


def _bounded(limit: int) -> Callable[..., int]:
    """Return a ``preadv`` that is never asked for more than ``limit`` bytes."""
    preadv = os.preadv

    def reading(file: int, buffers: Sequence[memoryview], offset: int) -> int:
        assert sum(map(len, buffers)) <= limit
        return preadv(file, buffers, offset)

    return reading


@pytest.mark.parametrize("directory", ["trust", "sig", "copy"])
def test_a_directory_of_too_many_names_is_not_read_to_its_end(
    tmp_path: Path, directory: str
) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"file": b"1" * 500})
    (bundle / directory).mkdir(exist_ok=True)
    for number in range(MAX_DIRECTORY_SCAN + 1):
        (bundle / directory / f"{number}.txt").touch()
    with pytest.raises(FormatError, match=r"rule 4\.7"):
        site.verify(bundle)


def test_files_of_nobody_are_left_alone_and_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"file": b"1" * 500})
    for name in ("autorun.inf", "vol-00002.bdv", "trust/readme", "trust/01.root.json"):
        os.mkfifo(bundle / name)
    (bundle / "System Volume Information").mkdir()
    warning = site.verify(bundle).warnings[-1]
    assert warning == (
        "not part of the bundle, not looked at: System Volume Information, "
        "autorun.inf, vol-00002.bdv, trust/01.root.json, trust/readme"
    )
    assert site.unpack(bundle).left == ()


# -- looked at twice -----------------------------------------------------------


@dataclass
class Fickle:
    """A medium that tells the truth once, and something else the second time."""

    bundle: Path
    reads: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    preadv: Any = os.preadv

    def read(self, file: int, buffers: Sequence[memoryview], offset: int) -> int:
        count = int(self.preadv(file, buffers, offset))
        path = os.readlink(f"/proc/self/fd/{file}")  # noqa: PTH115 - not a real path
        if not path.startswith(f"{self.bundle}/"):
            return count
        seen = self.reads.setdefault(path.removeprefix(f"{self.bundle}/"), [])
        again = any(
            start < offset + count and offset < start + size for start, size in seen
        )
        seen.append((offset, count))
        if again:
            for buffer in buffers:
                buffer[:] = bytes(byte ^ 0xFF for byte in buffer)
        return count


def test_every_byte_is_read_once_and_what_was_checked_is_what_is_used(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    files = {"a": os.urandom(3 * MIB + 5), "b": b"text " * 999_999, "c": b"few"}
    files["again"] = files["a"]
    bundle = site.packed(files, volume_size=MIN_VOLUME, jobs=2)
    medium = Fickle(bundle)
    with mock.patch.object(os, "preadv", medium.read):
        site.unpack(bundle, jobs=2)
    for path, data in files.items():
        assert (site.target / path).read_bytes() == data
    read = {"trust/1.root.json", "trust/1.roles.json", *FILES}
    assert set(medium.reads) == read
    for name, ranges in medium.reads.items():
        covered = 0
        for start, size in sorted(ranges):
            assert start == covered
            covered += size
        assert covered == (bundle / name).stat().st_size


def test_verify_notices_a_medium_that_changes_its_mind(tmp_path: Path) -> None:
    """It looks twice at the envelopes alone, to compare them with their copies."""
    site = Site(tmp_path)
    bundle = site.packed({"file": b"1" * 500})
    with (
        mock.patch.object(os, "preadv", Fickle(bundle).read),
        pytest.raises(REFUSED, match=r"\(rule"),
    ):
        site.verify(bundle)


def test_a_volume_that_is_swapped_while_it_is_read_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"file": os.urandom(3 * MIB)})
    volume = bundle / "vol-00001.bdv"
    other = os.urandom(volume.stat().st_size)
    preadv, seen = os.preadv, 0

    def swapping(file: int, buffers: Sequence[memoryview], offset: int) -> int:
        nonlocal seen
        if os.readlink(f"/proc/self/fd/{file}") == str(volume):  # noqa: PTH115 - as above
            seen += 1
            if seen == 2:
                with volume.open("r+b") as writing:
                    writing.write(other)
        return preadv(file, buffers, offset)

    with mock.patch.object(os, "preadv", swapping):
        _refused(site, bundle, IntegrityError, verbs=["unpack"])


FAULTS: dict[str, tuple[int | None, type[BundleError], int]] = {
    "a sector that cannot be read": (errno.EIO, StoreError, 16),
    "a stick that was pulled out": (errno.ENODEV, StoreError, 16),
    "a file that ends too soon": (None, IntegrityError, 11),
}


@pytest.mark.parametrize(("code", "error", "exit_code"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("at", [1, 2, 4, 6, 8, 9])
def test_a_medium_that_fails_in_the_middle(
    tmp_path: Path, code: int | None, error: type[BundleError], exit_code: int, at: int
) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"file": os.urandom(MIB + MIB // 2)})
    write_tree(site.target, {"file": b"the one before"})
    before = snapshot(site.target)
    preadv, seen = os.preadv, 0

    def failing(file: int, buffers: Sequence[memoryview], offset: int) -> int:
        nonlocal seen
        seen += 1
        if seen < at:
            return preadv(file, buffers, offset)
        if code is None:
            return 0
        raise OSError(code, os.strerror(code))

    with mock.patch.object(os, "preadv", failing), pytest.raises(error) as caught:
        site.unpack(bundle)
    assert seen == at
    assert caught.value.exit_code == exit_code
    assert snapshot(site.target) == before
    site.unpack(bundle)


def test_a_medium_that_cannot_be_listed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"file": b"1" * 500})
    scandir = os.scandir

    def failing(path: Any) -> Any:  # noqa: ANN401 - as os.scandir
        if str(path).endswith("trust"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(path)

    with mock.patch.object(os, "scandir", failing):
        _refused(site, bundle, StoreError)


def test_what_is_no_bundle_is_named_as_that(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.key_directory.joinpath("x").touch()
    for path in (tmp_path, tmp_path / "nowhere", site.key_directory / "x"):
        _refused(site, path, MissingError)
