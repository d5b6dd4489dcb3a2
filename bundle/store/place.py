"""The directory of a local store: its names, its identity, and who is busy in it.

::

    id                          32 hexadecimal digits, made once
    generation-NNNNNNNNNN       an empty file: counts up when chunks may have left
    lock                        an empty file that those who change it lock
    packs/NNNNNNNNNN.bdv        volumes
    indexes/NAME.bdx            index segments
    recipes/DIGEST.bdr          recipes
    releases/DIGEST.json        releases, in their envelopes
    papers/DIGEST/              what came with them: approval.md, sig/, trust/
    commits/NNNNNNNNNN-DIGEST   the releases held whole
    tmp/                        what is being written
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from typing import TYPE_CHECKING, Final

from bundle.durable import flush_directory, make_directory, target_errors, write_file
from bundle.errors import (
    FormatError,
    MissingError,
    StoreError,
    TargetError,
    TransientError,
)
from bundle.store.base import Identity
from bundle.store.packs import name_once

if TYPE_CHECKING:
    from pathlib import Path

_ID: Final = re.compile(rb"[0-9a-f]{32}")
_GENERATION: Final = re.compile(r"generation-([0-9]{10})", re.ASCII)
_OURS: Final = frozenset({"id", "lock", "tmp", "packs"})


class Place:
    """One directory that is a store."""

    def __init__(self, root: Path) -> None:
        """Open the store in the directory ``root``.

        Raises:
            MissingError: there is no store.
            FormatError: its identity is damaged (rules 50.2.1 and 50.2.2).
        """
        self.root = root
        self.packs = root / "packs"
        self.indexes = root / "indexes"
        self.recipes = root / "recipes"
        self.releases = root / "releases"
        self.papers = root / "papers"
        self.commits = root / "commits"
        self._lock = -1
        self.identity()

    def identity(self) -> Identity:
        """Return the store's id and its generation now.

        Raises:
            MissingError: there is no store.
            FormatError: its identity is damaged (rules 50.2.1 and 50.2.2).
        """
        try:
            data = (self.root / "id").read_bytes()
            numbers = self._generations()
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError(
                f"{self.root}: there is no store here",
                advice="'bundle store add' makes one",
            ) from None
        except OSError as error:
            raise StoreError(f"{self.root}: {error.strerror}") from error
        if _ID.fullmatch(data) is None:
            raise FormatError(f"{self.root / 'id'}: not an id", rule="50.2.1")
        if not numbers:
            raise FormatError(f"{self.root}: no generation", rule="50.2.2")
        return Identity(data.decode(), max(numbers))

    def advance(self) -> int:
        """Count the generation up; durable on return, and needs no free space.

        Raises:
            TargetError: the file system refuses; nothing changed.
        """
        with target_errors(self.root):
            now = max(self._generations())
            old = self.root / f"generation-{now:010d}"
            old.rename(self.root / f"generation-{now + 1:010d}")
            flush_directory(self.root)
        return now + 1

    def temporary(self) -> Path:
        """Return a new name for something that is being written.

        Raises:
            TargetError: the file system refuses.
        """
        make_directory(self.root / "tmp")
        return self.root / "tmp" / secrets.token_hex(8)

    def begin(self) -> bool:
        """Take part in changing the store, beside others that add to it.

        Whoever is alone removes what a crash left in ``tmp``. Returns whether this
        is new, so that others may have changed the store before.

        Raises:
            TransientError: somebody collects or rebuilds.
        """
        if self._lock >= 0:
            return False
        self._lock = self._open_lock()
        if self._try(fcntl.LOCK_EX):
            self._clean()
        if not self._try(fcntl.LOCK_SH):
            self.end()
            raise TransientError(
                f"{self.root}: another process is collecting or rebuilding",
                advice="run it again when that is done",
            )
        return True

    def begin_alone(self) -> None:
        """Take the store for oneself.

        Raises:
            TransientError: somebody is adding, collecting or rebuilding.
        """
        self.end()
        self._lock = self._open_lock()
        if not self._try(fcntl.LOCK_EX):
            self.end()
            raise TransientError(
                f"{self.root}: another process is changing this store",
                advice="run it again when that is done",
            )
        self._clean()

    def end(self) -> None:
        """Let others change the store."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _generations(self) -> list[int]:
        names = (path.name for path in self.root.iterdir())
        return [int(match[1]) for match in map(_GENERATION.fullmatch, names) if match]

    def _open_lock(self) -> int:
        path = self.root / "lock"
        with target_errors(path):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)

    def _try(self, kind: int) -> bool:
        """Lock; a file system without locks is like being alone (rule 50.5.6)."""
        try:
            fcntl.flock(self._lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _clean(self) -> None:
        """Remove what a crash left half written."""
        temporary = self.root / "tmp"
        named = (self.root, self.indexes, self.recipes, self.releases, self.commits)
        with target_errors(temporary):
            for path in temporary.iterdir() if temporary.is_dir() else ():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            for directory in named:
                for path in directory.glob(".*.tmp"):
                    path.unlink(missing_ok=True)
            for path in self.papers.glob("*/**/.*.tmp"):
                path.unlink(missing_ok=True)


def make_place(root: Path) -> Place:
    """Return the store in the directory ``root``, made if there is none.

    Raises:
        TargetError: the directory is something else's, or cannot be made.
    """
    make_directory(root)
    with target_errors(root):
        names = {path.name for path in root.iterdir()}
    if "id" in names:
        return Place(root)
    others = {name for name in names - _OURS if not _GENERATION.fullmatch(name)}
    if others:
        raise TargetError(
            f"{root}: not empty, and not a store: {min(others)}",
            advice="name a new or an empty directory",
        )
    write_file(root / "lock", b"")
    if not any(map(_GENERATION.fullmatch, names)):
        write_file(root / f"generation-{1:010d}", b"")
    # Its name makes it a store; of several that try at once, one names it.
    make_directory(root / "tmp")
    temporary = root / "tmp" / secrets.token_hex(8)
    write_file(temporary, secrets.token_hex(16).encode())
    with target_errors(root):
        if not name_once(temporary, root / "id"):
            temporary.unlink()
        flush_directory(root)
    return Place(root)
