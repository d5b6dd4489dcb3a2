"""Numbers to byte planes and back (spec §10.3).

Plane 0 holds the least significant byte of every element, after the element was
rotated left by ``rotate`` bits. The arithmetic runs on blocks large enough that the
calls cost nothing beside it, and other threads may run meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from bundle.limits import MIB

if TYPE_CHECKING:
    import numpy.typing as npt

Bytes: TypeAlias = "npt.NDArray[np.uint8]"
Words: TypeAlias = "npt.NDArray[Any]"
"""An array of unsigned integers of 1, 2, 4 or 8 bytes."""

_BLOCK: Final = MIB
_UNSIGNED: Final = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_SIGNED: Final = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}


class Scratch:
    """Room for one block of elements; for one thread at a time."""

    def __init__(self) -> None:
        self._room = np.empty(_BLOCK, np.uint8)

    def words(self, width: int, count: int) -> Words:
        """Return an array of ``count`` elements of ``width`` bytes."""
        return self._room.view(_UNSIGNED[width])[:count]

    def flags(self, count: int) -> npt.NDArray[np.bool_]:
        """Return an array of ``count`` truth values, in the same room."""
        return self._room.view(np.bool_)[:count]


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
            shift = 8 * plane - rotate
            dtype = _UNSIGNED[width]
            np.right_shift(block, shift, out=part, dtype=dtype, casting="unsafe")


def join(planes: list[Bytes | int], rotate: int, out: Words, scratch: Scratch) -> None:
    """Fill ``out`` from its planes, most significant first.

    A plane that is the same byte everywhere may be given as that byte.
    """
    width = out.itemsize
    step = _BLOCK // width
    for start in range(0, out.size, step):
        block = out[start : start + step]
        parts = [
            one if isinstance(one, int) else one[start : start + step] for one in planes
        ]
        _stack(parts, block)
        if rotate:
            # numpy multiplies 16-bit words twice as fast as it shifts them left.
            low = scratch.words(width, block.size)
            np.multiply(block, 1 << (8 * width - 1), out=low)
            np.right_shift(block, 1, out=block)
            np.bitwise_or(block, low, out=block)


def _stack(planes: list[Bytes | int], out: Words) -> None:
    """Fill ``out`` from its planes, before the rotation.

    Bytes are widened by the operations that use them, a few thousand at a time.
    """
    first, *rest = planes
    if isinstance(first, int):
        out.fill(first)
    elif not rest:
        np.copyto(out, first)
    above: Words = out if isinstance(first, int) else first
    for plane in rest:
        np.multiply(above, 256, out=out, dtype=_UNSIGNED[out.itemsize])
        if not isinstance(plane, int) or plane:
            np.bitwise_or(out, plane, out=out)
        above = out
