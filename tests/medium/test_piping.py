"""A bundle through a pipe: what goes in at one end is checked at the other."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pytest

from bundle.errors import BundleError, FormatError, IntegrityError, TrustError
from bundle.format.stream import Entry, serialize_entry
from bundle.limits import MIB, MIN_VOLUME
from bundle.medium import piping
from bundle.medium.reader import open_bundle
from bundle.packing.holdings import FarSide
from bundle.progress import Reporter
from bundle.target.tree import TreeTarget
from tests.bundles import FILES, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from bundle.unpacker import UnpackReport

NOISE = np.random.default_rng(11).bytes(10 * MIB)


def exported(site: Site, bundle: Path) -> bytes:
    """Return the stream of a bundle."""
    opened = open_bundle(bundle, site.stateless, site.now, keep=False)
    parts: list[bytes] = []
    size = piping.export(opened, parts.append, Reporter())
    data = b"".join(parts)
    assert size == len(data)
    return data


def entries(data: bytes) -> list[tuple[str, bytes]]:
    """Take a stream apart."""
    found, at = [], 0
    while at < len(data):
        entry = Entry.parse(data[at : at + 64])
        name = data[at + 64 : at + 64 + entry.name_size].decode()
        at += 64 + entry.name_size
        found.append((name, data[at : at + entry.size]))
        at += entry.size
    return found


def joined(parts: list[tuple[str, bytes]]) -> bytes:
    """Put a stream together."""
    return b"".join(serialize_entry(name, len(data)) + data for name, data in parts)


def unpack(site: Site, data: bytes, to: Path) -> UnpackReport:
    stream = io.BytesIO(data)
    return site.unpack(Path("-"), TreeTarget(to), stream=stream)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("piping"))


@pytest.fixture(scope="module")
def stream(site: Site) -> bytes:
    """A bundle of two volumes as a stream."""
    files = {**FILES, "noise": NOISE}
    return exported(site, site.packed(files, volume_size=MIN_VOLUME))


def test_the_order_is_that_of_the_checks(stream: bytes) -> None:
    assert [name for name, _ in entries(stream)] == [
        *("trust/1.root.json", "trust/1.roles.json", "release.json", "bundle.json"),
        *("approval.md", "shards.bds", "recipes.bdr"),
        *("vol-00001.bdv", "vol-00002.bdv", ""),
    ]
    assert joined(entries(stream)) == stream


def test_what_comes_out_is_what_went_in(
    site: Site, stream: bytes, tmp_path: Path
) -> None:
    report = unpack(site, stream, tmp_path / "to")
    assert (tmp_path / "to/noise").read_bytes() == NOISE
    for name, data in FILES.items():
        assert (tmp_path / "to" / name).read_bytes() == data
    assert report.seq == 1


def test_nothing_is_read_where_nothing_is_missing(
    site: Site, stream: bytes, tmp_path: Path
) -> None:
    unpack(site, stream, tmp_path / "to")
    before_volumes = stream[: stream.index(b"vol-00001.bdv") - 64]
    assert not unpack(site, before_volumes, tmp_path / "to").placed[0].written_files


def test_a_bundle_without_volumes_has_a_stream(tmp_path: Path) -> None:
    site = Site(tmp_path)
    data = exported(site, site.packed({"few": b"few"}))
    assert [name for name, _ in entries(data)][-2:] == ["recipes.bdr", ""]
    unpack(site, data, tmp_path / "to")
    assert (tmp_path / "to/few").read_bytes() == b"few"


def test_a_delta_takes_the_rest_from_its_target(tmp_path: Path) -> None:
    site = Site(tmp_path)
    old = {"same": NOISE[:MIB], "text": b"1" * 5000}
    base = site.packed(old)
    unpack(site, exported(site, base), tmp_path / "to")

    new = {"same": NOISE[:MIB], "text": b"2" * 5000}
    delta = exported(site, site.packed(new, far=FarSide(base=base)))
    assert len(delta) < MIB
    with pytest.raises(BundleError, match="neither in it nor here"):
        unpack(site, delta, tmp_path / "elsewhere")
    unpack(site, delta, tmp_path / "to")
    assert (tmp_path / "to/text").read_bytes() == new["text"]


def _swapped(parts: list[tuple[str, bytes]], one: int, other: int) -> bytes:
    parts = [*parts]
    parts[one], parts[other] = parts[other], parts[one]
    return joined(parts)


def _with(parts: list[tuple[str, bytes]], name: str, data: bytes) -> bytes:
    return joined([(one, data if one == name else old) for one, old in parts])


Change: TypeAlias = "Callable[[list[tuple[str, bytes]]], bytes]"

WRONG: dict[str, tuple[Change, type[BundleError], str]] = {
    "a volume before another": (lambda p: _swapped(p, 7, 8), FormatError, "80.2.2"),
    "a list before another": (lambda p: _swapped(p, 4, 5), FormatError, "80.2.2"),
    "a list before the envelopes": (lambda p: _swapped(p, 3, 4), FormatError, "80.2.1"),
    "an envelope twice": (lambda p: joined([p[0], *p]), FormatError, "80.2.1"),
    "a name that leads away": (
        lambda p: joined([("trust/../../x", b""), *p]),
        FormatError,
        "80.2.1",
    ),
    "no ending": (lambda p: joined(p[:-1]), IntegrityError, "80.1.10"),
    "bytes after the ending": (lambda p: joined(p) + b"x", FormatError, "80.1.9"),
    "a list of another size": (
        lambda p: _with(p, "shards.bds", b"x"),
        IntegrityError,
        "3.2.4",
    ),
    "another list of its size": (
        lambda p: _with(p, "approval.md", bytes(len(p[4][1]))),
        IntegrityError,
        "3.2.4",
    ),
    "a volume with other bytes": (
        lambda p: _with(p, "vol-00002.bdv", bytes(len(p[8][1]))),
        IntegrityError,
        "3.3.11",
    ),
    "no trust files": (lambda p: joined(p[2:]), TrustError, "22"),
    "nothing": (lambda _: b"", IntegrityError, "80.1.10"),
    "something else": (lambda _: b"PK" * 100, FormatError, "80.1.2"),
}


@pytest.mark.parametrize(("change", "error", "rule"), WRONG.values(), ids=WRONG.keys())
def test_is_refused_and_nothing_is_published(
    stream: bytes, tmp_path: Path, change: Change, error: type[BundleError], rule: str
) -> None:
    site = Site(tmp_path / "site")
    with pytest.raises(error, match=rf"rule {rule}"):
        unpack(site, change(entries(stream)), tmp_path / "to")
    assert not [path for path in (tmp_path / "to").rglob("*") if path.is_file()]


@pytest.mark.parametrize("part", range(11))
def test_a_stream_that_breaks_off_is_refused(
    site: Site, stream: bytes, tmp_path: Path, part: int
) -> None:
    with pytest.raises(IntegrityError, match="the stream ends at byte") as caught:
        unpack(site, stream[: len(stream) * part // 11], tmp_path / "to")
    assert "send it again" in caught.value.advice
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_damage_is_found_where_it_is_sent(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"noise": NOISE[:MIB]})
    volume = bundle / "vol-00001.bdv"
    volume.write_bytes(bytes(volume.stat().st_size))
    with pytest.raises(IntegrityError, match=r"3\.3\.11"):
        exported(site, bundle)


def test_a_real_pipe_hands_over_as_much_as_it_likes(
    site: Site, stream: bytes, tmp_path: Path
) -> None:
    class Dripping(io.RawIOBase):
        """Gives at most 4,099 bytes at a time, as a pipe may."""

        def __init__(self) -> None:
            self._data = io.BytesIO(stream)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            return self._data.readinto(buffer[:4099])

    site.unpack(Path("-"), TreeTarget(tmp_path / "to"), stream=Dripping())
    assert (tmp_path / "to/noise").read_bytes() == NOISE
