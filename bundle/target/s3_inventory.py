"""What is in the bucket, as far as this run knows it.

Listings say which keys there are and how large; whether an object is what it should
be its own metadata says, with our SHA-256. Neither its ETag nor its time is asked.
Paths are below the prefix.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bundle.errors import NotFoundError
from bundle.limits import MIB
from bundle.store.inplace import PlacedFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bundle.s3.address import Address
    from bundle.s3.client import S3Client
    from bundle.store.chunk_map import SizeOf

READ_AHEAD: Final = 8 * MIB
"""Bytes that are read at once where one chunk after the other is asked for."""

_WINDOWS: Final = 4
"""Objects of which bytes that were read ahead are kept."""


class Inventory:
    """Looks each place up once, and is told of what changes there."""

    def __init__(self, client: S3Client, address: Address) -> None:
        self._client = client
        self._address = address
        self._listed: set[str] = set()
        self._digests: dict[str, bytes | None] = {}
        self.sizes: dict[str, int] = {}

    def key(self, path: str) -> str:
        """Return the key of what is at ``path``."""
        return self._address.key(path)

    async def look(self, home: str) -> None:
        """List what is below ``home``, which ends with a slash; once is enough.

        Raises:
            StoreError, TargetError: the bucket cannot be listed.
        """
        if any(home.startswith(one) for one in self._listed):
            return
        above = len(self.key(""))
        async for one in self._client.list(self.key(home)):
            self.sizes[one.key[above:]] = one.size
        self._listed.add(home)

    def below(self, home: str) -> list[str]:
        """Return the paths below a home that was looked at, in order."""
        return sorted(path for path in self.sizes if path.startswith(home))

    async def holds(self, path: str, size: int, sha256: bytes) -> bool:
        """Return whether the object at ``path``, in a home looked at, is this content.

        Raises:
            StoreError, TargetError: the bucket does not say.
        """
        if self.sizes.get(path) != size:
            return False
        if path not in self._digests:
            await self.refresh(path)
        return self.sizes.get(path) == size and self._digests.get(path) == sha256

    async def refresh(self, path: str) -> None:
        """Look at one object again.

        Raises:
            StoreError, TargetError: the bucket does not say.
        """
        facts = await self._client.head(self.key(path))
        self._digests.pop(path, None)
        self.sizes.pop(path, None)
        if facts is not None:
            self.note(path, facts.size, facts.sha256)

    def note(self, path: str, size: int, sha256: bytes | None) -> None:
        """Remember what was put, or seen, at ``path``."""
        self.sizes[path] = size
        self._digests[path] = sha256

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """Return bytes of an object.

        Raises:
            NotFoundError: there is none.
            StoreError, TargetError: the bucket does not answer.
        """
        return await self._client.get_range(self.key(path), offset, length)

    async def remove(self, path: str) -> None:
        """Delete an object.

        Raises:
            StoreError, TargetError: the bucket does not let it go.
        """
        await self._client.delete(self.key(path))
        self.sizes.pop(path, None)
        self._digests.pop(path, None)


class BucketFiles(PlacedFiles):
    """Objects, read by ranges; ``homes`` says where those are that matter."""

    def __init__(
        self, opened: Callable[[], Inventory], homes: Callable[[], Iterable[str]]
    ) -> None:
        self._opened = opened
        self._homes = homes
        self._ahead: dict[str, tuple[int, bytes]] = {}
        self._locks = tuple(asyncio.Lock() for _ in range(_WINDOWS))

    async def sizes(self) -> SizeOf:
        """Return the sizes that listings say.

        Raises:
            StoreError, TargetError: the bucket cannot be listed.
        """
        inventory = self._opened()
        for home in sorted(set(self._homes())):
            await inventory.look(home)
        known = dict(inventory.sizes)
        return lambda path: known.get(path, -1)

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """Return bytes of an object, and read ahead where the last ones ended here.

        Raises:
            StoreError, TargetError: the bucket does not answer.
        """
        async with self._locks[hash(path) % len(self._locks)]:
            start, data = self._ahead.get(path, (0, b""))
            if start <= offset and offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
            follows = bool(data) and start <= offset <= start + len(data)
            wanted = max(length, READ_AHEAD) if follows else length
            try:
                found = await self._opened().read(path, offset, wanted)
            except NotFoundError:
                return b""
            self._ahead.pop(path, None)
            self._ahead[path] = (offset, found)
            while len(self._ahead) > _WINDOWS:
                self._ahead.pop(next(iter(self._ahead)))
            return found[:length]
