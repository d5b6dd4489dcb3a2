"""zip: cut where a large member's bytes start (spec §11.4).

PyTorch's ``.bin`` and ``.pt`` and NumPy's ``.npz`` are zip archives of stored
members, so that what is cut here are tensors again.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from bundle.codec.encoding import DENSE, UNKNOWN, elements
from bundle.cut.region import SMALL, PlanBuilder, Rule
from bundle.limits import KIB, MAX_ZIP_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.codec.encoding import Kind
    from bundle.cut.region import Read

_LOCAL: Final = struct.Struct("<4s22xHH")
_CENTRAL: Final = struct.Struct("<4s4xHH8xIIHHHH6xI")
_END: Final = struct.Struct("<4sHHHHIIH")
_END64: Final = struct.Struct("<4s12xIIQQQQ")
_LOCATOR: Final = struct.Struct("<4sIQI")
_EXTRA: Final = struct.Struct("<HH")
_ZIP64: Final = 1
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_TAIL: Final = 64 * KIB + _END.size
_ENCRYPTED: Final = 1

_NPY: Final = b"\x93NUMPY"
_NPY_HEADER: Final = {1: struct.Struct("<8xH"), 2: struct.Struct("<8xI")}
_NPY_DESCR: Final = re.compile(rb"'descr': *'[<|]([fiub])([1248])'")


class _Member(NamedTuple):
    """Where a member's header is, how many bytes follow, whether they are packed."""

    header: int
    size: int
    dense: bool


def describe(read: Read, size: int, head: bytes, builder: PlanBuilder) -> bool:
    """Add the regions of a zip archive; False if it does not look like one.

    Raises:
        ValueError: it looks like one and something is odd (rule 11.1.4).
    """
    if not head.startswith(b"PK\x03\x04"):
        return False
    end, length = _find_directory(read, size)
    members = sorted(_members(_exactly(read, end, length)))
    large = [member for member in members if member.size >= SMALL]
    if all(member.dense for member in large) and any(
        member.dense for member in members
    ):
        builder.add(0, Rule.FIXED, DENSE)
        return True
    place = last = 0
    for member in large:
        first, after = _span(read, member)
        if member.header < last or after > end:
            raise ValueError("a member over another or over the directory")
        last = after
        first, kind = (first, DENSE) if member.dense else _content(read, first, after)
        if after - first < SMALL:
            continue
        builder.add(place, Rule.FASTCDC, UNKNOWN)
        builder.add(first, Rule.FIXED, kind)
        place = after
    builder.add(place, Rule.FASTCDC, UNKNOWN)
    return True


def _exactly(read: Read, offset: int, size: int) -> bytes:
    data = read(offset, size)
    if len(data) != size:
        raise ValueError("short read")
    return data


def _find_directory(read: Read, size: int) -> tuple[int, int]:
    """Return offset and size of the central directory."""
    before = max(0, size - _TAIL)
    tail = _exactly(read, before, size - before)
    place = tail.rfind(b"PK\x05\x06")
    if place < 0:
        raise ValueError("no end of the directory")
    _, disk, first_disk, _, count, length, offset, comment = _END.unpack_from(
        tail, place
    )
    if disk or first_disk or place + _END.size + comment != len(tail):
        raise ValueError("an odd end of the directory")
    limit = before + place
    if count == _FULL16 or _FULL32 in (length, offset):
        mark, disk, limit, _ = _LOCATOR.unpack_from(tail, place - _LOCATOR.size)
        if mark != b"PK\x06\x07" or disk or not 0 <= limit < size:
            raise ValueError("an odd end of the directory")
        record = _END64.unpack(_exactly(read, limit, _END64.size))
        mark, disk, first_disk, _, _, length, offset = record
        if mark != b"PK\x06\x06" or disk or first_disk:
            raise ValueError("an odd end of the directory")
    if length > MAX_ZIP_DIRECTORY or offset + length > limit:
        raise ValueError("the directory is too large or out of place")
    return offset, length


def _members(directory: bytes) -> Iterator[_Member]:
    """Yield the members of a central directory."""
    place = 0
    while place < len(directory):
        mark, flags, method, packed, plain, names, extras, comment, disk, header = (
            _CENTRAL.unpack_from(directory, place)
        )
        if mark != b"PK\x01\x02" or disk:
            raise ValueError("an odd entry in the directory")
        extra = place + _CENTRAL.size + names
        place = extra + extras + comment
        if place > len(directory):
            raise ValueError("an entry past the directory")
        if _FULL32 in (packed, plain, header):
            packed, header = _zip64(
                directory[extra : extra + extras], (plain, packed, header)
            )
        yield _Member(header, packed, bool(method) or bool(flags & _ENCRYPTED))


def _zip64(extras: bytes, fields: tuple[int, int, int]) -> tuple[int, int]:
    """Return packed size and header offset with the 64-bit values put in."""
    place = 0
    while place + _EXTRA.size <= len(extras):
        kind, size = _EXTRA.unpack_from(extras, place)
        place += _EXTRA.size
        if kind == _ZIP64:
            values = iter(struct.unpack_from(f"<{size // 8}Q", extras, place))
            _, packed, header = (
                next(values, -1) if field == _FULL32 else field for field in fields
            )
            if min(packed, header) < 0:
                break
            return packed, header
        place += size
    raise ValueError("a 64-bit value is missing")


def _span(read: Read, member: _Member) -> tuple[int, int]:
    """Return where a member's bytes start and end."""
    mark, names, extras = _LOCAL.unpack(_exactly(read, member.header, _LOCAL.size))
    if mark != b"PK\x03\x04":
        raise ValueError("no header where a member is due")
    start = member.header + _LOCAL.size + names + extras
    return start, start + member.size


def _content(read: Read, start: int, end: int) -> tuple[int, Kind]:
    """Return where the numbers of a stored member start, and their kind.

    That is after the header of an ``.npy`` array, else at its first byte.
    """
    mark = read(start, 12)
    layout = _NPY_HEADER.get(mark[6]) if mark.startswith(_NPY) else None
    if layout is None:
        return start, UNKNOWN
    (length,) = layout.unpack_from(mark)
    if length > 64 * KIB or start + layout.size + length > end:
        return start, UNKNOWN
    found = _NPY_DESCR.search(read(start + layout.size, length))
    kind = UNKNOWN
    if found is not None:
        width = int(found[2])
        kind = elements(width, int(found[1] == b"f" and width > 2))
    return start + layout.size + length, kind
