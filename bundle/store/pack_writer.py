"""A pack in the making: chunks in, a finished volume out."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.codec.codec import Encoder
from bundle.codec.encoding import UNKNOWN
from bundle.durable import target_errors
from bundle.format.columns import RECORD_SIZE
from bundle.format.ending import serialize_ending
from bundle.format.volume import (
    FANOUT_SIZE,
    INDEX_ENTRY_SIZE,
    FrameHeader,
    VolumeHeader,
    frame_of,
    serialize_frame,
    serialize_volume_header,
)
from bundle.limits import GIB, MAX_FRAME_CHUNKS, MAX_FRAME_PLAIN, MAX_VOLUME_CHUNKS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    Chunk = tuple[bytes, bytes | memoryview]

PACK_SIZE: Final = GIB
"""Bytes after which the next pack is begun; what is dead in one is dropped at once."""


class PackWriter:
    """Writes one file; ``finish`` makes it a volume, ``drop`` removes it."""

    def __init__(self, path: Path) -> None:
        """Make the file, which must not be there.

        Raises:
            TargetError: the file system refuses.
        """
        self.path = path
        self._frames: list[tuple[int, FrameHeader]] = []
        self._chunks = 0
        with target_errors(path):
            self._file = path.open("xb")
            self._size = self._file.write(serialize_volume_header(VolumeHeader(1)))

    def takes(self, header: FrameHeader) -> bool:
        """Say whether this frame fits into the pack."""
        chunks = self._chunks + len(header.lengths)
        index = FANOUT_SIZE + INDEX_ENTRY_SIZE * chunks + RECORD_SIZE
        whole = self._size + header.size + index
        return whole <= PACK_SIZE and chunks <= MAX_VOLUME_CHUNKS

    def add(self, header: FrameHeader, payload: bytes | memoryview) -> None:
        """Write one frame.

        Raises:
            TargetError: the file system is full or refuses.
        """
        self._frames.append((self._size, header))
        self._chunks += len(header.lengths)
        with target_errors(self.path):
            for buffer in serialize_frame(header, payload):
                self._size += self._file.write(buffer)

    def finish(self) -> None:
        """Write index and tail, and make the file durable.

        Raises:
            TargetError: the file system is full or refuses.
        """
        with target_errors(self.path), self._file as file:
            file.write(serialize_ending(self._frames, self._size))
            file.flush()
            os.fsync(file.fileno())

    def drop(self) -> None:
        """Remove what was written."""
        with target_errors(self.path):
            self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._file.close()


def packs_of(
    chunks: Iterable[Chunk], temporary: Callable[[], Path]
) -> Generator[Path, None, None]:
    """Yield finished packs, flushed, that hold these chunks, each id once.

    ``temporary`` gives the path of the next. Close it: one in the making is dropped.

    Raises:
        TargetError: the file system is full or refuses.
    """
    writer: PackWriter | None = None
    try:
        for header, payload in frames_of(chunks, Encoder()):
            if writer is not None and not writer.takes(header):
                writer.finish()
                done, writer = writer.path, None
                yield done
            writer = writer or PackWriter(temporary())
            writer.add(header, payload)
        if writer is not None:
            writer.finish()
            done, writer = writer.path, None
            yield done
    finally:
        if writer is not None:
            writer.drop()


def frames_of(
    chunks: Iterable[Chunk], encoder: Encoder
) -> Iterator[tuple[FrameHeader, bytes | memoryview]]:
    """Yield frames that hold these chunks, given with their ids, each id once."""
    group: list[Chunk] = []
    size = 0
    for chunk in chunks:
        full = size + len(chunk[1]) > MAX_FRAME_PLAIN or len(group) == MAX_FRAME_CHUNKS
        if group and full:
            yield _frame(group, encoder)
            group, size = [], 0
        group.append(chunk)
        size += len(chunk[1])
    if group:
        yield _frame(group, encoder)


def _frame(
    group: list[Chunk], encoder: Encoder
) -> tuple[FrameHeader, bytes | memoryview]:
    plain = b"".join(data for _, data in group)
    encoded = encoder.encode(memoryview(plain), UNKNOWN)
    payload = bytes(encoded.payload)
    coding = (encoded.encoding, encoded.width, encoded.rotate)
    ids = np.frombuffer(b"".join(chunk for chunk, _ in group), np.uint8)
    lengths = np.array([len(data) for _, data in group], np.uint32)
    return frame_of(coding, ids.reshape(-1, 32), lengths, payload), payload
