"""The releases that somebody here approved, to show the next one against (spec §22.7).

::

    approved/STREAM/SEQ.release    the envelope of the newest one
    approved/recipes/              the recipes of all of them

What is lost here is only harder to review: a release is then shown as all new.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.durable import make_directory, write_file
from bundle.errors import TrustError
from bundle.format.release import Release
from bundle.limits import MAX_ENVELOPE
from bundle.state.files import (
    PRIVATE_DIRECTORY,
    PRIVATE_FILE,
    names_in,
    read_bounded,
    remove_files,
)
from bundle.state.shelf import Shelf
from bundle.trust.envelope import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_STREAM: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_RELEASE: Final = re.compile(r"[0-9]{16}\.release", re.ASCII)


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved here, of all streams."""

    directory: Path

    @property
    def shelf(self) -> Shelf:
        """The recipes of the releases that are kept."""
        return Shelf(self.directory / "recipes")

    def last(self, stream: str) -> bytes | None:
        """Return the payload of the newest release of ``stream``, None before it.

        Raises:
            FormatError: it is damaged.
            TargetError: it could not be read.
        """
        names = self._names(stream)
        if not names:
            return None
        path = self._of(stream) / names[-1]
        data = read_bounded(path, MAX_ENVELOPE, rule="22.7.1")
        return parse(data, limit=MAX_ENVELOPE).payload

    def remember(
        self, release: Release, envelope: bytes, recipes: Iterable[bytes]
    ) -> None:
        """Keep a release and its recipes, and drop the one before.

        Raises:
            TargetError: they could not be written.
        """
        for data in recipes:
            self.shelf.put(data)
        directory = self._of(release.stream.id)
        make_directory(directory, mode=PRIVATE_DIRECTORY)
        name = f"{release.seq:016d}.release"
        write_file(directory / name, envelope, mode=PRIVATE_FILE)
        names = self._names(release.stream.id)
        remove_files(directory, names[:-1])
        self.shelf.trim(self._used())

    def _used(self) -> Mapping[str, None]:
        streams = [name for name in names_in(self.directory) if _STREAM.fullmatch(name)]
        payloads = (self.last(stream) for stream in streams)
        releases = (Release.parse(one) for one in payloads if one is not None)
        return {
            artifact.recipe.digest: None
            for release in releases
            for artifact in release.artifacts
        }

    def _of(self, stream: str) -> Path:
        if _STREAM.fullmatch(stream) is None:
            raise TrustError(f"not a stream id: {stream[:80]!r}", rule="23.1.1")
        return self.directory / stream

    def _names(self, stream: str) -> list[str]:
        names = names_in(self._of(stream))
        return [name for name in names if _RELEASE.fullmatch(name)]


def approved_in(state: Path) -> Approved:
    """Return what was approved in the state directory ``state``."""
    return Approved(state / "approved")
