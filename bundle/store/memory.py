"""A store in memory: for tests, and for trying things out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bundle.digest import DIGEST_SIZE, digest_of
from bundle.errors import NotFoundError
from bundle.format.recipe import Recipe
from bundle.store.base import Capabilities, Collected, Committed, Identity, Store
from bundle.store.use import check_chunk, check_held, dropped, order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from numpy.typing import NDArray

    from bundle.store.base import Retention


class MemoryStore(Store):
    """Dictionaries of chunks, recipes and releases; gone with the process."""

    capabilities: ClassVar = Capabilities(
        writable=True, durable=False, stable=True, collects=True
    )

    def __init__(self) -> None:
        self._id = secrets.token_hex(16)
        self._generation = 1
        self._chunks: dict[bytes, bytes] = {}
        self._recipes: dict[str, bytes] = {}
        self._releases: dict[str, Committed] = {}

    async def identity(self) -> Identity:
        """Return an id that is new with each store in memory."""
        return Identity(self._id, self._generation)

    async def has_many(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether its chunk is held."""
        held = (row.tobytes() in self._chunks for row in ids)
        return np.fromiter(held, np.bool_, len(ids))

    async def read(self, chunk: bytes) -> bytes:
        """Return a chunk.

        Raises:
            NotFoundError: it is not held.
        """
        try:
            return self._chunks[chunk]
        except KeyError:
            raise NotFoundError(f"chunk {chunk.hex()} is not in the store") from None

    async def list(self) -> AsyncIterator[NDArray[np.uint8]]:
        """Yield all ids in one batch."""
        yield _rows(self._chunks)

    async def recipe(self, digest: str) -> bytes:
        """Return a recipe.

        Raises:
            NotFoundError: it is not held.
        """
        try:
            return self._recipes[digest]
        except KeyError:
            raise NotFoundError(f"recipe {digest} is not in the store") from None

    async def releases(self) -> tuple[Committed, ...]:
        """Return the releases that were committed."""
        return order(self._releases.values())

    async def put(self, chunks: Iterable[bytes]) -> NDArray[np.uint8]:
        """Hold chunks and return their ids.

        Raises:
            LimitError: one is empty or too large.
        """
        ids = []
        for data in chunks:
            check_chunk(data)
            ids.append(digest_of(data).raw)
            self._chunks[ids[-1]] = bytes(data)
        return _rows(ids)

    async def put_recipe(self, recipe: bytes) -> str:
        """Hold a recipe and return its digest.

        Raises:
            FormatError: it is no recipe.
        """
        Recipe.parse(recipe)
        digest = str(digest_of(recipe))
        self._recipes[digest] = bytes(recipe)
        return digest

    async def commit(self, release: Committed) -> None:
        """Hold a release.

        Raises:
            MissingError: a recipe or a chunk it uses is not held.
        """
        await check_held(self, release)
        self._releases[release.digest] = release

    async def collect(
        self, retention: Retention, *, dry_run: bool = False
    ) -> Collected:
        """Drop old releases and everything that no release kept uses.

        Raises:
            UsageError: a pin names a release that is not held.
        """
        gone = dropped(self._releases.values(), retention)
        kept = [one for one in self._releases.values() if one not in gone]
        recipes = {digest for one in kept for digest in one.recipes}
        used = {
            row.tobytes()
            for digest in recipes
            for row in Recipe.parse(self._recipes[digest]).chunk_ids
        }
        dead = self._chunks.keys() - used
        collected = Collected(
            releases=gone,
            recipes=len(self._recipes.keys() - recipes),
            chunks=len(dead),
            bytes=sum(len(self._chunks[chunk]) for chunk in dead),
            generation=self._generation + 1,
        )
        if not dry_run:
            self._generation += 1
            self._releases = {one.digest: one for one in kept}
            self._recipes = {one: self._recipes[one] for one in recipes}
            self._chunks = {one: self._chunks[one] for one in used}
        return collected


def _rows(ids: Iterable[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(ids), np.uint8).reshape(-1, DIGEST_SIZE)
