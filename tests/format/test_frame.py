from __future__ import annotations

import struct

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from bundle.codec.encoding import Encoding
from bundle.errors import FormatError, IntegrityError
from bundle.format.frame import (
    FrameHeader,
    frame_of,
    frame_size,
    parse_frame,
    serialize_frame,
)
from bundle.limits import MAX_CHUNK
from tests.format.samples import assert_prefix, assert_refused, ids_of, patched

RAW, ZSTD, PLANES = Encoding


def frame(
    coding: tuple[int, int, int] = (RAW, 0, 0),
    chunks: tuple[bytes, ...] = (b"first", b"second"),
    payload: bytes | None = None,
) -> tuple[FrameHeader, bytes]:
    stored = b"".join(chunks) if payload is None else payload
    lengths = np.array([len(chunk) for chunk in chunks], np.uint32)
    return frame_of(coding, ids_of(*chunks), lengths, stored), stored


FRAMES = {
    "raw": frame(),
    "raw, one chunk of one byte": frame(chunks=(b"x",)),
    "raw, a chunk of 1 MiB": frame(chunks=(bytes(MAX_CHUNK), b"y")),
    "zstd": frame((ZSTD, 0, 0), payload=b"squeezed"),
    "planes": frame((PLANES, 2, 1), payload=b"planes"),
}


@pytest.mark.parametrize(("header", "payload"), FRAMES.values(), ids=FRAMES.keys())
def test_a_frame_is_read_back(header: FrameHeader, payload: bytes) -> None:
    data = b"".join(serialize_frame(header, payload))
    assert len(data) == header.size == frame_size(data[:64])
    found = parse_frame(data[: header.table_end])
    assert found.size == header.size
    assert found.ids.tolist() == header.ids.tolist()
    found.check_payload(data[found.table_end :])
    assert b"".join(serialize_frame(found, payload)) == data
    assert_prefix(parse_frame, data, header.table_end)


def test_a_frame_is_these_bytes() -> None:
    header, payload = frame(chunks=(b"x", b"yz"))
    fixed = b"\xf1BDF" + bytes([0, 0, 0, 0]) + struct.pack("<IIII", 3, 3, 2, 0)
    fixed += blake3(b"xyz").digest()
    table = blake3(b"x").digest() + b"\1\0\0\0" + blake3(b"yz").digest() + b"\2\0\0\0"
    check = blake3(fixed + table).digest(8)
    written = b"".join(serialize_frame(header, payload))
    assert written == fixed + check + table + b"xyz"


@pytest.mark.parametrize("end", [0, 1, 63])
def test_the_size_of_a_frame_is_open_below_64_bytes(end: int) -> None:
    header, payload = frame()
    assert frame_size(b"".join(serialize_frame(header, payload))[:end]) is None


FRAME = b"".join(serialize_frame(*frame()))
ZSTD_FRAME = b"".join(serialize_frame(*frame((ZSTD, 0, 0), payload=b"squeezed")))
BAD_FIXED = {
    "no magic": (patched(FRAME, 0, b"\xf0"), "5.2.2", 0),
    "an encoding of the future": (patched(FRAME, 4, b"\3"), "5.2.4", 4),
    "raw with a width": (patched(FRAME, 5, b"\1"), "5.2.6", 5),
    "raw with a rotation": (patched(FRAME, 6, b"\1"), "5.2.6", 5),
    "zstd with a width": (patched(ZSTD_FRAME, 5, b"\2"), "5.2.6", 5),
    "a delta without its feature": (patched(FRAME, 7, b"\1"), "5.2.7", 7),
    "a bitmap without its feature": (patched(FRAME, 7, b"\2"), "5.2.7", 7),
    "a flag of the future": (patched(FRAME, 7, b"\x80"), "5.2.7", 7),
    "raw with two sizes": (patched(FRAME, 8, b"\x0c"), "5.2.5", 8),
    "nothing stored": (patched(ZSTD_FRAME, 8, bytes(4)), "5.2.10", 8),
    "4 MiB and a byte stored": (
        patched(ZSTD_FRAME, 8, struct.pack("<I", (4 << 20) + 1)),
        "5.2.10",
        8,
    ),
    "nothing in it": (patched(ZSTD_FRAME, 12, bytes(4)), "5.2.9", 12),
    "a bomb": (patched(ZSTD_FRAME, 12, b"\xff" * 4), "5.2.9", 12),
    "no chunks": (patched(FRAME, 16, bytes(4)), "5.2.8", 16),
    "more chunks than a frame may have": (
        patched(FRAME, 16, struct.pack("<I", (1 << 16) + 1)),
        "5.2.8",
        16,
    ),
    "a reserved byte in use": (patched(FRAME, 23, b"\1"), "5.2.11", 20),
}


@pytest.mark.parametrize(
    ("data", "rule", "at"), BAD_FIXED.values(), ids=BAD_FIXED.keys()
)
def test_a_frame_header_is_refused_for(data: bytes, rule: str, at: int) -> None:
    assert_refused(frame_size, data, rule, at)
    assert_refused(parse_frame, data, rule, at)


@pytest.mark.parametrize("offset", range(64 + 2 * 36))
def test_no_byte_of_a_frame_header_can_change_unnoticed(offset: int) -> None:
    damaged = patched(FRAME, offset, bytes([FRAME[offset] ^ 4]))
    with pytest.raises(FormatError):
        parse_frame(damaged)


def with_table(*entries: tuple[bytes, int], plain: int) -> bytes:
    """Return a frame with this chunk table and a check that is right."""
    fixed = bytearray(FRAME[:56])
    fixed[4] = ZSTD
    fixed[12:20] = struct.pack("<II", plain, len(entries))
    table = b"".join(id_ + struct.pack("<I", length) for id_, length in entries)
    return bytes(fixed) + blake3(bytes(fixed) + table).digest(8) + table


A, B = b"a" * 32, b"b" * 32
BAD_TABLES = {
    "an empty chunk": (with_table((A, 0), (B, 9), plain=9), "5.2.12"),
    "a chunk over 1 MiB": (with_table((A, MAX_CHUNK + 1), plain=1), "5.2.12"),
    "lengths that wrap around": (
        with_table((A, 0xFFFFFFFF), (B, 2), plain=1),
        "5.2.12",
    ),
    "lengths below the plain bytes": (with_table((A, 4), (B, 4), plain=9), "5.2.13"),
    "lengths above the plain bytes": (with_table((A, 4), (B, 4), plain=7), "5.2.13"),
    "a chunk twice": (with_table((A, 4), (B, 4), (A, 4), plain=12), "5.2.14"),
}


@pytest.mark.parametrize(("data", "rule"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_a_chunk_table_is_refused_for(data: bytes, rule: str) -> None:
    assert_refused(parse_frame, data, rule, 64)


@pytest.mark.parametrize(
    "payload",
    [b"firstsecone", b"firstsecon", b"firstsecondd", b""],
    ids=["another byte", "a byte less", "a byte more", "nothing"],
)
def test_a_damaged_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_frame(FRAME).check_payload(payload)
    assert caught.value.rule == "5.2.15"


def test_a_payload_is_not_written_under_another_header() -> None:
    header, _ = frame()
    with pytest.raises(ValueError, match="a payload of 5 bytes, not 11"):
        serialize_frame(header, b"other")


@given(
    st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8, unique=True)
)
def test_any_frame_is_read_back(chunks: list[bytes]) -> None:
    header, payload = frame(chunks=tuple(chunks))
    data = b"".join(serialize_frame(header, payload))
    assert b"".join(serialize_frame(parse_frame(data), payload)) == data


@given(st.integers(0, len(FRAME) - 12), st.binary(min_size=1, max_size=8))
def test_a_frame_header_is_accepted_as_it_is_or_refused(
    offset: int, new: bytes
) -> None:
    end = 64 + 2 * 36
    changed = patched(FRAME, offset, new)[: len(FRAME)]
    covered = changed[:56] + changed[64:end]
    changed = patched(changed, 56, blake3(covered).digest(8))
    try:
        found = parse_frame(changed)
    except FormatError:
        return
    payload = bytes(found.stored)
    assert b"".join(serialize_frame(found, payload))[:end] == changed[:end]


def test_a_frame_outlives_its_buffer() -> None:
    buffer = bytearray(FRAME)
    header = parse_frame(buffer)
    before = header.ids.tolist(), header.lengths.tolist()
    buffer[64:136] = bytes(72)
    assert (header.ids.tolist(), header.lengths.tolist()) == before


@pytest.mark.parametrize(
    ("coding", "rule"), [((7, 0, 0), "5.2.4"), ((RAW, 1, 0), "5.2.6")]
)
def test_no_frame_is_written_that_no_reader_takes(
    coding: tuple[int, int, int], rule: str
) -> None:
    with pytest.raises(FormatError, match=rf"rule {rule}"):
        serialize_frame(*frame(coding))
