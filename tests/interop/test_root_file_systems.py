"""A real root file system as an image: Debian's own, rebuilt with one file changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from bundle.packing.holdings import FarSide
from bundle.source.locate import parse_source
from bundle.target.oci_layout import OciLayoutTarget
from tests.bundles import Site
from tests.images import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIRROR: Final = "http://deb.debian.org/debian"
NEEDED: Final = ("debootstrap", "skopeo", "umoci")
ABSENT: Final = [name for name in NEEDED if shutil.which(name) is None]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)} (make interop)"
    ),
]


def run(home: Path, *words: object) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-999:]}{done.stderr[-999:]}"
    return done.stdout


@pytest.fixture(scope="module")
def root_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of a minimal Debian, unpacked and not configured."""
    home = tmp_path_factory.mktemp("debian")
    words = (
        "debootstrap",
        "--foreign",
        "--variant=minbase",
        "bookworm",
        "root",
        MIRROR,
    )
    try:
        run(home, *words)
    except AssertionError as error:
        pytest.skip(f"no mirror of Debian here: {str(error)[:200]}")
    shutil.rmtree(home / "root/debootstrap")
    yield home / "root"
    shutil.rmtree(home)


def image(home: Path, files: Path, tag: str) -> Path:
    """Make an image of one layer; return what docker save would write of it."""
    layout = home / f"layout-{tag}"
    run(home, "umoci", "init", "--layout", layout)
    run(home, "umoci", "new", "--image", f"{layout}:{tag}")
    run(home, "umoci", "insert", "--image", f"{layout}:{tag}", files, "/")
    saved = home / f"{tag}.tar"
    place = f"docker-archive:{saved}:acme/debian:{tag}"
    run(home, "skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}:{tag}", place)
    return saved


def test_a_layer_that_was_rebuilt_brings_what_changed(
    tmp_path: Path, root_files: Path
) -> None:
    site, target = Site(tmp_path), tmp_path / "images"
    first = site.pack(
        parse_source(f"docker-archive:{image(tmp_path, root_files, 'v1')}")
    )
    assert first.bundle is not None
    (root_files / "etc/motd").write_text("changed\n" * 200)
    saved = image(tmp_path, root_files, "v2")
    second = site.pack(
        parse_source(f"docker-archive:{saved}"), far=FarSide(base=first.bundle)
    )
    assert second.bundle is not None
    assert first.bytes > 100_000_000
    assert second.new_bytes < first.bytes // 50
    for bundle in (first.bundle, second.bundle):
        site.unpack(bundle, OciLayoutTarget(target))
    name = f"oci:{target}:docker.io/acme/debian:v2"
    words = (
        "skopeo",
        "--insecure-policy",
        "copy",
        "-q",
        name,
        f"dir:{tmp_path / 'copied'}",
    )
    run(tmp_path, *words)
    manifest = json.loads((tmp_path / "copied/manifest.json").read_bytes())
    (layer,) = manifest["layers"]
    data = (tmp_path / "copied" / layer["digest"][7:]).read_bytes()
    assert digest(data) == layer["digest"]


def test_compressed_layers_cross_as_they_are(tmp_path: Path, root_files: Path) -> None:
    image(tmp_path, root_files, "v1")
    layout = tmp_path / "layout-v1"
    site = Site(tmp_path)
    bundle = site.bundle(parse_source(f"oci-layout:{layout}"))
    site.unpack(bundle, OciLayoutTarget(tmp_path / "images"))
    inspect = ("skopeo", "inspect", "--format", "{{.Digest}}")
    before = run(tmp_path, *inspect, f"oci:{layout}:v1")
    place = f"oci:{tmp_path / 'images'}:layout-v1:v1"
    assert run(tmp_path, *inspect, place) == before
