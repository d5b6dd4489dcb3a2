"""Volumes being written: offsets are handed out in turns, bytes land in any order.

Digests of volumes and shards are taken as frames are placed, so nothing is read
back. A volume is full when its frames, its index and its tail would pass the
size asked for. A file is open only while a frame is written, so any number may
be in the making.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blake3 import blake3

from bundle.durable import target_errors, write_all
from bundle.errors import TargetError
from bundle.format.columns import RECORD_SIZE
from bundle.format.ending import serialize_ending
from bundle.format.layout import volume_name
from bundle.format.volume import (
    FANOUT_SIZE,
    INDEX_ENTRY_SIZE,
    FrameHeader,
    VolumeHeader,
    serialize_frame,
    serialize_volume_header,
)
from bundle.limits import MAX_VOLUME_CHUNKS, MAX_VOLUMES, SHARD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TypeAlias

    Buffer: TypeAlias = bytes | memoryview


class ShardHasher:
    """Digests of a file and its shards, from its bytes in order (spec §3.3)."""

    def __init__(self) -> None:
        self.size = 0
        self._whole = blake3()
        self._shard = blake3()
        self._shards = bytearray()

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the file."""
        self._whole.update(data)
        view = memoryview(data)
        while view:
            room = SHARD - self.size % SHARD
            self._shard.update(view[:room])
            self.size += min(room, len(view))
            view = view[room:]
            if self.size % SHARD == 0:
                self._shards += self._shard.digest()
                self._shard = blake3()

    def digest(self) -> bytes:
        """Return the digest of the whole file."""
        return self._whole.digest()

    def shards(self) -> bytes:
        """Return the digests of all shards in a row, 32 bytes each."""
        rest = self._shard.digest() if self.size % SHARD else b""
        return bytes(self._shards) + rest


@dataclass(frozen=True, slots=True)
class Place:
    """Where one frame goes; ``write`` may run on any thread at any time."""

    volume: Volume
    offset: int
    buffers: tuple[Buffer, ...]

    def write(self) -> None:
        """Put the frame where it was promised to be."""
        self.volume.write(self.offset, self.buffers)


class Volume:
    """One file of frames in the making; open only while something is written."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self.hasher = ShardHasher()
        self._frames: list[tuple[int, FrameHeader]] = []
        self._chunks = 0
        self._writing = threading.Lock()
        with target_errors(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
        self._append((serialize_volume_header(VolumeHeader(number)),))

    def takes(self, header: FrameHeader, size: int) -> bool:
        """Say whether this frame fits into a volume of at most ``size`` bytes."""
        chunks = self._chunks + len(header.lengths)
        index = FANOUT_SIZE + INDEX_ENTRY_SIZE * chunks
        whole = self.hasher.size + header.size + index + RECORD_SIZE
        return whole <= size and chunks <= MAX_VOLUME_CHUNKS

    def promise(self, header: FrameHeader, payload: Buffer) -> Place:
        """Give the frame the next offset and take it into the digests."""
        offset = self.hasher.size
        self._frames.append((offset, header))
        self._chunks += len(header.lengths)
        buffers = tuple(serialize_frame(header, payload))
        for buffer in buffers:
            self.hasher.update(buffer)
        return Place(self, offset, buffers)

    def write(
        self, offset: int, buffers: tuple[Buffer, ...], *, flush: bool = False
    ) -> None:
        """Put bytes at an offset.

        One thread at a time: in the kernel, others would wait at full speed.

        Raises:
            TargetError: the medium is full or refuses.
        """
        with self._writing, target_errors(self.path):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                for buffer in buffers:
                    write_all(descriptor, buffer, offset)
                    offset += len(buffer)
                if flush:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def finish(self) -> None:
        """Write index and tail and make the volume durable.

        Every frame that was promised has been written.

        Raises:
            TargetError: the medium is full or refuses.
        """
        ending = serialize_ending(self._frames, self.hasher.size)
        self._frames.clear()
        self._append((ending,), flush=True)

    def _append(self, buffers: tuple[Buffer, ...], *, flush: bool = False) -> None:
        offset = self.hasher.size
        for buffer in buffers:
            self.hasher.update(buffer)
        self.write(offset, buffers, flush=flush)


class Volumes:
    """The volumes of one bundle; ``reserve`` is called in turns."""

    def __init__(self, directory: Path, size: int) -> None:
        self.volumes: list[Volume] = []
        self._directory = directory
        self._size = size

    def reserve(self, frames: Sequence[tuple[FrameHeader, Buffer]]) -> list[Place]:
        """Give every frame its place, starting new volumes as they fill up.

        Raises:
            TargetError: a volume cannot be made, or there would be too many.
        """
        return [
            self._volume_for(header).promise(header, data) for header, data in frames
        ]

    def _volume_for(self, header: FrameHeader) -> Volume:
        if not self.volumes or not self.volumes[-1].takes(header, self._size):
            number = len(self.volumes) + 1
            if number > MAX_VOLUMES:
                raise TargetError(
                    f"more than {MAX_VOLUMES} volumes",
                    advice="choose a larger --volume-size",
                )
            self.volumes.append(Volume(self._directory / volume_name(number), number))
        return self.volumes[-1]
