"""A wire between a client and a daemon that is cut after some bytes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Wire:
    """Counts the bytes that go to the daemon; ``cuts`` are after how many to cut.

    Each cut ends the connection that carries its byte; the next goes on counting.
    """

    port: int
    cuts: list[int] = field(default_factory=list)
    sent: int = 0

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        """Give the address of the wire's near end."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            async with asyncio.TaskGroup() as group:
                back = group.create_task(_copy(far_reader, writer))
                await self._forth(reader, far_writer)
                back.cancel()
        for end in (writer, far_writer):
            end.transport.abort()

    async def _forth(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(16_384):
            self.sent += len(data)
            writer.write(data)
            await writer.drain()
            if self.cuts and self.sent >= self.cuts[0]:
                self.cuts.pop(0)
                return


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(16_384):
        writer.write(data)
        await writer.drain()
