"""Single chunks out of a bundle's volumes, by way of their indexes.

For reading one file, or one chunk a second time. Indexes are read when a chunk
is first asked for, and the last frames stay decoded, since neighbours in a file
are neighbours in a frame.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np
from blake3 import blake3

from bundle.codec.codec import Decoder
from bundle.errors import IntegrityError, MissingError
from bundle.format.columns import RECORD_SIZE
from bundle.format.index import VolumeIndex
from bundle.format.volume import FrameHeader, frame_size, parse_frame, parse_volume_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bundle.medium.files import ShardedFile

KEPT: Final = 8
"""Decoded frames kept, at most 32 MiB."""


class ChunkReader:
    """Fetches chunks by id; safe to use from several threads."""

    def __init__(self, volumes: Sequence[ShardedFile]) -> None:
        self._volumes = volumes
        self._indexes: list[VolumeIndex] = []
        self._frames: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._decoder = Decoder()
        self._lock = threading.Lock()

    def fetch(self, chunk: bytes) -> bytes:
        """Return the plain bytes of the chunk with this id of 32 bytes.

        Raises:
            MissingError: no volume here has it.
            IntegrityError, FormatError: what is stored for it is not that chunk.
            StoreError: the medium cannot be read.
        """
        with self._lock:
            volume, row = self._find(np.frombuffer(chunk, np.uint8).reshape(1, 32))
            index = self._indexes[volume]
            plain = self._frame(volume, int(index.frame_offsets[row]))
            start = int(index.plain_offsets[row])
            data = plain[start : start + int(index.lengths[row])]
        if blake3(data).digest() != chunk:
            raise IntegrityError(
                f"chunk {chunk.hex()} is not where the index has it", rule="5.5.6"
            )
        return data

    def holds(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether an index here lists it.

        Raises:
            IntegrityError, FormatError: an index is damaged.
            StoreError: the medium cannot be read.
        """
        held = np.zeros(len(ids), np.bool_)
        with self._lock:
            for number in range(len(self._volumes)):
                held |= self._index(number).lookup(ids) >= 0
        return held

    @property
    def volumes(self) -> int:
        """How many volumes there are."""
        return len(self._volumes)

    def ids_of(self, volume: int) -> NDArray[np.uint8]:
        """Return the ids of one volume's chunks, sorted; volumes count from 0.

        Raises:
            IntegrityError, FormatError: the index is damaged.
            StoreError: the medium cannot be read.
        """
        with self._lock:
            return self._index(volume).ids

    def _index(self, number: int) -> VolumeIndex:
        while number >= len(self._indexes):
            self._indexes.append(_read_index(self._volumes[len(self._indexes)]))
        return self._indexes[number]

    def _find(self, chunk: NDArray[np.uint8]) -> tuple[int, int]:
        for number in range(len(self._volumes)):
            row = int(self._index(number).lookup(chunk)[0])
            if row >= 0:
                return number, row
        raise MissingError(
            f"chunk {chunk.tobytes().hex()} is not in this bundle",
            advice="read it from the bundle that this one builds on",
        )

    def _frame(self, volume: int, offset: int) -> bytes:
        key = volume, offset
        plain = self._frames.pop(key, None)
        if plain is None:
            plain = self._decode(self._volumes[volume], offset)
        self._frames[key] = plain
        if len(self._frames) > KEPT:
            self._frames.popitem(last=False)
        return plain

    def _decode(self, volume: ShardedFile, offset: int) -> bytes:
        head = volume.read(offset, RECORD_SIZE)
        frame = volume.read(offset, frame_size(head) or 0)
        header: FrameHeader = parse_frame(frame)
        payload = frame[header.table_end :]
        header.check_payload(payload)
        return bytes(
            self._decoder.decode(
                header.encoding,
                header.width,
                header.rotate,
                header.flags,
                payload,
                header.plain,
            )
        )


def _read_index(volume: ShardedFile) -> VolumeIndex:
    data = volume.read(volume.size - RECORD_SIZE, RECORD_SIZE)
    tail = parse_volume_tail(data, volume.size)
    index = volume.read(tail.index_offset, tail.index_size)
    tail.check_index(index)
    return VolumeIndex.parse(index)
