"""The server: one port, TLS off loopback, and a gate before it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bundle.errors import TargetError, UsageError
from syncd.http.api import Api
from syncd.http.gate import Gate
from syncd.http.guard import SCOPES, allowed, answered, host_allowed, same_site
from syncd.http.page import Page
from syncd.http.push import Push
from syncd.http.tokens import Scope, Token, parse_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Set as AbstractSet

    from syncd.config import HttpSettings
    from syncd.http.service import Service

TOKENS: Final = "tokens"
"""The file with tokens, in the state directory."""

MAX_BODY: Final = 64 * 1024
"""Bytes of a request that is no upload."""

DRAIN_SECONDS: Final = 5.0
"""Seconds that requests get to end once the daemon stops."""


def application(service: Service, hosts: AbstractSet[str]) -> web.Application:
    """Return everything that is answered, guarded."""
    file = Tokens(Path(service.daemon.config.state) / TOKENS)
    app = web.Application(
        middlewares=[answered(), host_allowed(hosts), same_site(), allowed(file.read)],
        client_max_size=MAX_BODY,
    )
    routes = [
        *Api(service).routes(),
        *Push(service).routes(),
        *Page(service).routes(),
    ]
    scopes: dict[str, Scope | None] = {}
    for one in routes:
        route = app.router.add_route(one.method, one.path, one.handler)
        if route.resource is not None:
            scopes[f"{one.method} {route.resource.canonical}"] = one.scope
    app[SCOPES] = scopes
    return app


class Tokens:
    """The tokens in a file, read again when it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looks: tuple[int, int] | None = None
        self._tokens: tuple[Token, ...] = ()

    def read(self) -> tuple[Token, ...]:
        """Return the tokens; none where there is no file.

        Raises:
            UsageError: a line of it is no token.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return ()
        looks = (status.st_mtime_ns, status.st_size)
        if looks != self._looks:
            self._tokens = parse_tokens(self._path.read_text(), str(self._path))
            self._looks = looks
        return self._tokens


@contextlib.asynccontextmanager
async def serving(settings: HttpSettings, service: Service) -> AsyncIterator[int]:
    """Answer requests while the block lasts; gives the port.

    Raises:
        UsageError: a certificate or a key cannot be used.
        TargetError: the port is taken.
    """
    context = _tls(settings)
    loop = asyncio.get_running_loop()
    listener = None
    hosts = service.hosts
    runner = web.AppRunner(
        application(service, hosts),
        access_log=None,
        shutdown_timeout=DRAIN_SECONDS,
        keepalive_timeout=settings.header_seconds,
    )
    await runner.setup()
    try:
        assert runner.server is not None  # noqa: S101 - set up a line above
        gate = Gate(runner.server, settings.connections, settings.header_seconds)
        service.gate = gate
        try:
            listener = await loop.create_server(
                gate, settings.address, settings.port, ssl=context, backlog=512
            )
        except OSError as error:
            raise TargetError(
                f"{settings.address} port {settings.port}: {error.strerror}",
                advice="choose another port in [http]",
            ) from error
        port: int = listener.sockets[0].getsockname()[1]
        hosts.update(_names(settings, port, tls=context is not None))
        yield port
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()


def _tls(settings: HttpSettings) -> ssl.SSLContext | None:
    if not settings.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.client_ca:
            context.load_verify_locations(settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"[http] certificate, key or client_ca: {error}") from error
    return context


def _names(settings: HttpSettings, port: int, *, tls: bool) -> Iterator[str]:
    """Yield what a Host header may say."""
    address = settings.address
    own = [f"[{address}]" if ":" in address else address]
    if settings.is_loopback:
        own.append("localhost")
    for name in (*own, *map(str.lower, settings.hosts)):
        yield f"{name}:{port}"
        if port == (443 if tls else 80):
            yield name
    yield from map(str.lower, settings.hosts)
