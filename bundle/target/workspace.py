"""``.bundle`` at a target: files on their way, and what was published before.

::

    .bundle/
      run-<16 hex>/       one run's own; gone when it ends
        lock              held while the run lives, so that others leave it alone
        files/            what the unpacker stages
        build/            what publication puts together before it is renamed
      records/            one record an artifact: see ``bundle.target.record``
      recipes/ originals/ store.json    see ``bundle.target.ledger``
      published.json      the release that is here

A run that was killed leaves its directory behind; the next one removes it. Where
a file system has no locks every other run counts as dead, so two runs into one
target at once are safe only with locks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import secrets
import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.durable import target_errors
from bundle.errors import TargetError
from bundle.target.folder import FILE_MODE, Folder, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

NAME: Final = ".bundle"
_RUN: Final = "run-"
_BUSY: Final = frozenset({errno.EAGAIN, errno.EACCES})


class Workspace:
    """The directory ``.bundle`` below ``root``, and this run's part of it."""

    def __init__(self, root: Path, parts: tuple[str, ...] = (NAME,)) -> None:
        self.root = root
        self._parts = parts
        self._run = f"{_RUN}{secrets.token_hex(8)}"
        self._lock: int | None = None
        self._begun = False
        self._made: list[tuple[str, ...]] = []
        self._counter = 0
        self._pinned: Folder | None = None
        self._staging: Folder | None = None

    @property
    def files(self) -> Path:
        """Where the unpacker puts files, made when it is first asked for.

        Raises:
            TargetError: it could not be made.
        """
        self._enter()
        return self.root.joinpath(*self._parts, self._run, "files")

    @contextlib.contextmanager
    def opened(self) -> Iterator[Folder]:
        """Open ``root``: while a run lasts, the very directory that it began in.

        Raises:
            TargetError: it is not there, not a directory, or not ours to read.
        """
        pinned = self._pinned
        with Folder.open(self.root) if pinned is None else pinned.again() as root:
            yield root

    def open_staged(self, place: Path, flags: int) -> int:
        """Return a descriptor of ``place``, a file in ``files``.

        It is looked up in the directory that was made for the run, whatever its
        path leads to now.

        Raises:
            OSError: as ``os.open``.
        """
        return self._staged(place).open_any(place.name, flags)

    def move_staged(self, place: Path, to: Folder, name: str) -> None:
        """Rename ``place``, a file in ``files``, to ``name``, replacing a file there.

        Raises:
            TargetError: the rename was refused; nothing changed.
        """
        self._staged(place).move(place.name, to, name)

    def _staged(self, place: Path) -> Folder:
        if self._staging is None or place.parent != self._staging.path:
            raise TargetError(f"{place}: is not staged by this run")
        return self._staging

    @property
    def build(self) -> Path:
        """Where publication puts things together before it renames them."""
        return self.root.joinpath(*self._parts, self._run, "build")

    def begin(self) -> None:
        """Make the target if it is not there and clear what dead runs left.

        Nothing is written where neither is needed, so that a run that finds
        everything in place leaves no trace.

        Raises:
            TargetError: the target cannot be made, or a link is planted there.
        """
        if self._begun:
            return
        self._made = self._absent()
        if nearest(self.root) == self.root:
            self._pinned = Folder.open(self.root)
        else:
            with Folder.open(self.root.parent) as above:
                self._pinned = above.make(self.root.name)
        self._begun = True
        with self.opened() as root, root.below(self._parts, make=False) as place:
            if place is not None:
                self._clear(place)

    def _enter(self) -> None:
        """Make this run's directory, once, while the run lasts."""
        if self._lock is not None or not self._begun:
            return
        with self.opened() as root, root.made((*self._parts, self._run)) as run:
            self._lock = _lock(run, create=True)
            self._staging = run.make("files")
            with run.make("build"):
                pass

    def finish(self, release: str) -> None:
        """Note the digest of the release that is here now, and ``end``.

        Raises:
            TargetError: the note could not be written.
        """
        self.write(("published.json",), msgspec.json.encode({"release": release}))
        self.end()

    def end(self) -> None:
        """Remove this run's directory with everything still in it.

        What was made for it goes too while it is empty, so that a run that was
        refused leaves the target as it was.
        """
        if self._lock is not None:
            self._leave(self._lock)
            self._lock = None
        if self._begun:
            with contextlib.suppress(OSError, TargetError):
                for parts in reversed(self._made):
                    self._unmake(parts)
            self._begun = False
        if self._pinned is not None:
            os.close(self._pinned.descriptor)
            self._pinned = None

    def _unmake(self, parts: tuple[str, ...]) -> None:
        """Remove an empty directory that was made for the run; ``()`` is the root."""
        if not parts:
            self.root.rmdir()
            return
        with self.opened() as root, root.below(parts[:-1], make=False) as above:
            if above is not None:
                above.remove_empty(parts[-1])

    def _leave(self, lock: int) -> None:
        """Remove this run's directory and let go of its lock."""
        if self._staging is not None:
            os.close(self._staging.descriptor)
            self._staging = None
        with self.opened() as root, root.below(self._parts, make=False) as place:
            if place is not None:
                _remove(place, self._run)
        os.close(lock)

    def _absent(self) -> list[tuple[str, ...]]:
        """Return the directories from the root to ``.bundle`` that are not there."""
        levels = range(len(self._parts) + 1)
        return [
            self._parts[:level]
            for level in levels
            if not self.root.joinpath(*self._parts[:level]).exists()
        ]

    @contextlib.contextmanager
    def building(self) -> Iterator[Folder]:
        """Open the directory that ``build`` names.

        Raises:
            TargetError: a link is in place of it, or it was removed.
        """
        self._enter()
        parts = (*self._parts, self._run, "build")
        with self.opened() as root, root.made(parts) as folder:
            yield folder

    def fresh(self) -> str:
        """Return a name that this run has not used in ``build`` yet."""
        self._counter += 1
        return str(self._counter)

    def read(self, parts: tuple[str, ...], limit: int) -> bytes | None:
        """Return a file of at most ``limit`` bytes below ``.bundle``, or None."""
        *above, name = (*self._parts, *parts)
        if not self.root.is_dir():
            return None
        with self.opened() as root, root.below(above, make=False) as place:
            return None if place is None else place.read(name, limit)

    def map(self, parts: tuple[str, ...]) -> memoryview | None:
        """Return a file below ``.bundle``, mapped, or None where there is none."""
        *above, name = (*self._parts, *parts)
        if not self.root.is_dir():
            return None
        with self.opened() as root, root.below(above, make=False) as place:
            descriptor = None if place is None else place.open_file(name)
        if descriptor is None:
            return None
        try:
            if not os.fstat(descriptor).st_size:
                return memoryview(b"")
            return memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
        finally:
            os.close(descriptor)

    def prune(self, directory: str, kept: Collection[str]) -> None:
        """Remove what is in a directory of ``.bundle`` and not among ``kept``."""
        parts = (*self._parts, directory)
        with self.opened() as root, root.below(parts, make=False) as place:
            if place is None:
                return
            for name in set(place.names()) - set(kept):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=place.descriptor)

    def discard(self, directory: str, names: Iterable[str]) -> None:
        """Remove files from a directory of ``.bundle``; what stays is harmless."""
        parts = (*self._parts, directory)
        with self.opened() as root, root.below(parts, make=False) as place:
            if place is None:
                return
            for name in names:
                with contextlib.suppress(TargetError):
                    place.remove_file(name)

    def write(self, parts: tuple[str, ...], data: bytes | memoryview) -> None:
        """Put a file below ``.bundle``; durable on return, untouched if equal.

        Raises:
            TargetError: it could not be written; the old one is still there.
        """
        *above, name = (*self._parts, *parts)
        with self.opened() as root, root.made(above) as place:
            if place.read(name, len(data)) == data:
                return
            temporary = f".{name}.{secrets.token_hex(4)}"
            try:
                place.write(temporary, data)
                place.move(temporary, place, name)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=place.descriptor)
                raise
            place.flush()

    def _clear(self, place: Folder) -> None:
        """Remove what dead runs left."""
        for name in place.names():
            if not name.startswith(_RUN):
                continue
            with place.below((name,), make=False) as run:
                lock = None if run is None else _lock(run, create=False)
            if lock is None:
                continue
            _remove(place, name)
            os.close(lock)


def _lock(run: Folder, *, create: bool) -> int | None:
    """Return the held lock of a run's directory, or None while another holds it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with target_errors(run.path / "lock"):
        descriptor = os.open("lock", flags, FILE_MODE, dir_fd=run.descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY and not create:
                os.close(descriptor)
                return None
        return descriptor


def _remove(place: Folder, name: str) -> None:
    """Remove a directory tree, following no link; what stays is harmless."""
    with contextlib.suppress(OSError):
        shutil.rmtree(name, dir_fd=place.descriptor)
