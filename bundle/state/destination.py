"""What a sender remembers of one destination: what it sent there, what came back.

A release counts as *sent* once a bundle for the destination was written, and as
*acknowledged* once a receipt named it. Both are hints: a wrong one makes a bundle
too large, or one that is refused for want of chunks.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.durable import make_directory, write_file
from bundle.errors import FormatError, MissingError
from bundle.format.receipt import HeldRelease, StoreState
from bundle.limits import KIB
from bundle.paths import check_slug
from bundle.state.files import (
    PRIVATE_DIRECTORY,
    PRIVATE_FILE,
    names_in,
    read_bounded,
)
from bundle.wire import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.format.receipt import Receipt

MAX_SENT: Final = 32
"""Releases that are remembered as sent to one destination."""

_MAX_FILE: Final = 64 * KIB


class Acknowledged(msgspec.Struct, frozen=True):
    """What the newest receipt of a destination said about one stream."""

    site: str
    store: StoreState
    created: str
    releases: tuple[HeldRelease, ...]

    @classmethod
    def of(cls, receipt: Receipt, stream: str) -> Acknowledged:
        """Return what ``receipt`` says about the stream with the id ``stream``."""
        held = (one.releases for one in receipt.streams if one.id == stream)
        return cls(receipt.site, receipt.store, receipt.created, next(held, ()))

    def follows(self, other: Acknowledged | None) -> bool:
        """Say whether this is news after ``other``: the same store, or later."""
        if other is None:
            return True
        mine, theirs = self.store.generation, other.store.generation
        if self.store.id == other.store.id and mine != theirs:
            return mine > theirs
        return self.created >= other.created


class Destination(msgspec.Struct, frozen=True):
    """One destination of one stream; ``sent`` has the newest release first."""

    format: int = 1
    acknowledged: Acknowledged | None = None
    sent: tuple[HeldRelease, ...] = ()

    def with_sent(self, seq: int, digest: str) -> Destination:
        """Return this with one more release sent."""
        others = (one for one in self.sent if one.seq != seq)
        sent = sorted((HeldRelease(seq, digest), *others), key=lambda one: -one.seq)
        return msgspec.structs.replace(self, sent=tuple(sent[:MAX_SENT]))

    def with_acknowledged(self, acknowledged: Acknowledged) -> Destination:
        """Return this with a newer receipt."""
        return msgspec.structs.replace(self, acknowledged=acknowledged)


def load_destination(directory: Path, name: str) -> Destination:
    """Return what is remembered of ``name`` in a stream's directory; maybe nothing.

    Raises:
        FormatError: ``name`` is no slug, or the file is damaged.
        TargetError: it could not be read.
    """
    path = _path(directory, name)
    try:
        data = read_bounded(path, _MAX_FILE, rule="30.5.7")
    except MissingError:
        return Destination()
    try:
        return read_json(data, Destination, limit=_MAX_FILE, rule="30.5.7")
    except FormatError as error:
        raise FormatError(
            f"{path}: damaged: {error.args[0]}",
            rule="30.5.7",
            advice="remove it: the next bundle for that destination is then full",
        ) from error


def save_destination(directory: Path, name: str, destination: Destination) -> None:
    """Remember ``destination`` as ``name``, durably.

    Raises:
        TargetError: it could not be written.
    """
    path = _path(directory, name)
    make_directory(path.parent, mode=PRIVATE_DIRECTORY)
    write_file(path, write_json(destination), mode=PRIVATE_FILE)


def destinations_in(directory: Path) -> list[Destination]:
    """Return every destination that is remembered in a stream's directory.

    One whose file is damaged is passed over.

    Raises:
        TargetError: one could not be read.
    """
    found = []
    for name in names_in(directory / "to"):
        if name.endswith(".json"):
            with contextlib.suppress(FormatError):
                found.append(load_destination(directory, name.removesuffix(".json")))
    return found


def _path(directory: Path, name: str) -> Path:
    check_slug(name, rule="2.2")
    return directory / "to" / f"{name}.json"
