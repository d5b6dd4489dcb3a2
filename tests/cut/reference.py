"""Rule 11.6 as it is written, with nothing taken from the library it checks."""

from __future__ import annotations

import hashlib

GEAR = [
    int.from_bytes(hashlib.md5(bytes([byte]) * 64).digest()[:8], "big")  # noqa: S324
    for byte in range(256)
]
STRICT = 0x0000D90707537000
LOOSE = 0x0000D90313530000
SMALLEST, MIDDLE, LARGEST = 16 * 1024, 64 * 1024, 256 * 1024


def chunk_size(data: bytes, start: int) -> int:
    """Return the size of the chunk that starts at ``start``."""
    left = len(data) - start
    if left <= SMALLEST:
        return left
    left = min(left, LARGEST)
    even = left // 2 * 2
    middle = min(MIDDLE, even)
    value = 0
    for place in range(SMALLEST, even):
        value = (2 * value + GEAR[data[start + place]]) % 2**64
        if not value & (STRICT if place < middle else LOOSE):
            return place
    return left


def ends(data: bytes) -> list[int]:
    """Return where every chunk of ``data`` ends."""
    found = []
    place = 0
    while place < len(data):
        place += chunk_size(data, place)
        found.append(place)
    return found
