"""tar: cut where the bytes of a large member start and end (spec §11.7).

An image's layer is a tar. A large member is cut as a file of its own would be, so
that it shares chunks with that very file anywhere else: in another layer, in a
directory, in a cache of models. What lies between, headers and small members, is
cut by content.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from bundle.codec.encoding import UNKNOWN
from bundle.cut.region import PlanBuilder, Rule
from bundle.limits import KIB, MAX_TAR_MEMBERS, MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bundle.cut.region import Plan, Read

LARGE: Final = 64 * KIB
"""Bytes from which on a member is cut on its own (rule 11.7.3)."""

_BLOCK: Final = 512
_WINDOW: Final = 64 * KIB
_MAGIC: Final = slice(257, 262)
_SUM: Final = slice(148, 156)
_SIZE: Final = slice(124, 136)
_TYPE: Final = 156
_BLANK_SUM: Final = 8 * ord(" ")
_BINARY: Final = 0x80
_PAX: Final = ord("x")
_WITHOUT_DATA: Final = frozenset(b"123456")
_SPARSE: Final = ord("S")
_MAX_PAX: Final = 1 * MIB
_OCTAL: Final = re.compile(rb"[ ]*([0-7]+)[ \0]*")
_RECORD: Final = re.compile(rb"(\d{1,7}) ([^=]+)=")
_DIGITS: Final = re.compile(rb"\d{1,19}")


class _Member(NamedTuple):
    """Where the bytes of a member start and end, without its padding."""

    start: int
    end: int


def describe(
    read: Read,
    size: int,
    head: bytes,
    builder: PlanBuilder,
    *,
    inside: Callable[[Read, int], Plan],
) -> bool:
    """Add the regions of a tar; False if it does not look like one.

    ``inside`` returns the plan of a large member.

    Raises:
        ValueError: it looks like one and something is odd (rule 11.1.4).
    """
    if head[_MAGIC] != b"ustar" or not _is_header(head[:_BLOCK]):
        return False
    place = 0
    for member in _members(_Window(read, size), size):
        if member.end - member.start < LARGE:
            continue
        if place < member.start:
            builder.add(place, Rule.FASTCDC, UNKNOWN)
        _add_member(read, member, builder, inside)
        place = member.end
    if place < size:
        builder.add(place, Rule.FASTCDC, UNKNOWN)
    return True


def _add_member(
    read: Read,
    member: _Member,
    builder: PlanBuilder,
    inside: Callable[[Read, int], Plan],
) -> None:
    """Cut a member as a file of its content."""
    start, length = member.start, member.end - member.start

    def part(offset: int, size: int) -> bytes:
        return read(start + offset, min(size, length - offset))

    for region in inside(part, length).regions():
        builder.add(start + region.start, region.rule, region.kind)


class _Window:
    """Reads headers that follow closely together, many at a time."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._start = 0
        self._data = b""

    def block(self, offset: int) -> bytes:
        """Return the block at ``offset``; a shorter one at the end of the file."""
        place = offset - self._start
        if place < 0 or place + _BLOCK > len(self._data):
            self._start, place = offset, 0
            self._data = self._read(offset, min(_WINDOW, self._size - offset))
        return self._data[place : place + _BLOCK]

    def exactly(self, offset: int, size: int) -> bytes:
        """Return bytes that have to be there.

        Raises:
            ValueError: the file ends before.
        """
        data = self._read(offset, size)
        if len(data) != size:
            raise ValueError("a member past the end")
        return data


def _members(window: _Window, size: int) -> Iterator[_Member]:
    """Yield what has bytes, header after header, until an empty block or the end."""
    place = 0
    announced: int | None = None
    for _ in range(MAX_TAR_MEMBERS):
        block = window.block(place) if place < size else b""
        if not block.strip(b"\0"):
            return
        if not _is_header(block):
            raise ValueError("no header where one is due")
        kind = block[_TYPE]
        if kind == _SPARSE:
            raise ValueError("a sparse member")
        length = 0 if kind in _WITHOUT_DATA else _number(block[_SIZE])
        if kind == _PAX:
            announced = _announced(window, place + _BLOCK, length)
        elif kind not in b"gLK":
            length, announced = announced or length, None
        start = place + _BLOCK
        if start + length > size:
            raise ValueError("a member past the end")
        yield _Member(start, start + length)
        place = start + -(-length // _BLOCK) * _BLOCK
    raise ValueError("too many members")


def _is_header(block: bytes) -> bool:
    """Return whether the sum of a block is the one that it states."""
    stated = _OCTAL.fullmatch(block[_SUM])
    if len(block) != _BLOCK or stated is None:
        return False
    return sum(block) - sum(block[_SUM]) + _BLANK_SUM == int(stated[1], 8)


def _number(field: bytes) -> int:
    """Return a size: octal digits, or binary after a first byte of 0x80."""
    if field[0] == _BINARY:
        return int.from_bytes(field[1:], "big")
    digits = _OCTAL.fullmatch(field)
    if digits is None:
        if field.strip(b" \0"):
            raise ValueError("an odd size")
        return 0
    return int(digits[1], 8)


def _announced(window: _Window, offset: int, length: int) -> int | None:
    """Return the size that the records before a member give it, or None."""
    if length > _MAX_PAX:
        raise ValueError("too many records")
    records = window.exactly(offset, length)
    found = None
    place = 0
    while place < length:
        record = _RECORD.match(records, place)
        if record is None or not int(record[1]):
            raise ValueError("an odd record")
        end = place + int(record[1])
        if end > length or end <= record.end():
            raise ValueError("a record past the end")
        if record[2] == b"size":
            value = _DIGITS.fullmatch(records, record.end(), end - 1)
            if value is None:
                raise ValueError("an odd size")
            found = int(value[0])
        place = end
    return found
