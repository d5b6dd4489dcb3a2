"""A tar of a layout: where its blobs are, and how a new one is written.

The same blobs and the same index give the same bytes, whoever writes them and when.
"""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from bundle.durable import flush_directory, target_errors
from bundle.errors import IntegrityError, SpaceError, TargetError
from bundle.limits import MAX_OCI_MEMBERS, MIB
from bundle.oci import layouts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from bundle.oci.digests import BlobDigest

_PIECE: Final = 1 * MIB
_BLOCK: Final = 512
_MODE: Final = 0o644
_END: Final = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True)
class Part:
    """``size`` bytes at ``offset`` of a file."""

    path: Path
    offset: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the part, fewer at its end.

        Raises:
            TargetError: the file cannot be read.
        """
        length = max(0, min(length, self.size - offset))
        with target_errors(self.path), self.path.open("rb") as stream:
            stream.seek(self.offset + offset)
            return stream.read(length)


class Hasher(Protocol):
    """What ``hashlib`` returns."""

    def update(self, data: bytes, /) -> object:
        """Take the next bytes in."""

    def hexdigest(self) -> str:
        """Return the digits."""


def parts_of(path: Path) -> dict[str, Part]:
    """Return the regular files in the tar at ``path`` by name; none without it.

    Raises:
        TargetError: it is there and no tar.
    """
    if not path.exists():
        return {}
    found: dict[str, Part] = {}
    try:
        with target_errors(path), tarfile.open(path, "r:") as archive:
            for count, member in enumerate(archive):
                if count >= MAX_OCI_MEMBERS:
                    raise TargetError(f"{path}: over {MAX_OCI_MEMBERS} members")
                if member.isreg() and not member.issparse():
                    name = member.name.removeprefix("./")
                    found[name] = Part(path, member.offset_data, member.size)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise TargetError(
            f"{path}: not a tar: {error}", advice="name another file, or move it away"
        ) from error
    return found


def is_sound(digest: BlobDigest, part: Part) -> bool:
    """Return whether a part has the digest; reads all of it.

    Raises:
        TargetError: the file cannot be read.
    """
    hasher = digest.hasher()
    with target_errors(part.path), part.path.open("rb") as stream:
        _copy(stream, part, None, hasher)
    return hasher.hexdigest() == digest.hex


def write_archive(
    path: Path, index: bytes, blobs: Mapping[BlobDigest, Part]
) -> os.stat_result:
    """Make ``path`` a tar of a layout, whole and durable before it has its name.

    Each blob is hashed again as it is written (rule 90.7.2).

    Raises:
        IntegrityError: a blob is not what its digest says; ``path`` is as it was.
        SpaceError: it would not fit.
        TargetError: it could not be written; ``path`` is as it was.
    """
    _require_room(path, sum(part.size for part in blobs.values()))
    temporary = path.with_name(f".{path.name}.part")
    with target_errors(path):
        temporary.unlink(missing_ok=True)
        try:
            with temporary.open("xb") as stream:
                _write(stream, index, blobs)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        flush_directory(path.parent)
        return path.stat()


def _write(stream: BinaryIO, index: bytes, blobs: Mapping[BlobDigest, Part]) -> None:
    _add(stream, layouts.MARKER, layouts.MARKER_CONTENT)
    _add(stream, layouts.INDEX, index)
    for digest in sorted(blobs):
        part, hasher = blobs[digest], digest.hasher()
        stream.write(_header(digest.path, part.size))
        with part.path.open("rb") as source:
            _copy(source, part, stream, hasher)
        if hasher.hexdigest() != digest.hex:
            raise IntegrityError(
                f"{part.path}: {digest} has changed since it was checked",
                rule="90.2.3",
                advice="run the same command again",
            )
        stream.write(bytes(-part.size % _BLOCK))
    stream.write(_END)


def _add(stream: BinaryIO, name: str, data: bytes) -> None:
    stream.write(_header(name, len(data)))
    stream.write(data + bytes(-len(data) % _BLOCK))


def _header(name: str, size: int) -> bytes:
    """Return the header of a file that nobody owns, of no date."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, _MODE
    return member.tobuf(tarfile.GNU_FORMAT)


def _copy(source: BinaryIO, part: Part, to: BinaryIO | None, hasher: Hasher) -> None:
    """Read a part to its end; an early end shows in its digest."""
    source.seek(part.offset)
    left = part.size
    while left:
        piece = source.read(min(_PIECE, left))
        if not piece:
            return
        hasher.update(piece)
        if to is not None:
            to.write(piece)
        left -= len(piece)


def _require_room(path: Path, needed: int) -> None:
    with target_errors(path.parent):
        status = os.statvfs(path.parent)
    free = status.f_bavail * (status.f_frsize or status.f_bsize)
    if needed > free:
        raise SpaceError(
            f"{path}: {needed} bytes are needed beside it and {free} are free",
            advice=f"free {needed - free} bytes there, or name another place",
        )
