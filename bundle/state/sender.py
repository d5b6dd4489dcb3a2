"""What a packer remembers: per root and stream, a number that is never used twice.

::

    sender/ROOT/NAME/id              the stream's random id
    sender/ROOT/NAME/SEQ.burnt       a number that was taken, whatever became of it
    sender/ROOT/NAME/SEQ.release     the envelope of a finished release
    sender/ROOT/NAME/recipes/        the recipes of those releases
    sender/ROOT/NAME/to/DEST.json    what was sent to a destination, and came back

A number is *burnt*, durably and by creating a file that must not be there,
before anything is signed under it (spec §30.5). So neither a crash nor a second
packer can make two releases of one number; at worst a number is skipped.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.durable import write_file
from bundle.errors import ExistsError, FormatError
from bundle.limits import MAX_ENVELOPE
from bundle.paths import check_slug
from bundle.state.files import (
    PRIVATE_FILE,
    create_file,
    names_in,
    read_bounded,
    remove_files,
)
from bundle.state.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from bundle.digest import Digest

KEPT: Final = 32
"""Finished releases that are kept, beside those that a destination holds."""

_ID: Final = re.compile(rb"[0-9a-f]{32}")
_BURNT: Final = re.compile(r"([0-9]{16})\.burnt", re.ASCII)
_RELEASE: Final = re.compile(r"([0-9]{16})\.release", re.ASCII)


def _new_id() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Finished:
    """A release of a stream that was written to its end: its number and envelope."""

    seq: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class SenderStream:
    """One stream as its packer knows it; ``id`` is 32 hexadecimal digits."""

    id: str
    name: str
    directory: Path

    def last(self) -> Finished | None:
        """Return the newest finished release, None before the first.

        Raises:
            TargetError: it could not be read.
        """
        numbers = self.finished()
        return Finished(numbers[-1], self.read(numbers[-1])) if numbers else None

    def finished(self) -> list[int]:
        """Return the numbers of the finished releases that are kept, ascending."""
        return self._numbers(_RELEASE)

    def unfinished(self) -> list[int]:
        """Return the numbers above all finished ones that packs took, ascending.

        Those packs were killed, failed, or are at work now.
        """
        newest = max(self.finished(), default=0)
        return [seq for seq in self._numbers(_BURNT) if seq > newest]

    def read(self, seq: int) -> bytes:
        """Return the envelope of a finished release.

        Raises:
            MissingError: it is not kept any more, or never was.
            TargetError: it could not be read.
        """
        path = self.directory / f"{seq:016d}.release"
        return read_bounded(path, MAX_ENVELOPE, rule="30.5.4")

    @property
    def shelf(self) -> Shelf:
        """The recipes of the releases that are kept."""
        return Shelf(self.directory / "recipes")

    def next_seq(self, after: int = 0) -> int:
        """Return the number above ``after`` that ``reserve`` would give now."""
        taken = self._numbers(_BURNT) + self._numbers(_RELEASE)
        return max([after, *taken]) + 1

    def reserve(self, after: int = 0) -> int:
        """Burn the next number of this stream above ``after`` and return it.

        Raises:
            TargetError: it could not be made durable; sign nothing.
        """
        seq = self.next_seq(after)
        while True:
            try:
                create_file(self.directory / f"{seq:016d}.burnt", b"")
            except ExistsError:
                seq += 1
            else:
                return seq

    def finish(self, seq: int, envelope: bytes, keep: Collection[int] = ()) -> None:
        """Remember the envelope of release ``seq``, now that its bundle is written.

        The newest ``KEPT`` releases stay, and those whose numbers are in ``keep``.

        Raises:
            ValueError: ``seq`` was not reserved.
            TargetError: it could not be written.
        """
        if seq not in self._numbers(_BURNT):
            raise ValueError(f"number {seq} of {self.name} was not reserved")
        path = self.directory / f"{seq:016d}.release"
        write_file(path, envelope, mode=PRIVATE_FILE)
        older = [old for old in self.finished()[:-KEPT] if old not in keep]
        remove_files(self.directory, [f"{old:016d}.release" for old in older])

    def _numbers(self, pattern: re.Pattern[str]) -> list[int]:
        matches = map(pattern.fullmatch, names_in(self.directory))
        return sorted(int(match[1]) for match in matches if match)


def open_stream(
    state: Path, root: Digest, name: str, *, new_id: Callable[[], str] = _new_id
) -> SenderStream:
    """Return the stream called ``name`` of the first root's packers, made if new.

    Raises:
        FormatError: ``name`` is no slug, or the id is damaged.
        TargetError: the state could not be written.
    """
    known = find_stream(state, root, name)
    if known is not None:
        return known
    # Of two packers that start it at once, one gives it its id.
    with contextlib.suppress(ExistsError):
        create_file(_directory(state, root, name) / "id", new_id().encode())
    return open_stream(state, root, name)


def find_stream(state: Path, root: Digest, name: str) -> SenderStream | None:
    """Return the stream called ``name`` if this packer knows it; writes nothing.

    Raises:
        FormatError: ``name`` is no slug, or the id is damaged.
        TargetError: the state could not be read.
    """
    return _found(_directory(state, root, name), name)


def streams_in(state: Path) -> Iterator[SenderStream]:
    """Yield every stream that a packer knows here, of whatever root.

    Raises:
        FormatError: the id of one is damaged.
        TargetError: the state could not be read.
    """
    base = state / "sender"
    for root in names_in(base):
        for name in names_in(base / root):
            stream = _found(base / root / name, name)
            if stream is not None:
                yield stream


def _found(directory: Path, name: str) -> SenderStream | None:
    path = directory / "id"
    if path.name not in names_in(directory):
        return None
    data = read_bounded(path, 64, rule="30.5.1")
    if _ID.fullmatch(data) is None:
        raise FormatError(f"{path}: not a stream id", rule="30.5.1")
    return SenderStream(data.decode(), name, directory)


def _directory(state: Path, root: Digest, name: str) -> Path:
    check_slug(name, rule="2.2")
    return state / "sender" / root.raw.hex()[:32] / name
