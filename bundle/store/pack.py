"""One pack: a volume that a store took over, read without believing it (spec §50.2).

A frame is checked and decoded here; its chunks are hashed by whoever uses them.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from blake3 import blake3

from bundle.errors import BundleError, IntegrityError, NotFoundError, StoreError
from bundle.format.columns import RECORD_SIZE
from bundle.format.ending import serialize_ending
from bundle.format.index import VolumeIndex
from bundle.format.volume import (
    FRAME_MAGIC,
    FrameHeader,
    frame_size,
    parse_frame,
    parse_volume_header,
    parse_volume_tail,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.codec.codec import Decoder
    from bundle.format.volume import VolumeTail

_WINDOW: Final = 1 << 20
"""Bytes searched for a frame at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Scanned:
    """What lies at ``offset`` of a pack: a frame and its plain bytes, or damage."""

    offset: int
    header: FrameHeader | None
    plain: bytes
    problem: str = ""


class Pack:
    """A pack open for reading; for one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the pack at ``path``.

        Raises:
            NotFoundError: there is none.
            StoreError: it cannot be read, or is no regular file.
        """
        self.path = path
        try:
            self._descriptor = os.open(
                path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            )
        except FileNotFoundError:
            raise NotFoundError(f"{path.name} is not in the store any more") from None
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from error
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise StoreError(f"{path}: not a regular file")
        self.size = status.st_size

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of the pack, fewer where it ends.

        Raises:
            StoreError: it cannot be read there.
        """
        parts, done = [], 0
        while done < size:
            try:
                part = os.pread(self._descriptor, size - done, offset + done)
            except OSError as error:
                raise StoreError(
                    f"{self.path.name}: cannot be read at byte {offset + done}: "
                    f"{error.strerror}",
                    advice="the disk is bad; 'bundle store check' names the loss",
                ) from error
            if not part:
                break
            parts.append(part)
            done += len(part)
        return b"".join(parts)

    def tail(self) -> VolumeTail:
        """Return the tail that the pack ends with.

        Raises:
            StoreError: it cannot be read.
            FormatError: it is damaged.
        """
        start = max(self.size - RECORD_SIZE, 0)
        return parse_volume_tail(self.read(start, RECORD_SIZE), self.size)

    def index(self) -> VolumeIndex:
        """Return the index that the pack carries.

        Raises:
            StoreError: it cannot be read.
            FormatError, IntegrityError: it is damaged.
        """
        parse_volume_header(self.read(0, RECORD_SIZE))
        tail = self.tail()
        data = self.read(tail.index_offset, tail.index_size)
        tail.check_index(data)
        return VolumeIndex.parse(data)

    def stored(self, offset: int) -> tuple[FrameHeader, bytes]:
        """Return a frame's header and its payload as it is stored.

        Raises:
            StoreError: it cannot be read.
            FormatError, IntegrityError: it is damaged.
        """
        head = self.read(offset, RECORD_SIZE)
        data = self.read(offset, frame_size(head) or RECORD_SIZE)
        header = parse_frame(data)
        payload = data[header.table_end : header.size]
        header.check_payload(payload)
        return header, payload

    def decode(self, offset: int, decoder: Decoder) -> tuple[FrameHeader, bytes]:
        """Return a frame's header and its plain bytes.

        Raises:
            StoreError: it cannot be read.
            FormatError, IntegrityError: it is damaged.
        """
        header, payload = self.stored(offset)
        plain = decoder.decode(
            header.encoding,
            header.width,
            header.rotate,
            header.flags,
            memoryview(payload),
            header.plain,
        )
        return header, bytes(plain)

    def scan(self, decoder: Decoder) -> Iterator[Scanned]:
        """Walk the frames by what they say of themselves, past damage to the next."""
        offset, end = RECORD_SIZE, self._end()
        while offset < end:
            try:
                header, plain = self.decode(offset, decoder)
                check_chunks(header, plain)
            except BundleError as error:
                yield Scanned(offset, None, b"", str(error))
                offset = self._next(offset + 1, end)
            else:
                yield Scanned(offset, header, plain)
                offset += header.size

    def verify(self, decoder: Decoder) -> VolumeIndex:
        """Check everything: each frame, each chunk, and what follows from them.

        Raises:
            StoreError: it cannot be read.
            FormatError, IntegrityError: it is damaged.
        """
        index = self.index()
        offset, end, frames = RECORD_SIZE, self.tail().index_offset, []
        while offset < end:
            header, plain = self.decode(offset, decoder)
            check_chunks(header, plain)
            frames.append((offset, header))
            offset += header.size
        ending = self.read(offset, self.size - offset)
        if serialize_ending(frames, offset) != ending:
            raise IntegrityError(
                f"{self.path.name}: index and frames disagree", rule="5.5.2"
            )
        return index

    def _end(self) -> int:
        """Return where the frames end, or the whole where the tail is damaged."""
        try:
            return self.tail().index_offset
        except BundleError:
            return self.size

    def _next(self, offset: int, end: int) -> int:
        """Return where the next frame may begin."""
        while offset < end:
            try:
                window = self.read(offset, _WINDOW)
            except StoreError:
                offset += _WINDOW
                continue
            at = window.find(FRAME_MAGIC)
            if at >= 0:
                return offset + at
            offset += max(len(window) - len(FRAME_MAGIC) + 1, 1)
        return end


def check_chunks(header: FrameHeader, plain: bytes) -> None:
    """Refuse a frame whose chunks do not have their ids.

    Raises:
        IntegrityError: names the first that has not.
    """
    view, start = memoryview(plain), 0
    for row, length in zip(header.ids, header.lengths.tolist(), strict=True):
        if blake3(view[start : start + length]).digest() != row.tobytes():
            raise IntegrityError(
                f"chunk {row.tobytes().hex()} is damaged", rule="5.5.6"
            )
        start += length
