"""The field with 256 elements that parity is computed in (spec §70.3).

Elements are bytes. Sums are exclusive or; products are those of polynomials over
two elements, modulo x⁸ + x⁴ + x³ + x² + 1. Bytes in bulk are multiplied two at a
time, by a table of all pairs for each factor.

>>> product(0x80, 2) == 0x1D, product(inverse(7), 7) == 1
(True, True)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pairs: TypeAlias = NDArray[np.uint16]

MODULUS: Final = 0x11D
"""The polynomial that products are taken by, as a number."""

ORDER: Final = 255
"""Elements but zero; all of them are powers of 2."""


def _powers() -> list[int]:
    powers, value = [], 1
    for _ in range(ORDER):
        powers.append(value)
        value <<= 1
        if value > ORDER:
            value ^= MODULUS
    return powers


_POWER: Final = _powers() * 2
_EXPONENT: Final = {value: exponent for exponent, value in enumerate(_POWER[:ORDER])}


def product(one: int, other: int) -> int:
    """Return the product of two elements."""
    if not one or not other:
        return 0
    return _POWER[_EXPONENT[one] + _EXPONENT[other]]


def inverse(element: int) -> int:
    """Return what ``element``, which is not 0, gives 1 with."""
    return _POWER[ORDER - _EXPONENT[element]]


def coefficient(data: int, row: int, member: int) -> int:
    """Return the factor of a member in a parity shard, both counted from 0.

    A group has ``data`` members; 1 / ((data + row) xor member), rule 70.3.3.
    """
    return inverse((data + row) ^ member)


@cache
def _pairs(factor: int) -> Pairs:
    """Return the product of ``factor`` with each pair of bytes: 128 KiB."""
    single = np.array([product(factor, byte) for byte in range(256)], np.uint16)
    return (single[:, None] << np.uint16(8) | single[None, :]).reshape(-1)


def add_product(total: Pairs, factor: int, values: Pairs, scratch: Pairs) -> None:
    """Add ``factor`` times ``values`` to ``total``; ``scratch`` is overwritten.

    Bytes are seen in pairs, so there is an even number of them.
    """
    np.take(_pairs(factor), values, out=scratch, mode="clip")
    np.bitwise_xor(total, scratch, out=total)


def inverted(matrix: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the inverse of a square matrix.

    Raises:
        ValueError: it has none.
    """
    size = len(matrix)
    rows = [
        [*row, *(int(column == number) for column in range(size))]
        for number, row in enumerate(matrix)
    ]
    for column in range(size):
        pivot = next((row for row in range(column, size) if rows[row][column]), None)
        if pivot is None:
            raise ValueError("a matrix without an inverse")
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = inverse(rows[column][column])
        rows[column] = [product(scale, value) for value in rows[column]]
        for number, row in enumerate(rows):
            if number != column and row[column]:
                rows[number] = _less(row, row[column], rows[column])
    return [row[size:] for row in rows]


def _less(row: list[int], factor: int, other: list[int]) -> list[int]:
    return [
        value ^ product(factor, taken) for value, taken in zip(row, other, strict=True)
    ]
