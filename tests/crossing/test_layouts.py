"""Real tools on both sides: what umoci makes and skopeo copies, layout to layout."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from bundle.packing.holdings import FarSide
from bundle.source.locate import parse_source
from bundle.target.oci_archive import OciArchiveTarget
from bundle.target.oci_layout import OciLayoutTarget
from bundle.target.options import TargetOptions
from tests.bundles import Site, no_flushing
from tests.images import (
    AMD64,
    ARM64,
    Layout,
    blobs_in,
    digest as image_digest,
    names_in,
    noise,
    squeezed,
    tar,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDED = ("skopeo", "umoci")
ABSENT = [name for name in NEEDED if shutil.which(name) is None]

pytestmark = pytest.mark.skipif(
    bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)} (tools/debian)"
)


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with no_flushing():
        yield


def run(home: Path, *words: object) -> str:
    """Run a tool in ``home`` and return what it says."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=home,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def skopeo(home: Path, *words: object) -> str:
    return run(home, "skopeo", "--insecure-policy", *words)


def digest(home: Path, place: str) -> str:
    return skopeo(home, "inspect", "--format", "{{.Digest}}", place).strip()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A layout with two versions of an image that share a base, as umoci makes it."""
    base, change = tmp_path / "base", tmp_path / "change"
    for folder, seed in ((base, 1), (change, 2)):
        folder.mkdir()
        (folder / "data").write_bytes(noise(seed))
    layout = tmp_path / "images"
    run(tmp_path, "umoci", "init", "--layout", layout)
    run(tmp_path, "umoci", "new", "--image", f"{layout}:base")
    run(tmp_path, "umoci", "insert", "--image", f"{layout}:base", base, "/base")
    for version in ("v1", "v2"):
        (change / "version").write_text(version)
        words = ("--image", f"{layout}:base", "--tag", version, change, f"/{version}")
        run(tmp_path, "umoci", "insert", *words)
    return layout


def test_every_digest_is_equal(tmp_path: Path, images: Path) -> None:
    site = Site(tmp_path)
    bundle = site.bundle(parse_source(f"oci-layout:{images}"))
    copy = tmp_path / "copy"
    site.unpack(bundle, OciLayoutTarget(copy))
    for tag in ("base", "v1", "v2"):
        before = digest(tmp_path, f"oci:{images}:{tag}")
        assert digest(tmp_path, f"oci:{copy}:images:{tag}") == before
        skopeo(tmp_path, "copy", f"oci:{copy}:images:{tag}", f"oci:out:{tag}")
        assert digest(tmp_path, f"oci:out:{tag}") == before
    assert blobs_in(tmp_path / "out").keys() <= blobs_in(copy).keys()


def test_the_second_version_carries_its_own_layer(tmp_path: Path, images: Path) -> None:
    site = Site(tmp_path)
    first = site.bundle(parse_source(f"oci-layout:{images}:v1"))
    source = parse_source(f"oci-layout:{images}:v2")
    report = site.pack(source, add=True, far=FarSide(base=first))
    assert report.bundle is not None
    site.unpack(first, OciLayoutTarget(tmp_path / "copy"))
    site.unpack(report.bundle, OciLayoutTarget(tmp_path / "copy"))
    assert report.new_bytes < len(noise(2)) + 4096
    place = f"oci:{tmp_path / 'copy'}:images:v2"
    assert digest(tmp_path, place) == digest(tmp_path, f"oci:{images}:v2")


def test_an_archive_of_skopeo_crosses_to_an_archive(
    tmp_path: Path, images: Path
) -> None:
    skopeo(tmp_path, "copy", f"oci:{images}:v1", "oci-archive:in.tar:ghcr.io/a/app:v1")
    site = Site(tmp_path)
    bundle = site.bundle(parse_source(f"oci-archive:{tmp_path / 'in.tar'}"))
    options = TargetOptions(staging=tmp_path / "work")
    site.unpack(bundle, OciArchiveTarget(tmp_path / "out.tar", options))
    place = "oci-archive:out.tar:ghcr.io/a/app:v1"
    assert digest(tmp_path, place) == digest(tmp_path, f"oci:{images}:v1")


def test_what_docker_saves_keeps_its_config(tmp_path: Path, images: Path) -> None:
    skopeo(tmp_path, "copy", f"oci:{images}:v1", "docker-archive:in.tar:acme/app:v1")
    site = Site(tmp_path)
    bundle = site.bundle(parse_source(f"docker-archive:{tmp_path / 'in.tar'}"))
    site.unpack(bundle, OciLayoutTarget(tmp_path / "copy"))
    place = f"oci:{tmp_path / 'copy'}:docker.io/acme/app:v1"
    configs = [
        json.loads(skopeo(tmp_path, "inspect", "--config", one))
        for one in (place, f"oci:{images}:v1")
    ]
    assert configs[0]["rootfs"] == configs[1]["rootfs"]


def test_layers_that_are_not_compressed_share_what_is_in_them(
    tmp_path: Path, images: Path
) -> None:
    sources = []
    for tag in ("v1", "v2"):
        place = f"docker-archive:{tag}.tar:acme/app:{tag}"
        skopeo(tmp_path, "copy", f"oci:{images}:{tag}", place)
        sources.append(parse_source(f"docker-archive:{tmp_path / tag}.tar"))
    report = Site(tmp_path).pack(*sources)
    assert report.new_bytes < len(noise(1)) + len(noise(2)) + 40_000


def test_a_whole_set_crosses_and_the_next_carries_what_is_new(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("ghcr.io/acme/app:v1", 1, 2)
    children = [
        {**layout.manifest(layout.layer({"a": noise(seed)}), config=config), **more}
        for seed, config, more in (
            (4, layout.config(AMD64), {"platform": AMD64}),
            (5, layout.config(ARM64), {"platform": ARM64}),
        )
    ]
    index = layout.list(layout.index(*children), "ghcr.io/acme/both:v1")
    signature = layout.referrer(index, "application/vnd.dev.cosign.sig", b"signed")
    chart = {"sie/Chart.yaml": b"name: sie\nversion: 1.0.0\n"}
    (tmp_path / "sie.tgz").write_bytes(squeezed(tar(chart)))
    path, copy = layout.write(tmp_path / "images"), tmp_path / "copy"
    site = Site(tmp_path)
    sources = (
        parse_source(f"oci-layout:{path}"),
        parse_source(f"chart:{path}/../sie.tgz"),
    )
    first = site.bundle(*sources)
    site.unpack(first, OciLayoutTarget(copy))
    layout.image("ghcr.io/acme/app:v2", 1, 3)
    layout.write(path)
    report = site.pack(*sources, far=FarSide(base=first))
    assert report.bundle is not None
    assert report.new_bytes < len(noise(3)) + 8192
    site.unpack(report.bundle, OciLayoutTarget(copy))
    listed = names_in(copy)
    assert {**names_in(path), "sie:1.0.0": listed["sie:1.0.0"]} == listed
    assert signature["digest"] in listed.values()
    for name, expected in listed.items():
        if name != expected:
            raw = skopeo(tmp_path, "inspect", "--raw", f"oci:{copy}:{name}")
            assert image_digest(raw.encode()) == expected
    words = ("copy", "--all", f"oci:{copy}:ghcr.io/acme/both:v1", "oci:all:both")
    skopeo(tmp_path, *words)
    assert names_in(tmp_path / "all")["both"] == index["digest"]
