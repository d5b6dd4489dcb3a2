"""What has to be put together, and which chunk goes where.

Two files that are made of the same parts are one *content*, put together once.
The chunks of all contents are rows of columns: a frame's ids are looked up in a
batch, and no object is made for a chunk that is not at hand.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from bundle.format.columns import windows
from bundle.format.recipe import SegmentKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.format.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes with one SHA-256, and one of the files that say how they are made.

    Its chunks are the rows from ``first_row`` on. ``places`` are the files in
    staging that receive the bytes, one for each target that lacks them.
    """

    number: int
    recipe: Recipe
    index: int
    first_row: int
    places: list[Path] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return int(self.recipe.sizes[self.index])

    @property
    def sha256(self) -> bytes:
        """The SHA-256 that the recipe promises."""
        return bytes(self.recipe.sha256[self.index])

    @property
    def git_sha1(self) -> bytes:
        """The Git SHA-1 that the recipe promises; zeros where it has none."""
        return bytes(self.recipe.git_sha1[self.index])

    def steps(self) -> Iterator[int | bytes]:
        """Yield the content in order: numbers of rows, and literal bytes."""
        row = self.first_row
        for segment in self.recipe.segments(self.index):
            if segment.kind is SegmentKind.LITERAL:
                yield self.recipe.literal(segment)
            else:
                yield from range(row, row + segment.count)
                row += segment.count


class Contents:
    """The contents of one run and the columns of their chunks.

    ``owners``, ``offsets`` and ``lengths`` say for each row which content it
    belongs to, where in that content its bytes go, and how many they are.
    """

    def __init__(self) -> None:
        self.all: list[Content] = []
        self._known: dict[bytes, Content] = {}
        self._settled = False
        self._rows = 0
        self._parts: list[tuple[NDArray[np.uint8], NDArray[np.uint64]]] = []
        self.ids: NDArray[np.uint8] = np.zeros((0, 32), np.uint8)
        self.owners: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self.offsets: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.lengths: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        self._keys: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def add(self, recipe: Recipe, index: int) -> Content:
        """Return the content of file ``index``, new or known already."""
        key = _makeup(recipe, index)
        content = self._known.get(key)
        if content is None:
            content = Content(len(self.all), recipe, index, self._rows)
            self._known[key] = content
            self.all.append(content)
            self._rows += sum(
                segment.count
                for segment in recipe.segments(index)
                if segment.kind is SegmentKind.CHUNKS
            )
        return content

    def settle(self) -> None:
        """Make the columns, once; nothing can be added after that."""
        if self._settled:
            return
        self._settled = True
        self._known.clear()
        self.ids = np.empty((self._rows, 32), np.uint8)
        self.owners = np.empty(self._rows, np.uint32)
        self.offsets = np.empty(self._rows, np.uint64)
        self.lengths = np.empty(self._rows, np.uint32)
        for content in self.all:
            self._fill(content)
        keys = _prefixes(self.ids)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def _fill(self, content: Content) -> None:
        row, offset = content.first_row, 0
        for segment in content.recipe.segments(content.index):
            if segment.kind is SegmentKind.CHUNKS:
                chunks = slice(segment.start, segment.start + segment.count)
                rows = slice(row, row + segment.count)
                lengths = content.recipe.chunk_lengths[chunks]
                self.ids[rows] = content.recipe.chunk_ids[chunks]
                self.lengths[rows] = lengths
                ends = np.cumsum(lengths, dtype=np.uint64)
                self.offsets[rows] = ends - lengths + np.uint64(offset)
                self.owners[rows] = content.number
                row += segment.count
            offset += segment.size

    def rows_of(self, ids: NDArray[np.uint8]) -> list[list[int]]:
        """Return for each of ``ids`` (n, 32) the rows that want this chunk."""
        keys = _prefixes(ids)
        low = np.searchsorted(self._keys, keys, side="left").tolist()
        high = np.searchsorted(self._keys, keys, side="right").tolist()
        found: list[list[int]] = []
        for position, (first, last) in enumerate(zip(low, high, strict=True)):
            rows = self._order[first:last]
            same = (self.ids[rows] == ids[position]).all(axis=1)
            found.append(rows[same].tolist())
        return found


def _makeup(recipe: Recipe, index: int) -> bytes:
    """Return what two files share that are the same parts with the same digests.

    Equal digests alone would not do: a recipe may give the digest of one file to
    other parts, and has to be found out.
    """
    makeup = blake3(recipe.sha256[index].tobytes())
    makeup.update(recipe.git_sha1[index].tobytes())
    for segment in recipe.segments(index):
        makeup.update(struct.pack("<BQQ", segment.kind, segment.count, segment.size))
        if segment.kind is SegmentKind.LITERAL:
            makeup.update(recipe.literal(segment))
        else:
            for first, last in windows(segment.start, segment.start + segment.count):
                makeup.update(recipe.chunk_ids[first:last].tobytes())
                makeup.update(recipe.chunk_lengths[first:last].tobytes())
    return makeup.digest()


def _prefixes(ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first eight bytes of each id as a number that sorts like them."""
    return np.ascontiguousarray(ids[:, :8]).view(">u8").reshape(-1).astype(np.uint64)
