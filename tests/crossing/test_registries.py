"""Images cross from a layout into a real registry, and other tools find them there.

The registry is Debian's docker-registry, and skopeo looks at it past all of our
code. Without them these tests say so.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError
from bundle.oci.references import Reference
from bundle.packing.holdings import FarSide
from bundle.source.oci_layout import OciLayoutSource
from bundle.source.options import SourceOptions
from bundle.source.registry import RegistrySource
from bundle.target.locate import parse_target
from bundle.target.options import TargetOptions
from tests import registries
from tests.bundles import Site
from tests.layouts import ARM64, Layout, noise
from tests.registry.tokens import tokens_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.oci.descriptors import Descriptor
    from bundle.unpacker import UnpackReport
    from tests.registries import RealRegistry

pytestmark = pytest.mark.skipif(
    not registries.installed(registries.SKOPEO),
    reason="no docker-registry or no skopeo here: 'make test' as root installs them",
)

APP = "ghcr.io/superlinked/app"
WRITES = ("POST", "PATCH", "PUT", "DELETE")


@pytest.fixture(params=["plain HTTP", "TLS and a login"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealRegistry]:
    secured = request.param != "plain HTTP"
    with registries.running(
        tmp_path / "registry", with_login=secured, tls=secured
    ) as running:
        yield running


class Crossing:
    """Two releases of a set, and a registry behind the gap."""

    def __init__(self, path: Path, registry: RealRegistry) -> None:
        self.path, self.registry = path, registry
        self.layout = Layout(path / "layout")
        self.site = Site(path / "site")
        self.base = self.layout.layer({"base": noise(300_000, "base")})

    def first(self) -> dict[str, Descriptor]:
        """Add the first version, an index with a signature, and a chart."""
        layout = self.layout
        one = layout.image(self.base, layout.layer({"app": noise(60_000, "1")}))
        arm = layout.image(layout.layer({"app": noise(9_000, "arm")}), platform=ARM64)
        index = layout.index(one, arm)
        kind = "application/vnd.example.signature"
        self.signature = layout.artifact(kind, b"signed", index)
        images = {
            f"{APP}:v1": one,
            "quay.io/team/multi:v1": index,
            "ghcr.io/team/charts/app:1.0.0": layout.chart("app", "1.0.0"),
        }
        for name, image in images.items():
            layout.add(image, name)
        layout.add(self.signature)
        return images

    def second(self) -> Descriptor:
        """Add a second version on the same base."""
        own = self.layout.layer({"app": noise(60_000, "2")})
        return self.layout.add(self.layout.image(self.base, own), f"{APP}:v2")

    def bundle(self, **changes: object) -> Path:
        return self.site.bundle(OciLayoutSource(self.layout.write()), **changes)

    def push(self, bundle: Path) -> UnpackReport:
        options = TargetOptions(
            staging=self.path / "staging", registry=self.registry.options()
        )
        target = parse_target(f"docker://{self.registry.host}/mirror", options)
        return self.site.unpack(bundle, target)

    def back(self, name: str) -> Path:
        """Copy an image out of the registry with skopeo, into a layout."""
        out = self.path / "back"
        place = f"docker://{self.registry.host}/mirror/{name}"
        flags = self.registry.source_flags
        self.registry.skopeo("copy", "--all", *flags, place, f"oci:{out}:copied")
        return out


@pytest.fixture
def crossing(registry: RealRegistry, tmp_path: Path) -> Crossing:
    return Crossing(tmp_path, registry)


def blobs(root: Path) -> set[str]:
    return {path.name for path in (root / "blobs" / "sha256").iterdir()}


def test_every_digest_is_equal_on_the_far_side_for_tools_that_are_not_ours(
    crossing: Crossing,
) -> None:
    images = crossing.first()
    images[f"{APP}:v2"] = crossing.second()
    report = crossing.push(crossing.bundle())
    assert not report.failed
    for name, image in images.items():
        repository, _, tag = name.partition("/")[2].partition(":")
        there = crossing.registry.digest(f"mirror/{repository}", tag)
        assert there == image.digest
        assert image.blob.hex in blobs(crossing.back(f"{repository}:{tag}"))
    there = crossing.registry.digest("mirror/team/multi", crossing.signature.digest)
    assert there == crossing.signature.digest
    assert blobs(crossing.path / "back") <= blobs(crossing.layout.root)
    index = images["quay.io/team/multi:v1"]
    tag = f"sha256-{index.blob.hex}"
    kind = "application/vnd.oci.image.index.v1+json"
    _, listed, _ = crossing.registry.get(f"mirror/team/multi/manifests/{tag}", kind)
    (entry,) = json.loads(listed)["manifests"]
    assert entry["digest"] == crossing.signature.digest


def test_what_is_pushed_again_sends_nothing_and_changes_nothing(
    crossing: Crossing,
) -> None:
    crossing.first()
    bundle = crossing.bundle()
    crossing.push(bundle)
    before = {method: crossing.registry.requests(method) for method in WRITES}
    assert all(before[method] for method in ("POST", "PUT"))
    report = crossing.push(bundle)
    assert sum(one.written_files for one in report.placed) == 0
    after = {method: crossing.registry.requests(method) for method in WRITES}
    assert after == before


def test_a_second_version_carries_its_own_new_layers_alone(crossing: Crossing) -> None:
    crossing.first()
    first = crossing.bundle()
    crossing.push(first)
    second = crossing.second()
    bundle = crossing.bundle(far=FarSide(base=first))
    carried = sum(path.stat().st_size for path in bundle.glob("*.bdv"))
    assert 60_000 < carried < 75_000
    assert not crossing.push(bundle).failed
    assert crossing.registry.digest("mirror/superlinked/app", "v2") == second.digest


def test_what_skopeo_pushed_is_pulled_with_the_same_digests(
    crossing: Crossing,
) -> None:
    images = crossing.first()
    crossing.layout.write()
    registry = crossing.registry
    name = "quay.io/team/multi:v1"
    registry.skopeo(
        "copy",
        "--all",
        *registry.target_flags,
        f"oci:{crossing.layout.root}:{name}",
        f"docker://{registry.host}/upstream/multi:v1",
    )
    source = RegistrySource(
        Reference.parse(f"{registry.host}/upstream/multi:v1"),
        options=SourceOptions(registry=registry.options()),
    )
    (found,) = asyncio.run(source.artifacts())
    assert found.revision == images[name].digest
    pulled = {file.path for file in found.files if file.path.startswith("blobs/")}
    assert {path.rpartition("/")[2] for path in pulled} <= blobs(crossing.layout.root)


@pytest.mark.parametrize("registry", ["plain HTTP"], indirect=True)
def test_an_index_without_some_platforms_leaves_its_one_image_under_the_tag(
    crossing: Crossing,
) -> None:
    index = crossing.first()["quay.io/team/multi:v1"]
    options = SourceOptions(platforms=(ARM64,))
    layout = crossing.layout.write()
    source = OciLayoutSource(layout, "quay.io/team/multi:v1", options=options)
    report = crossing.push(crossing.site.bundle(source))
    assert not report.failed
    (line,) = report.placed[0].left_out
    assert line.startswith(f"{index.digest}: the registry refuses an index")
    named = crossing.registry.digest("mirror/team/multi", "v1")
    assert named is not None
    assert named in line


@pytest.mark.parametrize("registry", ["TLS and a login"], indirect=True)
def test_a_wrong_password_is_said(registry: RealRegistry) -> None:
    registries.write_login(registry, ("carrier", "wrong"))
    source = RegistrySource(
        Reference.parse(f"{registry.host}/a:b"),
        options=SourceOptions(registry=registry.options()),
    )
    with pytest.raises(SourceError, match="the login is refused"):
        asyncio.run(source.artifacts())


def test_a_token_server_lets_in_who_has_a_login(tmp_path: Path) -> None:
    with (
        tokens_for(tmp_path / "tokens") as tokens,
        registries.running(tmp_path / "registry", token=tokens.settings) as registry,
    ):
        crossing = Crossing(tmp_path, registry)
        registries.write_login(registry, tokens.login)
        crossing.first()
        assert not crossing.push(crossing.bundle()).failed
        assert any("push" in scope for scope in tokens.granted)
        registries.write_login(registry, (tokens.login[0], "wrong"))
        second = crossing.second()
        report = crossing.push(crossing.bundle())
        assert report.failed
        assert not report.placed
        assert registry.requests("PUT", second.digest) == []
