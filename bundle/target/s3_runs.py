"""Which runs of a new file objects in the bucket have already, by their recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bundle.digest import DIGEST_SIZE
from bundle.format.columns import keys_of, order_of
from bundle.format.recipe import SegmentKind
from bundle.s3.parts import Copy
from bundle.store.chunk_map import ChunkRows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.format.recipe import Recipe
    from bundle.store.chunk_map import Placed, SizeOf


class RunFinder:
    """The chunks of some objects, in the order in which they lie there.

    ``paths`` of the runs that are found are those of ``placed``.
    """

    def __init__(self, placed: Iterable[Placed], size_of: SizeOf) -> None:
        rows = ChunkRows(size_of)
        for one in placed:
            for file, path in one.places:
                rows.add(one.recipe, file, path)
        self._paths = rows.paths
        ids = np.concatenate([np.zeros((0, DIGEST_SIZE), np.uint8), *rows.ids])
        self._ids = keys_of(ids)
        self._owners = np.array(rows.owners, np.uint32).repeat(rows.counts)
        self._offsets = np.concatenate([np.zeros(0, np.uint64), *rows.offsets])
        self._order = order_of(ids)
        self._sorted = self._ids[self._order]

    def runs(self, recipe: Recipe, file: int) -> list[Copy]:
        """Return what objects have of a file, in order; the keys are paths."""
        runs: list[Copy] = []
        offset = 0
        for segment in recipe.segments(file):
            if segment.kind is SegmentKind.CHUNKS:
                first, last = segment.start, segment.start + segment.count
                runs += self._runs_of(recipe, first, last, offset)
            offset += segment.size
        return runs

    def _runs_of(
        self, recipe: Recipe, first: int, last: int, offset: int
    ) -> Iterable[Copy]:
        """Yield the runs among chunks that follow one another, as long as they go."""
        ids = keys_of(np.ascontiguousarray(recipe.chunk_ids[first:last]))
        lengths = recipe.chunk_lengths[first:last].tolist()
        found = np.searchsorted(self._sorted, ids)
        run: Copy | None = None
        row = -1
        for chunk, length, place in zip(ids, lengths, found.tolist(), strict=True):
            if run is not None and self._goes_on(row, run, chunk):
                row += 1
                run = Copy(run.offset, run.size + length, run.key, run.source)
            else:
                if run is not None:
                    yield run
                run = None
                if place < len(self._sorted) and self._sorted[place] == chunk:
                    row = int(self._order[place])
                    path = self._paths[self._owners[row]]
                    run = Copy(offset, length, path, int(self._offsets[row]))
            offset += length
        if run is not None:
            yield run

    def _goes_on(self, row: int, run: Copy, chunk: np.bytes_) -> bool:
        """Return whether the chunk after ``row`` is this one, in the same object."""
        after = row + 1
        return (
            after < len(self._ids)
            and self._ids[after] == chunk
            and bool(self._owners[after] == self._owners[row])
            and int(self._offsets[after]) == run.source + run.size
        )
