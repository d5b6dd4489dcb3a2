"""Slow clients, and too many of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.bundles import Site
from tests.syncd.bastion import Bastion
from tests.syncd.http.clients import listening

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "sender")


@pytest.fixture
def bastion(tmp_path: Path) -> Bastion:
    return Bastion(tmp_path / "bastion")


async def test_a_connection_too_many_is_closed(site: Site, bastion: Bastion) -> None:
    async with listening(bastion, site, connections=3) as here:
        held = [await asyncio.open_connection("127.0.0.1", here.port) for _ in "12"]
        assert (await here.get("/healthz"))[0] == 200
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        assert here.service.connections == (3, 1, 0)
        for _, other in held:
            other.close()


async def test_a_request_that_does_not_arrive_is_cut_off(
    site: Site, bastion: Bastion
) -> None:
    async with listening(bastion, site, header_seconds=1) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: ")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        assert here.service.connections == (0, 0, 1)
        assert (await here.get("/healthz"))[0] == 200
