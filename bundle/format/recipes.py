"""recipes.bdr: the recipes that a bundle carries (spec §7).

After the header and a table come the recipes, each at a multiple of 64 bytes so
that its columns are aligned wherever the file is mapped. The ids of the chunks
that the bundle takes for granted end the file, sorted, so that a receiver can
look all of them up before it spends any time on the volumes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from blake3 import blake3

from bundle.digest import DIGEST_SIZE, Digest
from bundle.errors import FormatError, IntegrityError, LimitError, TruncatedError
from bundle.format.columns import (
    FORMAT,
    RECORD_SIZE,
    Record,
    align,
    check_zero,
    digests,
    first_unsorted,
    view_of,
    windows,
)
from bundle.limits import MAX_RECIPE, MAX_RECIPES, MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import ReadableBuffer

    from bundle.format.columns import Bytes, Release

_HEADER: Final = Record(
    "recipes header", "7.1", b"\x89BDC\r\n\x1a\n", struct.Struct("<HHIQ32s")
)
_ENTRY: Final = struct.Struct("<32sQQ")


@dataclass(frozen=True, slots=True)
class RecipeEntry:
    """Where one recipe lies: ``offset`` and ``size`` in bytes of recipes.bdr."""

    digest: Digest
    offset: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Recipes:
    """The table of recipes.bdr; recipes and required ids are read in place.

    ``required`` has a row of 32 bytes for each id of a chunk that the bundle
    does not carry and the release needs.
    """

    contents: Digest
    entries: tuple[RecipeEntry, ...]
    required: Bytes
    data: memoryview

    @classmethod
    def parse(cls, buffer: ReadableBuffer, *, release: Release | None = None) -> Self:
        """Return the table of the whole file in ``buffer``.

        The recipes themselves are neither hashed nor parsed. ``release`` is told
        the ranges of bytes that are not needed in memory any more.

        Raises:
            TruncatedError: it stops too soon.
            FormatError: rule 7.
        """
        data = view_of(buffer)
        version, flags, count, required, contents = _HEADER.parse(data)
        _HEADER.check_version(version, flags)
        if count > MAX_RECIPES:
            raise LimitError(f"{count} recipes", rule="7.1.6", offset=12)
        entries = _table(data, count)
        start = align(_end(entries), RECORD_SIZE)
        size = start + DIGEST_SIZE * required
        if len(data) != size:
            kind = TruncatedError if len(data) < size else FormatError
            raise kind(
                f"recipes.bdr has {len(data)} bytes, its table says {size}",
                rule="7.4.1",
                offset=min(len(data), size),
            )
        _check_gaps(data, entries)
        ids = digests(data, start, required)
        unsorted = first_unsorted(ids)
        if unsorted >= 0:
            raise FormatError(
                "a required id is not above the one before it",
                rule="7.4.2",
                offset=start + DIGEST_SIZE * unsorted,
            )
        if release is not None:
            release(start, size)
        return cls(Digest(contents), entries, ids, data)

    def read(self, entry: RecipeEntry, *, release: Release | None = None) -> memoryview:
        """Return the bytes of one recipe, once they have its digest.

        Raises:
            IntegrityError: they have another.
        """
        hasher = blake3()
        end = entry.offset + entry.size
        for first, last in windows(entry.offset, end, step=16 * MIB):
            hasher.update(self.data[first:last])
            if release is not None:
                release(first, last)
        if hasher.digest() != entry.digest.raw:
            raise IntegrityError(f"the recipe {entry.digest} is damaged", rule="7.3.2")
        return self.data[entry.offset : end]


def serialize_recipes(
    contents: Digest, recipes: Sequence[ReadableBuffer], required: Bytes
) -> list[bytes | memoryview]:
    """Return the buffers that, one after another, are recipes.bdr.

    ``recipes`` are in the order of the release's artifacts and ``required`` is
    sorted.

    Raises:
        FormatError: a recipe is there twice, or the ids are not ascending.
    """
    views = [view_of(recipe) for recipe in recipes]
    entries: list[RecipeEntry] = []
    offset = align(RECORD_SIZE + _ENTRY.size * len(views), RECORD_SIZE)
    for view in views:
        entries.append(RecipeEntry(Digest(blake3(view).digest()), offset, len(view)))
        offset = align(offset + len(view), RECORD_SIZE)
    _check_entries(tuple(entries))
    if first_unsorted(required) >= 0:
        raise FormatError("the required ids are not ascending", rule="7.4.2")
    head = _HEADER.serialize(FORMAT, 0, len(views), len(required), contents.raw)
    table = b"".join(
        _ENTRY.pack(entry.digest.raw, entry.offset, entry.size) for entry in entries
    )
    parts: list[bytes | memoryview] = [_padded(head + table)]
    for view in views:
        parts += [view, bytes(-len(view) % RECORD_SIZE)]
    parts.append(np.ascontiguousarray(required).tobytes())
    return parts


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % RECORD_SIZE)


def _table(data: memoryview, count: int) -> tuple[RecipeEntry, ...]:
    end = RECORD_SIZE + _ENTRY.size * count
    if len(data) < end:
        raise TruncatedError(
            f"a table of {count} recipes", rule="7.2.1", offset=len(data)
        )
    entries = tuple(
        RecipeEntry(Digest(digest), offset, size)
        for digest, offset, size in _ENTRY.iter_unpack(data[RECORD_SIZE:end])
    )
    _check_entries(entries)
    return entries


def _check_entries(entries: tuple[RecipeEntry, ...]) -> None:
    """Refuse a table that any other writer would have written differently."""
    seen: set[Digest] = set()
    expected = align(RECORD_SIZE + _ENTRY.size * len(entries), RECORD_SIZE)
    for position, entry in enumerate(entries):
        at = RECORD_SIZE + _ENTRY.size * position
        if not RECORD_SIZE <= entry.size <= MAX_RECIPE:
            raise LimitError(
                f"a recipe of {entry.size} bytes", rule="7.2.3", offset=at + 40
            )
        if entry.offset != expected:
            raise FormatError(
                f"the recipe {entry.digest} is said to be at byte {entry.offset}, "
                f"its place is {expected}",
                rule="7.2.2",
                offset=at + 32,
            )
        if entry.digest in seen:
            raise FormatError(
                f"the recipe {entry.digest} is there twice", rule="7.2.4", offset=at
            )
        seen.add(entry.digest)
        expected = align(entry.offset + entry.size, RECORD_SIZE)


def _end(entries: tuple[RecipeEntry, ...]) -> int:
    """Return where the last recipe ends, or the table if there is none."""
    if entries:
        return entries[-1].offset + entries[-1].size
    return RECORD_SIZE


def _check_gaps(data: memoryview, entries: tuple[RecipeEntry, ...]) -> None:
    end = RECORD_SIZE + _ENTRY.size * len(entries)
    for entry in entries:
        check_zero(data, end, entry.offset, rule="7.3.1")
        end = entry.offset + entry.size
    check_zero(data, end, align(end, RECORD_SIZE), rule="7.3.1")
