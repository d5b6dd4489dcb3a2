"""Kinds of content."""

from __future__ import annotations

import pytest

from bundle.codec.encoding import DENSE, TEXT, UNKNOWN, WIDTHS, Kind, elements

KINDS = [
    TEXT,
    DENSE,
    UNKNOWN,
    *[elements(width) for width in WIDTHS],
    *[elements(width, 1) for width in WIDTHS[1:]],
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_kind_is_one_byte_and_back(kind: Kind) -> None:
    assert 0 <= kind.code <= 255
    assert Kind.from_code(kind.code) == kind


def test_every_kind_has_its_own_code() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(
    ("width", "rotate"), [(0, 0), (3, 0), (16, 0), (2, 2), (2, -1), (1, 1)]
)
def test_no_such_elements(width: int, rotate: int) -> None:
    with pytest.raises(ValueError, match="no elements"):
        elements(width, rotate)
