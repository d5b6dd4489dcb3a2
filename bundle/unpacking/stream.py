"""The frames of a bundle's volumes, read once from the first byte to the last.

Bytes are taken a shard at a time into the caller's buffer and checked against
the signed list there, before anything looks at them; what was checked is what
is parsed. Index and tail are not trusted but made again: the frames before them
leave only one way to write them (rule 5.5.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from bundle.errors import FormatError, TruncatedError
from bundle.format.columns import RECORD_SIZE
from bundle.format.ending import serialize_ending
from bundle.format.volume import (
    ENTRY_SIZE,
    FRAME_MAGIC,
    FrameHeader,
    frame_size,
    parse_frame,
    parse_volume_header,
)
from bundle.limits import (
    MAX_FRAME_CHUNKS,
    MAX_FRAME_PLAIN,
    MAX_FRAME_STORED,
    MAX_VOLUME_CHUNKS,
    SHARD,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bundle.medium.files import ShardedFile

BUFFER: Final = (
    RECORD_SIZE + MAX_FRAME_CHUNKS * ENTRY_SIZE + MAX_FRAME_STORED + 2 * SHARD
)
"""Bytes of a caller's buffer: the largest frame, and a shard at either end of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One frame whose bytes were checked; ``payload`` lies in the caller's buffer."""

    header: FrameHeader
    payload: memoryview


class _Volume:
    """Where the reading of one volume is, and what has been seen of it."""

    def __init__(self, file: ShardedFile, number: int) -> None:
        self.file = file
        self.number = number
        self.shard = 0
        self.position = 0
        self.chunks = 0
        self.frames: list[tuple[int, FrameHeader]] = []

    def note(self, header: FrameHeader) -> None:
        """Take the frame at ``position`` into what the index must say."""
        self.chunks += len(header.lengths)
        if self.chunks > MAX_VOLUME_CHUNKS:
            raise FormatError(
                f"{self.file.path.name} has over {MAX_VOLUME_CHUNKS} chunks",
                rule="5.5.3",
            )
        self.frames.append((self.position, header))
        self.position += header.size

    def ending(self) -> bytes:
        """Return the index and the tail that these frames call for."""
        return serialize_ending(self.frames, self.position)


class FrameStream:
    """Hands out frames in the order of the volumes; called in turns.

    ``watch`` is given the name and the whole-file digest of each volume at its
    end, where asked for.
    """

    def __init__(
        self,
        volumes: Sequence[ShardedFile],
        watch: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._walk = self._volumes(volumes)
        self._watch = watch
        self._whole = blake3()
        self._buffer = memoryview(b"")
        self._start = 0
        self._end = 0
        self._plain = 0
        self._found: list[Found] = []

    def fill(self, buffer: memoryview) -> list[Found]:
        """Return the next frames, their bytes in ``buffer``; none at the end.

        Together they decode to at most ``MAX_FRAME_PLAIN`` bytes.

        Raises:
            IntegrityError: a shard is not the one that was signed.
            FormatError: the checked bytes are not a volume.
            StoreError: the medium cannot be read.
        """
        rest = self._buffer[self._start : self._end]
        buffer[: len(rest)] = rest
        self._buffer, self._start, self._end = buffer, 0, len(rest)
        self._found, self._plain = [], 0
        next(self._walk, None)
        return self._found

    def _volumes(self, files: Sequence[ShardedFile]) -> Iterator[None]:
        for number, file in enumerate(files, start=1):
            self._whole = blake3()
            yield from self._volume(_Volume(file, number))
            if self._watch is not None:
                self._watch(file.path.name, self._whole.digest())
        yield

    def _volume(self, volume: _Volume) -> Iterator[None]:
        yield from self._need(volume, RECORD_SIZE)
        if parse_volume_header(self._view(RECORD_SIZE)).number != volume.number:
            raise FormatError(
                f"{volume.file.path.name} is another volume", rule="5.5.5", offset=12
            )
        self._take(volume, RECORD_SIZE)
        while True:
            yield from self._need(volume, RECORD_SIZE)
            if bytes(self._view(len(FRAME_MAGIC))) != FRAME_MAGIC:
                break
            yield from self._frame(volume)
        yield from self._ending(volume)

    def _frame(self, volume: _Volume) -> Iterator[None]:
        size = frame_size(self._view(RECORD_SIZE)) or 0
        plain = int.from_bytes(self._view(RECORD_SIZE)[12:16], "little")
        if self._found and self._plain + plain > MAX_FRAME_PLAIN:
            yield
        yield from self._need(volume, size)
        header = parse_frame(self._view(size))
        payload = self._view(size)[header.table_end :]
        self._found.append(Found(header, payload))
        self._plain += header.plain
        volume.note(header)
        self._start += size

    def _ending(self, volume: _Volume) -> Iterator[None]:
        """Compare the rest of the volume with the only rest it can have."""
        expected = memoryview(volume.ending())
        if volume.position + len(expected) != volume.file.size:
            raise FormatError(
                f"{volume.file.path.name}: neither a frame nor the index",
                rule="5.5.2",
                offset=volume.position,
            )
        while expected:
            size = min(len(expected), SHARD)
            yield from self._need(volume, size)
            if self._view(size) != expected[:size]:
                raise FormatError(
                    f"{volume.file.path.name}: the index does not fit its frames",
                    rule="5.5.2",
                    offset=volume.position,
                )
            self._take(volume, size)
            expected = expected[size:]

    def _view(self, size: int) -> memoryview:
        return self._buffer[self._start : self._start + size]

    def _take(self, volume: _Volume, size: int) -> None:
        self._start += size
        volume.position += size

    def _need(self, volume: _Volume, size: int) -> Iterator[None]:
        """Have ``size`` checked bytes in the buffer, reading shards as needed.

        Yields when there is no room for them behind the frames already found.

        Raises:
            TruncatedError: the volume ends before.
        """
        while self._end - self._start < size:
            if volume.shard * SHARD >= volume.file.size:
                raise TruncatedError(
                    f"{volume.file.path.name} stops inside a structure",
                    rule="5.5.2",
                    offset=volume.file.size,
                )
            if self._end + SHARD > len(self._buffer):
                if self._found:
                    yield
                self._compact()
            buffer = self._buffer[self._end :]
            count = volume.file.read_shard(volume.shard, buffer)
            if self._watch is not None:
                self._whole.update(buffer[:count])
            self._end += count
            volume.shard += 1

    def _compact(self) -> None:
        """Move what is not used yet to the start of the buffer."""
        rest = self._view(self._end - self._start)
        self._buffer[: len(rest)] = rest
        self._start, self._end = 0, len(rest)
