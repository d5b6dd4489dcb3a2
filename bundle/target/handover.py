"""Staged files on their way to their final names.

Several files of a release may have the same content, and the unpacker stages it
once. The first name gets the staged file itself, by a rename; every other name
gets a copy, which the file system makes cheaply where it can.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from bundle.durable import target_errors
from bundle.errors import TargetError
from bundle.limits import MIB
from bundle.target.folder import FILE_MODE, set_mode

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.target.folder import Folder
    from bundle.target.workspace import Workspace

_PIECE: Final = 1 * MIB
_CANNOT_COPY_RANGE: Final = frozenset(
    {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF}
)


class Handover:
    """Gives each staged file to one name, and copies to the others."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._given: dict[Path, tuple[Path, os.stat_result]] = {}

    def put(
        self, staged: Path | None, folder: Folder, name: str, mode: int = FILE_MODE
    ) -> os.stat_result:
        """Make ``name`` in ``folder`` the content that is staged at ``staged``.

        A file that is there is replaced; None stands for an empty file. The name
        is durable once the folder is flushed. Returns the status of the file
        that is there now.

        Raises:
            TargetError: it could not be put there; what was there still is.
        """
        if staged is None:
            return self.put_bytes(b"", folder, name, mode)
        given = self._given.get(staged)
        if given is not None:
            return self._copy(given[0], given[1], folder, name, mode)
        with target_errors(staged):
            descriptor = self._workspace.open_staged(staged, os.O_RDONLY)
            status = _settle(descriptor, mode)
        self._workspace.move_staged(staged, folder, name)
        self._given[staged] = (folder.path / name, status)
        return status

    def put_bytes(
        self, data: bytes, folder: Folder, name: str, mode: int = FILE_MODE
    ) -> os.stat_result:
        """Make ``name`` in ``folder`` a file with these few bytes.

        Raises:
            TargetError: it could not be put there; what was there still is.
        """
        with self._workspace.building() as build:
            temporary = self._workspace.fresh()
            status = build.write(temporary, data, mode)
            build.move(temporary, folder, name)
            return status

    def relocated(self, before: Path, after: Path) -> None:
        """Follow the files given to names below ``before``, which was renamed."""
        for staged, (path, status) in self._given.items():
            if path.is_relative_to(before):
                self._given[staged] = (after / path.relative_to(before), status)

    def _copy(
        self,
        source: Path,
        expected: os.stat_result,
        folder: Folder,
        name: str,
        mode: int,
    ) -> os.stat_result:
        """Copy a file that was given away before, unless it was touched since."""
        with self._workspace.building() as build:
            temporary = self._workspace.fresh()
            with target_errors(source):
                reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                found = os.fstat(reading)
                if _identity(found) != _identity(expected):
                    raise TargetError(
                        f"{source}: changed since it was published a moment ago",
                        advice="stop whatever else writes there and run again",
                    )
                with target_errors(folder.path / name):
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                    writing = os.open(
                        temporary, flags, FILE_MODE, dir_fd=build.descriptor
                    )
                    status = _fill(reading, writing, found.st_size, mode)
            finally:
                os.close(reading)
            build.move(temporary, folder, name)
            return status


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _settle(descriptor: int, mode: int) -> os.stat_result:
    """Give a flushed file its mode, durably, and close it."""
    try:
        if set_mode(descriptor, mode):
            os.fsync(descriptor)
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _fill(reading: int, writing: int, size: int, mode: int) -> os.stat_result:
    """Copy ``size`` bytes, flush, and close the copy."""
    try:
        done = _copy_range(reading, writing, size)
        while done < size:
            piece = os.pread(reading, _PIECE, done)
            if not piece:
                raise OSError(errno.EIO, "the file became shorter while it was copied")
            done += os.pwrite(writing, piece, done)
        set_mode(writing, mode)
        os.fsync(writing)
        return os.fstat(writing)
    finally:
        os.close(writing)


def _copy_range(reading: int, writing: int, size: int) -> int:
    """Let the file system copy or share what it can; return how many bytes."""
    done = 0
    try:
        while done < size:
            moved = os.copy_file_range(reading, writing, size - done, done, done)
            if moved == 0:
                break
            done += moved
    except OSError as error:
        if error.errno not in _CANNOT_COPY_RANGE:
            raise
    return done
