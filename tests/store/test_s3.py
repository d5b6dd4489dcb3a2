"""A store in a bucket: what every store does, and what others do to it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.flow.pace import Pace
from bundle.s3.address import parse_address
from bundle.store.s3 import S3Store
from bundle.store.s3_place import S3Place
from tests.store.suite import StoreSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bundle.store.base import Store
    from tests.objects import Bucket


async def no_time(_: float) -> None:
    """Wait for nothing."""


PACE = Pace(attempts=6, sleep=no_time)


def store_in(bucket: Bucket, cache: Path, prefix: str = "estate") -> S3Store:
    """Return a store below a prefix of a bucket; it need not be there."""
    address = parse_address(f"s3://{bucket.name}/{prefix}")
    return S3Store(S3Place(address, bucket.endpoint.connection, PACE), cache)


class TestS3Store(StoreSuite):
    """A store of objects does what every store does."""

    @pytest.fixture
    async def store(self, bucket: Bucket, tmp_path: Path) -> AsyncIterator[Store]:
        async with store_in(bucket, tmp_path) as store:
            await store.make()
            yield store

    def make(self, path: Path) -> Store:
        raise NotImplementedError
