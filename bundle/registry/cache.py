"""Blobs that were pulled before, by digest: a cache below the user's own.

::

    blobs/sha256/<hex>         whole, flushed, and verified when it was put there
    blobs/sha256/<hex>.part    what there is of one that is on its way

Whoever uses a blob hashes it again. A part is held under a lock by the process
that adds to it; another one that wants the same blob then begins its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.durable import flush_directory, make_directory, target_errors, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bundle.oci.digests import BlobDigest


class BlobCache:
    """The directory ``root`` with blobs in it; made when the first one comes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> BlobCache:
        """Return the cache of whoever this environment is of."""
        base = Path(environment.get("XDG_CACHE_HOME", ""))
        if not base.is_absolute():
            home = environment.get("HOME") or Path("~").expanduser()
            base = Path(home, ".cache")
        return cls(base / "bundle" / "oci")

    def path(self, digest: BlobDigest) -> Path:
        """Return where a blob is, or would be."""
        return self.root / digest.path

    def holds(self, digest: BlobDigest, size: int) -> bool:
        """Return whether a file of this size is there under the digest."""
        try:
            return self.path(digest).stat().st_size == size
        except OSError:
            return False

    def head(self, digest: BlobDigest, size: int) -> bytes | None:
        """Return at most ``size`` bytes of a blob, as they are; None without it."""
        try:
            with self.path(digest).open("rb") as file:
                return file.read(size)
        except OSError:
            return None

    def read(self, digest: BlobDigest, size: int) -> bytes | None:
        """Return a blob of ``size`` bytes that is here and not damaged, or None."""
        data = self.head(digest, size + 1)
        if data is None or len(data) != size or not digest.matches(data):
            return None
        return data

    def put(self, digest: BlobDigest, data: bytes) -> None:
        """Keep a small blob that was verified.

        Raises:
            TargetError: the cache cannot be written.
        """
        if self.read(digest, len(data)) is None:
            path = self.path(digest)
            make_directory(path.parent)
            write_file(path, data)

    def drop(self, digest: BlobDigest) -> None:
        """Remove a blob that turned out to be damaged."""
        with contextlib.suppress(OSError):
            self.path(digest).unlink()

    @contextlib.contextmanager
    def part(self, digest: BlobDigest) -> Iterator[Part]:
        """Lend what there is of a blob, for writing.

        Raises:
            TargetError: the cache cannot be written.
        """
        place = self.path(digest)
        make_directory(place.parent)
        part = _open_part(place)
        try:
            yield part
        finally:
            os.close(part.file)
            if part.is_private:
                with contextlib.suppress(OSError):
                    part.path.unlink()


class Part:
    """An open file that becomes a blob when it is ``kept``."""

    def __init__(self, file: int, path: Path, place: Path, *, private: bool) -> None:
        self.file = file
        self.path = path
        self.is_private = private
        self._place = place

    @property
    def size(self) -> int:
        """The bytes that are there."""
        return os.fstat(self.file).st_size

    def truncate(self) -> None:
        """Begin again."""
        os.ftruncate(self.file, 0)

    def keep(self) -> Path:
        """Give the flushed file its name, durably; return its path.

        Raises:
            TargetError: the rename was refused.
        """
        with target_errors(self._place):
            self.path.rename(self._place)
            flush_directory(self._place.parent)
        return self._place


def _open_part(place: Path) -> Part:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    path = place.with_name(f"{place.name}.part")
    with target_errors(path):
        file = os.open(path, flags, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
        else:
            return Part(file, path, place, private=False)
        path = place.with_name(f"{place.name}.{secrets.token_hex(4)}.part")
        file = os.open(path, flags | os.O_EXCL, 0o644)
        return Part(file, path, place, private=True)
