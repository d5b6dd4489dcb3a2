"""A bundle that lends chunks to another one: an older one, or a fill."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from bundle.errors import MissingError, NotFoundError
from bundle.medium.chunks import ChunkReader
from bundle.store.base import Capabilities, Committed, Identity, ReadStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bundle.medium.files import ShardedFile
    from bundle.medium.reader import OpenBundle


class LendingStore(ReadStore):
    """The chunks in the volumes of one bundle, and the recipes it carries."""

    capabilities: ClassVar = Capabilities(
        writable=False, durable=True, stable=True, collects=False
    )

    def __init__(self, opened: OpenBundle, volumes: Sequence[ShardedFile]) -> None:
        self._opened = opened
        self._chunks = ChunkReader(volumes)

    async def identity(self) -> Identity:
        """Return an id that is that of the release: a bundle has none."""
        return Identity(self._opened.digest.raw[:16].hex(), 1)

    async def has_many(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether a volume holds the chunk.

        Raises:
            IntegrityError, FormatError: an index is damaged.
            StoreError: the medium cannot be read.
        """
        return await asyncio.to_thread(self._chunks.holds, ids)

    async def read(self, chunk: bytes) -> bytes:
        """Return the chunk with this id.

        Raises:
            NotFoundError: no volume holds it.
            IntegrityError, FormatError: what is stored for it is damaged.
            StoreError: the medium cannot be read.
        """
        try:
            return await asyncio.to_thread(self._chunks.fetch, chunk)
        except MissingError as error:
            raise NotFoundError(str(error)) from error

    async def list(self) -> AsyncIterator[NDArray[np.uint8]]:
        """Yield the ids of each volume; a chunk is in no two volumes of a bundle.

        Raises:
            IntegrityError, FormatError: an index is damaged.
            StoreError: the medium cannot be read.
        """
        for number in range(self._chunks.volumes):
            yield await asyncio.to_thread(self._chunks.ids_of, number)

    async def recipe(self, digest: str) -> bytes:
        """Return a recipe that the bundle carries.

        Raises:
            NotFoundError: it carries none of this digest.
        """
        recipe = self._opened.recipes.get(digest)
        if recipe is None:
            raise NotFoundError(f"recipe {digest} is not in this bundle")
        return bytes(recipe.data)

    async def releases(self) -> tuple[Committed, ...]:
        """Return the release of the bundle where it builds on nothing else."""
        release, manifest = self._opened.release, self._opened.manifest
        recipes = tuple(one.recipe.digest for one in release.artifacts)
        if manifest.requires.count or set(recipes) - set(manifest.carried):
            return ()
        stream, digest = release.stream, str(self._opened.digest)
        return (Committed(stream.id, stream.name, release.seq, digest, recipes),)
