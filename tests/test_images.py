"""Images cross: layout in, layout out, every digest equal; only new layers travel."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from bundle.packing.holdings import FarSide
from bundle.packing.intake import Opened
from bundle.source.locate import parse_source
from bundle.target.oci_archive import OciArchiveTarget
from bundle.target.oci_layout import OciLayoutTarget
from bundle.target.options import TargetOptions
from tests.bundles import Site, no_flushing, snapshot
from tests.images import AMD64, ARM64, Layout, blobs_in, names_in, noise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.source.base import SourceFile


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with no_flushing():
        yield


def a_set() -> Layout:
    """Two versions of one image, an index with a signature, in one layout."""
    layout = Layout()
    layout.image("ghcr.io/acme/app:v1", 1, 2)
    layout.image("ghcr.io/acme/app:v2", 1, 3)
    children = [
        {**layout.manifest(layout.layer({"a": noise(seed)}), config=config), **more}
        for seed, config, more in (
            (4, layout.config(AMD64), {"platform": AMD64}),
            (5, layout.config(ARM64), {"platform": ARM64}),
        )
    ]
    index = layout.list(layout.index(*children), "ghcr.io/acme/both:v1")
    layout.referrer(index, "application/vnd.dev.sigstore.bundle.v0.3+json", b"{}")
    layout.cosign(children[0], "sig", b"signed")
    return layout


def crossing(site: Site, layout: Path, target: Path, **changes: object) -> Path:
    bundle = site.bundle(parse_source(f"oci-layout:{layout}"), **changes)
    site.unpack(bundle, OciLayoutTarget(target))
    return bundle


def test_a_layout_crosses_with_every_digest(tmp_path: Path) -> None:
    layout = a_set().write(tmp_path / "images")
    site = Site(tmp_path)
    crossing(site, layout, tmp_path / "copy")
    assert names_in(tmp_path / "copy") == names_in(layout)
    assert blobs_in(tmp_path / "copy") == blobs_in(layout)


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    layout = a_set().write(tmp_path / "images")
    site = Site(tmp_path)
    bundle = crossing(site, layout, tmp_path / "copy")
    before = snapshot(tmp_path / "copy"), _inodes(tmp_path / "copy")
    report = site.unpack(bundle, OciLayoutTarget(tmp_path / "copy"))
    assert not sum(one.written_files for one in report.placed)
    assert (snapshot(tmp_path / "copy"), _inodes(tmp_path / "copy")) == before


def _inodes(root: Path) -> set[int]:
    return {path.stat().st_ino for path in root.rglob("*")}


def test_equal_blobs_are_carried_once(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("app:v1", 1, 2)
    layout.image("app:v2", 1, 3)
    path = layout.write(tmp_path / "images")
    report = Site(tmp_path).pack(parse_source(f"oci-layout:{path}"))
    assert report.new_bytes < sum(map(len, layout.blobs.values())) + 4096
    assert report.new_bytes > 3 * len(noise(1))


def test_the_second_version_carries_its_own_layers_only(tmp_path: Path) -> None:
    site, target = Site(tmp_path), tmp_path / "copy"
    layout = Layout()
    layout.image("app:v1", 1, 2)
    first = crossing(site, layout.write(tmp_path / "images"), target)
    layout.image("app:v2", 1, 3)
    layout.write(tmp_path / "images")
    source = parse_source(f"oci-layout:{tmp_path / 'images'}")
    report = site.pack(source, far=FarSide(base=first))
    assert report.bundle is not None
    assert report.new_bytes < len(noise(3)) + 8192
    site.unpack(report.bundle, OciLayoutTarget(target))
    assert names_in(target) == names_in(tmp_path / "images")
    assert blobs_in(target) == blobs_in(tmp_path / "images")


def test_an_archive_crosses_and_is_the_same_each_time(tmp_path: Path) -> None:
    layout = a_set().archive(tmp_path / "images.tar")
    site = Site(tmp_path)
    bundle = site.bundle(parse_source(f"oci-archive:{layout}"))
    made = []
    for name in ("a.tar", "b.tar"):
        options = TargetOptions(staging=tmp_path / f"work-{name}")
        target = OciArchiveTarget(tmp_path / name, options)
        site.unpack(bundle, target)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    again = site.bundle(parse_source(f"oci-archive:{tmp_path / 'a.tar'}"))
    site.unpack(again, OciLayoutTarget(tmp_path / "copy"))
    assert blobs_in(tmp_path / "copy") == {
        name: data for name, data in a_set().blobs.items() if name in made_blobs(layout)
    }


def made_blobs(archive: Path) -> set[str]:
    with tarfile.open(archive) as opened:
        names = (name.rpartition("/") for name in opened.getnames())
        return {f"sha256:{last}" for head, _, last in names if head == "blobs/sha256"}


def test_an_archive_takes_deltas(tmp_path: Path) -> None:
    site = Site(tmp_path)
    options = TargetOptions(staging=tmp_path / "work")
    layout = Layout()
    layout.image("app:v1", 1, 2)
    source = parse_source(f"oci-layout:{layout.write(tmp_path / 'images')}")
    first = site.bundle(source)
    site.unpack(first, OciArchiveTarget(tmp_path / "a.tar", options))
    layout.image("app:v2", 1, 3)
    layout.write(tmp_path / "images")
    source = parse_source(f"oci-layout:{tmp_path / 'images'}")
    second = site.bundle(source, far=FarSide(base=first))
    report = site.unpack(second, OciArchiveTarget(tmp_path / "a.tar", options))
    assert sum(one.kept_files for one in report.placed) == 5
    whole = site.bundle(parse_source(f"oci-archive:{tmp_path / 'a.tar'}"))
    site.unpack(whole, OciLayoutTarget(tmp_path / "copy"))
    assert blobs_in(tmp_path / "copy") == layout.blobs
    before = (tmp_path / "a.tar").stat().st_mtime_ns
    site.unpack(second, OciArchiveTarget(tmp_path / "a.tar", options))
    assert (tmp_path / "a.tar").stat().st_mtime_ns == before


def test_a_blob_that_two_images_share_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def note(file: SourceFile) -> Opened:
        read.append(file.path)
        return Opened(file)

    monkeypatch.setattr("bundle.packing.loader.Opened", note)
    layout = Layout()
    layout.image("app:v1", 1, 2)
    layout.image("app:v2", 1, 3)
    path = layout.write(tmp_path / "images")
    report = Site(tmp_path).pack(parse_source(f"oci-layout:{path}"))
    blobs = [name for name in read if name.startswith("blobs/")]
    assert len(blobs) == len({*blobs}) == len(layout.blobs)
    assert report.bundle is not None
    Site(tmp_path).unpack(report.bundle, OciLayoutTarget(tmp_path / "copy"))
    assert blobs_in(tmp_path / "copy") == layout.blobs
