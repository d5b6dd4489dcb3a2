"""A directory held open.

Other processes may write where we publish. A name that is looked up twice can
be a directory the first time and a link to somewhere else the second time, so
every directory below a target's root is opened once, without following a link,
and whatever happens in it goes through that handle. Names in it are single
components: one with a slash, or ``..``, is refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Self

from bundle.durable import flush_names, target_errors
from bundle.errors import TargetError
from bundle.target.beneath import open_beneath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DIRECTORY_MODE = 0o775
FILE_MODE = 0o664

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NONBLOCK
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})


class Folder:
    """A directory, its handle, and the path to say in messages."""

    __slots__ = ("descriptor", "path")

    def __init__(self, descriptor: int, path: Path) -> None:
        self.descriptor = descriptor
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the directory that a person named; links on the way are theirs.

        Raises:
            TargetError: it is not there, not a directory, or not ours to read.
        """
        with target_errors(path):
            return cls(os.open(path, _OPEN_DIRECTORY), path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def again(self) -> Folder:
        """Return this very directory with a handle of its own.

        Raises:
            TargetError: the system has no more handles.
        """
        with target_errors(self.path):
            return Folder(os.dup(self.descriptor), self.path)

    def find(self, name: str) -> Folder | None:
        """Open the directory ``name`` in this one, or return None without one.

        Raises:
            TargetError: a link or a file is there instead.
        """
        path = self.path / _single(name)
        try:
            descriptor = open_beneath(self.descriptor, name, _OPEN_DIRECTORY)
            return Folder(descriptor, path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise TargetError(
                    f"{path}: a link or a file is where a directory belongs",
                    advice="find out who put it there, remove it, and run again",
                ) from None
            with target_errors(path):
                raise

    def make(self, name: str) -> Folder:
        """Open the directory ``name``, made durably if it is not there.

        Raises:
            TargetError: it could not be made, or a link or a file is there.
        """
        found = self.find(name)
        if found is not None:
            return found
        path = self.path / name
        with target_errors(path):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, DIRECTORY_MODE, dir_fd=self.descriptor)
            flush_names(self.descriptor)
        made = self.find(name)
        if made is None:
            raise TargetError(f"{path}: removed while it was made")
        _widen(made.descriptor)
        return made

    @contextlib.contextmanager
    def below(self, parts: Sequence[str], *, make: bool) -> Iterator[Folder | None]:
        """Open the directory ``parts`` levels down; None when it is not there.

        Raises:
            TargetError: a link or a file is in place of one of the levels.
        """
        whole = self._straight(parts)
        if whole is not None:
            with whole:
                yield whole
            return
        with contextlib.ExitStack() as stack:
            current: Folder | None = self
            for part in parts:
                if current is None:
                    break
                current = current.make(part) if make else current.find(part)
                if current is not None:
                    stack.enter_context(current)
            yield current

    def _straight(self, parts: Sequence[str]) -> Folder | None:
        """Return the directory ``parts`` levels down, None if it is not simply there.

        Why not is for whoever goes level by level to find out.
        """
        if not parts:
            return None
        path = "/".join(map(_single, parts))
        try:
            descriptor = open_beneath(self.descriptor, path, _OPEN_DIRECTORY)
        except OSError:
            return None
        return Folder(descriptor, self.path.joinpath(*parts))

    @contextlib.contextmanager
    def made(self, parts: Sequence[str]) -> Iterator[Folder]:
        """Open the directory ``parts`` levels down, making what is missing.

        Raises:
            TargetError: a link or a file is in place of one of the levels.
        """
        with self.below(parts, make=True) as folder:
            if folder is None:
                raise TargetError(f"{self.path}: removed while it was made")
            yield folder

    def status(self, name: str) -> os.stat_result | None:
        """Return what ``name`` itself is, following no link; None without it.

        Raises:
            TargetError: the system would not say.
        """
        with target_errors(self.path / name):
            try:
                return os.stat(
                    _single(name), dir_fd=self.descriptor, follow_symlinks=False
                )
            except FileNotFoundError:
                return None

    def names(self) -> list[str]:
        """Return the names in this directory, sorted.

        Raises:
            TargetError: the system would not say.
        """
        with target_errors(self.path):
            return sorted(os.listdir(self.descriptor))  # noqa: PTH208 - by the handle

    def link_text(self, name: str) -> str | None:
        """Return where the link ``name`` points, or None if it is no link."""
        try:
            return os.readlink(_single(name), dir_fd=self.descriptor)
        except OSError:
            return None

    def open_file(self, name: str) -> int | None:
        """Return a descriptor of the regular file ``name``, or None without one.

        A link, a pipe, a device, or a file that may not be read, is not one.
        """
        try:
            descriptor = self.open_any(name, _OPEN_FILE)
        except OSError:
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return None

    def open_any(self, name: str, flags: int) -> int:
        """Return a descriptor of the file ``name``, which is no link.

        Raises:
            OSError: as ``os.open``.
        """
        return open_beneath(self.descriptor, _single(name), flags, FILE_MODE)

    def remove_file(self, name: str) -> None:
        """Remove the file or the link ``name``; durable once the folder is flushed.

        Raises:
            TargetError: the system does not let us.
        """
        with target_errors(self.path / name), contextlib.suppress(FileNotFoundError):
            os.unlink(_single(name), dir_fd=self.descriptor)

    def remove_empty(self, name: str) -> None:
        """Remove the directory ``name`` if nothing is in it.

        Raises:
            OSError: something is, or it is not there.
        """
        os.rmdir(_single(name), dir_fd=self.descriptor)

    def read(self, name: str, limit: int) -> bytes | None:
        """Return the content of a file of at most ``limit`` bytes, or None."""
        descriptor = self.open_file(name)
        if descriptor is None:
            return None
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(limit + 1)
        return data if len(data) <= limit else None

    def write(
        self, name: str, data: bytes | memoryview, mode: int = FILE_MODE
    ) -> os.stat_result:
        """Make the new file ``name``, flushed; its name is not durable yet.

        Raises:
            TargetError: it exists or could not be written.
        """
        with target_errors(self.path / name):
            descriptor = self.open_any(name, _NEW_FILE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                set_mode(file.fileno(), mode)
                file.flush()
                os.fsync(file.fileno())
                return os.fstat(file.fileno())

    def link(self, name: str, text: str) -> None:
        """Make the symbolic link ``name`` to ``text``.

        Raises:
            TargetError: the file system has no links, or the name is taken.
        """
        path = self.path / name
        with target_errors(path):
            try:
                os.symlink(text, _single(name), dir_fd=self.descriptor)
            except OSError as error:
                if error.errno in _NO_LINKS:
                    raise TargetError(
                        f"{path}: this file system takes no symbolic links",
                        advice="unpack with --copy",
                    ) from error
                raise

    def move(self, name: str, to: Folder, new_name: str) -> None:
        """Rename ``name`` to ``new_name`` in ``to``, replacing a file there.

        Raises:
            TargetError: the rename was refused; nothing changed.
        """
        path = to.path / new_name
        with target_errors(path):
            try:
                os.rename(
                    _single(name),
                    _single(new_name),
                    src_dir_fd=self.descriptor,
                    dst_dir_fd=to.descriptor,
                )
            except OSError as error:
                raise _explained(path, error) from error

    def change_mode(self, name: str, mode: int, *, mask: int) -> bool:
        """Give a file ``mode`` if its bits in ``mask`` differ; say if that worked."""
        descriptor = self.open_file(name)
        if descriptor is None:
            return False
        try:
            there = os.fstat(descriptor).st_mode & mask
            if there == mode & mask or not set_mode(descriptor, mode):
                return False
            with target_errors(self.path / name):
                os.fsync(descriptor)
            return True
        finally:
            os.close(descriptor)

    def flush(self) -> None:
        """Make the names in this directory durable.

        Raises:
            TargetError: the flush failed, which is final.
        """
        with target_errors(self.path):
            flush_names(self.descriptor)


def _single(name: str) -> str:
    """Return ``name`` if it is one component.

    Raises:
        TargetError: it would lead to another directory.
    """
    if "/" in name or name in ("", ".", ".."):
        raise TargetError(f"{name!r} is no name in a directory")
    return name


def nearest(root: Path) -> Path:
    """Return ``root``, or the directory above where ``root`` is still to be made.

    Raises:
        TargetError: that is not there either, or ``root`` is no directory.
    """
    if root.is_dir():
        return root
    if root.exists() or root.is_symlink():
        raise TargetError(
            f"{root}: not a directory", advice="name a directory as the target"
        )
    if not root.parent.is_dir():
        raise TargetError(
            f"{root}: the directory above does not exist",
            advice=f"make it first: mkdir -p {root.parent}",
        )
    return root.parent


def set_mode(descriptor: int, mode: int) -> bool:
    """Give an open file these permissions if we may; return whether that did it.

    A file system without modes, or one that reserves them for an owner who is
    not us, leaves them as they are: that is no error.
    """
    before = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if before == mode:
        return False
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, mode)
    return stat.S_IMODE(os.fstat(descriptor).st_mode) != before


def _widen(descriptor: int) -> None:
    """Let the group write, and keep the set-group-id bit that was inherited."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    set_mode(descriptor, mode | DIRECTORY_MODE)


def _explained(path: Path, error: OSError) -> OSError | TargetError:
    """Say in the target's words why a rename was refused."""
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
        return TargetError(
            f"{path}: a directory is in the way",
            advice="move it elsewhere and run again",
        )
    if error.errno == errno.EXDEV:
        return TargetError(
            f"{path}: on another mount than the staging directory",
            advice="name the mounted directory itself as the target, "
            "for example hf-cache:PATH/hub",
        )
    return error
