"""How much of each property is tried, and servers that many tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import objects

settings.register_profile("slice", deadline=None, derandomize=True, database=None)
settings.register_profile("soak", deadline=None, print_blob=True)
settings.load_profile("slice")


@pytest.fixture(scope="session")
def endpoint() -> Iterator[objects.Endpoint]:
    """An object store of this worker's own, started when it is first asked for."""
    from tests import objects as running  # noqa: PLC0415 - imports boto3

    with running.serving() as server:
        yield server


@pytest.fixture
def bucket(endpoint: objects.Endpoint) -> objects.Bucket:
    """An empty bucket of this test's own."""
    return endpoint.bucket()
