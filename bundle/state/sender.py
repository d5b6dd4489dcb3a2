"""What a packer remembers: per root and stream, a number that is never used twice.

::

    sender/ROOT/NAME/id              the stream's random id
    sender/ROOT/NAME/SEQ.burnt       a number that was taken, whatever became of it
    sender/ROOT/NAME/SEQ.release     the payload of a finished release

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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundle.digest import Digest

_ID: Final = re.compile(rb"[0-9a-f]{32}")
_BURNT: Final = re.compile(r"([0-9]{16})\.burnt", re.ASCII)
_RELEASE: Final = re.compile(r"([0-9]{16})\.release", re.ASCII)


def _new_id() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Finished:
    """The newest release of a stream that was written to its end."""

    seq: int
    payload: bytes


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
        numbers = self._numbers(_RELEASE)
        if not numbers:
            return None
        path = self.directory / f"{numbers[-1]:016d}.release"
        return Finished(numbers[-1], read_bounded(path, MAX_ENVELOPE, rule="30.5.4"))

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

    def finish(self, seq: int, payload: bytes) -> None:
        """Remember the payload of release ``seq``, now that its bundle is written.

        Raises:
            ValueError: ``seq`` was not reserved.
            TargetError: it could not be written.
        """
        if seq not in self._numbers(_BURNT):
            raise ValueError(f"number {seq} of {self.name} was not reserved")
        older = self._numbers(_RELEASE)
        path = self.directory / f"{seq:016d}.release"
        write_file(path, payload, mode=PRIVATE_FILE)
        # The one before stays for a reader that has just looked for the newest.
        remove_files(self.directory, [f"{old:016d}.release" for old in older[:-1]])

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
    directory = _directory(state, root, name)
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
