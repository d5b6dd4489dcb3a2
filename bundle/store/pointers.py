"""Commit pointers: which releases a store holds whole (spec §50.5).

``NNNNNNNNNN-DIGEST`` is written last, once all that the release uses is durable,
and is the only thing that makes it count. ``.lost`` behind the name says that a
check found something missing since.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import msgspec

from bundle.digest import Digest
from bundle.durable import flush_directory, make_directory, target_errors, write_file
from bundle.errors import FormatError, StoreError
from bundle.limits import MAX_ENVELOPE
from bundle.store.base import Committed
from bundle.wire import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_NAME: Final = re.compile(r"([0-9]{10})-([0-9a-f]{64})(\.lost)?", re.ASCII)
_LOST: Final = ".lost"


class Said(msgspec.Struct, frozen=True, rename="camel"):
    """What a pointer says of its release (rule 50.5.3)."""

    format: int
    stream: str
    name: str
    seq: int
    release: str
    recipes: tuple[str, ...]

    @classmethod
    def of(cls, release: Committed) -> Self:
        """Return what is to be said of a release."""
        return cls(
            1,
            release.stream,
            release.name,
            release.seq,
            release.digest,
            release.recipes,
        )

    def committed(self) -> Committed:
        """Return the release, without its envelope."""
        return Committed(self.stream, self.name, self.seq, self.release, self.recipes)


@dataclass(frozen=True, slots=True)
class Pointer:
    """One pointer; ``release`` comes without its envelope."""

    path: Path
    number: int
    lost: bool
    release: Committed


class Pointers:
    """The pointers in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def all(self) -> list[Pointer]:
        """Return every pointer, also those of releases that are not whole any more.

        Raises:
            FormatError: one is damaged (rule 50.5.3).
            StoreError: they cannot be read.
        """
        try:
            names = sorted(path.name for path in self._directory.iterdir())
            matches = [match for match in map(_NAME.fullmatch, names) if match]
            return [self._read(match) for match in matches]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self._directory}: {error.strerror}") from error

    def whole(self) -> list[Pointer]:
        """Return the pointers of the releases that are held whole.

        Raises:
            FormatError, StoreError: as ``all``.
        """
        return [pointer for pointer in self.all() if not pointer.lost]

    def write(self, release: Committed) -> Path:
        """Commit a release that is held whole; durable on return.

        Raises:
            TargetError: it could not be written.
        """
        make_directory(self._directory)
        known = self.all()
        number = max((one.number for one in known), default=0) + 1
        raw = Digest.parse(release.digest).raw.hex()
        path = self._directory / f"{number:010d}-{raw}"
        write_file(path, write_json(Said.of(release)))
        same = (one for one in known if one.release.digest == release.digest)
        self.remove(one for one in same if one.lost)
        return path

    def remove(self, pointers: Iterable[Pointer]) -> None:
        """Forget releases; durable on return.

        Raises:
            TargetError: the file system refuses.
        """
        with target_errors(self._directory):
            for pointer in pointers:
                pointer.path.unlink(missing_ok=True)
            if self._directory.is_dir():
                flush_directory(self._directory)

    def mark(self, pointers: Iterable[Pointer], *, lost: bool) -> None:
        """Say of releases whether something of them was lost; durable on return.

        Raises:
            TargetError: the file system refuses.
        """
        with target_errors(self._directory):
            for pointer in pointers:
                name = pointer.path.name.removesuffix(_LOST)
                pointer.path.rename(
                    self._directory / (f"{name}{_LOST}" if lost else name)
                )
            if self._directory.is_dir():
                flush_directory(self._directory)

    def _read(self, match: re.Match[str]) -> Pointer:
        path = self._directory / match[0]
        with path.open("rb") as file:
            data = file.read(MAX_ENVELOPE + 1)
        said = read_json(data, Said, limit=MAX_ENVELOPE, rule="50.5.3")
        if said.format != 1 or said.release != f"blake3:{match[2]}":
            raise FormatError(f"{path}: not the release it is called", rule="50.5.3")
        return Pointer(path, int(match[1]), bool(match[3]), said.committed())
