"""Files inside a tar, as parts of it: nothing is unpacked."""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
from typing import TYPE_CHECKING, Final

from bundle.errors import SourceError
from bundle.limits import MAX_OCI_MEMBERS
from bundle.source.base import Extent
from bundle.source.listing import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_LINKS: Final = 8
_COMPRESSED: Final = {b"\x1f\x8b": "gunzip", b"\x28\xb5": "zstd -d", b"\xfd7": "unxz"}


class TarFiles:
    """The regular files of a tar by name; links inside it are followed."""

    def __init__(self, path: Path) -> None:
        """Read the headers of the tar at ``path``.

        Raises:
            SourceError: it is no tar, or has a name twice, or too many.
        """
        self._path = path
        self._files: dict[str, Extent] = {}
        self._links: dict[str, str] = {}
        try:
            self._refuse_others()
            with tarfile.open(path, "r:") as archive:
                for member in _members(archive, os.fspath(path)):
                    self._add(member)
        except OSError as error:
            raise unreadable(os.fspath(path), error) from error
        except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
            raise SourceError(f"{path}: not a whole tar: {error}") from error

    @property
    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return sorted(self._files)

    def find(self, name: str) -> Extent | None:
        """Return where a file is, or None without it."""
        for _ in range(_MAX_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return self._files.get(name)

    def read(self, name: str, size: int) -> bytes | None:
        """Return at most ``size`` bytes of a file, or None without it.

        Raises:
            SourceError: the tar cannot be read.
        """
        extent = self.find(name)
        return None if extent is None else self.read_extent(extent, size)

    def read_extent(self, extent: Extent, size: int) -> bytes:
        """Return at most ``size`` bytes of a part of the tar.

        Raises:
            SourceError: the tar cannot be read.
        """
        try:
            with self._path.open("rb") as stream:
                stream.seek(extent.offset)
                return stream.read(min(size, extent.size))
        except OSError as error:
            raise unreadable(os.fspath(self._path), error) from error

    def _refuse_others(self) -> None:
        """Say in words why something else than a plain tar is not taken."""
        status = self._path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{self._path}: not a regular file")
        with self._path.open("rb") as stream:
            tool = _COMPRESSED.get(stream.read(2))
        if tool is not None:
            raise SourceError(
                f"{self._path}: a compressed tar",
                advice=f"decompress it first, with {tool}: its parts are read in place",
            )

    def _add(self, member: tarfile.TarInfo) -> None:
        name = posixpath.normpath(member.name).lstrip("/")
        if name in self._files or name in self._links:
            raise SourceError(f"{self._path}: the member {name!r} is there twice")
        if member.issym():
            base = posixpath.dirname(name)
            self._links[name] = posixpath.normpath(f"{base}/{member.linkname}")
        elif member.islnk():
            self._links[name] = posixpath.normpath(member.linkname)
        elif member.isreg() and not member.issparse():
            end = member.offset_data + member.size
            if end > self._path.stat().st_size:
                raise SourceError(f"{self._path}: it stops within {name!r}")
            self._files[name] = Extent(self._path, member.offset_data, member.size)


def _members(archive: tarfile.TarFile, where: str) -> Iterator[tarfile.TarInfo]:
    """Yield the members that are no directories, up to the bound."""
    for count, member in enumerate(archive):
        if count >= MAX_OCI_MEMBERS:
            raise SourceError(f"{where}: over {MAX_OCI_MEMBERS} members")
        if not member.isdir():
            yield member
