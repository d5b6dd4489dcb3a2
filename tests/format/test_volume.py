from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from bundle.digest import digest_of
from bundle.errors import FormatError, IntegrityError
from bundle.format.volume import (
    PLANES,
    RAW,
    ZSTD,
    FrameHeader,
    VolumeHeader,
    VolumeTail,
    frame_of,
    frame_size,
    parse_frame,
    parse_volume_header,
    parse_volume_tail,
    serialize_frame,
    serialize_volume_header,
    serialize_volume_tail,
)
from bundle.limits import MAX_CHUNK, MAX_VOLUMES
from tests.format.samples import (
    HELLO,
    NOTHING,
    assert_prefix,
    assert_refused,
    ids_of,
    patched,
    rechecked,
    tiny_volume,
    with_field,
)

if TYPE_CHECKING:
    import numpy.typing as npt

HEADERS = {
    "the first volume": (
        VolumeHeader(1),
        b"\x89BDV\r\n\x1a\n" + b"\1\0\0\0" + b"\1\0\0\0" + bytes(40),
    ),
    "the last volume there can be": (
        VolumeHeader(MAX_VOLUMES),
        b"\x89BDV\r\n\x1a\n" + b"\1\0\0\0" + b"\x9f\x86\1\0" + bytes(40),
    ),
}


@pytest.mark.parametrize(("header", "body"), HEADERS.values(), ids=HEADERS.keys())
def test_a_volume_header_is_these_bytes(header: VolumeHeader, body: bytes) -> None:
    data = body + blake3(body).digest(8)
    assert serialize_volume_header(header) == data
    assert parse_volume_header(data) == header
    assert_prefix(parse_volume_header, data, 64)


HEADER = serialize_volume_header(VolumeHeader(1))
BAD_HEADERS = {
    "the magic of a recipe": (patched(HEADER, 3, b"R"), "5.1.2", 0),
    "a newline that was translated": (patched(HEADER, 4, b"\n"), "5.1.2", 0),
    "a damaged number": (patched(HEADER, 12, b"\2"), "5.1.3", 56),
    "a format this reader is too old for": (with_field(HEADER, 8, "H", 2), "5.1.4", 8),
    "a flag": (with_field(HEADER, 10, "H", 1), "5.1.5", 10),
    "a reserved byte in use": (with_field(HEADER, 16, "B", 1), "5.1.6", 16),
    "the last reserved byte in use": (with_field(HEADER, 55, "B", 1), "5.1.6", 55),
    "volume 0": (with_field(HEADER, 12, "I", 0), "5.1.7", 12),
    "a number of six digits": (with_field(HEADER, 12, "I", 100_000), "5.1.7", 12),
}


@pytest.mark.parametrize(
    ("data", "rule", "at"), BAD_HEADERS.values(), ids=BAD_HEADERS.keys()
)
def test_a_volume_header_is_refused_for(data: bytes, rule: str, at: int) -> None:
    assert_refused(parse_volume_header, data, rule, at)


def test_no_volume_is_written_that_cannot_be_read() -> None:
    for number in (0, 100_000):
        with pytest.raises(FormatError):
            serialize_volume_header(VolumeHeader(number))


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


def tail_of(offset: int, frames: int, chunks: int) -> bytes:
    body = b"BDV-TAIL" + struct.pack("<QII", offset, frames, chunks) + bytes(32)
    return body + blake3(body).digest(8)


TAILS = {
    "one frame of one chunk": (VolumeTail(165, 1, 1, NOTHING), 165 + 1072 + 64),
    "many": (VolumeTail(1 << 30, 300, 9000, NOTHING), (1 << 30) + 433_024 + 64),
}


@pytest.mark.parametrize(("tail", "size"), TAILS.values(), ids=TAILS.keys())
def test_a_tail_is_these_bytes(tail: VolumeTail, size: int) -> None:
    data = tail_of(tail.index_offset, tail.frames, tail.chunks)
    assert serialize_volume_tail(tail) == data
    assert parse_volume_tail(data, size) == tail
    for end in range(64):
        assert_refused(lambda cut: parse_volume_tail(cut, size), data[:end], "5.4.1")
    assert_refused(lambda long: parse_volume_tail(long, size), data + b"\0", "5.4.1")


def sized(offset: int, chunks: int) -> int:
    return offset + 1024 + 48 * chunks + 64


GOOD = tail_of(165, 1, 1)
BAD_TAILS = {
    "another magic": (patched(GOOD, 7, b"l"), sized(165, 1), "5.4.2"),
    "a damaged offset": (patched(GOOD, 8, b"\xa6"), sized(166, 1), "5.4.3"),
    "no frames": (tail_of(165, 0, 1), sized(165, 1), "5.4.4"),
    "no chunks": (tail_of(165, 1, 0), sized(165, 0), "5.4.4"),
    "fewer chunks than frames": (tail_of(400, 2, 1), sized(400, 1), "5.4.4"),
    "an index inside the header": (tail_of(63, 1, 1), sized(63, 1), "5.4.5"),
    "an index inside the first frame": (tail_of(163, 1, 1), sized(163, 1), "5.4.5"),
    "a volume that is longer": (GOOD, sized(165, 1) + 1, "5.4.6"),
    "a volume that is shorter": (GOOD, sized(165, 1) - 1, "5.4.6"),
    "an offset that wraps around": (tail_of((1 << 64) - 1, 1, 1), 1000, "5.5.1"),
    "more than FAT32 takes": (
        tail_of((4 << 30) - (64 << 10) - 1135, 1, 1),
        (4 << 30) - (64 << 10) + 1,
        "5.5.1",
    ),
    "an index of over 96 MiB": (
        tail_of(1 << 30, 1, (1 << 21) + 1),
        sized(1 << 30, (1 << 21) + 1),
        "5.5.3",
    ),
}


@pytest.mark.parametrize(
    ("data", "size", "rule"), BAD_TAILS.values(), ids=BAD_TAILS.keys()
)
def test_a_tail_is_refused_for(data: bytes, size: int, rule: str) -> None:
    assert_refused(lambda tail: parse_volume_tail(tail, size), data, rule)


def test_a_damaged_index_is_refused() -> None:
    data = tiny_volume()
    tail = parse_volume_tail(data[-64:], len(data))
    index = data[tail.index_offset : -64]
    tail.check_index(index)
    for damaged in (index[:-1], index + b"\0", patched(index, 0, b"\1")):
        with pytest.raises(IntegrityError) as caught:
            tail.check_index(damaged)
        assert caught.value.rule == "5.4.7"
    assert tail.index_digest == digest_of(index)


def test_the_parts_of_a_volume_meet() -> None:
    data = tiny_volume()
    assert parse_volume_header(data).number == 1
    size = frame_size(memoryview(data)[64:])
    tail = parse_volume_tail(data[-64:], len(data))
    assert size is not None
    assert tail.index_offset == 64 + size
    assert data[64 + 64 + 36 : 64 + size] == HELLO


def columns_of(header: FrameHeader) -> tuple[npt.NDArray[np.uint8], list[int]]:
    return header.ids, header.lengths.tolist()


def test_a_frame_outlives_its_buffer() -> None:
    buffer = bytearray(FRAME)
    header = parse_frame(buffer)
    before = columns_of(header)[1]
    buffer[64:136] = bytes(72)
    assert columns_of(header)[1] == before
    assert rechecked(bytes(64)) != bytes(64)
