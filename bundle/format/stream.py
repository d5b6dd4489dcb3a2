"""A bundle as one stream of bytes: entries of a name, a size and the bytes (spec §80).

>>> head = serialize_entry("approval.md", 5)
>>> Entry.parse(head[:64])
Entry(name_size=11, size=5)
>>> entry_name(head[64:])
'approval.md'
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from bundle.errors import FormatError, LimitError
from bundle.format import layout
from bundle.format.columns import FORMAT, Record

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAX_ENTRY_NAME: Final = 96
"""Bytes of the name of an entry: a signature's has 73."""

ENDING: Final = ""
"""The name of the entry after the last: it has no bytes, and nothing follows."""

_ENTRY: Final = Record(
    "stream entry", "80.1", b"\x89BDE\r\n\x1a\n", struct.Struct("<HHIQ32s")
)
_ENVELOPES: Final = re.compile(
    r"release\.json|bundle\.json|sig/[0-9a-f]{64}\.json"
    r"|trust/[1-9][0-9]{0,8}\.(root|roles)\.json",
    re.ASCII,
)
LISTS: Final = (layout.APPROVAL, layout.SHARDS, layout.RECIPES)
"""The entries of the second part, in their order (rule 80.2.2)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the record of an entry says: bytes of its name and of its content."""

    name_size: int
    size: int

    @classmethod
    def parse(cls, data: ReadableBuffer) -> Self:
        """Return what the 64 bytes of a record say.

        Raises:
            FormatError: rule 80.1.
        """
        version, flags, name_size, size, rest = _ENTRY.parse(memoryview(data))
        _ENTRY.check_version(version, flags)
        if any(rest):
            raise FormatError("an entry has reserved bytes", rule="80.1.6", offset=24)
        if name_size > MAX_ENTRY_NAME:
            raise LimitError(f"a name of {name_size} bytes", rule="80.1.7", offset=12)
        if not name_size and size:
            raise FormatError("an ending that has bytes", rule="80.1.9", offset=16)
        return cls(name_size, size)


def serialize_entry(name: str, size: int) -> bytes:
    """Return what comes before the ``size`` bytes of an entry."""
    data = name.encode()
    return _ENTRY.serialize(FORMAT, 0, len(data), size, bytes(32)) + data


def entry_name(data: ReadableBuffer) -> str:
    """Return the name of an entry.

    Raises:
        FormatError: it is not ASCII (rule 80.1.8).
    """
    try:
        return bytes(data).decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError("the name of an entry is not ASCII", rule="80.1.8") from error


def is_envelope(name: str) -> bool:
    """Say whether an entry of this name comes in the first part (rule 80.2.1)."""
    return _ENVELOPES.fullmatch(name) is not None


def check_name(name: str, expected: str) -> None:
    """Refuse an entry out of its order.

    Raises:
        FormatError: rule 80.2.
    """
    if name != expected:
        found = repr(name) if name else "the end"
        what = repr(expected) if expected else "the end"
        raise FormatError(f"{found} in a stream where {what} belongs", rule="80.2.2")
