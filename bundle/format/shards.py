"""shards.bds: the digest of each MiB of the payload files (spec §3.3).

The payload files are recipes.bdr and the volumes, in that order. A shard never
crosses the end of a file, so the last one of each file may be short. A reader
checks each shard in memory before it looks at what is inside.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Self

from blake3 import blake3

from bundle.digest import DIGEST_SIZE
from bundle.errors import FormatError, IntegrityError, LimitError, TruncatedError
from bundle.format.columns import (
    CHECK_SIZE,
    FORMAT,
    RECORD_SIZE,
    Record,
    check_zero,
    digests,
    view_of,
)
from bundle.limits import MAX_SHARDS_FILE, SHARD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import ReadableBuffer

    from bundle.format.columns import Bytes

_HEADER: Final = Record(
    "shards header", "3.3", b"\x89BDS\r\n\x1a\n", struct.Struct("<HHIQ32s")
)


@dataclass(frozen=True, slots=True, eq=False)
class Shards:
    """The digests, one row of 32 bytes for each shard, read in place."""

    digests: Bytes

    @classmethod
    def parse(cls, buffer: ReadableBuffer) -> Self:
        """Return the digests in ``buffer``, which holds shards.bds and nothing else.

        Raises:
            TruncatedError: it stops too soon.
            FormatError: rule 3.3.
        """
        data = view_of(buffer)
        if len(data) > MAX_SHARDS_FILE:
            raise LimitError(f"shards.bds over {MAX_SHARDS_FILE} bytes", rule="3.3.9")
        version, flags, size, count, _ = _HEADER.parse(data)
        _HEADER.check_version(version, flags)
        if size != SHARD:
            raise FormatError(
                f"shards of {size} bytes, not {SHARD}", rule="3.3.6", offset=12
            )
        check_zero(data, 24, RECORD_SIZE - CHECK_SIZE, rule="3.3.7")
        expected = shards_file_size(count)
        if len(data) != expected:
            kind = TruncatedError if len(data) < expected else FormatError
            raise kind(
                f"{count} shards take {expected} bytes, here are {len(data)}",
                rule="3.3.8",
                offset=min(len(data), expected),
            )
        return cls(digests(data, RECORD_SIZE, count))

    def __len__(self) -> int:
        return len(self.digests)

    def check(self, position: int, data: ReadableBuffer, name: str) -> None:
        """Refuse ``data`` unless it is the shard at ``position``; ``name`` says which.

        Raises:
            IntegrityError: the digest is another.
        """
        if blake3(data).digest() != self.digests[position].tobytes():
            raise IntegrityError(f"{name}: the bytes are damaged", rule="3.3.11")


def serialize_shards(raw: bytes) -> bytes:
    """Return shards.bds for ``raw``, the 32-byte digests in a row.

    Raises:
        LimitError: there are more than a reader takes.
    """
    count, rest = divmod(len(raw), DIGEST_SIZE)
    if rest:
        raise ValueError(f"{len(raw)} bytes are not a row of digests")
    if shards_file_size(count) > MAX_SHARDS_FILE:
        raise LimitError(f"shards.bds over {MAX_SHARDS_FILE} bytes", rule="3.3.9")
    return _HEADER.serialize(FORMAT, 0, SHARD, count, bytes(32)) + raw


def shards_file_size(count: int) -> int:
    """Return the bytes of a shards.bds with ``count`` digests."""
    return RECORD_SIZE + DIGEST_SIZE * count


def shard_count(size: int) -> int:
    """Return how many shards a file of ``size`` bytes has."""
    return -(-size // SHARD)


def shard_starts(sizes: Iterable[int]) -> list[int]:
    """Return the position of each file's first shard, and last the count of all."""
    return list(accumulate(map(shard_count, sizes), initial=0))
