"""Parity files: shards that make good what is lost of a bundle (spec §70).

A file says twice what it is, at its front and at its back, so that neither a
damaged beginning nor a torn tail takes the parity in between away. With that come
the digests of its own shards, and copies of the small files without which damage
could not be located. Nothing in it is signed: whatever is taken from it has to be
what the bundle's signatures describe.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from blake3 import blake3

from bundle.digest import DIGEST_SIZE
from bundle.errors import FormatError, IntegrityError, LimitError, TruncatedError
from bundle.format.columns import FORMAT, RECORD_SIZE, Record, view_of
from bundle.format.stripes import Stripes
from bundle.limits import MAX_PARITY_HEAD, MAX_VOLUME, MAX_VOLUMES, SHARD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import ReadableBuffer

_HEADER: Final = Record(
    "parity header", "70.4", b"\x89BDP\r\n\x1a\n", struct.Struct("<HHIIIHHIII16s")
)
_HEAD_CHECK: Final = 16
_NAME_SIZE: Final = 56
_ENTRY: Final = struct.Struct(f"<{_NAME_SIZE}sQ")
_COPIED: Final = re.compile(
    r"(release|bundle)\.json|shards\.bds|approval\.md"
    r"|trust/[1-9][0-9]{0,15}\.(root|roles)\.json",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ParityHeader:
    """What one parity file holds; ``head_check`` is of the head beside it.

    ``first`` is the position of its first shard among all parity shards,
    ``copies`` counts the small files in the head, of ``head_size`` bytes.
    """

    number: int
    stripes: Stripes
    first: int
    count: int
    copies: int
    head_size: int
    head_check: bytes

    @property
    def front_size(self) -> int:
        """Bytes before the first shard, and again after the last."""
        return RECORD_SIZE + self.head_size

    def file_size(self, shard: int = SHARD) -> int:
        """Return the bytes of the whole file."""
        return 2 * self.front_size + self.count * shard


@dataclass(frozen=True, slots=True)
class ParityHead:
    """What a parity file says of its shards, and the small files it repeats.

    ``shards`` is the digest of the shards.bds that it was made with, ``digests``
    are those of its own shards, 32 bytes each in a row.
    """

    shards: bytes
    digests: bytes
    copies: Mapping[str, bytes]

    def check(self, position: int, data: ReadableBuffer) -> bool:
        """Say whether ``data`` is the shard at ``position`` of this file."""
        start = position * DIGEST_SIZE
        return blake3(data).digest() == self.digests[start : start + DIGEST_SIZE]


def parse_parity_header(buffer: ReadableBuffer) -> ParityHeader:
    """Return the record that a parity file begins and ends with.

    Raises:
        TruncatedError: fewer than 64 bytes.
        LimitError: the file would be larger than a medium takes.
        FormatError: rules 70.2 and 70.4.
    """
    version, flags, number, *rest = _HEADER.parse(view_of(buffer))
    _HEADER.check_version(version, flags)
    shards, groups, parity, copies, first, count, head_size, check = rest
    header = ParityHeader(
        number,
        Stripes(shards, groups, parity),
        first,
        count,
        copies,
        head_size,
        check,
    )
    _check_header(header)
    return header


def serialize_parity_header(header: ParityHeader) -> bytes:
    """Return the 64 bytes of the record.

    Raises:
        FormatError: no parity file can have it.
    """
    _check_header(header)
    stripes = header.stripes
    return _HEADER.serialize(
        FORMAT,
        0,
        header.number,
        stripes.shards,
        stripes.groups,
        stripes.parity,
        header.copies,
        header.first,
        header.count,
        header.head_size,
        header.head_check,
    )


def _check_header(header: ParityHeader) -> None:
    if not 1 <= header.number <= MAX_VOLUMES:
        raise FormatError(
            f"a parity file has a number from 1 to {MAX_VOLUMES}, not {header.number}",
            rule="70.4.6",
            offset=12,
        )
    if header.count < 1 or header.first + header.count > header.stripes.total:
        raise FormatError(
            f"parity shards {header.first} to {header.first + header.count} "
            f"of {header.stripes.total}",
            rule="70.4.7",
            offset=28,
        )
    least = DIGEST_SIZE + header.count * DIGEST_SIZE + header.copies * _ENTRY.size
    if not least <= header.head_size:
        raise FormatError(
            f"a head of {header.head_size} bytes, at least {least} belong there",
            rule="70.4.8",
            offset=36,
        )
    if header.head_size > MAX_PARITY_HEAD or header.file_size() > MAX_VOLUME:
        raise LimitError(
            f"a parity file of {header.file_size()} bytes with a head of "
            f"{header.head_size}",
            rule="70.4.9",
            offset=36,
        )


def parse_parity_head(header: ParityHeader, buffer: ReadableBuffer) -> ParityHead:
    """Return the head that belongs to ``header``.

    Raises:
        TruncatedError: it is not all there.
        IntegrityError: it is damaged (rule 70.4.10).
        FormatError: rules 70.4.11 and 70.4.12.
    """
    data = view_of(buffer)
    if len(data) != header.head_size:
        raise TruncatedError(
            f"a parity head has {header.head_size} bytes, here are {len(data)}",
            rule="70.4.8",
            offset=len(data),
        )
    if blake3(data).digest(_HEAD_CHECK) != header.head_check:
        raise IntegrityError("the head of a parity file is damaged", rule="70.4.10")
    table = DIGEST_SIZE + header.count * DIGEST_SIZE
    return ParityHead(
        bytes(data[:DIGEST_SIZE]),
        bytes(data[DIGEST_SIZE:table]),
        _parse_copies(data[table:], header.copies, table),
    )


def _parse_copies(data: memoryview, count: int, base: int) -> dict[str, bytes]:
    start = count * _ENTRY.size
    found: dict[str, bytes] = {}
    previous = ""
    for number in range(count):
        raw, size = _ENTRY.unpack_from(data, number * _ENTRY.size)
        name = raw.rstrip(b"\0").decode("ascii", "replace")
        if _COPIED.fullmatch(name) is None or name <= previous:
            raise FormatError(
                f"a copy of {name[:40]!r}, which is none or out of order",
                rule="70.4.11",
                offset=base + number * _ENTRY.size,
            )
        if size > len(data) - start:
            break
        found[name] = bytes(data[start : start + size])
        start, previous = start + size, name
    if start != len(data) or len(found) != count:
        raise FormatError(
            "the copies do not fill the head", rule="70.4.12", offset=base
        )
    return found


def serialize_parity_head(head: ParityHead) -> bytes:
    """Return the bytes of the head.

    Raises:
        FormatError: a copy is of no file that is copied.
    """
    entries, contents = [], []
    for name, data in sorted(head.copies.items()):
        if _COPIED.fullmatch(name) is None:
            raise FormatError(f"{name} is not copied", rule="70.4.11")
        entries.append(_ENTRY.pack(name.encode(), len(data)))
        contents.append(data)
    return b"".join((head.shards, head.digests, *entries, *contents))


@dataclass(frozen=True, slots=True)
class ParityEnds:
    """Both ends of a parity file, as they are written."""

    front: bytes
    back: bytes

    @classmethod
    def of(cls, number: int, stripes: Stripes, first: int, head: ParityHead) -> Self:
        """Return the ends of the file with the shards from position ``first`` on.

        Raises:
            FormatError, LimitError: no parity file can have them.
        """
        data = serialize_parity_head(head)
        record = serialize_parity_header(
            ParityHeader(
                number,
                stripes,
                first,
                len(head.digests) // DIGEST_SIZE,
                len(head.copies),
                len(data),
                blake3(data).digest(_HEAD_CHECK),
            )
        )
        return cls(record + data, data + record)


def is_copied(name: str) -> bool:
    """Say whether a head may hold a copy of this file (rule 70.4.11)."""
    return _COPIED.fullmatch(name) is not None


def head_size(count: int, copies: Mapping[str, bytes]) -> int:
    """Return the bytes of the head of a file with ``count`` shards."""
    return (
        DIGEST_SIZE * (count + 1)
        + _ENTRY.size * len(copies)
        + sum(map(len, copies.values()))
    )
