"""Where chunks lie in files, as the recipes of these files say.

Sizes are looked at and nothing else: whoever reads a chunk hashes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from blake3 import blake3

from bundle.digest import DIGEST_SIZE
from bundle.format.columns import keys_of, order_of, windows
from bundle.format.recipe import Recipe, SegmentKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

SizeOf: TypeAlias = Callable[[str], int]
"""Returns the bytes of the file at a path, -1 where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A recipe and where its files are: indices of files, and paths below the root.

    A file may be at several paths; a path that leads to none is passed over.
    """

    digest: str
    recipe: Recipe
    places: Iterable[tuple[int, str]]


@dataclass(frozen=True, slots=True, eq=False)
class ChunkMap:
    """Where chunks lie: rows sorted by id; ``keys`` are the ids to compare."""

    recipes: dict[str, Recipe]
    paths: list[str]
    ids: NDArray[np.uint8]
    keys: NDArray[np.bytes_]
    owners: NDArray[np.uint32]
    offsets: NDArray[np.uint64]
    lengths: NDArray[np.uint32]

    @classmethod
    def of(cls, placed: Iterable[Placed], size_of: SizeOf) -> ChunkMap:
        """Look at every file once and note the chunks of those that are there."""
        rows = ChunkRows(size_of)
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


class ChunkRows:
    """Columns of an index in the making, one part for each file."""

    def __init__(self, size_of: SizeOf) -> None:
        self._size_of = size_of
        self._claimed: dict[str, bytes] = {}
        self._noted: set[tuple[str, bytes]] = set()
        self.paths: list[str] = []
        self.owners: list[int] = []
        """Indices of ``paths``, one for each run of chunks."""
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
