"""GGUF: metadata by content, then every tensor (spec §11.3)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bundle.codec.encoding import UNKNOWN, elements
from bundle.cut.region import PlanBuilder, Rule, TensorRuns
from bundle.limits import MAX_GGUF_ITEMS, MAX_GGUF_METADATA, MAX_TENSORS, MIB

if TYPE_CHECKING:
    from bundle.codec.encoding import Kind
    from bundle.cut.region import Read

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_WINDOW: Final = MIB

_WIDTHS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a metadata value, by its type."""
_STRING, _ARRAY, _UINT32 = 8, 9, 4
_MAX_DIMENSIONS: Final = 8
_ALIGNMENT_KEY: Final = b"general.alignment"
_DEFAULT_ALIGNMENT: Final = 32

_KINDS: Final = {
    0: elements(4, 1),  # F32
    1: elements(2),  # F16
    24: elements(1),  # I8
    25: elements(2),  # I16
    26: elements(4),  # I32
    27: elements(8),  # I64
    28: elements(8, 1),  # F64
    30: elements(2, 1),  # BF16
}
_QUANTISED: Final = elements(1)


class _Cursor:
    """Walks the start of a file through windows, up to ``MAX_GGUF_METADATA``."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = min(size, MAX_GGUF_METADATA)
        self._window = b""
        self._start = 0
        self._items = 0
        self.offset = 0

    def take(self, count: int) -> int:
        """Return where the next ``count`` bytes are in ``window``, and pass them."""
        if count > self._size - self.offset:
            raise ValueError("metadata ends after the file or its bound")
        if self.offset + count > self._start + len(self._window):
            self._start = self.offset
            self._window = self._read(self.offset, max(count, _WINDOW))
            if len(self._window) < count:
                raise ValueError("short read")
        place = self.offset - self._start
        self.offset += count
        return place

    def skip(self, count: int) -> None:
        """Pass ``count`` bytes unseen."""
        if count > self._size - self.offset:
            raise ValueError("metadata ends after the file or its bound")
        self.offset += count

    def u32(self) -> int:
        """Return the next 32-bit number."""
        place = self.take(4)
        return int(_U32.unpack_from(self._window, place)[0])

    def u64(self) -> int:
        """Return the next 64-bit number."""
        place = self.take(8)
        return int(_U64.unpack_from(self._window, place)[0])

    def string(self) -> bytes:
        """Return the next string if it is short, else nothing of it."""
        size = self.u64()
        if size > 64:
            self.skip(size)
            return b""
        place = self.take(size)
        return self._window[place : place + size]

    def skip_strings(self, count: int) -> None:
        """Pass ``count`` strings, many to a window."""
        self.count(count)
        while count:
            start = place = self.take(8)
            window, last = self._window, len(self._window) - 8
            while count and place <= last:
                place += 8 + _U64.unpack_from(window, place)[0]
                count -= 1
            self.offset -= 8
            self.skip(place - start)

    def count(self, items: int) -> None:
        """Account for ``items`` more things to walk."""
        self._items += items
        if self._items > MAX_GGUF_ITEMS:
            raise ValueError("too many items")


def describe(read: Read, size: int, head: bytes, builder: PlanBuilder) -> bool:
    """Add the regions of a GGUF file; False if it does not look like one.

    Raises:
        ValueError: it looks like one and something is odd (rule 11.1.4).
    """
    if not head.startswith(_MAGIC):
        return False
    cursor = _Cursor(read, size)
    cursor.skip(4)
    if cursor.u32() not in _VERSIONS:
        raise ValueError("a version of another layout")
    tensors, pairs = cursor.u64(), cursor.u64()
    cursor.count(pairs)
    if tensors > MAX_TENSORS:
        raise ValueError("too many tensors")
    alignment = _DEFAULT_ALIGNMENT
    for _ in range(pairs):
        key = cursor.string()
        kind = cursor.u32()
        if key == _ALIGNMENT_KEY and kind == _UINT32:
            alignment = cursor.u32()
        else:
            _skip_value(cursor, kind)
    if not alignment or alignment % 8:
        raise ValueError("odd alignment")
    places = sorted(_place(cursor) for _ in range(tensors))
    data = -(-cursor.offset // alignment) * alignment
    _describe_tensors(places, (data, size, alignment), builder)
    return True


def _skip_value(cursor: _Cursor, kind: int) -> None:
    """Pass one metadata value; an array holds no arrays."""
    if kind == _STRING:
        cursor.skip(cursor.u64())
    elif kind == _ARRAY:
        inner, count = cursor.u32(), cursor.u64()
        if inner == _STRING:
            cursor.skip_strings(count)
        else:
            cursor.skip(_WIDTHS[inner] * count)
    else:
        cursor.skip(_WIDTHS[kind])


def _place(cursor: _Cursor) -> tuple[int, int]:
    """Return offset in the data and type of the next tensor."""
    cursor.skip(cursor.u64())
    dimensions = cursor.u32()
    if dimensions > _MAX_DIMENSIONS:
        raise ValueError("too many dimensions")
    cursor.skip(8 * dimensions)
    kind = cursor.u32()
    return cursor.u64(), kind


def _describe_tensors(
    places: list[tuple[int, int]], layout: tuple[int, int, int], builder: PlanBuilder
) -> None:
    """Add metadata and tensors; padding goes with the tensor before it."""
    data, size, alignment = layout
    builder.add(0, Rule.FASTCDC, UNKNOWN)
    if places and (places[0][0] or data >= size):
        raise ValueError("no tensor where the data starts")
    runs = TensorRuns(builder)
    ends = [offset for offset, _ in places[1:]] + [size - data]
    for (offset, kind), end in zip(places, ends, strict=False):
        if offset % alignment or end < offset:
            raise ValueError("a tensor out of place")
        runs.add(data + offset, data + end, _kind(kind))


def _kind(ggml: int) -> Kind:
    return _KINDS.get(ggml, _QUANTISED)
