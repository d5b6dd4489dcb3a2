"""Reading files of a medium that may be damaged, hostile or pulled out.

Only regular files are opened, never through a link; nothing is read past the
size that was signed; a shard is checked in the buffer it is used from, so a
medium that answers differently the next time changes nothing (spec §3.3).
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from bundle.errors import (
    FormatError,
    IntegrityError,
    MissingError,
    StoreError,
    TruncatedError,
)
from bundle.limits import MAX_DIRECTORY_SCAN, SHARD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.format.shards import Shards


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Say in which file it is what is found to be no valid form.

    Raises:
        FormatError: as the block does, with ``name`` before its message.
    """
    try:
        yield
    except FormatError as error:
        error.args = (f"{name}: {error.args[0]}",)
        error.advice = error.advice or "carry the bundle again"
        raise


def is_there(path: Path) -> bool:
    """Say whether a medium has something of this name, whatever it is.

    Raises:
        StoreError: the medium cannot be read.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    return True


def names_on(directory: Path) -> list[str]:
    """Return the names in a directory of a medium, none where there is none.

    Raises:
        FormatError: it is a link (rule 4.4), or there are more than
            ``MAX_DIRECTORY_SCAN`` names (rule 4.7).
        StoreError: the medium cannot be read.
    """
    names: list[str] = []
    if directory.is_symlink():
        raise FormatError(f"{directory.name} is a link", rule="4.4")
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) > MAX_DIRECTORY_SCAN:
                    raise FormatError(
                        f"{directory.name}/ has over {MAX_DIRECTORY_SCAN} entries",
                        rule="4.7",
                    )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    return sorted(names)


def open_regular(path: Path) -> tuple[int, int]:
    """Return a descriptor for reading and the size of a regular file.

    Raises:
        MissingError: there is no such file.
        FormatError: it is a link, a directory or a device (rule 4.4).
        StoreError: the medium cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise MissingError(f"{path.name} is not here") from None
    except OSError as error:
        if path.is_symlink():
            raise _irregular(path) from error
        raise StoreError(f"{path}: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _irregular(path)
    return descriptor, status.st_size


def _irregular(path: Path) -> FormatError:
    return FormatError(f"{path.name} is not a regular file", rule="4.4")


def read_whole(path: Path, limit: int) -> bytes:
    """Return the bytes of a file of at most ``limit`` bytes, read once.

    Raises:
        FormatError: it is larger (rule 4.5), or no regular file.
        MissingError, StoreError: it is not there, or cannot be read.
    """
    descriptor, size = open_regular(path)
    try:
        if size > limit:
            raise FormatError(f"{path.name} has {size} bytes, over {limit}", rule="4.5")
        data = bytearray(size)
        fill(descriptor, memoryview(data), 0, path)
        return bytes(data)
    finally:
        os.close(descriptor)


def fill(descriptor: int, buffer: memoryview, offset: int, path: Path) -> None:
    """Fill ``buffer`` from ``offset`` of an open file.

    Raises:
        IntegrityError: the file ends before the buffer is full.
        StoreError: the medium cannot be read there.
    """
    done = 0
    while done < len(buffer):
        try:
            count = os.preadv(descriptor, [buffer[done:]], offset + done)
        except OSError as error:
            raise StoreError(
                f"{path.name}: cannot be read at byte {offset + done}: "
                f"{error.strerror}",
                advice="try another reader or port; if it stays, the medium is bad: "
                "carry the bundle again",
            ) from error
        if not count:
            raise IntegrityError(
                f"{path.name} ends at byte {offset + done}", rule="3.2.4"
            )
        done += count


class ShardedFile:
    """A file whose bytes are only ever given out checked, a shard at a time."""

    def __init__(self, path: Path, size: int, shards: Shards, first: int) -> None:
        """Open ``path``, which has ``size`` signed bytes and shards from ``first`` on.

        Raises:
            MissingError: there is no such file.
            IntegrityError: its size is not the signed one.
        """
        self.path = path
        self.size = size
        self._shards = shards
        self._first = first
        self._descriptor, found = open_regular(path)
        if found != size:
            self.close()
            raise IntegrityError(
                f"{path.name} has {found} bytes where {size} were signed",
                rule="3.2.4",
                advice="the copy is not complete: copy the bundle again",
            )

    def read_shard(self, number: int, buffer: memoryview) -> int:
        """Put shard ``number`` at the start of ``buffer``; return its size.

        Raises:
            IntegrityError: it is not the shard that was signed (rule 3.3.11).
            StoreError: the medium cannot be read.
        """
        offset = number * SHARD
        shard = buffer[: min(SHARD, self.size - offset)]
        fill(self._descriptor, shard, offset, self.path)
        name = f"{self.path.name}, bytes {offset} to {offset + len(shard)}"
        self._shards.check(self._first + number, shard, name)
        return len(shard)

    def read(self, offset: int, size: int) -> memoryview:
        """Return ``size`` checked bytes at ``offset``, out of their whole shards.

        Raises:
            IntegrityError: they are not those that were signed.
            TruncatedError: the file ends before.
            StoreError: the medium cannot be read.
        """
        if offset + size > self.size:
            raise TruncatedError(
                f"{self.path.name} ends inside a structure", rule="5.5.2", offset=offset
            )
        first, last = offset // SHARD, -(-(offset + size) // SHARD)
        window = memoryview(bytearray((last - first) * SHARD))
        for number in range(first, last):
            self.read_shard(number, window[(number - first) * SHARD :])
        return window[offset - first * SHARD :][:size]

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
