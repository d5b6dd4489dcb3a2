"""How bytes are stored, and how a piece of content likes to be stored.

An ``Encoding`` is what a frame says of itself; a reader obeys it (spec §10.1).
A ``Kind`` is a hint from whoever cut the content to the encoder, which is free
to ignore it: no byte of it is written anywhere.

>>> elements(2, 1)
Kind(encoding=<Encoding.PLANES: 2>, width=2, rotate=1)
>>> Kind.from_code(elements(2, 1).code) == elements(2, 1)
True
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

WIDTHS: Final = (1, 2, 4, 8)
"""Bytes an element may have (rule 10.3.1)."""

_UNKNOWN_CODE: Final = 0xFF


class Encoding(IntEnum):
    """How the payload of a frame is made from its plain bytes (rule 10.1.1)."""

    RAW = 0
    ZSTD = 1
    PLANES = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """What to try first on some content; ``encoding`` None means: look at it.

    ``width`` is bytes per element and ``rotate`` bits to rotate each element
    left by, both 0 unless the encoding is ``PLANES``.
    """

    encoding: Encoding | None
    width: int = 0
    rotate: int = 0

    @property
    def code(self) -> int:
        """The kind as one byte, for columns of kinds."""
        if self.encoding is None:
            return _UNKNOWN_CODE
        return self.encoding << 5 | self.rotate << 4 | self.width

    @classmethod
    def from_code(cls, code: int) -> Self:
        """Return the kind whose ``code`` this is."""
        if code == _UNKNOWN_CODE:
            return cls(None)
        return cls(Encoding(code >> 5), code & 15, code >> 4 & 1)


TEXT: Final = Kind(Encoding.ZSTD)
"""Prose, code, JSON, vocabularies: general compression."""

DENSE: Final = Kind(Encoding.RAW)
"""Already compressed: stored as it is unless a cheap look says otherwise."""

UNKNOWN: Final = Kind(None)
"""Nobody knows; the encoder takes a sample."""


def elements(width: int, rotate: int = 0) -> Kind:
    """Return the kind of an array of numbers of ``width`` bytes each.

    ``rotate`` 1 is for binary floating point with an 8- or 11-bit exponent: it
    moves the sign out of the way, so that the exponent fills a byte plane.

    Raises:
        ValueError: no such elements.
    """
    if width not in WIDTHS or rotate not in (0, 1) or (rotate and width == 1):
        raise ValueError(f"no elements of width {width} rotated by {rotate}")
    return Kind(Encoding.PLANES, width, rotate)
