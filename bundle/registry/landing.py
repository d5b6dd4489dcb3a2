"""Bytes from the network on their way to a file, hashed as they come.

Two buffers take turns: the event loop fills one while a thread hashes and writes
the other. So hashing never keeps other connections waiting, and however large a
blob is, no more than two buffers of it are in memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Final

from bundle.durable import target_errors, write_all
from bundle.errors import TargetError
from bundle.limits import MIB
from bundle.registry.lane import Lane

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from bundle.oci.digests import BlobDigest

BUFFER: Final = 1 * MIB
"""Bytes that are gathered before they are hashed and written."""


class Landing:
    """Puts a blob into an open file, from its first byte on.

    ``size`` are the bytes taken. Used by one task, and closed before the file is.
    """

    def __init__(
        self, file: int, path: Path, digest: BlobDigest, crew: Executor
    ) -> None:
        self.size = 0
        self._file = file
        self._path = path
        self._digest = digest
        self._hash = digest.hasher()
        self._written = 0
        self._filling = bytearray(BUFFER)
        self._spare = bytearray(BUFFER)
        self._filled = 0
        self._lane = Lane(crew)

    async def take(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            TargetError: they cannot be written.
        """
        view = memoryview(data)
        while view.nbytes:
            piece = view[: BUFFER - self._filled]
            view = view[piece.nbytes :]
            self._filling[self._filled : self._filled + piece.nbytes] = piece
            self._filled += piece.nbytes
            self.size += piece.nbytes
            if self._filled == BUFFER:
                await self._hand_over()

    async def adopt(self, size: int) -> None:
        """Take the first ``size`` bytes of the file as they are: a resumed blob.

        Raises:
            TargetError: the file cannot be read.
        """
        await self._lane.start(self._read_back, size)
        await self._lane.settle()
        self.size = self._written = size

    async def restart(self) -> None:
        """Forget everything that was taken."""
        await self._lane.settle()
        self._hash = self._digest.hasher()
        self.size = self._written = self._filled = 0

    async def matches(self) -> bool:
        """Return whether all that was taken is the blob; flushed if it is.

        Raises:
            TargetError: it cannot be written.
        """
        await self._hand_over()
        await self._lane.settle()
        if self._hash.hexdigest() != self._digest.hex:
            return False
        await self._lane.start(self._flush)
        await self._lane.settle()
        return True

    def close(self) -> None:
        """Write what was gathered, if it can be, for a run that goes on later."""
        self._lane.close()
        if self._filled:
            with contextlib.suppress(TargetError):
                self._put(memoryview(self._filling)[: self._filled])
            self._filled = 0

    async def _hand_over(self) -> None:
        """Give the gathered bytes to a thread, once it is done with those before."""
        await self._lane.settle()
        full = memoryview(self._filling)[: self._filled]
        self._filling, self._spare, self._filled = self._spare, self._filling, 0
        await self._lane.start(self._put, full)

    def _put(self, data: memoryview) -> None:
        self._hash.update(data)
        with target_errors(self._path):
            write_all(self._file, data, self._written)
        self._written += data.nbytes

    def _flush(self) -> None:
        with target_errors(self._path):
            os.ftruncate(self._file, self.size)
            os.fsync(self._file)

    def _read_back(self, size: int) -> None:
        buffer, offset = memoryview(bytearray(BUFFER)), 0
        with target_errors(self._path):
            while offset < size:
                piece = buffer[: min(BUFFER, size - offset)]
                count = os.preadv(self._file, [piece], offset)
                if not count:
                    raise OSError(errno.EIO, "it became shorter")
                self._hash.update(piece[:count])
                offset += count
