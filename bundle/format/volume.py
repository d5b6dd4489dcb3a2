"""Volumes: files of frames with an index and a tail (spec §5).

A frame is the unit of storage: a header of 64 bytes, a table with the id and
the length of each chunk, and the payload. A reader that knows 64 bytes of a
frame knows its size; a reader that lost its place finds the next frame by its
magic and check. Reading forward needs no index, reading one chunk needs only
the tail, the index and one frame.

This module holds the header, the frames and the tail; ``bundle.format.index``
holds the index.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from blake3 import blake3

from bundle.digest import DIGEST_SIZE, Digest
from bundle.errors import FormatError, IntegrityError, LimitError, TruncatedError
from bundle.format.columns import (
    CHECK_SIZE,
    FORMAT,
    RECORD_SIZE,
    Record,
    check_of,
    check_zero,
    keys_of,
    view_of,
)
from bundle.limits import (
    MAX_CHUNK,
    MAX_FRAME_CHUNKS,
    MAX_FRAME_PLAIN,
    MAX_FRAME_STORED,
    MAX_VOLUME,
    MAX_VOLUME_CHUNKS,
    MAX_VOLUMES,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from bundle.format.columns import Bytes, Words

FRAME_MAGIC: Final = b"\xf1BDF"
"""What a frame begins with; a byte above 0x7F keeps it out of text."""

ENTRY_SIZE: Final = DIGEST_SIZE + 4
"""Bytes of a chunk in a frame's table."""

FANOUT_SIZE: Final = 256 * 4
"""Bytes of the table that an index begins with."""

INDEX_ENTRY_SIZE: Final = 48
"""Bytes of a chunk in an index."""

RAW: Final = 0
ZSTD: Final = 1
PLANES: Final = 2

_HEADER: Final = Record(
    "volume header", "5.1", b"\x89BDV\r\n\x1a\n", struct.Struct("<HHI40s")
)
_TAIL: Final = Record("volume tail", "5.4", b"BDV-TAIL", struct.Struct("<QII32s"))
_FRAME: Final = struct.Struct("<4s4BIIII32s")
_ENTRY: Final = np.dtype([("id", "u1", DIGEST_SIZE), ("length", "<u4")])


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


@dataclass(frozen=True, slots=True, eq=False)
class FrameHeader:
    """What a frame says of its payload (spec §5.2).

    ``stored`` and ``plain`` are bytes of the payload as it lies there and after
    decoding. The chunks follow one another in the plain bytes: ``ids`` has a row
    of 32 bytes for each, ``lengths`` its bytes.
    """

    encoding: int
    width: int
    rotate: int
    flags: int
    stored: int
    plain: int
    ids: Bytes
    lengths: Words
    payload_digest: bytes

    @property
    def table_end(self) -> int:
        """Bytes from the start of the frame to its payload."""
        return RECORD_SIZE + ENTRY_SIZE * len(self.lengths)

    @property
    def size(self) -> int:
        """Bytes of the whole frame."""
        return self.table_end + self.stored

    def check_payload(self, payload: bytes | memoryview) -> None:
        """Refuse a payload other than the one this header was written for.

        Raises:
            IntegrityError: its size or its digest is another.
        """
        if len(payload) != self.stored or (
            blake3(payload).digest() != self.payload_digest
        ):
            raise IntegrityError(
                f"a frame's payload of {self.stored} bytes is damaged", rule="5.2.15"
            )


def frame_of(
    coding: tuple[int, int, int],
    ids: Bytes,
    lengths: Words,
    payload: bytes | memoryview,
) -> FrameHeader:
    """Return the header for ``payload``; ``coding`` is encoding, width and rotate."""
    return FrameHeader(
        *coding,
        flags=0,
        stored=len(payload),
        plain=int(lengths.sum(dtype=np.uint64)),
        ids=ids,
        lengths=lengths,
        payload_digest=blake3(payload).digest(),
    )


def frame_size(buffer: ReadableBuffer) -> int | None:
    """Return the bytes of the frame that begins here, or None below 64 bytes.

    The check is not looked at, since it covers the table; ``parse_frame`` does.

    Raises:
        FormatError: no frame begins here, or its header breaks rule 5.2.
    """
    data = view_of(buffer)
    if len(data) < RECORD_SIZE:
        return None
    fields = _FRAME.unpack(data[: _FRAME.size])
    _check_fixed(fields)
    return RECORD_SIZE + ENTRY_SIZE * int(fields[7]) + int(fields[5])


def parse_frame(buffer: ReadableBuffer) -> FrameHeader:
    """Return the header of the frame that begins here; its payload is not needed.

    Raises:
        TruncatedError: the header or the chunk table is not all there.
        FormatError: rules 5.2.2 to 5.2.14.
    """
    data = view_of(buffer)
    if len(data) < RECORD_SIZE:
        raise TruncatedError("a frame header", rule="5.2.1", offset=len(data))
    fields = _FRAME.unpack(data[: _FRAME.size])
    _check_fixed(fields)
    chunks = int(fields[7])
    end = RECORD_SIZE + ENTRY_SIZE * chunks
    if len(data) < end:
        raise TruncatedError(
            f"a frame's table of {chunks} chunks", rule="5.2.1", offset=len(data)
        )
    if data[_FRAME.size : RECORD_SIZE] != check_of(
        data[: _FRAME.size], data[RECORD_SIZE:end]
    ):
        raise FormatError(
            "the frame header is damaged: its check does not match",
            rule="5.2.3",
            offset=_FRAME.size,
        )
    table = np.frombuffer(data, _ENTRY, chunks, RECORD_SIZE)
    header = FrameHeader(
        encoding=fields[1],
        width=fields[2],
        rotate=fields[3],
        flags=fields[4],
        stored=fields[5],
        plain=fields[6],
        ids=table["id"].copy(),
        lengths=table["length"].copy(),
        payload_digest=fields[9],
    )
    _check_table(header)
    return header


def serialize_frame(
    header: FrameHeader, payload: bytes | memoryview
) -> list[bytes | memoryview]:
    """Return the buffers that, one after another, are the frame.

    Raises:
        FormatError: the header breaks rule 5.2.
        ValueError: ``payload`` is not as long as the header says.
    """
    if len(payload) != header.stored:
        raise ValueError(f"a payload of {len(payload)} bytes, not {header.stored}")
    fields = (
        FRAME_MAGIC,
        header.encoding,
        header.width,
        header.rotate,
        header.flags,
        header.stored,
        header.plain,
        len(header.lengths),
        0,
        header.payload_digest,
    )
    _check_fixed(fields)
    _check_table(header)
    table = np.empty(len(header.lengths), _ENTRY)
    table["id"] = header.ids
    table["length"] = header.lengths
    fixed, entries = _FRAME.pack(*fields), table.tobytes()
    return [fixed + check_of(fixed, entries) + entries, payload]


def _check_fixed(fields: tuple[object, ...]) -> None:
    """Refuse a frame header for what its first 56 bytes say."""
    magic, encoding, width, rotate, flags, stored, plain, chunks, reserved, _ = fields
    bounds = (
        ("stored bytes", stored, MAX_FRAME_STORED, "5.2.10", 8),
        ("plain bytes", plain, MAX_FRAME_PLAIN, "5.2.9", 12),
        ("chunks", chunks, MAX_FRAME_CHUNKS, "5.2.8", 16),
    )
    coded = (width or rotate) and encoding in (RAW, ZSTD)
    refusals = (
        (magic != FRAME_MAGIC, "no frame begins here", "5.2.2", 0),
        (encoding not in (RAW, ZSTD, PLANES), f"encoding {encoding}", "5.2.4", 4),
        (coded, f"width or rotate with encoding {encoding}", "5.2.6", 5),
        (flags, f"flags {flags:#x} without their feature", "5.2.7", 7),
        (encoding == RAW and stored != plain, "raw, but two sizes", "5.2.5", 8),
        (reserved, "a reserved byte is not zero", "5.2.11", 20),
    )
    for refused, reason, rule, offset in refusals:
        if refused:
            raise FormatError(f"frame header: {reason}", rule=rule, offset=offset)
    for noun, value, most, rule, offset in bounds:
        if not isinstance(value, int) or not 1 <= value <= most:
            raise LimitError(
                f"frame header: {value} {noun}, not 1 to {most}",
                rule=rule,
                offset=offset,
            )


def _check_table(header: FrameHeader) -> None:
    """Refuse a frame header for what its chunk table says."""
    lengths, chunks = header.lengths, len(header.lengths)
    if int(lengths.min()) == 0 or int(lengths.max()) > MAX_CHUNK:
        raise LimitError(
            f"a frame's chunk has 1 to {MAX_CHUNK} bytes",
            rule="5.2.12",
            offset=RECORD_SIZE,
        )
    if int(lengths.sum(dtype=np.uint64)) != header.plain:
        raise FormatError(
            "the lengths of a frame's chunks do not add up to its plain bytes",
            rule="5.2.13",
            offset=RECORD_SIZE,
        )
    if chunks > 1:
        keys = np.sort(keys_of(np.ascontiguousarray(header.ids)))
        if bool((keys[1:] == keys[:-1]).any()):
            raise FormatError(
                "a chunk is in a frame twice", rule="5.2.14", offset=RECORD_SIZE
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


assert _FRAME.size == RECORD_SIZE - CHECK_SIZE  # noqa: S101 - spec §5.2
