"""Index objects: which packs they cover, where frames are, and a segment (§51.4).

A segment has numbers for packs; here a table in front of it says which packs the
numbers mean, and where each of their frames begins and the last one ends. So
whoever knows a chunk's frame knows how many bytes to ask for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from bundle.digest import DIGEST_SIZE
from bundle.errors import FormatError, LimitError
from bundle.format.columns import FORMAT, RECORD_SIZE, Record, view_of
from bundle.limits import MAX_GENERATION, MAX_INDEX_PACKS, MAX_VOLUME
from bundle.store.s3_names import Content

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import ReadableBuffer

    from bundle.format.columns import Indices, Words
    from bundle.store.segment import Table

_HEADER: Final = Record(
    "pack table", "51.4", b"\x89BDN\r\n\x1a\n", struct.Struct("<HHIQ32s")
)
_ROW: Final = np.dtype(
    [("digest", f"{DIGEST_SIZE}u1"), ("generation", "<u8"), ("end", "<u8")]
)


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Where the frames of one pack begin, ascending; the last value is their end."""

    pack: Content
    offsets: Words

    def end_of(self, offset: int) -> int:
        """Return where the frame that begins at ``offset`` ends, or 0 if none does."""
        at = int(np.searchsorted(self.offsets, offset))
        if at + 1 >= len(self.offsets) or int(self.offsets[at]) != offset:
            return 0
        return int(self.offsets[at + 1])


def frames_of_pack(pack: Content, frame_offsets: Words, end: int) -> Frames:
    """Return the frames that the index of a pack names; ``end`` is where it begins."""
    offsets = np.unique(np.append(frame_offsets, np.uint32(end))).astype("<u4")
    return Frames(pack, offsets)


@dataclass(frozen=True, slots=True, eq=False)
class PackTable:
    """The packs of an index object, in the order of their numbers from 0."""

    packs: tuple[Frames, ...]

    def serialize(self) -> bytes:
        """Return the bytes that an index object begins with."""
        rows = np.zeros(len(self.packs), _ROW)
        counts = [len(one.offsets) for one in self.packs]
        for row, one in zip(rows, self.packs, strict=True):
            row["digest"] = np.frombuffer(one.pack.digest, np.uint8)
            row["generation"] = one.pack.generation
        rows["end"] = np.cumsum(counts, dtype=np.uint64)
        offsets = [one.offsets.astype("<u4").tobytes() for one in self.packs]
        header = _HEADER.serialize(FORMAT, 0, len(self.packs), sum(counts), bytes(32))
        return b"".join([header, rows.tobytes(), *offsets])

    @classmethod
    def parse(cls, buffer: ReadableBuffer) -> tuple[Self, int]:
        """Return the table that ``buffer`` begins with, and its size.

        Raises:
            TruncatedError, FormatError: rules 51.4.1 to 51.4.8.
        """
        data = view_of(buffer)
        version, flags, packs, frames, _ = _HEADER.parse(data)
        _HEADER.check_version(version, flags)
        if packs > MAX_INDEX_PACKS:
            raise LimitError(f"{packs} packs in one index", rule="51.4.6")
        start = RECORD_SIZE + _ROW.itemsize * packs
        size = start + 4 * frames
        if size > len(data):
            raise FormatError(
                f"{len(data)} bytes hold no table of {packs} packs",
                rule="51.4.7",
                offset=len(data),
            )
        rows = np.frombuffer(data, _ROW, packs, RECORD_SIZE)
        offsets = np.frombuffer(data, "<u4", frames, start)
        ends = rows["end"].astype(np.int64)
        _check(rows, ends, offsets)
        parts = np.split(offsets, ends[:-1]) if packs else []
        return cls(tuple(_frames(rows, parts))), size


def _check(rows: Table, ends: Indices, offsets: Words) -> None:
    counts = np.diff(ends, prepend=0)
    whole = int(ends[-1]) if len(ends) else 0
    if bool((counts < 2).any()) or whole != len(offsets):
        raise FormatError("ends of packs that do not ascend", rule="51.4.8")
    steps = np.diff(offsets.astype(np.int64))
    steps[ends[:-1] - 1] = 1
    if bool((steps <= 0).any()) or bool((offsets > MAX_VOLUME).any()):
        raise FormatError("frames that do not ascend", rule="51.4.8")
    if bool((rows["generation"] > MAX_GENERATION).any()):
        raise FormatError("a generation that no store has", rule="51.4.8")


def _frames(rows: Table, parts: Iterable[Words]) -> Iterable[Frames]:
    for row, part in zip(rows, parts, strict=True):
        yield Frames(Content(row["digest"].tobytes(), int(row["generation"])), part)
