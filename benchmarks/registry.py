"""One large layer into a registry and out of it again, beside ``skopeo copy``.

Run as ``python -m benchmarks.registry``; exits 1 where a bar is missed. The registry
is Debian's docker-registry on the loopback, a fresh one for each push.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.measure import Figure, run
from bundle.flow.together import together
from bundle.limits import GIB, MIB
from bundle.oci import layouts, manifests
from bundle.oci.descriptors import Descriptor
from bundle.oci.media_types import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from bundle.oci.references import Reference
from bundle.registry import documents, uploads
from bundle.registry.connection import Registry
from bundle.registry.options import RegistryOptions
from bundle.registry.repository import Repository
from bundle.source.options import SourceOptions
from bundle.source.registry import RegistrySource

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.registries import RealRegistry

MOST_MIB: Final = 200
LEAST_SPEED: Final = 0.5
"""Of skopeo's speed in the same round, at least."""

_TAG: Final = "v1"
_SELF: Final = (sys.executable, "-m", "benchmarks.registry")


def main() -> int:
    """Measure, print, and judge; or be the process that is measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.registry", description=__doc__)
    parser.add_argument("--size", type=int, default=GIB, help="bytes of the layer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--make", metavar="LAYOUT")
    parser.add_argument("--push", nargs=2, metavar=("NAME", "LAYOUT"))
    parser.add_argument("--pull", nargs=2, metavar=("NAME", "CACHE"))
    options = parser.parse_args()
    if options.make:
        make(Path(options.make), options.size)
        return 0
    if options.push:
        asyncio.run(push(*options.push))
        return 0
    if options.pull:
        asyncio.run(pull(*options.pull))
        return 0
    with tempfile.TemporaryDirectory() as name:
        return compare(Path(name), options.size, options.rounds)


def compare(root: Path, size: int, rounds: int) -> int:
    """Push and pull by turns; return 1 where a bar is missed."""
    layout = root / "layout"
    # Elsewhere, since what this process ever held counts for those that it starts.
    run([*_SELF, "--make", str(layout), "--size", str(size)])
    figures: dict[str, list[Figure]] = {}
    from tests.registries import running  # noqa: PLC0415 - not in those measured

    for number in range(rounds):
        place = root / f"round-{number}"
        for who, work in (("skopeo", by_skopeo), ("bundle", by_bundle)):
            with running(place / who) as registry:
                for what, figure in work(registry, layout, place / who).items():
                    figures.setdefault(f"{who} {what}", []).append(figure)
            shutil.rmtree(place / who)
    return judge(figures, size)


def make(root: Path, size: int) -> Path:
    """Make a layout of one image with one layer of noise."""
    from tests.layouts import Layout, noise  # noqa: PLC0415 - not in those measured

    layout = Layout(root)
    block = noise(64 * MIB)
    content = (block * -(-size // len(block)))[:size]
    # A gzip, since skopeo makes one of a layer that is none, which costs it time.
    layer = layout.blob(OCI_LAYER_GZIP, gzip.compress(content, 0, mtime=0))
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": []}}
    about = layout.blob(OCI_CONFIG, json.dumps(config).encode())
    layout.add(layout.document(OCI_MANIFEST, config=about, layers=[layer]), _TAG)
    return layout.write()


def by_skopeo(registry: RealRegistry, layout: Path, place: Path) -> dict[str, Figure]:
    """Copy there and back with skopeo."""
    there, plain = f"docker://{registry.host}/app:{_TAG}", ["--insecure-policy", "copy"]
    into, out = registry.target_flags, registry.source_flags
    return {
        "push": run(["skopeo", *plain, *into, f"oci:{layout}:{_TAG}", there]),
        "pull": run(["skopeo", *plain, *out, there, f"oci:{place / 'back'}:{_TAG}"]),
    }


def by_bundle(registry: RealRegistry, layout: Path, place: Path) -> dict[str, Figure]:
    """Push and pull with our client, each in a process of its own."""
    name = f"{registry.host}/app:{_TAG}"
    return {
        "push": run([*_SELF, "--push", name, str(layout)]),
        "pull": run([*_SELF, "--pull", name, str(place / "cache")]),
    }


async def push(name: str, place: str) -> None:
    """Push the image of a layout: blobs, manifest, tag."""
    root, reference = Path(place), Reference.parse(name)
    (entry,) = layouts.parse_index((root / layouts.INDEX).read_bytes()).manifests
    one = Descriptor(entry.media_type, entry.digest, entry.size)
    data = (root / one.blob.path).read_bytes()
    options = RegistryOptions(plain_http=True)
    async with Registry(reference.registry, options) as registry:
        repository = Repository(registry, reference.repository, push=True)

        async def send(blob: Descriptor) -> None:
            await uploads.push(repository, blob, root / blob.blob.path)

        await together(send, manifests.parse(data, one.media_type).blobs, 4)
        for target in (one.digest, reference.target):
            await documents.put(repository, target, one, data)


async def pull(name: str, cache: str) -> None:
    """Pull an image into an empty cache, and list it."""
    environment = {"HOME": cache, "XDG_CACHE_HOME": cache}
    registry = RegistryOptions(plain_http=True, environment=environment)
    options = SourceOptions(registry=registry)
    (found,) = await RegistrySource(Reference.parse(name), options=options).artifacts()
    assert found.files


def judge(figures: dict[str, list[Figure]], size: int) -> int:
    """Print medians and say which bars are missed."""
    missed = []
    print("| | s | MiB/s | of skopeo | processors s | RSS MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    for what in ("push", "pull"):
        for who in ("skopeo", "bundle"):
            mine, theirs = figures[f"{who} {what}"], figures[f"skopeo {what}"]
            ratio = statistics.median(
                other.seconds / one.seconds
                for one, other in zip(mine, theirs, strict=True)
            )
            rss = max(one.rss for one in mine) / MIB
            seconds = median(mine, lambda one: one.seconds)
            cpu = median(mine, lambda one: one.cpu)
            speed = size / MIB / seconds
            print(
                f"| {who} {what} | {seconds:.2f} | {speed:.0f} | {ratio:.2f} | "
                f"{cpu:.2f} | {rss:.0f} |"
            )
            if who == "bundle" and (ratio < LEAST_SPEED or rss > MOST_MIB):
                missed.append(f"{what}: {ratio:.2f} of skopeo's speed, {rss:.0f} MiB")
    for line in missed:
        print(f"missed: {line}")
    return int(bool(missed))


def median(figures: list[Figure], of: Callable[[Figure], float]) -> float:
    """Return the median of one thing that was measured."""
    return statistics.median(map(of, figures))


if __name__ == "__main__":
    sys.exit(main())
