"""What aiohttp leaves open: how many connections there are, and how slow they may be.

aiohttp 3.14 closes a connection whose header does not come within 75 seconds and
one whose body does not come never. A gate stands before its protocol and counts:
a request has to be there within ``header_seconds``, answered connections may be
idle as long, and beyond ``connections`` nobody is let in.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Gate:
    """Lets connections in to the protocols that ``inner`` makes."""

    inner: Callable[[], asyncio.Protocol]
    connections: int
    header_seconds: float
    open: set[Gated] = field(default_factory=set)
    refused: int = 0
    late: int = 0

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of one new connection."""
        if len(self.open) >= self.connections:
            self.refused += 1
            return _Closed()
        return Gated(self, self.inner())


class Gated(asyncio.Protocol):
    """One connection: hands everything on, and closes when a request is late."""

    def __init__(self, gate: Gate, inner: asyncio.Protocol) -> None:
        self._gate = gate
        self._inner = inner
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the inner protocol begin; its first request is awaited."""
        self._transport = cast("asyncio.Transport", transport)
        self._gate.open.add(self)
        self.awaiting()
        self._inner.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Make room for another one."""
        self._gate.open.discard(self)
        self.working()
        self._inner.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Hand data on."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand the end on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Hand it on: whoever reads is slow."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        self._inner.resume_writing()

    def awaiting(self) -> None:
        """Give the next request its time to arrive."""
        self.working()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._gate.header_seconds, self._close)

    def working(self) -> None:
        """Stop the clock: a request is there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._gate.late += 1
        if self._transport is not None:
            self._transport.abort()


class _Closed(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it: there is no room to answer."""
        cast("asyncio.Transport", transport).abort()


def gated(transport: Any) -> Gated | None:  # noqa: ANN401 - None once a client is gone
    """Return the gate's side of a connection."""
    protocol = None if transport is None else transport.get_protocol()
    return protocol if isinstance(protocol, Gated) else None
