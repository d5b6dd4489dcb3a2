"""Servers that the tests with real clients share, each made when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import gateway as ceph

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ceph.Gateway]:
    """A Ceph RADOS gateway of this worker's own, over http and https."""
    if not ceph.installed():
        pytest.skip("there is no radosgw here: 'make interop' as root installs it")
    with ceph.running(tmp_path_factory.mktemp("ceph")) as running:
        yield running
