"""Names that are looked up below an open directory, and nowhere else.

Other processes may write where we publish: what is a directory at one moment can
be a link to somewhere else at the next. Linux looks a whole path up in one step
without following links and without leaving the directory (``openat2``, since 5.6).
Where it cannot, or a sandbox forbids it, each component is opened by itself
without following links, which comes to the same.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from functools import cache
from typing import Final

_OPENAT2: Final = 437
"""The number of the system call, on every architecture but Alpha."""

_NO_SYMLINKS: Final = 0x04
_BENEATH: Final = 0x08
_AGAIN: Final = 100
"""Times that a look-up is tried again, which a rename elsewhere interrupted."""

_NONE: Final = -1

_HOW: Final = struct.Struct("=QQQ")
"""``struct open_how`` of linux/openat2.h: flags, mode, how names are resolved."""


def open_beneath(directory: int, path: str, flags: int, mode: int = 0) -> int:
    """Return a descriptor of ``path``, which lies below the open ``directory``.

    ``path`` is relative; ``mode`` is for a file that ``flags`` make.

    Raises:
        OSError: ``ELOOP``, where one of its components is a link, ``EXDEV``, where
            it leads out, and whatever ``os.open`` raises.
    """
    flags |= os.O_CLOEXEC | os.O_NOFOLLOW
    for _ in range(_AGAIN if is_supported() else 0):
        found = _openat2(directory, path, flags, mode)
        if found >= 0:
            return found
        if found != -errno.EAGAIN:
            raise OSError(-found, os.strerror(-found), path)
    return _walk(directory, path, flags, mode)


@cache
def is_supported() -> bool:
    """Return whether this kernel, in this sandbox, has ``openat2``."""
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        found = _openat2(root, ".", os.O_PATH, 0)
    except AttributeError:
        return False
    finally:
        os.close(root)
    if found >= 0:
        os.close(found)
    return found >= 0


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _openat2(directory: int, path: str, flags: int, mode: int) -> int:
    """Return a descriptor, or the number of the error below zero."""
    how = _HOW.pack(flags, mode if flags & os.O_CREAT else 0, _BENEATH | _NO_SYMLINKS)
    found: int = _library().syscall(
        ctypes.c_long(_OPENAT2),
        ctypes.c_int(directory),
        os.fsencode(path),
        how,
        ctypes.c_size_t(len(how)),
    )
    return found if found >= 0 else -ctypes.get_errno()


def _walk(directory: int, path: str, flags: int, mode: int) -> int:
    """Open one component after the other, following no link."""
    *above, last = path.split("/")
    for name in (*above, last):
        if name in ("", ".."):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    current = _NONE
    try:
        for name in above:
            held = directory if current == _NONE else current
            found = os.open(
                name,
                os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                dir_fd=held,
            )
            if current != _NONE:
                os.close(current)
            current = found
        held = directory if current == _NONE else current
        return os.open(last, flags, mode, dir_fd=held)
    finally:
        if current != _NONE:
            os.close(current)
