"""Where the columns of a recipe lie (spec §6.1 and §6.2).

The header counts, and the counts alone decide where each column begins: one
table of columns serves the reader and the writer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from bundle.errors import FormatError, LimitError, TruncatedError
from bundle.format.columns import (
    FORMAT,
    RECORD_SIZE,
    Record,
    align,
    check_zero,
    column,
)
from bundle.limits import MAX_FILES, MAX_RECIPE

if TYPE_CHECKING:
    import numpy.typing as npt

    from bundle.format.columns import Bytes, Longs, Words

_HEADER: Final = Record(
    "recipe header", "6.1", b"\x89BDR\r\n\x1a\n", struct.Struct("<HHIIIQQQQ")
)
_STEP: Final = 8


class Column(NamedTuple):
    """A column: ``width`` values of type ``kind`` for each of ``counted``."""

    name: str
    kind: str
    width: int
    counted: str

    @property
    def row(self) -> int:
        """Bytes of one row."""
        return self.width * int(self.kind[-1])


COLUMNS: Final = (
    Column("path_end", "<u4", 1, "files"),
    Column("segment_end", "<u4", 1, "files"),
    Column("size", "<u8", 1, "files"),
    Column("mode", "<u1", 1, "files"),
    Column("sha256", "<u1", 32, "files"),
    Column("git_sha1", "<u1", 20, "files"),
    Column("segment_kind", "<u1", 1, "segments"),
    Column("segment_count", "<u4", 1, "segments"),
    Column("segment_size", "<u8", 1, "segments"),
    Column("chunk_id", "<u1", 32, "chunks"),
    Column("chunk_length", "<u4", 1, "chunks"),
    Column("literals", "<u1", 1, "literal_bytes"),
    Column("path_table", "<u1", 1, "path_bytes"),
)
"""Every column, in the order in which they lie."""

_ROWS: Final = {kind.name: kind.row for kind in COLUMNS}


class Mode(IntEnum):
    """What a row of a recipe is."""

    FILE = 0
    EXECUTABLE = 1
    DIRECTORY = 2


class SegmentKind(IntEnum):
    """Where the bytes of a segment come from."""

    CHUNKS = 0
    LITERAL = 1
    TRANSFORM = 2


@dataclass(frozen=True, slots=True)
class RecipeHeader:
    """How much a recipe holds; ``total`` is the plain bytes of all of its files."""

    files: int
    segments: int
    chunks: int
    literal_bytes: int
    path_bytes: int
    total: int

    @classmethod
    def parse(cls, data: memoryview) -> Self:
        """Return the header that a recipe begins with.

        Raises:
            TruncatedError: fewer than 64 bytes.
            FormatError: rule 6.1.
        """
        version, flags, files, segments, transforms, *counts = _HEADER.parse(data)
        _HEADER.check_version(version, flags)
        if transforms:
            raise FormatError(
                "the recipe needs the feature 'transforms'", rule="6.8.1", offset=20
            )
        if files > MAX_FILES:
            raise LimitError(
                f"{files} files, over {MAX_FILES}", rule="6.1.6", offset=12
            )
        return cls(files, segments, *counts)

    def serialize(self) -> bytes:
        """Return the 64 bytes that the recipe begins with."""
        counts = (self.chunks, self.literal_bytes, self.path_bytes, self.total)
        return _HEADER.serialize(FORMAT, 0, self.files, self.segments, 0, *counts)


@dataclass(frozen=True, slots=True)
class Layout:
    """The header of a recipe and, by name, the first byte of each column."""

    header: RecipeHeader
    starts: dict[str, int]
    size: int

    @classmethod
    def of(cls, header: RecipeHeader) -> Self:
        """Return where the columns lie in a recipe with this header.

        Raises:
            LimitError: it would be larger than a reader takes.
        """
        starts: dict[str, int] = {}
        end = RECORD_SIZE
        for kind in COLUMNS:
            starts[kind.name] = align(end, _STEP)
            end = starts[kind.name] + kind.row * getattr(header, kind.counted)
        if end > MAX_RECIPE:
            raise LimitError(
                f"a recipe of {end} bytes, over {MAX_RECIPE}", rule="6.2.3", offset=12
            )
        return cls(header, starts, end)

    @classmethod
    def parse(cls, data: memoryview) -> Self:
        """Return the layout of the recipe that ``data`` is.

        Raises:
            TruncatedError: it stops too soon.
            FormatError: rules 6.1 and 6.2.
        """
        layout = cls.of(RecipeHeader.parse(data))
        if len(data) != layout.size:
            kind = TruncatedError if len(data) < layout.size else FormatError
            raise kind(
                f"the recipe has {len(data)} bytes, its header says {layout.size}",
                rule="6.2.1",
                offset=min(len(data), layout.size),
            )
        end = RECORD_SIZE
        for kind_ in COLUMNS:
            start = layout.starts[kind_.name]
            check_zero(data, end, start, rule="6.2.2")
            end = start + kind_.row * getattr(layout.header, kind_.counted)
        return layout


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Every column of a recipe, read in place, and where each of them lies."""

    layout: Layout
    path_end: Words
    segment_end: Words
    size: Longs
    mode: Bytes
    sha256: Bytes
    git_sha1: Bytes
    segment_kind: Bytes
    segment_count: Words
    segment_size: Longs
    chunk_id: Bytes
    chunk_length: Words
    literals: Bytes
    path_table: Bytes

    @classmethod
    def of(cls, layout: Layout, data: memoryview) -> Self:
        """Return the columns of ``data``, whose size ``layout`` has checked."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        for kind in COLUMNS:
            rows = getattr(layout.header, kind.counted)
            start = layout.starts[kind.name]
            values = column(data, kind.kind, start, rows * kind.width)
            arrays[kind.name] = (
                values.reshape(rows, kind.width) if kind.width > 1 else values
            )
        return cls(layout, **arrays)

    def place(self, name: str, row: int) -> int:
        """Return the byte at which a row of the column ``name`` begins."""
        return self.layout.starts[name] + _ROWS[name] * row
