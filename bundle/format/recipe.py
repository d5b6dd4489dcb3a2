"""Recipes: how one artifact is put together (spec §6).

A recipe is a header and columns, so that ten million chunks are read from a
mapped file without an object for any of them. ``Recipe.parse`` looks at every
value but the ids and digests, in windows, and tells ``release`` which ranges it
is done with; what it returns are views of the buffer.

>>> from bundle.format.recipe_builder import Literal, RecipeBuilder
>>> builder = RecipeBuilder()
>>> builder.add("a/b", Mode.FILE, 2, bytes(32), None, [Literal(b"hi")])
>>> recipe = Recipe.parse(builder.finish())
>>> recipe.path(0), recipe.total, recipe.literal(recipe.segments(0)[0])
('a/b', 2, b'hi')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import msgspec

from bundle.format.columns import view_of
from bundle.format.path_table import PathTable
from bundle.format.recipe_layout import Columns, Layout, Mode, SegmentKind
from bundle.format.recipe_rules import STRIDE, SegmentWalk, check_files, check_sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer

    from bundle.format.columns import Bytes, Indices, Longs, Release, Words

__all__ = ["Mode", "Recipe", "Segment", "SegmentKind"]


class Segment(msgspec.Struct, frozen=True):
    """Consecutive bytes of a file, ``size`` of them.

    A run of chunks is ``count`` rows of the chunk columns from row ``start``; a
    literal is ``count`` bytes of the literals from byte ``start``.
    """

    kind: SegmentKind
    start: int
    count: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A recipe that breaks no rule; its columns are views of the buffer.

    ``data`` are its bytes, ``depth`` is the most components of a path,
    ``name_bytes`` the most bytes of a component. ``marks`` hold, for every
    ``STRIDE``-th segment, how many chunks and how many literal bytes come before it.
    """

    data: memoryview
    columns: Columns
    table: PathTable
    marks: Indices
    depth: int
    name_bytes: int

    @classmethod
    def parse(cls, buffer: ReadableBuffer, *, release: Release | None = None) -> Self:
        """Return the recipe in ``buffer``, which holds it and nothing else.

        Args:
            buffer: any contiguous bytes, also a mapped file; it stays in use.
            release: called with the start and the end of ranges of bytes that
                are not needed in memory any more, so that a mapping drops them.

        Raises:
            TruncatedError: it stops too soon.
            LimitError: it asks for more than a reader allows.
            FormatError: rules 2.3, 2.4 and 6.
        """
        data = view_of(buffer)
        done = release or _keep
        columns = Columns.of(Layout.parse(data), data)
        check_files(columns)
        marks = SegmentWalk(columns, done).run()
        check_sizes(columns, done)
        table = PathTable(
            columns.path_end, columns.path_table, columns.layout.starts["path_table"]
        )
        table.check_ends(columns.layout.starts["path_end"])
        depth, name_bytes = table.check(columns.mode, done)
        return cls(data, columns, table, marks, depth, name_bytes)

    @property
    def files(self) -> int:
        """Rows: files and directories that are carried for their own sake."""
        return self.columns.layout.header.files

    @property
    def chunks(self) -> int:
        """Rows of the chunk columns; a chunk counts each time it is used."""
        return self.columns.layout.header.chunks

    @property
    def total(self) -> int:
        """Plain bytes of all files."""
        return self.columns.layout.header.total

    @property
    def sizes(self) -> Longs:
        """Plain bytes of each file."""
        return self.columns.size

    @property
    def modes(self) -> Bytes:
        """The ``Mode`` of each file."""
        return self.columns.mode

    @property
    def sha256(self) -> Bytes:
        """SHA-256 of each file, rows of 32 bytes; zeros for a directory."""
        return self.columns.sha256

    @property
    def git_sha1(self) -> Bytes:
        """Git's SHA-1 of each file, rows of 20 bytes; zeros where it is not used."""
        return self.columns.git_sha1

    @property
    def chunk_ids(self) -> Bytes:
        """The id of each chunk, rows of 32 bytes."""
        return self.columns.chunk_id

    @property
    def chunk_lengths(self) -> Words:
        """The plain bytes of each chunk."""
        return self.columns.chunk_length

    def path(self, file: int) -> str:
        """Return the path of one file."""
        return self.table[file]

    def paths(self) -> Iterator[str]:
        """Yield the path of each file, in ascending order."""
        return iter(self.table)

    def segments(self, file: int) -> list[Segment]:
        """Return what the content of one file is made of, in order."""
        columns = self.columns
        first = int(columns.segment_end[file - 1]) if file else 0
        last = int(columns.segment_end[file])
        if first == last:
            return []
        mark = first // STRIDE
        base = mark * STRIDE
        chunk, literal = self.marks[mark].tolist()
        kinds = columns.segment_kind[base:last].tolist()
        counts = columns.segment_count[base:last].tolist()
        sizes = columns.segment_size[base:last].tolist()
        found: list[Segment] = []
        rows = zip(kinds, counts, sizes, strict=True)
        for row, (kind, count, size) in enumerate(rows, base):
            start = chunk if kind == SegmentKind.CHUNKS else literal
            if row >= first:
                found.append(Segment(SegmentKind(kind), start, count, size))
            if kind == SegmentKind.CHUNKS:
                chunk += count
            else:
                literal += count
        return found

    def literal(self, segment: Segment) -> bytes:
        """Return the bytes of a literal segment."""
        start = segment.start
        return self.columns.literals[start : start + segment.count].tobytes()


def _keep(_start: int, _end: int) -> None:
    """Release nothing."""
