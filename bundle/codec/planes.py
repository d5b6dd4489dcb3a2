"""Numbers to byte planes and back (spec §10.3).

Plane 0 holds the least significant byte of every element, after the element was
rotated left by ``rotate`` bits. The arithmetic runs in blocks that stay in a
core's cache, and on whole arrays, so that other threads may run meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from bundle.limits import KIB

if TYPE_CHECKING:
    import numpy.typing as npt

Bytes: TypeAlias = "npt.NDArray[np.uint8]"
Words: TypeAlias = "npt.NDArray[Any]"
"""An array of unsigned integers of 1, 2, 4 or 8 bytes."""

_BLOCK: Final = 256 * KIB
_UNSIGNED: Final = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_SIGNED: Final = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}


class Scratch:
    """Room for one block of elements; for one thread at a time."""

    def __init__(self) -> None:
        self._one = np.empty(_BLOCK, np.uint8)
        self._two = np.empty(_BLOCK, np.uint8)

    def words(self, width: int, count: int) -> tuple[Words, Words]:
        """Return two arrays of ``count`` elements of ``width`` bytes."""
        dtype = _UNSIGNED[width]
        return self._one.view(dtype)[:count], self._two.view(dtype)[:count]

    def flags(self, count: int) -> npt.NDArray[np.bool_]:
        """Return an array of ``count`` truth values (shares the first room)."""
        return self._one.view(np.bool_)[:count]


def words_of(data: Bytes, width: int) -> Words:
    """Return ``data``, whose size is a multiple of ``width``, as elements."""
    return data.view(np.dtype(_UNSIGNED[width]).newbyteorder("<"))


def extract(
    words: Words, plane: int, rotate: int, out: Bytes, scratch: Scratch
) -> None:
    """Write plane ``plane`` of ``words`` to ``out``, one byte an element."""
    width = words.itemsize
    step = _BLOCK // width
    for start in range(0, words.size, step):
        block, part = words[start : start + step], out[start : start + step]
        if rotate and plane == 0:
            negative = scratch.flags(block.size)
            np.less(block.view(_SIGNED[width]), 0, out=negative)
            np.copyto(part, block, casting="unsafe")
            np.add(part, part, out=part)
            np.bitwise_or(part, negative.view(np.uint8), out=part)
        elif plane == 0:
            np.copyto(part, block, casting="unsafe")
        else:
            shifted, _ = scratch.words(width, block.size)
            np.right_shift(block, 8 * plane - rotate, out=shifted)
            np.copyto(part, shifted, casting="unsafe")


def join(planes: list[Bytes | int], rotate: int, out: Words, scratch: Scratch) -> None:
    """Fill ``out`` from its planes, most significant first.

    A plane that is the same byte everywhere may be given as that byte.
    """
    bits = 8 * out.itemsize
    step = _BLOCK // out.itemsize
    for start in range(0, out.size, step):
        block = out[start : start + step]
        words, spare = scratch.words(out.itemsize, block.size)
        _load(planes[0], start, words)
        for plane in planes[1:]:
            # numpy multiplies 16-bit words twice as fast as it shifts them left.
            np.multiply(words, 256, out=words)
            if not isinstance(plane, int) or plane:
                _load(plane, start, spare)
                np.bitwise_or(words, spare, out=words)
        if rotate:
            np.multiply(words, 1 << (bits - 1), out=spare)
            np.right_shift(words, 1, out=words)
            np.bitwise_or(words, spare, out=block)
        else:
            np.copyto(block, words)


def _load(plane: Bytes | int, start: int, words: Words) -> None:
    """Widen the bytes of ``plane`` from ``start`` on to fill ``words``."""
    if isinstance(plane, int):
        words.fill(plane)
    else:
        np.copyto(words, plane[start : start + words.size])
