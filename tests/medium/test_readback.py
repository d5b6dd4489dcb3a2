"""Nothing is said to be safe that does not read back, whatever file of it is bad."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest

from bundle.cli.parity import protect
from bundle.errors import BundleError, MissingError
from bundle.limits import MIB
from bundle.medium import readback
from bundle.medium.readback import verify_media
from bundle.progress import Reporter
from tests.bundles import Site, no_flushing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOISE: Final = random.Random(5).randbytes(9 * MIB)


class Counting(Reporter):
    """Counts the bytes that were read."""

    total = done = 0

    def started(self, verb: str, total: int) -> None:  # noqa: ARG002 - what is told
        self.total = total

    def advanced(self, size: int) -> None:
        self.done += size


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path)


def check(site: Site, *media: Path, parity: Path | None = None) -> Counting:
    reporter = Counting()
    verify_media(media, parity, site.stateless, site.now, reporter)
    return reporter


def spread(site: Site) -> tuple[Path, ...]:
    """A bundle on two media."""
    tree = {"a": NOISE, "b": NOISE[::-1]}
    sizes = {"volume_size": 8 * MIB, "media_size": 18 * MIB}
    site.packed(tree, **sizes)
    media = tuple(sorted(site.out.iterdir()))
    assert len(media) == 2
    return media


def test_what_is_whole_is_read_to_its_end(site: Site) -> None:
    reporter = check(site, site.packed())
    assert reporter.done == reporter.total > 0


def test_each_medium_is_read(site: Site) -> None:
    reporter = check(site, *spread(site))
    assert reporter.done == reporter.total > 2 * 9 * MIB


@pytest.mark.parametrize("medium", [0, 1])
def test_every_file_of_every_medium_counts(site: Site, medium: int) -> None:
    media = spread(site)
    paths = [path for path in sorted(media[medium].rglob("*")) if path.is_file()]
    assert len(paths) > 8
    for path in paths:
        data = path.read_bytes()
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        path.write_bytes(changed)
        with pytest.raises(BundleError):
            check(site, *media)
        path.write_bytes(data)
    check(site, *media)


def test_a_lost_volume_is_named(site: Site) -> None:
    media = spread(site)
    (media[1] / "vol-00003.bdv").unlink()
    with pytest.raises(MissingError, match="vol-00003"):
        check(site, *media)


@pytest.mark.parametrize("where", [200, -200, 3 * MIB // 2])
def test_parity_counts_too(site: Site, where: int) -> None:
    bundle = site.packed({"a": NOISE})
    protect([bundle], site.stateless, 20, bundle, site.now, Reporter())
    check(site, bundle, parity=bundle)
    [path] = bundle.glob("par-*.bdp")
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match="par-00001"):
        check(site, bundle, parity=bundle)
    path.unlink()
    with pytest.raises(MissingError, match="parity"):
        check(site, bundle, parity=bundle)


def test_every_file_is_dropped_from_memory_first(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = site.packed()
    dropped: list[Path] = []
    monkeypatch.setattr(readback, "forget", dropped.append)
    check(site, bundle)
    assert {*dropped} >= {path for path in bundle.rglob("*") if path.is_file()}
