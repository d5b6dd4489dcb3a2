"""Whatever breaks on the way, the next run ends in the same objects.

And whoever reads meanwhile never sees a marker before what it stands for.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from bundle.errors import BundleError
from bundle.flow.pace import Pace
from tests.faults import Fault, Schedule, proxying
from tests.target.sample import ONE, TWO, repository
from tests.target.test_s3 import Site, chunked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults import Proxy
    from tests.objects import Bucket, Endpoint
    from tests.target.sample import Sample

    Releases = tuple[tuple[Sample, ...], ...]

PLACE: Final = "p?layout=flat"
FILES: Final = {"config.json": b"{}\n", "sub/model.safetensors": bytes(4000)}
OLDER: Final = repository({ONE: FILES}, {"main": ONE})
NEWER: Final = repository({TWO: {**FILES, "README.md": b"# new\n"}}, {"main": TWO})
WEIGHTS: Final = hashlib.shake_128(b"weights").digest(12 << 20)
"""More than is sent at once: an upload of several parts."""

CHANGED: Final = WEIGHTS[: 6 << 20] + b"changed" + WEIGHTS[(6 << 20) + 7 :]
SMALL: Final = ((OLDER,), (NEWER,))
LARGE: Final = (
    (OLDER, chunked("big", {"w.bin": WEIGHTS})),
    (NEWER, chunked("big", {"w.bin": CHANGED})),
)
KNOWN: Final = "p/.bundle/store.json"
"""What is known of the place, which has a random id."""

SEEDS: Final = [
    *range(20),
    *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(20, 500)),
]


async def no_time(_: float) -> None:
    """Wait for nothing."""


class Flaky(Site):
    """A machine whose requests go through a proxy."""

    def __init__(self, bucket: Bucket, staging: Path, url: str) -> None:
        super().__init__(bucket, staging)
        connection = replace(bucket.endpoint.connection, endpoint_url=url)
        pace = Pace(attempts=2, sleep=no_time)
        self.options = replace(self.options, s3=connection, pace=pace)


@pytest.fixture(scope="module")
def expected(
    endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[bool], dict[str, bytes]]:
    """The objects after both releases, when nothing goes wrong."""

    @functools.cache
    def objects(large: bool) -> dict[str, bytes]:  # noqa: FBT001 - a key of the cache
        releases = LARGE if large else SMALL
        bucket = endpoint.bucket()
        asyncio.run(publish(Site(bucket, tmp_path_factory.mktemp("staging")), releases))
        return bucket.objects()

    return objects


async def publish(site: Site, releases: Releases) -> None:
    for seq, samples in enumerate(releases, 1):
        await site.publish(*samples, seq=seq, rest=PLACE)


def check_order(proxy: Proxy, bucket: Bucket, first: set[str]) -> None:
    """Assert that every marker came after the objects of the first release."""
    paths = dict.fromkeys(event.path for event in proxy.events if event.stores)
    markers = [one for one in paths if "/.bundle/releases/" in one]
    assert markers
    for marker in markers:
        before = proxy.complete_before(marker)
        assert first <= {one.removeprefix(f"/{bucket.name}/") for one in before}


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_next_run_ends_in_the_same_objects(
    seed: int,
    bucket: Bucket,
    expected: Callable[[bool], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    releases = SMALL if seed % 10 else LARGE
    wanted = await asyncio.to_thread(expected, releases is LARGE)
    first = {key for key in wanted if f"/{ONE}/" in key or key.endswith("/w.bin")}
    with proxying(bucket.endpoint.url, Schedule(seed, rate=0.3, most=6)) as proxy:
        site = Flaky(bucket, tmp_path / "staging", proxy.url)
        with suppress(BundleError):
            await publish(site, releases)
        assert {*proxy.faults} != {Fault.NONE}
        proxy.heal()
        await publish(site, releases)
        check_order(proxy, bucket, first)
    found = bucket.objects()
    assert found.keys() == wanted.keys()
    assert [key for key in wanted if key != KNOWN and found[key] != wanted[key]] == []
    assert bucket.uploads() == []
