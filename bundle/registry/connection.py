"""One registry, over a few connections: requests, logins, redirects, time-outs.

What is sent where is decided here and nowhere else. A login goes to the origin
(scheme, host, port) of the registry alone: a redirect to another origin is
followed without it, and only where something is read; what is written is never
redirected. Nothing is ever read from or written to plain HTTP that was not asked
for.
"""

from __future__ import annotations

import contextlib
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from yarl import URL

from bundle.errors import StoreError, UsageError
from bundle.limits import MAX_REDIRECTS, MAX_REGISTRY_WORDS, MAX_TOKEN_ANSWER, MIB
from bundle.oci.references import DOCKER_HUB
from bundle.registry.authority import Authority, Scope
from bundle.registry.failures import DeniedError, network_errors, refusal
from bundle.registry.proxies import proxy_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiohttp import ClientResponse

    from bundle.registry.options import RegistryOptions

CONNECT_SECONDS: Final = 15.0
"""Patience for a connection and its TLS."""

SILENCE_SECONDS: Final = 60.0
"""Patience for the next byte of an answer."""

THREADS: Final = 4
"""Threads that hash, read and write; hashing takes as many as there are processors."""

_HUB_API: Final = "registry-1.docker.io"
_READS: Final = frozenset({"GET", "HEAD"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_AGENT: Final = {"User-Agent": "bundle", "Accept-Encoding": "identity"}
_READ_BUFFER: Final = 1 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; ``where`` names what it is about in errors.

    ``body`` returns the body, afresh for each time that it is sent.
    """

    method: str
    url: URL
    where: str
    scopes: tuple[Scope, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Any] | None = None


class Registry:
    """The registry ``host``, as references call it; used inside ``async with``."""

    def __init__(self, host: str, options: RegistryOptions) -> None:
        self.host = host
        self.options = options
        self.pace = options.pace
        name = _HUB_API if host == DOCKER_HUB else host
        self.origin = URL(f"{options.scheme}://{name}").origin()
        self.authority = Authority(host, options, self._ask, self.pace.clock)
        self.crew = ThreadPoolExecutor(THREADS, "registry")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Get ready; nothing is sent yet.

        Raises:
            UsageError: the file of certificates is none.
        """
        connector = aiohttp.TCPConnector(
            limit=self.options.connections, ssl=_certificates(self.options)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            ),
            headers=_AGENT,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_READ_BUFFER,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections; the threads are done."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        self.crew.shutdown()

    def url(self, path: str, query: Mapping[str, str] | None = None) -> URL:
        """Return the address of ``/v2/`` and a path that needs no quoting."""
        return self.origin.with_path(f"/v2/{path}").with_query(query)

    def is_own(self, url: URL) -> bool:
        """Return whether a login may go there."""
        return url.is_absolute() and not url.user and url.origin() == self.origin

    @contextlib.asynccontextmanager
    async def exchange(self, request: Request) -> AsyncIterator[ClientResponse]:
        """Send a request and lend the answer, whose body is not read yet.

        A login is sent where the registry asks for one.

        Raises:
            DeniedError, NotFoundError, RefusedError: the registry says no.
            UnavailableError: it cannot now, or the network cannot.
            StoreError: what it says makes no sense.
        """
        with network_errors(request.where):
            response = await self._answer(request)
            try:
                await self._check(request, response)
                yield response
            except BaseException:
                response.close()  # what is left of the body is not waited for
                raise
            finally:
                response.release()

    async def body(self, request: Request, limit: int) -> tuple[bytes, ClientResponse]:
        """Send a request and return the whole answer, of at most ``limit`` bytes.

        Raises:
            StoreError: it is longer, or as ``exchange``.
        """
        async with self.exchange(request) as response:
            data = await _read(response, limit + 1)
            if len(data) > limit:
                raise StoreError(
                    f"{request.where}: the answer is over {limit} bytes",
                    advice="ask whoever runs the registry",
                )
            return data, response

    async def _answer(self, request: Request) -> ClientResponse:
        """Return the first answer that is no redirect and asks for no login."""
        url, used = request.url, await self.authority.header(request.scopes)
        redirects = tries = 0
        while True:
            own = self.is_own(url)
            response = await self._send(request, url, used if own else None)
            if response.status == 401 and own and tries < 2:
                asked = ", ".join(response.headers.getall("WWW-Authenticate", []))
                response.close()
                if not asked:
                    raise DeniedError(f"{request.where}: the registry answers 401")
                used = await self.authority.answer(asked, request.scopes, used)
                tries += 1
            elif response.status in _REDIRECTS and request.method in _READS:
                redirects += 1
                url = _onward(request, url, response, redirects)
                response.close()
            else:
                return response

    async def _send(
        self, request: Request, url: URL, authorization: str | None
    ) -> ClientResponse:
        headers = dict(request.headers)
        if authorization is not None:
            headers["Authorization"] = authorization
        return await self._open().request(
            request.method,
            url,
            headers=headers,
            data=None if request.body is None else request.body(),
            allow_redirects=False,
            proxy=proxy_for(url, self.options.environment),
        )

    async def _check(self, request: Request, response: ClientResponse) -> None:
        """Refuse an answer that is no success, and one that no registry gives."""
        if not 200 <= response.status < 300:
            words = b""
            if request.method != "HEAD":
                words = await _read(response, MAX_REGISTRY_WORDS)
            raise refusal(request.where, response, words, self.pace)
        if response.content_type == "text/html" and request.method in _READS:
            raise StoreError(
                f"{request.where}: {response.url.host} answers with a web page",
                advice="no registry does: check its name; a proxy or a page to log in "
                "may stand between",
            )

    async def _ask(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None
    ) -> bytes:
        """Send a request to a token server, which nothing redirects."""
        where = f"{self.host}: token server {url.host}"

        async def once() -> bytes:
            with network_errors(where):
                response = await self._open().request(
                    method,
                    url,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    proxy=proxy_for(url, self.options.environment),
                )
                async with response:
                    data = await _read(response, MAX_TOKEN_ANSWER)
                    if response.status != 200:
                        raise refusal(where, response, data, self.pace)
                    return data

        return await self.pace.keep_trying(once)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ValueError("a registry is used inside 'async with'")
        return self._session


def _onward(
    request: Request, url: URL, response: ClientResponse, redirects: int
) -> URL:
    """Return where a redirect leads, if it may be followed."""
    location = response.headers.get("Location", "")
    try:
        onward = url.join(URL(location, encoded=True)) if location else URL()
    except ValueError:
        onward = URL()
    if not onward.host or onward.scheme not in ("http", "https") or onward.user:
        raise StoreError(f"{request.where}: redirected to {location[:100]!r}")
    if url.scheme == "https" and onward.scheme != "https":
        raise StoreError(
            f"{request.where}: redirected from TLS to plain HTTP at {onward.host}",
            advice="ask whoever runs the registry",
        )
    if redirects > MAX_REDIRECTS:
        raise StoreError(f"{request.where}: redirected over {MAX_REDIRECTS} times")
    return onward


async def _read(response: ClientResponse, limit: int) -> bytes:
    """Return the first ``limit`` bytes of a body."""
    data = bytearray()
    while len(data) < limit:
        piece = await response.content.read(limit - len(data))
        if not piece:
            break
        data += piece
    return bytes(data)


def _certificates(options: RegistryOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if options.ca is not None:
        try:
            context.load_verify_locations(cafile=options.ca)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"{options.ca}: no file of certificates: {error.strerror or error}",
                advice="--ca takes certificates in PEM",
            ) from error
    return context
