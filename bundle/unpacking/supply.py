"""Where chunks and recipes come from that a bundle does not carry (spec §60.3).

Stores are asked in turn: those of the targets, then those that a person named.
None of them is believed. A chunk has its id and a recipe its digest, or it counts
as not there, and the next store is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.digest import digest_of
from bundle.errors import FormatError, IntegrityError, NotFoundError
from bundle.format.columns import windows
from bundle.format.empty_files import check_empty_files
from bundle.format.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bundle.format.release import Artifact, Release
    from bundle.store.base import ReadStore

_STEP: Final = 1 << 16


class Supply:
    """Several stores, asked as if they were one."""

    def __init__(self, stores: Sequence[ReadStore]) -> None:
        self._stores = stores

    async def holds(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether a store says it holds it.

        Raises:
            StoreError: a store cannot be read.
        """
        held = np.zeros(len(ids), np.bool_)
        for store in self._stores:
            for start, end in windows(0, len(ids), step=_STEP):
                left = start + np.flatnonzero(~held[start:end])
                if len(left):
                    held[left] = await store.has_many(ids[left])
        return held

    async def read(self, chunk: bytes) -> bytes | None:
        """Return the chunk with this id, or None where no store has it.

        Raises:
            StoreError: a store cannot be read.
        """
        for store in self._stores:
            try:
                data = await store.read(chunk)
            except (NotFoundError, IntegrityError, FormatError):
                continue
            if digest_of(data).raw == chunk:
                return data
        return None

    async def recipe(self, artifact: Artifact, release: Release) -> Recipe | None:
        """Return the recipe of an artifact, or None where no store has it.

        Raises:
            FormatError: what the release names is no recipe.
            IntegrityError: it is not what the release promises.
            StoreError: a store cannot be read.
        """
        for store in self._stores:
            try:
                data = await store.recipe(artifact.recipe.digest)
            except (NotFoundError, IntegrityError, FormatError):
                continue
            if str(digest_of(data)) == artifact.recipe.digest:
                recipe = Recipe.parse(data)
                check_empty_files(recipe)
                artifact.check_recipe(recipe, release.budgets)
                return recipe
        return None
