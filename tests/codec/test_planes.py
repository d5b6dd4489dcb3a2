"""Byte planes, against the definition one element at a time."""

from __future__ import annotations

import numpy as np
import pytest
from blake3 import blake3

from bundle.codec.planes import Scratch, extract, join, words_of

SHAPES = [(1, 0), (2, 0), (2, 1), (4, 0), (4, 1), (8, 0), (8, 1)]
RANDOM = np.frombuffer(blake3(b"planes").digest(length=3 << 20), np.uint8)
each_shape = pytest.mark.parametrize(("width", "rotate"), SHAPES)


def naive(data: bytes, width: int, rotate: int) -> list[bytes]:
    """Return the planes, least significant first, as rule 10.3 defines them."""
    rows = []
    for start in range(0, len(data), width):
        value = int.from_bytes(data[start : start + width], "little")
        value = (value << rotate | value >> (8 * width - rotate)) % 256**width
        rows.append(value.to_bytes(width, "little"))
    return [bytes(row[plane] for row in rows) for plane in range(width)]


def split(data: np.ndarray, width: int, rotate: int) -> list[np.ndarray]:
    words = words_of(data, width)
    planes = [np.zeros(words.size, np.uint8) for _ in range(width)]
    for plane, out in enumerate(planes):
        extract(words, plane, rotate, out, Scratch())
    return planes


@each_shape
def test_planes_are_as_defined(width: int, rotate: int) -> None:
    data = RANDOM[: 1000 * width]
    planes = split(data, width, rotate)
    assert [plane.tobytes() for plane in planes] == naive(data.tobytes(), width, rotate)


@each_shape
@pytest.mark.parametrize("count", [1, 2, 7, 32768, 262_145, 300_001])
def test_joined_planes_are_the_elements(width: int, rotate: int, count: int) -> None:
    data = RANDOM[: count * width] if count * width <= RANDOM.size else RANDOM
    planes = split(data, width, rotate)
    out = np.zeros(data.size, np.uint8)
    join([*reversed(planes)], rotate, words_of(out, width), Scratch())
    assert np.array_equal(out, data)


@each_shape
def test_a_constant_plane_is_one_byte(width: int, rotate: int) -> None:
    data = RANDOM[: 500 * width].copy()
    planes = split(data, width, rotate)
    for plane, byte in ((width - 1, 0x5A), (0, 0)):
        planes[plane][:] = byte
        out, expected = np.zeros(data.size, np.uint8), np.zeros(data.size, np.uint8)
        join([*reversed(planes)], rotate, words_of(expected, width), Scratch())
        given: list[np.ndarray | int] = [*reversed(planes)]
        given[width - 1 - plane] = byte
        join(given, rotate, words_of(out, width), Scratch())
        assert np.array_equal(out, expected)


def test_unaligned_memory_is_as_good() -> None:
    room = np.zeros(4097, np.uint8)
    room[1:] = RANDOM[:4096]
    planes = split(room[1:], 2, 1)
    assert [plane.tobytes() for plane in planes] == naive(room[1:].tobytes(), 2, 1)
    out = np.zeros(4097, np.uint8)
    join([*reversed(planes)], 1, words_of(out[1:], 2), Scratch())
    assert np.array_equal(out, room)
