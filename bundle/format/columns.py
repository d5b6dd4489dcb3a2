"""Fixed records and little-endian columns, read where they lie.

Every binary file of the format begins (and a volume also ends) with a *record*:
64 bytes that hold a magic number, fields and a check (spec §2.6). What follows
is columns: arrays of fixed-width values that numpy reads without copying. The
functions here walk columns in windows, so that checking a column of any length
takes a bounded amount of memory and never a Python object per value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from blake3 import blake3

from bundle.digest import DIGEST_SIZE
from bundle.errors import FormatError, TruncatedError

if TYPE_CHECKING:
    import struct
    from collections.abc import Callable, Iterator

    import numpy.typing as npt
    from _typeshed import ReadableBuffer

    Bytes: TypeAlias = npt.NDArray[np.uint8]
    Words: TypeAlias = npt.NDArray[np.uint32]
    Longs: TypeAlias = npt.NDArray[np.uint64]
    Indices: TypeAlias = npt.NDArray[np.int64]
    Release: TypeAlias = Callable[[int, int], None]

FORMAT: Final = 1
"""The format that this package reads and writes."""

RECORD_SIZE: Final = 64
"""Bytes of a record: one cache line, and a multiple of every column's width."""

CHECK_SIZE: Final = 8
"""Bytes of the check that ends a record."""

WINDOW: Final = 1 << 18
"""Values looked at in one step: the temporaries of a step stay below 16 MiB."""


@dataclass(frozen=True, slots=True)
class Record:
    """The shape of one kind of 64-byte record (spec §2.6).

    Rules ``<section>.1`` to ``<section>.3`` are its size, magic and check.
    """

    noun: str
    section: str
    magic: bytes
    fields: struct.Struct

    def parse(self, data: memoryview) -> tuple[Any, ...]:
        """Return the fields of the record that ``data`` begins with.

        Raises:
            TruncatedError: there are fewer than 64 bytes.
            FormatError: the magic or the check is not right.
        """
        if len(data) < RECORD_SIZE:
            raise TruncatedError(
                f"a {self.noun} has {RECORD_SIZE} bytes, here are {len(data)}",
                rule=f"{self.section}.1",
                offset=len(data),
            )
        if data[: len(self.magic)] != self.magic:
            raise FormatError(f"not a {self.noun}", rule=f"{self.section}.2", offset=0)
        end = RECORD_SIZE - CHECK_SIZE
        if data[end:RECORD_SIZE] != check_of(data[:end]):
            raise FormatError(
                f"the {self.noun} is damaged: its check does not match",
                rule=f"{self.section}.3",
                offset=end,
            )
        return self.fields.unpack(data[len(self.magic) : end])

    def serialize(self, *values: object) -> bytes:
        """Return the 64 bytes of the record with these fields."""
        body = self.magic + self.fields.pack(*values)
        return body + check_of(body)

    def check_version(self, version: int, flags: int) -> None:
        """Refuse another format (rule ``.4``) and unknown flags (rule ``.5``).

        Raises:
            FormatError: this reader is too old for these bytes.
        """
        if version != FORMAT:
            raise FormatError(
                f"the {self.noun} has format {version}, this reader knows {FORMAT}",
                rule=f"{self.section}.4",
                offset=8,
                advice="read it with a newer version" if version > FORMAT else "",
            )
        if flags:
            raise FormatError(
                f"the {self.noun} has flags {flags:#x}, format {FORMAT} has none",
                rule=f"{self.section}.5",
                offset=10,
            )


def check_of(*parts: ReadableBuffer) -> bytes:
    """Return the check of ``parts`` in a row: 8 bytes of their BLAKE3 hash."""
    hasher = blake3()
    for part in parts:
        hasher.update(part)
    return hasher.digest(CHECK_SIZE)


def view_of(buffer: ReadableBuffer) -> memoryview:
    """Return ``buffer`` as bytes, without copying."""
    return memoryview(buffer).cast("B")


def align(offset: int, step: int) -> int:
    """Return the first multiple of ``step`` that is not below ``offset``."""
    return -(-offset // step) * step


def column(data: memoryview, dtype: str, offset: int, count: int) -> npt.NDArray[Any]:
    """Return ``count`` values at ``offset``, read in place.

    The caller has checked that ``data`` holds them.
    """
    if count == 0:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype, count, offset)


def digests(data: memoryview, offset: int, count: int) -> Bytes:
    """Return ``count`` ids at ``offset`` as rows of 32 bytes, read in place."""
    values = column(data, "u1", offset, count * DIGEST_SIZE)
    return values.reshape(count, DIGEST_SIZE)


def check_zero(data: memoryview, start: int, end: int, *, rule: str) -> None:
    """Refuse anything but zero bytes from ``start`` up to ``end``.

    Raises:
        FormatError: one byte is not zero; names ``rule`` and where it is.
    """
    filled = np.flatnonzero(column(data, "u1", start, end - start))
    if len(filled):
        raise FormatError(
            "a byte that is reserved is not zero",
            rule=rule,
            offset=start + int(filled[0]),
        )


def windows(start: int, end: int, *, step: int = WINDOW) -> Iterator[tuple[int, int]]:
    """Yield the ranges that cover ``start`` to ``end``, each at most ``step`` long."""
    for first in range(start, end, step):
        yield first, min(first + step, end)


def first_true(flags: npt.NDArray[np.bool_]) -> int:
    """Return where the first true value is, or -1."""
    if not flags.any():
        return -1
    return int(flags.argmax())


def keys_of(ids: Bytes) -> npt.NDArray[np.bytes_]:
    """Return rows of 32 bytes as values that numpy compares byte by byte.

    A fixed-width byte string drops trailing zeros when it is *shown*; compared
    with another of the same width it behaves as all of its bytes.
    """
    if len(ids) == 0:
        return np.empty(0, f"S{DIGEST_SIZE}")
    return ids.view(f"S{DIGEST_SIZE}").reshape(-1)


def order_of(ids: Bytes) -> Indices:
    """Return the positions of ``ids`` in ascending order."""
    return np.argsort(keys_of(np.ascontiguousarray(ids)), kind="stable")


def first_unsorted(ids: Bytes) -> int:
    """Return the first position that is not above the one before it, or -1."""
    keys = keys_of(ids)
    for start, end in windows(1, len(ids)):
        found = first_true(keys[start:end] <= keys[start - 1 : end - 1])
        if found >= 0:
            return start + found
    return -1


def sums_between(
    values: npt.NDArray[Any],
    start: int,
    ends: Indices,
    walked: Callable[[int, int], None],
) -> Longs:
    """Return the sum of ``values`` from each end before (or ``start``) to each end.

    ``ends`` never descends and does not leave ``values``. ``walked`` is called
    with each range of positions before it is added up; it may refuse them.
    """
    running = np.zeros(len(ends), np.uint64)
    before, done = 0, 0
    for first, last in windows(start, int(ends[-1]) if len(ends) else start):
        walked(first, last)
        part = np.zeros(last - first + 1, np.uint64)
        np.cumsum(values[first:last], dtype=np.uint64, out=part[1:])
        upto = int(np.searchsorted(ends, last, side="right"))
        running[done:upto] = part[ends[done:upto] - first] + np.uint64(before)
        before += int(part[-1])
        done = upto
    running[done:] = before
    return np.diff(running, prepend=np.uint64(0))
