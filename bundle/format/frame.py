"""Frames: the unit of compression and storage (spec §5.2).

A frame is a header of 64 bytes, a table with the id and the length of each
chunk, and the payload. Whoever knows the first 64 bytes knows the size of the
frame; whoever lost its place finds the next frame by magic and check.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from blake3 import blake3

from bundle.codec.encoding import Encoding
from bundle.digest import DIGEST_SIZE
from bundle.errors import FormatError, IntegrityError, LimitError, TruncatedError
from bundle.format.columns import RECORD_SIZE, check_of, keys_of, view_of
from bundle.limits import (
    MAX_CHUNK,
    MAX_FRAME_CHUNKS,
    MAX_FRAME_PLAIN,
    MAX_FRAME_STORED,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from bundle.format.columns import Bytes, Words

FRAME_MAGIC: Final = b"\xf1BDF"
"""What a frame begins with; a byte above 0x7F keeps it out of text."""

ENTRY_SIZE: Final = DIGEST_SIZE + 4
"""Bytes of a chunk in a frame's table."""

_FRAME: Final = struct.Struct("<4s4BIIII32s")
_ENTRY: Final = np.dtype([("id", "u1", DIGEST_SIZE), ("length", "<u4")])
_ENCODINGS: Final = frozenset(Encoding)
_WITHOUT_WIDTH: Final = frozenset({Encoding.RAW, Encoding.ZSTD})


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
    coded = (width or rotate) and encoding in _WITHOUT_WIDTH
    unequal = encoding == Encoding.RAW and stored != plain
    refusals = (
        (magic != FRAME_MAGIC, "no frame begins here", "5.2.2", 0),
        (encoding not in _ENCODINGS, f"encoding {encoding}", "5.2.4", 4),
        (coded, f"width or rotate with encoding {encoding}", "5.2.6", 5),
        (flags, f"flags {flags:#x} without their feature", "5.2.7", 7),
        (unequal, "raw, but two sizes", "5.2.5", 8),
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
