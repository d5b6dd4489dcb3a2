from __future__ import annotations

import struct

import pytest
from blake3 import blake3

from bundle.digest import digest_of
from bundle.errors import FormatError, IntegrityError
from bundle.format.volume import (
    VolumeHeader,
    VolumeTail,
    frame_size,
    parse_volume_header,
    parse_volume_tail,
    serialize_volume_header,
    serialize_volume_tail,
)
from bundle.limits import MAX_VOLUMES
from tests.format.samples import (
    HELLO,
    NOTHING,
    assert_prefix,
    assert_refused,
    patched,
    tiny_volume,
    with_field,
)

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
