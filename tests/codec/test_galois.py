from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from bundle.codec.galois import add_product, coefficient, inverse, inverted, product

BYTES = st.integers(0, 255)


def slow_product(one: int, other: int) -> int:
    """Multiply polynomials a bit at a time and take the remainder."""
    total = 0
    for bit in range(8):
        if other >> bit & 1:
            total ^= one << bit
    for bit in range(14, 7, -1):
        if total >> bit & 1:
            total ^= 0x11D << bit - 8
    return total


def test_products_are_those_of_polynomials() -> None:
    for one in range(256):
        for other in range(0, 256, 7):
            assert product(one, other) == slow_product(one, other)


def test_every_element_but_zero_has_an_inverse() -> None:
    assert all(product(element, inverse(element)) == 1 for element in range(1, 256))


@given(st.binary(min_size=2, max_size=64).filter(lambda data: len(data) % 2 == 0))
def test_bytes_in_bulk_are_multiplied_like_single_ones(data: bytes) -> None:
    values = np.frombuffer(data, np.uint16)
    for factor in (0, 1, 2, 0x8E, 255):
        total = np.zeros_like(values)
        add_product(total, factor, values, np.empty_like(values))
        assert total.tobytes() == bytes(product(factor, byte) for byte in data)


@pytest.mark.parametrize(("data", "parity"), [(1, 254), (127, 128), (250, 5)])
def test_any_square_part_of_the_matrix_has_an_inverse(data: int, parity: int) -> None:
    size = min(data, parity, 12)
    matrix = [
        [coefficient(data, row, member) for member in range(data - size, data)]
        for row in range(parity - size, parity)
    ]
    back = inverted(matrix)
    for row in range(size):
        for column in range(size):
            total = 0
            for step in range(size):
                total ^= product(matrix[row][step], back[step][column])
            assert total == int(row == column)


def test_a_matrix_without_an_inverse_is_refused() -> None:
    with pytest.raises(ValueError, match="without an inverse"):
        inverted([[1, 2], [1, 2]])
