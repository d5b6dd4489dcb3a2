"""One file on its way into a bundle: opened once, read once, never trusted to stay.

What is hashed is what was packed, since both happen to the same buffer. A file
that shrinks, grows or is written to between its first and its last byte is a
``SourceError``; so is one whose SHA-256 or Git SHA-1 is not what the source
promised.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bundle.errors import SourceError
from bundle.source.base import Extent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bundle.source.base import SourceFile

LITERAL: Final = 128
"""Bytes up to which content is kept in the recipe: a chunk's bookkeeping is larger."""


@dataclass(slots=True)
class Intake:
    """What has been learnt so far about one file of one artifact.

    ``runs`` are chunk ids (n, 32) and lengths (n,) in the order of the file;
    ``literal`` replaces them for content of at most ``LITERAL`` bytes.
    ``problem`` says why the file had to be left out, or is empty. ``same`` is what
    was learnt about the same content before, in place of all this.
    """

    artifact: int
    file: SourceFile
    runs: list[tuple[NDArray[np.uint8], NDArray[np.uint32]]] = field(
        default_factory=list
    )
    literal: bytes = b""
    sha256: bytes = b""
    git_sha1: bytes | None = None
    problem: str = ""
    same: Intake | None = None
    _sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    _git_sha1: hashlib._Hash | None = None
    _sha512: hashlib._Hash | None = None

    def __post_init__(self) -> None:
        file = self.file
        if file.git_sha1_wanted or file.git_sha1 is not None:
            self._git_sha1 = hashlib.sha1(
                b"blob %d\0" % file.size, usedforsecurity=False
            )

        if file.sha512 is not None:
            self._sha512 = hashlib.sha512()

    @property
    def learnt(self) -> Intake:
        """Where what is known of this file is."""
        return self.same or self

    def update(self, data: memoryview | bytes) -> None:
        """Take the next bytes of the file into its digests."""
        self._sha256.update(data)
        for hasher in (self._git_sha1, self._sha512):
            if hasher is not None:
                hasher.update(data)

    def conclude(self) -> None:
        """Fix the digests once the last byte has been taken.

        Raises:
            SourceError: the content is not what the source promised.
        """
        self.sha256 = self._sha256.digest()
        if self._git_sha1 is not None:
            self.git_sha1 = self._git_sha1.digest()
        for name, promised, found in (
            ("SHA-256", self.file.sha256, self.sha256),
            ("SHA-512", self.file.sha512, self._sha512 and self._sha512.digest()),
            ("Git SHA-1", self.file.git_sha1, self.git_sha1),
        ):
            if promised is not None and promised != found:
                raise SourceError(
                    f"{self.file.path}: its {name} is not the one it is stored under",
                    advice="the file is damaged: delete it and download it again",
                )


class Opened:
    """A file's bytes by offset, with a check at the end that nobody wrote to it."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._descriptor = -1
        self._before: tuple[int, ...] = ()
        self._start = 0
        content = file.content
        if isinstance(content, bytes):
            return
        part = content if isinstance(content, Extent) else Extent(content, 0, file.size)
        self._start = part.offset
        try:
            self._descriptor = os.open(
                part.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            )
        except OSError as error:
            raise self._unreadable(error) from error
        self._before = self._stamp()
        left = self._before[0] - self._start - file.size
        if left < 0 or (left and part is not content):
            self.close()
            raise self._changed()

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``; fewer only at the end."""
        size = min(size, self._file.size - offset)
        if size <= 0:
            return b""
        if isinstance(self._file.content, bytes):
            return self._file.content[offset : offset + size]
        data = bytearray(size)
        self.read_into(memoryview(data), offset)
        return bytes(data)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill ``buffer`` with the bytes at ``offset``.

        Raises:
            SourceError: the file is shorter than it was, or cannot be read.
        """
        if isinstance(self._file.content, bytes):
            buffer[:] = self._file.content[offset : offset + len(buffer)]
            return
        done = 0
        while done < len(buffer):
            try:
                place = self._start + offset + done
                count = os.preadv(self._descriptor, [buffer[done:]], place)
            except OSError as error:
                raise self._unreadable(error) from error
            if not count:
                raise self._changed()
            done += count

    def check_unchanged(self) -> None:
        """Raise ``SourceError`` if the file was written to since it was opened."""
        if self._descriptor >= 0 and self._stamp() != self._before:
            raise self._changed()

    def close(self) -> None:
        """Give the descriptor back; safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _stamp(self) -> tuple[int, ...]:
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino

    def _changed(self) -> SourceError:
        return SourceError(
            f"{self._file.path}: it changed while it was read",
            advice="stop whatever writes to it and pack again",
        )

    def _unreadable(self, error: OSError) -> SourceError:
        return SourceError(
            f"{self._file.path}: {error.strerror}",
            advice="make it readable for this user, or leave it out with --exclude",
        )
