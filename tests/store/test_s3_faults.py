"""Whatever breaks on the way to a store in a bucket, the next run ends the same."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from bundle.errors import BundleError
from bundle.s3.address import parse_address
from bundle.s3.options import Connection
from bundle.store.base import Retention
from bundle.store.s3 import S3Store
from bundle.store.s3_check import check
from bundle.store.s3_place import S3Place
from tests.faults import Fault, Schedule, proxying
from tests.store.contents import chunk, rows
from tests.store.suite import commit
from tests.store.test_s3 import PACE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.objects import Bucket

SEEDS: Final = [
    *range(5),
    *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(5, 125)),
]
FIRST: Final = [chunk(number) for number in range(6)]
SECOND: Final = [chunk(number) for number in range(3, 9)]


async def fill(store: S3Store) -> None:
    """Hold two releases, and drop the first."""
    await store.make()
    await commit(store, 1, FIRST)
    await commit(store, 2, SECOND)
    await store.collect(Retention(keep=1))


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_next_run_ends_in_the_same_content(
    seed: int, bucket: Bucket, tmp_path: Path
) -> None:
    address = parse_address(f"s3://{bucket.name}/estate")
    schedule = Schedule(seed, rate=0.2, most=10)
    with proxying(bucket.endpoint.url, schedule) as proxy:
        connection = Connection(
            endpoint_url=proxy.url, environment=bucket.endpoint.environment
        )
        async with S3Store(S3Place(address, connection, PACE), tmp_path / "a") as one:
            with suppress(BundleError):
                await fill(one)
        assert {*proxy.faults} != {Fault.NONE}
        commits = [path for path in proxy.stored() if "/commits/" in path]
        for path in commits:
            before = proxy.complete_before(path)
            for shelf in ("packs", "recipes"):
                assert any(f"/{shelf}/" in one for one in before)
        proxy.heal()
        async with S3Store(S3Place(address, connection, PACE), tmp_path / "b") as two:
            await fill(two)
            (newest,) = await two.releases()
            assert newest.seq == 2
            report = await check(two)
            assert (report.problems, report.lost) == ((), ())
    async with S3Store(
        S3Place(address, bucket.endpoint.connection), tmp_path / "c"
    ) as reader:
        held = [row.tobytes() async for batch in reader.list() for row in batch]
        for one in held:
            await reader.read(one)
        assert {*held} >= {row.tobytes() for row in rows(SECOND)}
