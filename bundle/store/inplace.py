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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import numpy as np
from blake3 import blake3

from bundle.digest import DIGEST_SIZE
from bundle.errors import NotFoundError
from bundle.format.columns import keys_of, order_of, windows
from bundle.format.recipe import Recipe, SegmentKind
from bundle.store.base import Capabilities, Committed, Identity, ReadStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from numpy.typing import NDArray

SizeOf: TypeAlias = Callable[[str], int]
"""Returns the bytes of the file at a path, -1 where there is none."""

_BATCH: Final = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A recipe and where its files are: indices of files, and paths below the root.

    A file may be at several paths; a path that leads to none is passed over.
    """

    digest: str
    recipe: Recipe
    places: Iterable[tuple[int, str]]


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
        self._index: _Index | None = None

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

    async def _indexed(self) -> _Index:
        async with self._lock:
            if self._index is None:
                size_of = await self._files.sizes()
                self._index = await asyncio.to_thread(
                    lambda: _Index.of(self._placed(), size_of)
                )
            return self._index


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """Where chunks lie: rows sorted by id; ``keys`` are the ids to compare."""

    recipes: dict[str, Recipe]
    paths: list[str]
    ids: NDArray[np.uint8]
    keys: NDArray[np.bytes_]
    owners: NDArray[np.uint32]
    offsets: NDArray[np.uint64]
    lengths: NDArray[np.uint32]

    @classmethod
    def of(cls, placed: Iterable[Placed], size_of: SizeOf) -> _Index:
        """Look at every file once and note the chunks of those that are there."""
        rows = _Rows(size_of)
        recipes: dict[str, Recipe] = {}
        for one in placed:
            recipes.setdefault(one.digest, one.recipe)
            for file, path in one.places:
                rows.add(one.recipe, file, path)
        ids = np.concatenate([np.zeros((0, DIGEST_SIZE), np.uint8), *rows.ids])
        order = order_of(ids)
        ids = ids[order]
        return cls(
            recipes=recipes,
            paths=rows.paths,
            ids=ids,
            keys=keys_of(ids),
            owners=np.array(rows.owners, np.uint32).repeat(rows.counts)[order],
            offsets=np.concatenate([np.zeros(0, np.uint64), *rows.offsets])[order],
            lengths=np.concatenate([np.zeros(0, np.uint32), *rows.lengths])[order],
        )

    def places_of(
        self, ids: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each id the first row that has it, and the one after the last."""
        keys = keys_of(np.ascontiguousarray(ids))
        low = np.searchsorted(self.keys, keys, side="left")
        return low, np.searchsorted(self.keys, keys, side="right")

    def holds(self, digests: Iterable[str]) -> bool:
        """Return whether every chunk of every recipe named is in some file."""
        for digest in digests:
            recipe = self.recipes.get(digest)
            if recipe is None:
                return False
            for start, end in windows(0, recipe.chunks):
                low, high = self.places_of(recipe.chunk_ids[start:end])
                if (low == high).any():
                    return False
        return True


class _Rows:
    """Columns of an index in the making, one part for each file."""

    def __init__(self, size_of: SizeOf) -> None:
        self._size_of = size_of
        self._claimed: dict[str, bytes] = {}
        self._noted: set[tuple[str, bytes]] = set()
        self.paths: list[str] = []
        self.owners: list[int] = []
        self.counts: list[int] = []
        self.ids: list[NDArray[np.uint8]] = []
        self.offsets: list[NDArray[np.uint64]] = []
        self.lengths: list[NDArray[np.uint32]] = []

    def add(self, recipe: Recipe, file: int, path: str) -> None:
        """Note the chunks of one file, unless a newer recipe has its path.

        A file that two recipes cut in the same way is noted once.
        """
        sha256 = recipe.sha256[file].tobytes()
        if self._claimed.setdefault(path, sha256) != sha256:
            return
        runs = [one for one in recipe.segments(file) if one.kind is SegmentKind.CHUNKS]
        cut = blake3()
        for one in runs:
            cut.update(recipe.chunk_ids[one.start : one.start + one.count].tobytes())
        key = path, cut.digest()
        if not runs or key in self._noted or self._size_of(path) != recipe.sizes[file]:
            return
        self._noted.add(key)
        offset = 0
        for segment in recipe.segments(file):
            if segment.kind is SegmentKind.CHUNKS:
                self._note(recipe, segment.start, segment.count, offset)
            offset += segment.size
        self.paths.append(path)

    def _note(self, recipe: Recipe, start: int, count: int, offset: int) -> None:
        lengths = recipe.chunk_lengths[start : start + count]
        self.owners.append(len(self.paths))
        self.counts.append(count)
        self.ids.append(recipe.chunk_ids[start : start + count])
        self.lengths.append(lengths)
        ends = np.cumsum(lengths, dtype=np.uint64)
        self.offsets.append(ends - lengths + np.uint64(offset))
