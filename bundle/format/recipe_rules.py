"""What a recipe's columns must say (spec §6.3 to §6.5), checked in windows.

Values are added up in an order that cannot overflow: first the lengths of
chunks, each at most 1 MiB; then the sizes of segments, each equal to what was
just added; then the sizes of files, equal again. Every chunk length and every
segment is looked at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.errors import FormatError, LimitError
from bundle.format.columns import first_true, sums_between, windows
from bundle.format.recipe_layout import Columns, Mode, SegmentKind
from bundle.limits import MAX_CHUNK, MAX_LITERAL

if TYPE_CHECKING:
    import numpy.typing as npt

    from bundle.format.columns import Bytes, Indices, Release

STRIDE: Final = 16
"""Segments between two marks: few enough to add up whenever a file is looked at."""


def check_files(columns: Columns) -> None:
    """Refuse wrong modes, segment ends that descend, and directories with content.

    Raises:
        FormatError: rules 6.4.1 to 6.4.4.
    """
    files = len(columns.mode)
    previous = 0
    for first, last in windows(0, files):
        modes, ends = columns.mode[first:last], columns.segment_end[first:last]
        _refuse(columns, "mode", first, modes > Mode.DIRECTORY, "6.4.1")
        before = np.concatenate([[np.uint32(previous)], ends[:-1]])
        _refuse(columns, "segment_end", first, ends < before, "6.4.4")
        previous = int(ends[-1])
        rows = modes == Mode.DIRECTORY
        full = (ends != before) | (columns.size[first:last] != 0)
        _refuse(columns, "size", first, rows & full, "6.4.2")
        if rows.any():
            for name in ("sha256", "git_sha1"):
                named: Bytes = getattr(columns, name)[first:last]
                _refuse(columns, name, first, rows & named.any(axis=1), "6.4.3")
    if previous != len(columns.segment_kind):
        raise FormatError(
            f"the files have {previous} segments, "
            f"the recipe {len(columns.segment_kind)}",
            rule="6.4.4",
            offset=columns.layout.starts["segment_end"],
        )


@dataclass(slots=True, eq=False)
class SegmentWalk:
    """Goes over the segments once; ``chunks`` and ``literals`` are those behind it.

    The first ``released`` lengths of chunks are not needed any more.
    """

    columns: Columns
    release: Release
    chunks: int = 0
    literals: int = 0
    released: int = 0
    kind_before: int = SegmentKind.LITERAL

    def run(self) -> Indices:
        """Return the marks: chunks and literal bytes before each STRIDE-th segment.

        Raises:
            FormatError: rule 6.5.
        """
        columns, header = self.columns, self.columns.layout.header
        marks = [
            self._window(first, last) for first, last in windows(0, header.segments)
        ]
        self._release_lengths(self.chunks)
        if self.chunks != header.chunks:
            raise FormatError(
                f"the runs have {self.chunks} chunks, the recipe {header.chunks}",
                rule="6.5.6",
                offset=columns.layout.starts["segment_count"],
            )
        if self.literals != header.literal_bytes:
            raise FormatError(
                f"the literals have {self.literals} bytes, "
                f"the recipe {header.literal_bytes}",
                rule="6.5.7",
                offset=columns.layout.starts["segment_count"],
            )
        return np.concatenate(marks) if marks else np.empty((0, 2), np.int64)

    def _window(self, first: int, last: int) -> Indices:
        columns = self.columns
        kinds = columns.segment_kind[first:last]
        self._check_kinds(first, kinds)
        counts = columns.segment_count[first:last].astype(np.int64)
        _refuse(columns, "segment_count", first, counts == 0, "6.5.2")
        runs = kinds == SegmentKind.CHUNKS
        chunk_ends = self.chunks + np.cumsum(np.where(runs, counts, 0))
        literal_ends = self.literals + np.cumsum(np.where(runs, 0, counts))
        over = chunk_ends > columns.layout.header.chunks
        _refuse(columns, "segment_count", first, over, "6.5.6")
        _refuse(
            columns, "segment_count", first, ~runs & (counts > MAX_LITERAL), "6.5.3"
        )
        sums = sums_between(
            columns.chunk_length, self.chunks, chunk_ends, self._check_lengths
        )
        sizes = columns.segment_size[first:last]
        _refuse(columns, "segment_size", first, ~runs & (sizes != counts), "6.5.4")
        _refuse(columns, "segment_size", first, runs & (sizes != sums), "6.5.5")
        marks = np.stack(
            [
                np.concatenate([[self.chunks], chunk_ends[:-1]])[::STRIDE],
                np.concatenate([[self.literals], literal_ends[:-1]])[::STRIDE],
            ],
            axis=1,
        )
        self.chunks, self.literals = int(chunk_ends[-1]), int(literal_ends[-1])
        self.kind_before = int(kinds[-1])
        for name in ("segment_kind", "segment_count", "segment_size"):
            self.release(columns.place(name, first), columns.place(name, last))
        return marks

    def _check_kinds(self, first: int, kinds: Bytes) -> None:
        columns = self.columns
        _refuse(columns, "segment_kind", first, kinds > SegmentKind.TRANSFORM, "6.5.1")
        _refuse(columns, "segment_kind", first, kinds == SegmentKind.TRANSFORM, "6.8.1")
        before = np.concatenate([[np.uint8(self.kind_before)], kinds[:-1]])
        pairs = np.flatnonzero((kinds | before) == SegmentKind.CHUNKS) + first
        if len(pairs) == 0:
            return
        # A run may follow a run only where a new file begins.
        ends = columns.segment_end
        at = np.searchsorted(ends, pairs.astype(np.uint32))
        within = ends[np.minimum(at, len(ends) - 1)] != pairs
        if within.any():
            raise FormatError(
                "two runs of chunks in a row in one file",
                rule="6.5.8",
                offset=columns.place("segment_kind", int(pairs[within.argmax()])),
            )

    def _check_lengths(self, first: int, last: int) -> None:
        lengths = self.columns.chunk_length[first:last]
        bad = (lengths == 0) | (lengths > MAX_CHUNK)
        _refuse(self.columns, "chunk_length", first, bad, "6.5.9")
        self._release_lengths(first)

    def _release_lengths(self, end: int) -> None:
        """Release what was added up; the window from ``end`` on is about to be."""
        place = self.columns.place
        self.release(place("chunk_length", self.released), place("chunk_length", end))
        self.released = end


def check_sizes(columns: Columns, release: Release) -> None:
    """Refuse files, or a total, that are not the sum of their segments.

    Raises:
        FormatError: rules 6.4.5 and 6.4.6.
    """
    header = columns.layout.header
    total, previous = 0, 0
    for first, last in windows(0, header.files):
        ends = columns.segment_end[first:last].astype(np.int64)
        sums = sums_between(columns.segment_size, previous, ends, lambda _, __: None)
        sizes = columns.size[first:last]
        _refuse(columns, "size", first, sizes != sums, "6.4.5")
        total += int(sums.sum())
        for name in ("segment_end", "size", "mode", "sha256", "git_sha1"):
            release(columns.place(name, first), columns.place(name, last))
        start = columns.place("segment_size", previous)
        previous = int(ends[-1])
        release(start, columns.place("segment_size", previous))
    if total != header.total:
        raise FormatError(
            f"the files have {total} bytes, the header says {header.total}",
            rule="6.4.6",
            offset=48,
        )


_REASONS: Final = {
    "6.4.1": "a mode that is not 0, 1 or 2",
    "6.4.2": "a directory with a size or with segments",
    "6.4.3": "a directory with a digest",
    "6.4.4": "the end of a file's segments is below the one before it",
    "6.4.5": "a file is not as long as its segments",
    "6.5.1": "a kind of segment that is not 0, 1 or 2",
    "6.5.2": "a segment of nothing",
    "6.5.3": f"a literal over {MAX_LITERAL} bytes",
    "6.5.4": "a literal whose size and count differ",
    "6.5.5": "a run of chunks is not as long as its chunks",
    "6.5.6": "a run of more chunks than there are",
    "6.5.9": f"a chunk that has not 1 to {MAX_CHUNK} bytes",
    "6.8.1": "a transform without the feature 'transforms'",
}
_LIMITS: Final = frozenset({"6.5.3", "6.5.9"})


def _refuse(
    columns: Columns, name: str, first: int, bad: npt.NDArray[np.bool_], rule: str
) -> None:
    """Refuse the first row that is ``bad``; row 0 of it is ``first`` of the column."""
    at = first_true(bad)
    if at >= 0:
        kind = LimitError if rule in _LIMITS else FormatError
        raise kind(_REASONS[rule], rule=rule, offset=columns.place(name, first + at))
