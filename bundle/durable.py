"""Files that are either there whole or not there at all (spec §30.1).

Write under a temporary name in the same directory, flush the file, rename it,
flush the directory, and only then say it is done. A failed flush is final: the
temporary file is dropped and the error goes to the caller, since the kernel may
have thrown the dirty pages away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from typing import TYPE_CHECKING

from bundle.errors import SpaceError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_CANNOT_FLUSH_DIRECTORY = frozenset({errno.EINVAL, errno.ENOTSUP})


@contextlib.contextmanager
def target_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` about writing ``path`` into a ``TargetError``.

    Raises:
        SpaceError: the file system or the quota is full.
        TargetError: anything else the system refused.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise SpaceError(
                f"{path}: no space left",
                advice="free some space and run the same command again",
            ) from error
        raise TargetError(f"{path}: {error.strerror or error}") from error


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put ``data`` at ``path``, replacing what is there; durable on return.

    Raises:
        TargetError: it could not be written; ``path`` is as it was before.
    """
    with target_errors(path):
        temporary = path.with_name(f".{path.name[:60]}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        flush_directory(path.parent)


def move(source: Path, destination: Path) -> None:
    """Rename a flushed file into place and make the name durable.

    Raises:
        TargetError: the rename was refused; nothing changed.
    """
    with target_errors(destination):
        source.rename(destination)
        flush_directory(destination.parent)


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset`` of an open file.

    Raises:
        OSError: as ``os.pwrite``; some of it may have been written.
    """
    view = memoryview(data).cast("B")
    while view.nbytes:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count


def flush_directory(path: Path) -> None:
    """Make the names in a directory durable, where the file system can do that.

    Raises:
        OSError: the flush failed; what was renamed there may be lost.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flush_names(descriptor)
    finally:
        os.close(descriptor)


def flush_names(descriptor: int) -> None:
    """Make the names in the directory that is open as ``descriptor`` durable.

    Raises:
        OSError: the flush failed; what was renamed there may be lost.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH_DIRECTORY:
            raise


def make_directory(path: Path, *, mode: int = 0o775) -> None:
    """Make ``path`` and the missing directories above it; durable on return.

    Raises:
        TargetError: one of them could not be made.
    """
    with target_errors(path):
        missing = []
        current = path
        while not current.is_dir():
            missing.append(current)
            current = current.parent
        for directory in reversed(missing):
            # Another process may make it meanwhile; a file is in the way.
            directory.mkdir(mode=mode, exist_ok=True)
            flush_directory(directory.parent)
