"""Volumes: files of frames with an index and a tail (spec §5).

Reading forward needs no index; reading one chunk needs only the tail, the index
and one frame. This module holds the header and the tail, which say where the
rest is; what goes between them is in ``frame`` and ``index``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from bundle.digest import Digest
from bundle.errors import FormatError, IntegrityError, LimitError
from bundle.format.columns import (
    CHECK_SIZE,
    FORMAT,
    RECORD_SIZE,
    Record,
    check_zero,
    view_of,
)
from bundle.format.frame import (
    ENTRY_SIZE,
    FRAME_MAGIC,
    FrameHeader,
    frame_of,
    frame_size,
    parse_frame,
    serialize_frame,
)
from bundle.limits import MAX_VOLUME, MAX_VOLUME_CHUNKS, MAX_VOLUMES

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "ENTRY_SIZE",
    "FANOUT_SIZE",
    "FRAME_MAGIC",
    "INDEX_ENTRY_SIZE",
    "FrameHeader",
    "VolumeHeader",
    "VolumeTail",
    "frame_of",
    "frame_size",
    "parse_frame",
    "parse_volume_header",
    "parse_volume_tail",
    "serialize_frame",
    "serialize_volume_header",
    "serialize_volume_tail",
]

FANOUT_SIZE: Final = 256 * 4
"""Bytes of the table that an index begins with."""

INDEX_ENTRY_SIZE: Final = 48
"""Bytes of a chunk in an index."""

_HEADER: Final = Record(
    "volume header", "5.1", b"\x89BDV\r\n\x1a\n", struct.Struct("<HHI40s")
)
_TAIL: Final = Record("volume tail", "5.4", b"BDV-TAIL", struct.Struct("<QII32s"))


@dataclass(frozen=True, slots=True)
class VolumeHeader:
    """Which volume of its bundle this is, counted from 1 (spec §5.1)."""

    number: int


def parse_volume_header(buffer: ReadableBuffer) -> VolumeHeader:
    """Return the header that a volume begins with.

    Raises:
        TruncatedError: fewer than 64 bytes.
        FormatError: rules 5.1.2 to 5.1.7.
    """
    data = view_of(buffer)
    version, flags, number, _ = _HEADER.parse(data)
    _HEADER.check_version(version, flags)
    check_zero(data, 16, RECORD_SIZE - CHECK_SIZE, rule="5.1.6")
    _check_number(number)
    return VolumeHeader(number)


def serialize_volume_header(header: VolumeHeader) -> bytes:
    """Return the 64 bytes that the volume begins with."""
    _check_number(header.number)
    return _HEADER.serialize(FORMAT, 0, header.number, bytes(40))


def _check_number(number: int) -> None:
    if not 1 <= number <= MAX_VOLUMES:
        raise FormatError(
            f"a volume has a number from 1 to {MAX_VOLUMES}, not {number}",
            rule="5.1.7",
            offset=12,
        )


@dataclass(frozen=True, slots=True)
class VolumeTail:
    """Where the index is and what it holds (spec §5.4)."""

    index_offset: int
    frames: int
    chunks: int
    index_digest: Digest

    @property
    def index_size(self) -> int:
        """Bytes of the index."""
        return FANOUT_SIZE + INDEX_ENTRY_SIZE * self.chunks

    @property
    def volume_size(self) -> int:
        """Bytes of the volume that ends with this tail."""
        return self.index_offset + self.index_size + RECORD_SIZE

    def check_index(self, index: bytes | memoryview) -> None:
        """Refuse an index other than the one this tail was written for.

        Raises:
            IntegrityError: its size or its digest is another.
        """
        if len(index) != self.index_size or (
            blake3(index).digest() != self.index_digest.raw
        ):
            raise IntegrityError("a volume's index is damaged", rule="5.4.7")


def parse_volume_tail(buffer: ReadableBuffer, volume_size: int) -> VolumeTail:
    """Return the tail in the last 64 bytes of a volume of ``volume_size`` bytes.

    Raises:
        TruncatedError: fewer than 64 bytes.
        FormatError: rules 5.4.1 to 5.4.6 and 5.5.1.
    """
    data = view_of(buffer)
    if len(data) > RECORD_SIZE:
        raise FormatError("a volume tail has 64 bytes", rule="5.4.1", offset=64)
    offset, frames, chunks, digest = _TAIL.parse(data)
    tail = VolumeTail(offset, frames, chunks, Digest(digest))
    _check_tail(tail)
    if tail.volume_size != volume_size:
        raise FormatError(
            f"the tail belongs to a volume of {tail.volume_size} bytes, "
            f"not of {volume_size}",
            rule="5.4.6",
            offset=8,
        )
    return tail


def serialize_volume_tail(tail: VolumeTail) -> bytes:
    """Return the 64 bytes that the volume ends with.

    Raises:
        FormatError: no volume can end like this.
    """
    _check_tail(tail)
    return _TAIL.serialize(
        tail.index_offset, tail.frames, tail.chunks, tail.index_digest.raw
    )


def _check_tail(tail: VolumeTail) -> None:
    smallest = RECORD_SIZE + RECORD_SIZE * tail.frames + ENTRY_SIZE * tail.chunks
    refusals = (
        (tail.frames == 0, "a volume without frames", "5.4.4", 16),
        (tail.chunks < tail.frames, "fewer chunks than frames", "5.4.4", 20),
        (tail.index_offset < smallest, "no room for the frames", "5.4.5", 8),
    )
    for refused, reason, rule, offset in refusals:
        if refused:
            raise FormatError(f"volume tail: {reason}", rule=rule, offset=offset)
    if tail.chunks > MAX_VOLUME_CHUNKS:
        raise LimitError(
            f"a volume of {tail.chunks} chunks, over {MAX_VOLUME_CHUNKS}",
            rule="5.5.3",
            offset=20,
        )
    if tail.volume_size > MAX_VOLUME:
        raise LimitError(
            f"a volume of {tail.volume_size} bytes, over {MAX_VOLUME}",
            rule="5.5.1",
            offset=8,
        )
