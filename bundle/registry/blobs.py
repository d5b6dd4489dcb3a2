"""Reading blobs: by ranges, resumed, verified as they come (spec §91.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bundle.errors import IntegrityError, NotFoundError, StoreError
from bundle.registry.landing import Landing
from bundle.registry.pace import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiohttp import ClientResponse

    from bundle.oci.descriptors import Descriptor
    from bundle.registry.cache import BlobCache, Part
    from bundle.registry.repository import Repository

_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_AGAIN: Final = "run the same command again: what is here already is not sent again"


async def is_there(repository: Repository, one: Descriptor) -> bool:
    """Return whether a repository has a blob, with its size (rule 91.2.1).

    Raises:
        StoreError: the registry does not answer, or says another size.
    """
    request = repository.request(
        "HEAD", repository.url(f"blobs/{one.digest}"), one.digest
    )

    async def once() -> bool:
        try:
            async with repository.registry.exchange(request) as response:
                length = response.headers.get("Content-Length")
        except NotFoundError:
            return False
        if length is not None and length != str(one.size):
            raise _other_size(request.where, length, one)
        return True

    return await repository.registry.pace.keep_trying(once)


async def pull(
    repository: Repository,
    one: Descriptor,
    cache: BlobCache,
    advanced: Callable[[int], None] = lambda _: None,
) -> Path:
    """Return the path in ``cache`` of a blob, pulled unless it is there.

    ``advanced`` is told how many bytes came over the network.

    Raises:
        IntegrityError: what the registry sends is not the blob.
        StoreError: it does not send it, or not all of it.
        TargetError: the cache cannot take it.
    """
    digest = one.blob
    if cache.holds(digest, one.size):
        return cache.path(digest)
    with cache.part(digest) as part:
        resumed = part.size > 0
        if not await _pull_into(repository, one, part, advanced):
            # What an interrupted run left may be what is wrong.
            part.truncate()
            if not resumed or not await _pull_into(repository, one, part, advanced):
                part.truncate()
                raise IntegrityError(
                    f"{repository.where(one.digest)}: the registry sends other bytes",
                    rule="91.2.4",
                    advice="the blob is damaged there: have it pushed again",
                )
        return part.keep()


async def read_range(
    repository: Repository, digest: str, offset: int, length: int
) -> bytes:
    """Return ``length`` bytes of a blob at ``offset``; fewer where it ends.

    Nothing is verified: whoever asks knows a digest of these bytes.

    Raises:
        StoreError: the registry does not send them.
    """
    end = offset + length - 1
    request = repository.request(
        "GET",
        repository.url(f"blobs/{digest}"),
        digest,
        {"Range": f"bytes={offset}-{end}"},
    )

    async def once() -> bytes:
        async with repository.registry.exchange(request) as response:
            skip = 0
            if response.status != 206:
                skip = offset  # a registry without ranges sends all of it
            elif _start_of(response) != offset:
                raise StoreError(f"{request.where}: not the range that was asked for")
            return await _some(response, skip, length)

    return await repository.registry.pace.keep_trying(once)


async def _some(response: ClientResponse, skip: int, length: int) -> bytes:
    data = bytearray()
    async for piece in response.content.iter_any():
        dropped = min(skip, len(piece))
        skip -= dropped
        data += piece[dropped : dropped + length - len(data)]
        if len(data) >= length:
            response.close()
            break
    return bytes(data)


async def _pull_into(
    repository: Repository,
    one: Descriptor,
    part: Part,
    advanced: Callable[[int], None],
) -> bool:
    """Fill a part; return whether it is the blob then."""
    registry = repository.registry
    landing = Landing(part.file, part.path, one.blob, registry.crew)
    try:
        if part.size <= one.size:
            await landing.adopt(part.size)

        async def once() -> None:
            if landing.size < one.size:
                await _attempt(repository, one, landing, advanced)

        await registry.pace.keep_trying(once, lambda: landing.size)
        return await landing.matches()
    finally:
        landing.close()


async def _attempt(
    repository: Repository,
    one: Descriptor,
    landing: Landing,
    advanced: Callable[[int], None],
) -> None:
    """Read from where the landing is to the end, if the registry plays along."""
    headers = {"Range": f"bytes={landing.size}-"} if landing.size else {}
    url = repository.url(f"blobs/{one.digest}")
    request = repository.request("GET", url, one.digest, headers)
    async with repository.registry.exchange(request) as response:
        if response.status != 206 or _start_of(response) != landing.size:
            if response.status == 206:
                raise StoreError(f"{request.where}: not the range that was asked for")
            await landing.restart()
        _check_length(request.where, response, one, landing.size)
        async for data in response.content.iter_any():
            if landing.size + len(data) > one.size:
                raise _other_size(request.where, f"over {one.size}", one)
            await landing.take(data)
            advanced(len(data))
    if landing.size < one.size:
        raise UnavailableError(
            f"{request.where}: {landing.size} of {one.size} bytes came", advice=_AGAIN
        )


def _check_length(
    where: str, response: ClientResponse, one: Descriptor, have: int
) -> None:
    """Refuse a body of another length before it is read (rule 91.2.3)."""
    length = response.headers.get("Content-Length")
    if length is not None and int(length) + have != one.size:
        raise _other_size(where, str(int(length) + have), one)


def _other_size(where: str, said: str, one: Descriptor) -> IntegrityError:
    return IntegrityError(
        f"{where}: {said} bytes at the registry, {one.size} by the manifest",
        rule="91.2.3",
        advice="the manifest or the blob is damaged there: have the image pushed again",
    )


def _start_of(response: ClientResponse) -> int:
    """Return where the range begins that was sent, -1 where nobody says."""
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1
