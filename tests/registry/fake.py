"""A registry of the tests' own, which does as it should until it is told otherwise.

It keeps everything in memory, writes down every request, and has hooks: a function
that is asked before each request and may answer it in the registry's place, in any
way that a broken, hostile or newer registry might. It runs on a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import web

from bundle.oci.media_types import OCI_INDEX
from bundle.registry.options import RegistryOptions
from bundle.registry.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Answer: TypeAlias = web.StreamResponse | None
Hook: TypeAlias = Callable[[web.Request], Awaitable[Answer]]

_PATH = re.compile(r"/v2/(.+)/(manifests|blobs|referrers)/(.+)")


@dataclass(frozen=True)
class Asked:
    """One request: what it was, and what it brought."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    size: int = 0
    """Bytes of its body."""


@dataclass
class Fake:
    """A running registry; ``hook`` is asked before every request."""

    url: str = ""
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    hook: Hook | None = None
    has_referrers: bool = False

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    def options(self, home: Path, **changes: Any) -> RegistryOptions:  # noqa: ANN401 - fields of it
        """Return how a client with this home talks to it."""
        environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        fields: dict[str, Any] = {
            "plain_http": True,
            "environment": environment,
            "pace": at_once(),
        }
        return RegistryOptions(**{**fields, **changes})

    def count(self, method: str, part: str = "") -> int:
        """Return how often something was asked."""
        return sum(one.method == method and part in one.path for one in self.asked)

    @property
    def sent(self) -> int:
        """Bytes of blobs that clients sent."""
        return sum(one.size for one in self.asked if "/blobs/" in one.path)

    def add(self, name: str, data: bytes) -> str:
        """Put a blob there and return its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[name, digest] = data
        return digest

    def put(self, name: str, reference: str, kind: str, data: bytes) -> str:
        """Put a manifest there, under its digest and under a reference."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.manifests[name, digest] = self.manifests[name, reference] = kind, data
        return digest

    async def answer(self, request: web.Request) -> web.StreamResponse:
        answer = None if self.hook is None else await self.hook(request)
        body = b""
        if answer is None:
            body = await request.read()
            answer = self._serve(request, body)
        self.asked.append(
            Asked(
                request.method,
                request.path,
                request.query_string,
                dict(request.headers),
                len(body),
            )
        )
        return answer

    def _serve(self, request: web.Request, body: bytes) -> web.Response:
        if request.path in ("/v2/", "/v2"):
            return web.json_response({})
        match = _PATH.fullmatch(request.path)
        if match is None:
            return problem(404, "UNSUPPORTED")
        name, kind, rest = match.groups()
        if kind == "manifests":
            return self._manifest(request, name, rest, body)
        if kind == "referrers":
            return self._referrers(name, rest)
        if rest.startswith("uploads/"):
            return self._upload(request, name, rest.removeprefix("uploads/"), body)
        return self._blob(request, name, rest)

    def _blob(self, request: web.Request, name: str, digest: str) -> web.Response:
        data = self.blobs.get((name, digest))
        if data is None:
            return problem(404, "BLOB_UNKNOWN")
        wanted = request.http_range
        headers = {"Docker-Content-Digest": digest}
        if wanted.start is not None and request.method == "GET":
            start, stop = wanted.start, min(wanted.stop or len(data), len(data))
            if start >= len(data):
                return web.Response(status=416)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
            return web.Response(status=206, body=data[start:stop], headers=headers)
        return web.Response(body=data, headers=headers)

    def _upload(
        self, request: web.Request, name: str, number: str, body: bytes
    ) -> web.Response:
        if request.method == "POST":
            digest = request.query.get("mount", "")
            held = self.blobs.get((request.query.get("from", ""), digest))
            if held is not None:
                self.blobs[name, digest] = held
                return web.Response(status=201)
            number = f"u{len(self.uploads)}"
            self.uploads[number] = bytearray()
            return self._accepted(name, number, 202)
        if number not in self.uploads:
            return problem(404, "BLOB_UPLOAD_UNKNOWN")
        self.uploads[number] += body
        if request.method in ("GET", "PATCH"):
            status = 204 if request.method == "GET" else 202
            return self._accepted(name, number, status)
        return self._ended(request, name, self.uploads.pop(number))

    def _ended(
        self, request: web.Request, name: str, upload: bytearray
    ) -> web.Response:
        if request.method == "DELETE":
            return web.Response(status=204)
        digest = request.query["digest"]
        if self.add(name, bytes(upload)) != digest:
            return problem(400, "DIGEST_INVALID")
        return web.Response(status=201, headers={"Docker-Content-Digest": digest})

    def _accepted(self, name: str, number: str, status: int) -> web.Response:
        size = len(self.uploads[number])
        headers = {
            "Location": f"/v2/{name}/blobs/uploads/{number}?_state={size}",
            "Range": f"0-{max(0, size - 1)}",
        }
        return web.Response(status=status, headers=headers)

    def _manifest(
        self, request: web.Request, name: str, reference: str, body: bytes
    ) -> web.Response:
        if request.method == "PUT":
            return self._take(request, name, reference, body)
        found = self.manifests.get((name, reference))
        if found is None:
            return problem(404, "MANIFEST_UNKNOWN")
        kind, data = found
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        headers = {"Docker-Content-Digest": digest, "Content-Type": kind}
        return web.Response(body=data, headers=headers)

    def _take(
        self, request: web.Request, name: str, reference: str, body: bytes
    ) -> web.Response:
        document = json.loads(body)
        needed = [document.get("config"), *document.get("layers", [])]
        lost = [
            one for one in needed if one and (name, one["digest"]) not in self.blobs
        ]
        children = document.get("manifests", [])
        lost += [one for one in children if (name, one["digest"]) not in self.manifests]
        if lost:
            return problem(400, "MANIFEST_BLOB_UNKNOWN")
        digest = self.put(name, reference, request.headers["Content-Type"], body)
        headers = {"Docker-Content-Digest": digest}
        if self.has_referrers and "subject" in document:
            headers["OCI-Subject"] = document["subject"]["digest"]
        return web.Response(status=201, headers=headers)

    def _referrers(self, name: str, digest: str) -> web.Response:
        if not self.has_referrers:
            return web.Response(status=404, text="404 page not found\n")
        listed = []
        for (own, reference), (kind, data) in self.manifests.items():
            about = json.loads(data).get("subject", {}).get("digest")
            if own == name and about == digest and ":" in reference:
                one = {"mediaType": kind, "digest": reference, "size": len(data)}
                listed.append(one)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
        return web.Response(body=json.dumps(index), content_type=OCI_INDEX)


def problem(status: int, code: str, message: str = "no") -> web.Response:
    """Return an error as registries write them."""
    body = {"errors": [{"code": code, "message": message}]}
    return web.json_response(body, status=status)


@contextlib.contextmanager
def serving(handler: Any, host: str = "127.0.0.1") -> Iterator[str]:  # noqa: ANN401 - aiohttp's
    """Run an HTTP server on a free port, on a thread; yield its address."""
    loop = asyncio.new_event_loop()
    started, stop, url = threading.Event(), asyncio.Event(), []

    async def run() -> None:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, host, 0)
        await site.start()
        url.append(f"http://{host}:{runner.addresses[0][1]}")
        started.set()
        await stop.wait()
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:  # of connections that a test tore down
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1)

    def work() -> None:
        try:
            loop.run_until_complete(run())
        finally:
            started.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert started.wait(20)
        yield url[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextlib.contextmanager
def faking() -> Iterator[Fake]:
    """Run a registry of the tests' own."""
    fake = Fake()
    with serving(fake.answer) as url:
        fake.url = url
        yield fake


def at_once(waits: list[float] | None = None, attempts: int = 6) -> Pace:
    """Return a pace that waits for nothing, and writes down how long it would have."""
    noted = [] if waits is None else waits

    async def sleep(seconds: float) -> None:
        noted.append(seconds)

    return Pace(
        attempts=attempts, clock=lambda: 1_000_000.0, sleep=sleep, chance=lambda: 1.0
    )
