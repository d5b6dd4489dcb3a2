"""Chunks inside the files that a target publishes: no second copy of anything.

Recipes that a target kept say which file begins with which chunks. That is where
to look and never a proof: the files belong to whoever runs the target. So every
chunk is hashed again each time it is read, and a file that was changed or removed
simply does not hold what it held (rule 60.3.4).
"""

from __future__ import annotations

import asyncio
import os
import stat
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from blake3 import blake3

from bundle.errors import NotFoundError
from bundle.format.columns import windows
from bundle.store.base import Capabilities, Committed, Identity, ReadStore
from bundle.store.chunk_map import ChunkMap, Placed, SizeOf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_BATCH: Final = 1 << 16


class PlacedFiles(ABC):
    """How a target's files are read, wherever they are."""

    @abstractmethod
    async def sizes(self) -> SizeOf:
        """Return what knows the size of every file; it is called in a thread.

        Raises:
            StoreError: the place cannot be read.
        """

    @abstractmethod
    async def read(self, path: str, offset: int, length: int) -> bytes:
        """Return bytes of a file, fewer or none where it has or is none.

        Raises:
            StoreError: the place cannot be read.
        """


class LocalFiles(PlacedFiles):
    """Files below a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def sizes(self) -> SizeOf:
        """Return what looks at each file as it is asked for."""
        return self._size

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """Return bytes of a file, none where it cannot be read."""
        return await asyncio.to_thread(self._piece, path, offset, length)

    def _piece(self, path: str, offset: int, length: int) -> bytes:
        descriptor = open_published(self._root, path)
        if descriptor is None:
            return b""
        try:
            return os.pread(descriptor, length, offset)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def _size(self, path: str) -> int:
        descriptor = open_published(self._root, path)
        if descriptor is None:
            return -1
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)


def open_published(root: str | os.PathLike[str], path: str) -> int | None:
    """Return a descriptor of the regular file at ``path`` below ``root``, or None.

    Links are followed: wherever they lead, what is read there is hashed before
    it is used.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(os.path.join(root, path), flags)  # noqa: PTH118 - called for every chunk
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


class InPlaceStore(ReadStore):
    """What one target publishes, seen as a store.

    ``placed`` returns what was published, the newest first: where two recipes
    have one path, the file there is the newer one's. It is asked once, when the
    first chunk is looked for; files that have another size by then are left out.
    """

    capabilities: ClassVar = Capabilities(
        writable=False, durable=True, stable=False, collects=False
    )

    def __init__(
        self,
        identity: Identity,
        releases: tuple[Committed, ...],
        placed: Callable[[], Iterable[Placed]],
        files: PlacedFiles,
    ) -> None:
        self._identity = identity
        self._releases = releases
        self._placed = placed
        self._files = files
        self._lock = asyncio.Lock()
        self._index: ChunkMap | None = None

    async def identity(self) -> Identity:
        """Return the id that the target was given when it first kept a recipe."""
        return self._identity

    async def has_many(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether a file should hold it."""
        index = await self._indexed()
        low, high = index.places_of(ids)
        return low < high

    async def read(self, chunk: bytes) -> bytes:
        """Return a chunk out of the first file that still has it.

        Raises:
            NotFoundError: no file has it any more.
        """
        index = await self._indexed()
        low, high = index.places_of(np.frombuffer(chunk, np.uint8).reshape(1, -1))
        for row in range(int(low[0]), int(high[0])):
            data = await self._files.read(
                index.paths[index.owners[row]],
                int(index.offsets[row]),
                int(index.lengths[row]),
            )
            if blake3(data).digest() == chunk:
                return data
        raise NotFoundError(f"chunk {chunk.hex()} is in no file of this target")

    async def list(self) -> AsyncIterator[NDArray[np.uint8]]:
        """Yield the ids of all chunks that files should hold, in order."""
        index = await self._indexed()
        once = np.flatnonzero(index.keys[1:] != index.keys[:-1]) + 1
        rows = np.concatenate([np.zeros(min(1, len(index.keys)), np.int64), once])
        for start, end in windows(0, len(rows), step=_BATCH):
            yield index.ids[rows[start:end]]

    async def recipe(self, digest: str) -> bytes:
        """Return a recipe of something that was published.

        Raises:
            NotFoundError: there is none of this digest.
        """
        index = await self._indexed()
        if digest not in index.recipes:
            raise NotFoundError(f"recipe {digest} is not kept at this target")
        return bytes(index.recipes[digest].data)

    async def releases(self) -> tuple[Committed, ...]:
        """Return the releases of which every recipe and every chunk is there."""
        index = await self._indexed()
        return tuple(one for one in self._releases if index.holds(one.recipes))

    async def _indexed(self) -> ChunkMap:
        async with self._lock:
            if self._index is None:
                size_of = await self._files.sizes()
                self._index = await asyncio.to_thread(
                    lambda: ChunkMap.of(self._placed(), size_of)
                )
            return self._index
