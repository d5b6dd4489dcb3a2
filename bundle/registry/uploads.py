"""Writing blobs: looked for, mounted, sent in pieces, resumed (spec §91.4).

POST opens an upload, PATCH adds a piece, PUT names the digest and ends it. A POST
with a body is not used: registries in the field answer it and keep nothing. Where
a piece breaks off, the registry is asked how much of it arrived, and the rest is
sent. Every answer brings a new address for the next request, which is good once.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from yarl import URL

from bundle.errors import IntegrityError, NotFoundError, StoreError
from bundle.limits import KIB, MIB
from bundle.registry.blobs import is_there
from bundle.registry.connection import SILENCE_SECONDS
from bundle.registry.failures import RefusedError, network_errors
from bundle.registry.outgoing import Outgoing
from bundle.registry.pace import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from aiohttp import ClientResponse

    from bundle.oci.descriptors import Descriptor
    from bundle.registry.connection import Request
    from bundle.registry.repository import Repository

PIECE: Final = 64 * MIB
"""Bytes of one PATCH: what is lost at most where a proxy gives up."""

SMALL: Final = 1 * MIB
"""Bytes up to which a blob is sent with the PUT that names it."""

_GOODBYE: Final = 5.0
"""Seconds to give an upload up."""

SLOWEST: Final = 16 * KIB
"""Bytes a second below which a piece is taken to be stuck."""

_STREAM: Final = "application/octet-stream"
_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d+)", re.ASCII)
_LOST: Final = frozenset(
    {"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "DIGEST_INVALID", "SIZE_INVALID"}
)
"""What a registry says of an upload that can only begin again."""


class Sent(StrEnum):
    """How a blob came to be at a repository."""

    HELD = "held"
    """It was there."""

    MOUNTED = "mounted"
    """The registry took it from another of its repositories."""

    SENT = "sent"
    """Its bytes were sent."""


async def push(
    repository: Repository,
    one: Descriptor,
    path: Path,
    advanced: Callable[[int], None] = lambda _: None,
) -> Sent:
    """Make a repository have a blob whose bytes are the file ``path``.

    ``repository.also`` names others that have it. ``advanced`` is told how many
    bytes went over the network.

    Raises:
        IntegrityError: the file is not the blob; nothing refers to what was sent.
        StoreError: the registry does not take it.
        TargetError: the file cannot be read.
    """
    if await is_there(repository, one):
        return Sent.HELD
    upload = await mount(repository, one)
    if upload is None:
        return Sent.MOUNTED
    with Outgoing(path, one, repository.registry.crew) as outgoing:
        await _Upload(repository, one, outgoing, upload, advanced).run()
    return Sent.SENT


async def mount(repository: Repository, one: Descriptor) -> URL | None:
    """Take a blob from a repository that has it, or open an upload of it.

    Returns None when it was mounted, else where the upload goes on.

    Raises:
        StoreError: the registry does not take uploads.
    """
    for other in repository.also:
        upload = await _begin(repository, one, {"mount": one.digest, "from": other})
        if upload is None or other == repository.also[-1]:
            return upload
        await cancel(repository, one, upload)
    return await _begin(repository, one, {})


async def _begin(
    repository: Repository, one: Descriptor, query: dict[str, str]
) -> URL | None:
    """Return where a fresh upload goes on, or None when the blob is there now."""
    url = repository.url("blobs/uploads/", query)
    request = repository.request("POST", url, one.digest, {"Content-Length": "0"})

    async def once() -> URL | None:
        async with repository.registry.exchange(request) as response:
            if response.status == 201:
                return None
            return onward(repository, request, response)

    return await repository.registry.pace.keep_trying(once)


def onward(repository: Repository, request: Request, response: ClientResponse) -> URL:
    """Return where an upload goes on: at this registry or nowhere (rule 91.4.3).

    Raises:
        StoreError: the registry names no address, or one that is not its own.
    """
    location = response.headers.get("Location", "")
    try:
        url = request.url.join(URL(location, encoded=True)) if location else URL()
    except ValueError:
        url = URL()
    if not repository.registry.is_own(url):
        raise StoreError(
            f"{request.where}: the registry sends uploads to "
            f"{location[:100] or 'nowhere'!r}, which is not its own address",
            advice="nothing was sent there; a proxy before the registry has to tell it "
            "by which scheme, host and port it is reached",
        )
    return url


async def cancel(repository: Repository, one: Descriptor, upload: URL | None) -> None:
    """Give an upload up; a registry that cannot do that forgets it in time."""
    if upload is None:
        return
    request = repository.request("DELETE", upload, one.digest)
    with contextlib.suppress(StoreError, TimeoutError):
        async with asyncio.timeout(_GOODBYE), repository.registry.exchange(request):
            pass


class _Upload:
    """One blob on its way; ``url`` is where the next request goes, if anywhere."""

    def __init__(
        self,
        repository: Repository,
        one: Descriptor,
        outgoing: Outgoing,
        url: URL,
        advanced: Callable[[int], None],
    ) -> None:
        self._repository = repository
        self._one = one
        self._outgoing = outgoing
        self._url: URL | None = url
        self._advanced = advanced
        self._arrived = 0
        self._furthest = 0

    async def run(self) -> None:
        """Send it; no upload that failed is left open.

        Raises:
            IntegrityError: what was sent is not the blob.
            StoreError: the registry does not take it.
        """
        failed = False

        async def once() -> None:
            nonlocal failed
            if failed and await self._is_done():
                return
            failed = True
            with _forgotten():
                await self._send()

        pace = self._repository.registry.pace
        try:
            await pace.keep_trying(once, lambda: self._furthest)
        except BaseException:
            await cancel(self._repository, self._one, self._url)
            raise

    async def _send(self) -> None:
        """Send what has not arrived yet, and end the upload."""
        body = b""
        if self._one.size <= SMALL:
            body = await self._outgoing.whole()
        while self._one.size > SMALL and self._arrived < self._one.size:
            await self._piece()
            self._outgoing.advance()
        if not self._outgoing.is_right():
            raise IntegrityError(
                f"{self._repository.where(self._one.digest)}: what was to be sent has "
                "another digest; it was not kept there",
                rule="91.4.5",
                advice="unpack it again from the bundle",
            )
        await self._put(body)

    async def _piece(self) -> None:
        """Send what is left of the current piece."""
        start = self._arrived
        end = min(self._outgoing.begun + PIECE, self._one.size)
        if start == end:  # it arrived, and the answer did not
            async for _ in self._outgoing.blocks(end, end):
                pass
            return
        headers = {
            "Content-Type": _STREAM,
            "Content-Length": str(end - start),
            "Content-Range": f"{start}-{end - 1}",
        }
        request = self._request("PATCH", headers, lambda: self._blocks(start, end))
        with network_errors(request.where):
            async with (
                asyncio.timeout(SILENCE_SECONDS + (end - start) / SLOWEST),
                self._repository.registry.exchange(request) as response,
            ):
                self._url = onward(self._repository, request, response)
                arrived = _arrived(response)
        if arrived is not None and arrived != end:
            raise UnavailableError(f"{request.where}: {arrived} of {end} bytes arrived")
        self._arrived = end
        self._furthest = max(self._furthest, end)

    async def _put(self, body: bytes) -> None:
        """Name the digest; the blob is there when this returns."""
        headers = {"Content-Type": _STREAM, "Content-Length": str(len(body))}
        request = self._request(
            "PUT", headers, lambda: body, f"digest={self._one.digest}"
        )
        async with self._repository.registry.exchange(request) as response:
            named = response.headers.get("Docker-Content-Digest", "")
        self._advanced(len(body))
        if named not in ("", self._one.digest):
            raise IntegrityError(
                f"{request.where}: the registry calls it {named[:100]}", rule="91.4.6"
            )

    async def _is_done(self) -> bool:
        """Find out how far it came, after a failure; begin again where nobody knows."""
        if await is_there(self._repository, self._one):
            return True
        arrived = await self._status()
        begun = self._outgoing.begun
        if arrived is None or not begun <= arrived <= begun + PIECE:
            await cancel(self._repository, self._one, self._url)
            self._outgoing.restart()
            self._url = await _begin(self._repository, self._one, {})
            arrived = 0
        self._arrived = arrived
        return self._url is None

    async def _status(self) -> int | None:
        """Return how many bytes arrived, None where that cannot be known."""
        if self._url is None or self._one.size <= SMALL:
            return None
        request = self._request("GET")
        try:
            async with self._repository.registry.exchange(request) as response:
                self._url = onward(self._repository, request, response)
                return _arrived(response)
        except (NotFoundError, RefusedError):
            return None

    async def _blocks(self, start: int, end: int) -> AsyncIterator[bytes]:
        async for block in self._outgoing.blocks(start, end):
            yield block
            self._advanced(len(block))

    def _request(
        self,
        method: str,
        headers: dict[str, str] | None = None,
        body: Callable[[], object] | None = None,
        query: str = "",
    ) -> Request:
        """Return a request to where the upload goes on, as the registry wrote it."""
        url = str(self._url)
        if query:
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        return self._repository.request(
            method, URL(url, encoded=True), self._one.digest, headers, body
        )


@contextlib.contextmanager
def _forgotten() -> Iterator[None]:
    """Let an upload that the registry does not know any more begin again."""
    try:
        yield
    except NotFoundError as error:
        raise UnavailableError(str(error), advice=error.advice) from error
    except RefusedError as error:
        if error.status != 416 and not _LOST.intersection(error.codes):
            raise
        raise UnavailableError(str(error), advice=error.advice) from error


def _arrived(response: ClientResponse) -> int | None:
    """Return how many bytes a registry says that it has, None where it does not."""
    match = _RANGE.fullmatch(response.headers.get("Range", ""))
    if match is None:
        return None
    # "0-0" is what registries say of one byte, and of none.
    return int(match[1]) + 1 if int(match[1]) else 0
