"""The API of a daemon that takes bundles over a network (spec §95)."""

from __future__ import annotations

import contextlib
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

from bundle.errors import StoreError, TargetError, TransientError, UsageError
from bundle.format.want import Want
from bundle.limits import MAX_WANT, MIB

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator
    from pathlib import Path

CONNECT_SECONDS: Final = 15.0
SILENCE_SECONDS: Final = 120.0
MAX_ANSWER: Final = 1 * MIB
"""Bytes of an answer that is no want."""


@dataclass(slots=True)
class FarSide:
    """One daemon; use it in an ``async with`` statement.

    ``ca`` is a file of certificates to trust beside those of the system.
    """

    url: str
    token: str
    ca: Path | None = None
    _session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        """Get ready; nothing is sent yet.

        Raises:
            UsageError: the address or the certificates make no sense.
        """
        if not self.url.startswith(("https://", "http://")):
            raise UsageError(f"{self.url!r} is no address of a daemon")
        context = ssl.create_default_context()
        if self.ca is not None:
            try:
                context.load_verify_locations(self.ca)
            except (OSError, ssl.SSLError) as error:
                raise UsageError(f"{self.ca}: no certificates: {error}") from error
        self._session = aiohttp.ClientSession(
            base_url=f"{self.url.rstrip('/')}/api/v1/push/",
            headers={"Authorization": f"Bearer {self.token}"},
            connector=aiohttp.TCPConnector(ssl=context),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            ),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give the connections back."""
        await self._session.close()

    async def put(self, bundle: str, name: str, data: bytes) -> None:
        """Send one small file.

        Raises:
            TargetError: it is not taken.
            TransientError: nobody answers.
        """
        await self._json("PUT", f"{bundle}/files/{name}", data)

    async def lacks(self, bundle: str) -> Want | None:
        """Return what the far side lacks of a bundle, None for nothing.

        Raises:
            TargetError: it refuses the bundle.
            TransientError: nobody answers.
        """
        async with self._asked("GET", f"{bundle}/lacks") as answer:
            if answer.status == 204:
                return None
            return Want.parse(await _read(answer, MAX_WANT))

    async def frames(self, bundle: str, body: AsyncIterable[memoryview]) -> None:
        """Send frames; after an error some of them may be there.

        Raises:
            TargetError: they are not taken.
            TransientError: the connection broke.
        """
        await self._json("POST", f"{bundle}/frames", body)

    async def commit(self, bundle: str) -> bool:
        """Ask that the bundle is read; false while it is being read already.

        Raises:
            TargetError: there is no such bundle.
            TransientError: nobody answers.
        """
        return bool((await self._json("POST", f"{bundle}/commit"))["accepted"])

    async def state(self, bundle: str) -> dict[str, Any] | None:
        """Return what became of a bundle, None for one that was never seen.

        Raises:
            TransientError: nobody answers.
        """
        async with self._asked("GET", bundle, missing=True) as answer:
            if answer.status == 404:
                return None
            document: dict[str, Any] = json.loads(await _read(answer, MAX_ANSWER))
            return document

    async def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:  # noqa: ANN401 - what aiohttp takes
        async with self._asked(method, path, body) as answer:
            document: dict[str, Any] = json.loads(await _read(answer, MAX_ANSWER))
            return document

    @contextlib.asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - what aiohttp takes
        *,
        missing: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give the answer to one request, if it is a good one."""
        try:
            async with self._session.request(
                method, path, data=body, allow_redirects=False
            ) as answer:
                if answer.status >= 300 and not (missing and answer.status == 404):
                    raise await _refusal(answer, self.url)
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(
                f"{self.url}: {str(error) or type(error).__name__}",
                advice="check the network and that syncd runs there; what was sent "
                "is kept, run the same command again",
            ) from error
        except json.JSONDecodeError as error:
            raise StoreError(f"{self.url} does not answer as syncd does") from error


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    data = bytearray()
    async for piece in answer.content.iter_chunked(MIB):
        data += piece
        if len(data) > limit:
            raise StoreError(f"{answer.url}: an answer of over {limit} bytes")
    return bytes(data)


async def _refusal(
    answer: aiohttp.ClientResponse, url: str
) -> StoreError | TargetError:
    title, detail = f"status {answer.status}", ""
    with contextlib.suppress(ValueError, TypeError, KeyError, StoreError):
        document = json.loads(await _read(answer, MAX_ANSWER))
        title, detail = str(document["title"])[:1000], str(document.get("detail", ""))
    if answer.status >= 500 or answer.status in (408, 429):
        return TransientError(f"{url}: {title}", advice=detail[:1000])
    return TargetError(f"{url}: {title}", advice=detail[:1000])
