"""Bundles over the network: ``/api/v1/push`` (spec §95).

The small files come first, ``bundle.json`` last of them. Then whoever pushes asks
what lacks, sends frames that have it, as often and as many at once as it likes, and
asks for the rest to be done as with any medium.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bundle.digest import digest_of
from bundle.errors import MissingError, UsageError
from bundle.format import layout
from bundle.medium.reader import open_bundle
from syncd.frames import Arriving, wanted_keys
from syncd.http.api import Route
from syncd.http.guard import problem
from syncd.http.openapi import PREFIX
from syncd.http.tokens import Scope
from syncd.inbox import Inbox, size_limit
from syncd.intake import lacking
from syncd.phases import Event, Phase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bundle.format.want import Want
    from syncd.daemon import Daemon
    from syncd.http.service import Service

PUSH: Final = f"{PREFIX}/push/{{bundle}}"

IDLE_SECONDS: Final = 60
"""Seconds without a byte after which a body is over."""

MAX_FRAMES: Final = 4 * 1024**3
"""Bytes of one body of frames."""

MAX_BODIES: Final = 8
"""Bodies of frames that are taken at once."""

_STEP: Final = 1024 * 1024


@dataclass(slots=True)
class Push:
    """What those may ask who send bundles."""

    service: Service
    _inbox: Inbox = field(init=False)
    _bodies: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._inbox = Inbox.below(Path(self._daemon.config.state))
        self._bodies = asyncio.Semaphore(MAX_BODIES)

    @property
    def _daemon(self) -> Daemon:
        return self.service.daemon

    def routes(self) -> list[Route]:
        """Return every route for pushing."""
        return [
            Route("PUT", f"{PUSH}/files/{{name:.+}}", self.put, Scope.PUSH),
            Route("GET", f"{PUSH}/lacks", self.lacks, Scope.PUSH),
            Route("POST", f"{PUSH}/frames", self.frames, Scope.PUSH),
            Route("POST", f"{PUSH}/commit", self.commit, Scope.PUSH),
            Route("GET", PUSH, self.state, Scope.PUSH),
        ]

    async def put(self, request: web.Request) -> web.Response:
        """Keep one small file."""
        bundle, name = request.match_info["bundle"], request.match_info["name"]
        data = await _whole(request, size_limit(name))
        if name == layout.MANIFEST and digest_of(data).raw.hex() != bundle:
            raise UsageError("bundle.json is not the one that the path names")
        place = await asyncio.to_thread(self._inbox.put, bundle, name, data)
        if name == layout.MANIFEST:
            daemon = self._daemon
            daemon.journal.appeared(
                f"blake3:{bundle}", str(place), "pushed", daemon.clock()
            )
            daemon.bell.ring()
        return web.json_response({"kept": name}, status=201)

    async def lacks(self, request: web.Request) -> web.Response:
        """Say which recipes and chunks lack, as a want (spec §60.2); 204 for none."""
        want = await self._want(request)
        if not len(want.recipes) and not len(want.chunks):
            return web.Response(status=204)
        return web.Response(
            body=want.serialize(), content_type="application/octet-stream"
        )

    async def frames(self, request: web.Request) -> web.Response:
        """Take frames; those that were whole when the body ended are kept."""
        want = await self._want(request)
        arriving = Arriving(self._daemon.store, wanted_keys(want.chunks))
        async with self._bodies:
            try:
                async for data in _pieces(request, MAX_FRAMES):
                    await asyncio.to_thread(arriving.feed, data)
            finally:
                # A broken connection cancels us: what came is kept all the same.
                await asyncio.shield(asyncio.to_thread(arriving.finish))
        return web.json_response(
            {"chunks": arriving.chunks, "bytes": arriving.size}, status=201
        )

    async def commit(self, request: web.Request) -> web.Response:
        """Let the daemon read the bundle again, now that more of it is here."""
        journal, bundle = self._daemon.journal, self._name(request)
        phase = next((o.phase for o in journal.arrivals() if o.bundle == bundle), None)
        if phase is None:
            return problem(404, "no such bundle")
        if phase in (Phase.SEEN, Phase.READING):
            return web.json_response({"accepted": False}, status=202)
        if phase is not Phase.INGESTED:
            journal.happened(bundle, Event.ASKED)
            self._daemon.bell.ring()
        return web.json_response({"accepted": True}, status=202)

    async def state(self, request: web.Request) -> web.Response:
        """Say what became of a bundle."""
        bundle = self._name(request)
        for one in self._daemon.journal.arrivals():
            if one.bundle == bundle:
                document = {
                    "phase": one.phase,
                    "need": one.need,
                    "reason": one.reason,
                    "advice": one.advice,
                }
                return web.json_response(document)
        return problem(404, "no such bundle")

    def _name(self, request: web.Request) -> str:
        return f"blake3:{self._inbox.place(request.match_info['bundle']).name}"

    async def _want(self, request: web.Request) -> Want:
        """Open a pushed bundle, verified and judged, and find what it lacks."""
        place = self._inbox.place(request.match_info["bundle"])
        if not place.is_dir():
            raise MissingError("no such bundle is being pushed")
        daemon = self._daemon
        opened = await asyncio.to_thread(
            open_bundle, place, daemon.trust, daemon.clock()
        )
        return await lacking(opened, daemon.store)


async def _whole(request: web.Request, limit: int) -> bytes:
    data = bytearray()
    async for piece in _pieces(request, limit):
        data += piece
    return bytes(data)


async def _pieces(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """Yield a body in pieces; a client that sends nothing is not waited for."""
    size = 0
    while True:
        async with asyncio.timeout(IDLE_SECONDS):
            piece = await request.content.read(_STEP)
        if not piece:
            return
        size += len(piece)
        if size > limit:
            raise web.HTTPRequestEntityTooLarge(limit, size)
        yield piece
