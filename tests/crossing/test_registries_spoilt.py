"""A connection to a real registry that breaks, delays and lies, by a seed.

Whatever happens on the way, a run that ends well leaves what an undisturbed one
does, and one that gives up leaves no tag that leads to something missing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bundle.errors import BundleError
from bundle.oci.references import Reference
from bundle.registry.options import RegistryOptions
from bundle.source.oci_layout import OciLayoutSource
from bundle.source.options import SourceOptions
from bundle.source.registry import RegistrySource
from bundle.target.locate import parse_target
from bundle.target.options import TargetOptions
from tests import registries
from tests.bundles import Site
from tests.faults import Schedule, proxying
from tests.layouts import ARM64, Layout, noise
from tests.registry.fake import at_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.oci.descriptors import Descriptor
    from tests.registries import RealRegistry

pytestmark = pytest.mark.skipif(
    not registries.installed(),
    reason="no docker-registry here: 'make test' as root installs it",
)

SEEDS = [
    *range(2),
    *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 300)),
]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with registries.running(tmp_path_factory.mktemp("registry")) as running:
        yield running


class Spoilt:
    """An image of two platforms, its bundle, and a registry behind a bad line."""

    def __init__(self, path: Path, registry: RealRegistry, seed: int) -> None:
        self.path, self.registry, self.seed = path, registry, seed
        self.site = Site(path / "site")
        layout = Layout(path / "layout")
        one = layout.image(layout.layer({"a": noise(2_500_000, f"a{seed}")}))
        two = layout.image(
            layout.layer({"b": noise(70_000, f"b{seed}")}), platform=ARM64
        )
        self.index: Descriptor = layout.index(one, two)
        layout.add(self.index, f"ghcr.io/team/app-{seed}:v1")
        layout.add(layout.artifact("application/x-signature", b"signed", self.index))
        self.bundle = self.site.bundle(OciLayoutSource(layout.write()))
        self.blobs = {path.name for path in (layout.root / "blobs/sha256").iterdir()}

    @property
    def name(self) -> str:
        return f"team/app-{self.seed}"

    def options(self, home: str) -> RegistryOptions:
        environment = {"XDG_CACHE_HOME": str(self.path / home)}
        return RegistryOptions(
            plain_http=True, environment=environment, pace=at_once(attempts=4)
        )

    def push(self, host: str) -> bool:
        """Push through an address; return whether everything went."""
        options = TargetOptions(
            staging=self.path / "staging", registry=self.options("home")
        )
        target = parse_target(f"docker://{host}", options)
        try:
            return not self.site.unpack(self.bundle, target).failed
        except BundleError:
            return False

    def pull(self, host: str) -> set[str]:
        """Pull through an address; return the names of the blobs that came."""
        source = RegistrySource(
            Reference.parse(f"{host}/{self.name}:v1"),
            options=SourceOptions(registry=self.options("home")),
        )
        (found,) = asyncio.run(source.artifacts())
        paths = (one.path for one in found.files if one.path.startswith("blobs/"))
        return {path.rpartition("/")[2] for path in paths}

    def is_whole_or_absent(self) -> bool:
        """Return whether the tag leads to nothing, or to all that it needs."""
        there = self.registry.digest(self.name, "v1")
        if there is None:
            return True
        return self.blobs <= self.pull_undisturbed()

    def pull_undisturbed(self) -> set[str]:
        source = RegistrySource(
            Reference.parse(f"{self.registry.host}/{self.name}:v1"),
            options=SourceOptions(registry=self.options("fresh")),
        )
        (found,) = asyncio.run(source.artifacts())
        return {one.path.rpartition("/")[2] for one in found.files}


@pytest.mark.parametrize("seed", SEEDS)
def test_images_cross_a_bad_line_whole_or_not_at_all(
    registry: RealRegistry, tmp_path: Path, seed: int
) -> None:
    case = Spoilt(tmp_path, registry, seed)
    with proxying(registry.url, Schedule(seed, rate=0.3, most=20)) as proxy:
        host = proxy.url.partition("://")[2]
        for _ in range(10):
            went = case.push(host)
            assert case.is_whole_or_absent()
            if went:
                break
        else:
            proxy.heal()
            assert case.push(host)
        assert registry.digest(case.name, "v1") == case.index.digest
        before = case.pull_undisturbed()
        assert case.blobs <= before
        proxy.reset()
        proxy.schedule = Schedule(seed + 1000, rate=0.3, most=20)
        for _ in range(10):
            try:
                assert case.blobs <= case.pull(host)
            except BundleError:
                continue
            return
        raise AssertionError("it never came through")
