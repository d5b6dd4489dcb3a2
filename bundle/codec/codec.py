"""Plain bytes to stored bytes and back (spec chapter 10).

One ``Encoder`` or ``Decoder`` per worker thread: each owns its scratch memory
and reuses it, because fresh pages cost more than most of the arithmetic. What
they return lives in that memory and is good until the next call.

>>> encoded = Encoder().encode(memoryview(bytes(1000)), TEXT)
>>> encoded.encoding, len(encoded.payload) < 30
(<Encoding.ZSTD: 1>, True)
>>> decoder = Decoder()
>>> bytes(decoder.decode(1, 0, 0, 0, encoded.payload, 1000)) == bytes(1000)
True
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.codec import estimate, planes, zstd
from bundle.codec.encoding import DENSE, TEXT, WIDTHS, Encoding, Kind
from bundle.errors import FormatError, LimitError, TruncatedError
from bundle.limits import MAX_FRAME_PLAIN

if TYPE_CHECKING:
    from bundle.codec.planes import Bytes, Words

_PLANE: Final = struct.Struct("<BxxxI")
_RAW, _ZSTD, _CONSTANT = 0, 1, 2
_WORTH: Final = 128
"""An encoding must save at least 1/128; else raw, which decodes for nothing."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Stored bytes and what a frame header says of them."""

    encoding: Encoding
    width: int
    rotate: int
    payload: memoryview


class Encoder:
    """Encodes frames; for one thread at a time."""

    def __init__(self) -> None:
        self._text = zstd.text_compressor()
        self._planes = zstd.plane_compressor()
        self._out = np.empty(MAX_FRAME_PLAIN, np.uint8)
        self._room = self._out
        self._plane = np.empty(MAX_FRAME_PLAIN, np.uint8)
        self._aligned = np.empty(MAX_FRAME_PLAIN, np.uint8)
        self._scratch = planes.Scratch()

    def encode(
        self, plain: memoryview, kind: Kind, out: memoryview | None = None
    ) -> Encoded:
        """Return ``plain`` stored as ``kind`` suggests, or raw where that is no gain.

        The payload is ``plain`` itself or else at the start of ``out``, if given;
        without, it is memory of this object, and good until the next call.

        Raises:
            ValueError: ``plain`` is empty or over ``MAX_FRAME_PLAIN`` bytes, or
                ``out`` is smaller.
        """
        if not 0 < plain.nbytes <= MAX_FRAME_PLAIN:
            raise ValueError(f"a frame of {plain.nbytes} bytes")
        data = np.frombuffer(plain, np.uint8)
        self._room = self._out if out is None else np.frombuffer(out, np.uint8)
        if self._room.size < data.size:
            raise ValueError(f"room of {self._room.size} bytes for {data.size}")
        if kind.encoding is None:
            kind = estimate.guess(data, self._text)
        elif kind == DENSE and (
            estimate.entropy(estimate.sample(data)) < estimate.INCOMPRESSIBLE
        ):
            kind = TEXT
        budget = data.size - data.size // _WORTH - 1
        size = 0
        if kind.encoding is Encoding.ZSTD:
            size = self._put(self._text.compress(data.data), 0, budget)
        elif kind.encoding is Encoding.PLANES and data.size >= kind.width:
            size = self._encode_planes(data, kind, budget)
        if not size or kind.encoding is None:
            return Encoded(Encoding.RAW, 0, 0, memoryview(plain).cast("B"))
        payload = self._room.data[:size]
        return Encoded(kind.encoding, kind.width, kind.rotate, payload)

    def _put(self, data: bytes, offset: int, budget: int) -> int:
        """Copy ``data`` to the payload; return where it ends, 0 if over budget."""
        end = offset + len(data)
        if end > budget:
            return 0
        np.copyto(self._room[offset:end], np.frombuffer(data, np.uint8))
        return end

    def _encode_planes(self, data: Bytes, kind: Kind, budget: int) -> int:
        """Write planes and tail; return the payload's size, 0 if no gain."""
        width = kind.width
        whole = data.size // width * width
        words = self._words(data[:whole], width)
        bits = estimate.plane_entropies(estimate.sample(words), kind.rotate)
        if min(bits) >= estimate.INCOMPRESSIBLE:
            return 0
        offset = 0
        for plane in reversed(range(width)):
            which = (plane, kind.rotate)
            offset = self._encode_plane(words, which, bits[plane], offset)
            if not 0 < offset <= budget:
                return 0
        return self._put(data[whole:].tobytes(), offset, budget)

    def _words(self, data: Bytes, width: int) -> Words:
        """Return ``data`` as elements, moved if it is not aligned."""
        words = planes.words_of(data, width)
        if words.flags.aligned:
            return words
        aligned = self._aligned[: data.size]
        np.copyto(aligned, data)
        return planes.words_of(aligned, width)

    def _encode_plane(
        self, words: Words, which: tuple[int, int], bits: float, offset: int
    ) -> int:
        """Write one plane at ``offset``; return where it ends, 0 if it does not fit."""
        plane, rotate = which
        body = offset + _PLANE.size
        room = self._room.size - body
        if bits < estimate.INCOMPRESSIBLE:
            values = self._plane[: words.size]
            planes.extract(words, plane, rotate, values, self._scratch)
            if bits == 0.0 and values.min() == values.max():
                coder, coded = _CONSTANT, values[:1].tobytes()
            else:
                coder, coded = _ZSTD, self._planes.compress(values.data)
            if len(coded) < words.size and len(coded) <= room:
                _PLANE.pack_into(self._room.data, offset, coder, len(coded))
                return self._put(coded, body, self._room.size)
        if words.size > room:
            return 0
        _PLANE.pack_into(self._room.data, offset, _RAW, words.size)
        out = self._room[body : body + words.size]
        planes.extract(words, plane, rotate, out, self._scratch)
        return body + words.size


class Decoder:
    """Decodes frames; for one thread at a time."""

    def __init__(self) -> None:
        self._zstd = zstd.decompressor()
        self._out = np.empty(MAX_FRAME_PLAIN, np.uint8)
        self._planes = np.empty(MAX_FRAME_PLAIN, np.uint8)
        self._scratch = planes.Scratch()

    def decode(  # noqa: PLR0913, PLR0917 - the fields of a frame header
        self,
        encoding: int,
        width: int,
        rotate: int,
        flags: int,
        payload: memoryview,
        plain_size: int,
        out: memoryview | None = None,
    ) -> memoryview:
        """Return the ``plain_size`` bytes that ``payload`` stands for.

        They are in ``out``, if given; else in memory of this object, or they
        are the payload itself, and then good until the next call.

        Raises:
            LimitError: more is asked for than ``bundle.limits`` allows.
            FormatError: the payload or the fields break a rule of chapter 10.
            ValueError: ``out`` has not ``plain_size`` bytes.
        """
        _check_fields(encoding, width, rotate, flags)
        if not 0 < plain_size <= MAX_FRAME_PLAIN:
            raise LimitError(
                f"{plain_size} plain bytes, not 1 to {MAX_FRAME_PLAIN}", rule="10.1.4"
            )
        if encoding == Encoding.RAW and len(payload) != plain_size:
            raise FormatError(
                f"{len(payload)} bytes stored raw for {plain_size}", rule="10.1.5"
            )
        if encoding == Encoding.RAW and out is None:
            return payload
        target = self._out[:plain_size] if out is None else np.frombuffer(out, np.uint8)
        if target.size != plain_size:
            raise ValueError(f"room of {target.size} bytes for {plain_size}")
        if encoding == Encoding.RAW:
            np.copyto(target, np.frombuffer(payload, np.uint8))
        elif encoding == Encoding.ZSTD:
            zstd.decompress_into(self._zstd, payload, target)
        else:
            self._decode_planes(payload, width, rotate, target)
        return target.data

    def _decode_planes(
        self, payload: memoryview, width: int, rotate: int, out: Bytes
    ) -> None:
        count, tail = divmod(out.size, width)
        if not count:
            raise FormatError("planes of less than one element", rule="10.3.3")
        offset = 0
        found: list[Bytes | int] = []
        for plane in range(width):
            room = self._planes[plane * count : (plane + 1) * count]
            values, offset = self._decode_plane(payload, offset, room)
            found.append(values)
        if len(payload) != offset + tail:
            raise FormatError(
                f"{len(payload) - offset} bytes after the planes, not {tail}",
                rule="10.3.6",
                offset=offset,
            )
        whole = out.size - tail
        words = planes.words_of(out[:whole], width)
        planes.join(found, rotate, words, self._scratch)
        if tail:
            out[whole:] = np.frombuffer(payload[offset:], np.uint8)

    def _decode_plane(
        self, payload: memoryview, offset: int, room: Bytes
    ) -> tuple[Bytes | int, int]:
        """Return the plane whose header is at ``offset``, and where it ends."""
        body = offset + _PLANE.size
        if body > len(payload):
            raise TruncatedError("ends in a plane", rule="10.3.4", offset=offset)
        coder, size = _PLANE.unpack_from(payload, offset)
        if any(payload[offset + 1 : offset + 4]):
            raise FormatError("padding is not zero", rule="10.3.4", offset=offset + 1)
        end = body + size
        if end > len(payload):
            raise TruncatedError("ends in a plane", rule="10.3.4", offset=offset)
        if coder == _ZSTD:
            zstd.decompress_into(self._zstd, payload[body:end], room)
            return room, end
        if coder not in (_RAW, _CONSTANT):
            raise FormatError(f"no coder {coder}", rule="10.3.5", offset=offset)
        due = room.size if coder == _RAW else 1
        if size != due:
            raise FormatError(
                f"plane of {size} bytes, not {due}", rule="10.3.5", offset=offset
            )
        if coder == _CONSTANT:
            return payload[body], end
        return np.frombuffer(payload[body:end], np.uint8), end


def _check_fields(encoding: int, width: int, rotate: int, flags: int) -> None:
    """Refuse what a frame header must not say."""
    if encoding not in (Encoding.RAW, Encoding.ZSTD, Encoding.PLANES):
        raise FormatError(f"no encoding {encoding}", rule="10.1.1")
    if flags:
        raise FormatError(f"flags {flags:#04x} need a feature", rule="10.1.3")
    if encoding != Encoding.PLANES:
        if width or rotate:
            raise FormatError("width or rotation without planes", rule="10.1.2")
    elif width not in WIDTHS:
        raise FormatError(f"no planes of width {width}", rule="10.3.1")
    elif rotate not in (0, 1) or (rotate and width == 1):
        raise FormatError(f"no rotation by {rotate} at width {width}", rule="10.3.2")
