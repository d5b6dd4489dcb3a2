"""A proxy between a client of object storage and a server, which spoils requests.

By a seed it cuts connections in each phase, delays, truncates, and answers 500 or
503, before or after the server did the work. It writes down what it saw in order,
so that a test can tell what a reader could have seen at any moment, and counts
requests and bytes, so that a benchmark can.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import random
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_PIECE: Final = 1 << 16
_HEAD: Final = 1 << 16
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_EXPECT: Final = re.compile(rb"\r\nexpect: *100-continue(?=\r\n)", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)


class Fault(enum.Enum):
    """What happens to one request."""

    NONE = "nothing"
    DELAY = "it waits"
    CUT_HEAD = "the connection ends before the body is read"
    CUT_BODY = "the connection ends within the request"
    FAIL = "500, and the server never saw it"
    BUSY = "503, and the server never saw it"
    CUT_ANSWER = "the server did it, and the connection ends before the answer"
    TRUNCATE = "the server did it, and the answer ends halfway"
    FAIL_LATE = "the server did it, and the answer is 500"


_BEFORE: Final = (Fault.FAIL, Fault.BUSY)
_STATUS: Final = {
    Fault.FAIL: (500, "Internal Server Error", "InternalError"),
    Fault.FAIL_LATE: (500, "Internal Server Error", "InternalError"),
    Fault.BUSY: (503, "Slow Down", "SlowDown"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """A request that the server begins to see, or (``status`` > 0) has answered."""

    method: str
    path: str
    query: dict[str, str]
    status: int = 0

    @property
    def stores(self) -> bool:
        """Whether it makes an object appear, when it succeeds."""
        if self.method == "POST":
            return "uploadId" in self.query
        return self.method == "PUT" and not {"uploadId", "partNumber"} & set(self.query)


@dataclass
class Schedule:
    """Which request meets which fault: always the same for one seed.

    ``rate`` is the share of requests that are spoilt, ``most`` how many in all, so
    that whoever tries again gets through in the end.
    """

    seed: int
    rate: float = 0.25
    most: int = 12
    delay: float = 0.02

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def next(self) -> Fault:
        """Return what the next request meets."""
        spoilt = self._random.random() < self.rate
        fault = self._random.choice([one for one in Fault if one is not Fault.NONE])
        if not spoilt or self.most <= 0:
            return Fault.NONE
        self.most -= fault is not Fault.DELAY
        return fault

    def part(self) -> float:
        """Return how much of something gets through before it is cut."""
        return self._random.random()


@dataclass
class Proxy:
    """A running proxy; ``schedule`` None lets everything through."""

    upstream: str
    schedule: Schedule | None = None
    url: str = ""
    events: list[Event] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    requests: int = 0
    sent: int = 0
    """Bytes of requests, heads and all."""
    received: int = 0
    """Bytes of answers."""

    def heal(self) -> None:
        """Spoil nothing from now on."""
        self.schedule = None

    def reset(self) -> None:
        """Count and note from the beginning."""
        self.events.clear()
        self.faults.clear()
        self.requests = self.sent = self.received = 0

    def stored(self) -> list[str]:
        """Return the paths of objects in the order in which they were there."""
        return [
            one.path for one in self.events if one.stores and 200 <= one.status < 300
        ]

    def complete_before(self, path: str) -> set[str]:
        """Return what was stored before the server first saw a request to store this.

        Raises:
            ValueError: nobody asked to store it.
        """
        there: set[str] = set()
        for one in self.events:
            if one.stores and one.path == path and not one.status:
                return there
            if one.stores and 200 <= one.status < 300:
                there.add(one.path)
        raise ValueError(f"{path} was never stored")


@contextlib.contextmanager
def proxying(upstream: str, schedule: Schedule | None = None) -> Iterator[Proxy]:
    """Run a proxy to the server at the URL ``upstream``, on a thread of its own."""
    proxy = Proxy(upstream, schedule)
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        conversations: set[asyncio.Task[None]] = set()

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            task = asyncio.current_task()
            assert task is not None
            conversations.add(task)
            try:
                await _Conversation(proxy, reader, writer).run()
            finally:
                conversations.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_HEAD)
        host, port = server.sockets[0].getsockname()[:2]
        proxy.url = f"http://{host}:{port}"
        started.set()
        await stop.wait()
        server.close()
        for task in list(conversations):
            task.cancel()
        await asyncio.sleep(0)
        await server.wait_closed()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert started.wait(20)
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


class _CutError(Exception):
    """The connection to the client ends here."""


@dataclass
class _Conversation:
    """One connection of a client, and one of ours to the server behind it."""

    proxy: Proxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    behind: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self) -> None:
        try:
            while await self._one():
                pass
        except (
            _CutError,
            OSError,
            asyncio.IncompleteReadError,
            asyncio.CancelledError,
        ):
            pass
        finally:
            for writer in (self.writer, self.behind and self.behind[1]):
                if writer is not None:
                    writer.transport.abort()

    async def _one(self) -> bool:
        """Answer one request; return whether there may be another."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        proxy = self.proxy
        proxy.requests += 1
        schedule = proxy.schedule
        fault = Fault.NONE if schedule is None else schedule.next()
        part = 0.5 if schedule is None else schedule.part()
        proxy.faults.append(fault)
        if schedule is not None and fault is Fault.DELAY:
            await asyncio.sleep(schedule.delay)
        if fault is Fault.CUT_HEAD:
            raise _CutError
        if _EXPECT.search(head):
            head = _EXPECT.sub(b"", head)
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fault is Fault.CUT_BODY:
            await self._swallow(head, part)
            raise _CutError
        if fault in _BEFORE:
            await self._swallow(head, 1.0)
            await self._refuse(fault, empty=head.startswith(b"HEAD "))
            return True
        return await self._forward(head, fault, part)

    async def _forward(self, head: bytes, fault: Fault, part: float) -> bool:
        asked = _event(head)
        self.proxy.events.append(asked)
        reader, writer = await self._open()
        writer.write(head)
        self.proxy.sent += len(head)
        async for piece in _body(self.reader, head):
            writer.write(piece)
            self.proxy.sent += len(piece)
            await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        self.proxy.events.append(Event(asked.method, asked.path, asked.query, status))
        empty = asked.method == "HEAD" or status in (204, 304)
        if fault in (Fault.CUT_ANSWER, Fault.FAIL_LATE):
            if not empty:
                async for _ in _body(reader, answer):
                    pass
            if fault is Fault.CUT_ANSWER:
                raise _CutError
            await self._refuse(fault, empty=head.startswith(b"HEAD "))
            return not _CLOSE.search(answer)
        part = part if fault is Fault.TRUNCATE else 1
        await self._answer(reader, answer, part, empty=empty)
        return not _CLOSE.search(answer)

    async def _answer(
        self, reader: asyncio.StreamReader, head: bytes, part: float, *, empty: bool
    ) -> None:
        match = _LENGTH.search(head)
        whole = int(match[1]) if match and not empty else 0
        left = int(whole * part) if part < 1 else whole + 1
        if part < 1 and not whole:
            raise _CutError
        await self._send(head)
        if not empty:
            async for piece in _body(reader, head):
                await self._send(piece[:left] if part < 1 else piece)
                left -= len(piece)
                if part < 1 and left <= 0:
                    raise _CutError

    async def _send(self, data: bytes) -> None:
        self.proxy.received += len(data)
        self.writer.write(data)
        await self.writer.drain()

    async def _refuse(self, fault: Fault, *, empty: bool) -> None:
        status, reason, code = _STATUS[fault]
        body = f"<Error><Code>{code}</Code><Message>by seed</Message></Error>".encode()
        await self._send(
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + (b"" if empty else body)
        )

    async def _swallow(self, head: bytes, part: float) -> None:
        """Read this share of a request's body, and let nobody have it."""
        match = _LENGTH.search(head)
        left = int(int(match[1]) * part) if match else 0
        async for piece in _body(self.reader, head):
            left -= len(piece)
            if part < 1 and left <= 0:
                return

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.behind is None or self.behind[0].at_eof():
            place = urlsplit(self.proxy.upstream)
            self.behind = await asyncio.open_connection(
                place.hostname, place.port, limit=_HEAD
            )
        return self.behind


def _event(head: bytes) -> Event:
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Event(method, unquote(parts.path), query)


async def _body(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    """Yield the body behind a head as it comes, framing and all."""
    if _CHUNKED.search(head):
        while True:
            line = await reader.readuntil(b"\r\n")
            yield line
            size = int(line.split(b";")[0], 16)
            yield await reader.readexactly(size + 2)
            if not size:
                return
    match = _LENGTH.search(head)
    if match is None and head.startswith(b"HTTP/") and _CLOSE.search(head):
        while piece := await reader.read(_PIECE):
            yield piece
        return
    left = int(match[1]) if match else 0
    while left:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        yield piece
