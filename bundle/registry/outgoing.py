"""Bytes of a blob on their way to a registry, hashed as they leave.

A piece is read and hashed in blocks by a thread, one block ahead of what is being
sent. What the hash was before each piece is kept, so that a piece that has to be
sent again, or from its middle on, is hashed again from its start: what is
compared in the end is all bytes in their order, whatever was sent twice.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Self

from bundle.errors import TargetError
from bundle.limits import KIB
from bundle.registry.lane import Lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import Executor
    from pathlib import Path

    from bundle.oci.descriptors import Descriptor

BLOCK: Final = 512 * KIB
"""Bytes that are read, hashed and sent at once."""


class Outgoing:
    """The content of a blob, from a file; used inside ``with``.

    ``begun`` is where the current piece begins.
    """

    def __init__(self, path: Path, one: Descriptor, crew: Executor) -> None:
        self.begun = 0
        self._one = one
        self._path = path
        self._file = -1
        self._lane = Lane(crew)
        self._before = one.blob.hasher()
        self._hash = self._before.copy()
        self._position = 0
        self._block = b""
        self._turn = 0

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            TargetError: it is not there, or has another size.
        """
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            size = os.fstat(self._file).st_size
        except OSError as error:
            raise TargetError(f"{self._path}: {error.strerror}") from error
        if size != self._one.size:
            self.__exit__()
            raise TargetError(f"{self._path}: {size} bytes, not {self._one.size}")
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, once no thread reads it."""
        self._lane.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def restart(self) -> None:
        """Begin again at the first byte."""
        self._before, self.begun = self._one.blob.hasher(), 0

    def advance(self) -> None:
        """End the current piece: all of it was hashed and has arrived."""
        self._before, self.begun = self._hash.copy(), self._position

    async def blocks(self, offset: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from ``offset`` to ``end``, both in the current piece.

        Those of the piece before ``offset`` are hashed and not sent. An older
        iteration ends when a newer one begins.

        Raises:
            TargetError: the file cannot be read, or became shorter.
        """
        self._lane.close()
        self._turn += 1
        turn = self._turn
        self._hash, self._position = self._before.copy(), self.begun
        await self._lane.start(self._read, min(offset, end))
        while True:
            await self._lane.settle()
            block, is_ahead = self._block, self._position <= offset
            if turn != self._turn or (not block and self._position >= end):
                return
            stop = end if self._position >= offset else offset
            await self._lane.start(self._read, stop)
            if block and not is_ahead:
                yield block

    async def whole(self) -> bytes:
        """Return all of a small blob, hashed.

        Raises:
            TargetError: the file cannot be read, or became shorter.
        """
        return b"".join([block async for block in self.blocks(0, self._one.size)])

    def is_right(self) -> bool:
        """Return whether all that was hashed is the blob."""
        return self._hash.hexdigest() == self._one.blob.hex

    def _read(self, stop: int) -> None:
        """Read and hash the next block before ``stop``; none where that is reached."""
        size = min(BLOCK, stop - self._position)
        block = os.pread(self._file, size, self._position) if size > 0 else b""
        if size > 0 and not block:
            raise TargetError(f"{self._path}: it became shorter while it was read")
        self._hash.update(block)
        self._position += len(block)
        self._block = block
