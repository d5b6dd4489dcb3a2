"""Which chunks are known, as sorted fixed-width ids rather than Python objects.

New ids go into a small sorted segment; segments of like size are merged, so a
set of ten million ids is a few arrays of 32 bytes an id and a look-up of a
batch is a few binary searches (an LSM tree without the disk).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ID: Final = np.dtype("S32")


class ChunkSet:
    """A growing set of chunk ids, asked and extended a batch at a time."""

    def __init__(self) -> None:
        self._segments: list[NDArray[np.bytes_]] = []

    def __len__(self) -> int:
        return sum(len(segment) for segment in self._segments)

    def holds(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether it is in the set."""
        keys = _keys(ids)
        found = np.zeros(len(keys), dtype=np.bool_)
        for segment in self._segments:
            place = np.searchsorted(segment, keys)
            place[place == len(segment)] = 0
            found |= segment[place] == keys
        return found

    def sorted_ids(self) -> NDArray[np.uint8]:
        """Return all ids in ascending order, rows of 32 bytes."""
        if not self._segments:
            return np.zeros((0, _ID.itemsize), dtype=np.uint8)
        keys = np.sort(np.concatenate(self._segments))
        return keys.view(np.uint8).reshape(-1, _ID.itemsize)

    def add_new(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Add the rows of ``ids`` (n, 32); return which were new, once each."""
        new = ~self.holds(ids)
        keys = _keys(ids)
        _, first = np.unique(keys, return_index=True)
        once = np.zeros(len(keys), dtype=np.bool_)
        once[first] = True
        new &= once
        self._insert(np.sort(keys[new]))
        return new

    def _insert(self, segment: NDArray[np.bytes_]) -> None:
        """Add a sorted segment, merging those that are not much larger."""
        if not len(segment):
            return
        while self._segments and len(self._segments[-1]) < 2 * len(segment):
            segment = np.sort(np.concatenate([self._segments.pop(), segment]))
        self._segments.append(segment)


def _keys(ids: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """View rows of 32 bytes as one fixed-width key each."""
    return np.ascontiguousarray(ids).view(_ID).reshape(-1)
