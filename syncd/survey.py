"""Which bundles are on the media that are here now.

A directory with a bundle.json is one. What is found is told only once it has
stopped changing: a bundle that is still being copied waits. Looking reads names,
sizes, times, and a bundle.json when it is new; nothing is believed of either, and
nothing is written.
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from bundle.digest import digest_of
from bundle.errors import BundleError
from bundle.format import layout
from bundle.limits import MAX_DIRECTORY_SCAN, MAX_ENVELOPE
from bundle.medium.files import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_BUNDLES: Final = 1024
"""Bundles that are found at once: a hostile medium cannot fill the journal."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """A directory that has a bundle: the digest of its bundle.json, and its looks."""

    directory: str
    bundle: str
    stamp: str


@dataclass(slots=True)
class _Sight:
    """A directory as it was looked at last."""

    stamp: str
    since: float
    finding: Finding | None = None


@dataclass(slots=True)
class Survey:
    """Looks at directories again and again, and remembers how they looked.

    ``settle`` is how many seconds a directory has to look the same before it
    counts as complete.
    """

    roots: tuple[str, ...]
    depth: int
    settle: float
    _sights: dict[str, _Sight] = field(default_factory=dict)

    def look(self, now: float) -> tuple[dict[str, Finding], float | None]:
        """Return what is there, by directory, and when to look again at what settles.

        ``now`` is in seconds of a clock that never goes back; None stands for
        nothing that settles.
        """
        found: dict[str, Finding] = {}
        again: float | None = None
        sights: dict[str, _Sight] = {}
        for directory in self._bundles():
            stamp = _stamp(directory)
            if stamp is None:
                continue
            sight = self._sights.get(directory)
            if sight is None or sight.stamp != stamp:
                sight = _Sight(stamp, now)
            sights[directory] = sight
            if now - sight.since < self.settle:
                due = sight.since + self.settle
                again = due if again is None else min(again, due)
                continue
            sight.finding = sight.finding or _read(directory, stamp)
            if sight.finding is not None:
                found[directory] = sight.finding
        self._sights = sights
        return found, again

    def _bundles(self) -> Iterator[str]:
        """Yield directories that have a bundle.json, in order, each once."""
        for count, directory in enumerate(_walk(self.roots, self.depth), 1):
            yield directory
            if count >= MAX_BUNDLES:
                _log.warning("over %d bundles here, the others wait", MAX_BUNDLES)
                return


def _walk(roots: Iterable[str], depth: int) -> Iterator[str]:
    waiting = [(root, depth) for root in sorted(set(roots), reverse=True)]
    seen: set[str] = set()
    while waiting:
        directory, left = waiting.pop()
        if directory in seen:
            continue
        seen.add(directory)
        names = _entries(directory)
        if any(name == layout.MANIFEST and not folder for name, folder in names):
            yield directory
        elif left:
            below = [name for name, folder in names if folder and name[0] != "."]
            waiting += [(f"{directory}/{name}", left - 1) for name in reversed(below)]


def _entries(directory: str) -> list[tuple[str, bool]]:
    """Return the names in a directory and whether each is a directory, sorted.

    What cannot be looked at has no names: a medium that was just pulled out is
    nothing to stop for.
    """
    names: list[tuple[str, bool]] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                names.append((entry.name, entry.is_dir(follow_symlinks=False)))
                if len(names) >= MAX_DIRECTORY_SCAN:
                    _log.warning("%r has too many names, some wait", directory)
                    break
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            _log.warning("%r: %s", directory, error.strerror)
        return []
    return sorted(names)


def _stamp(directory: str) -> str | None:
    """Return what a bundle's directory looks like, None if it is gone."""
    looks = blake3()
    for folder in (directory, f"{directory}/{layout.SIGNATURES}"):
        for name, _ in _entries(folder):
            try:
                status = os.lstat(f"{folder}/{name}")
            except OSError:
                return None
            kind = stat.S_IFMT(status.st_mode)
            looks.update(
                f"{name}\0{kind}\0{status.st_size}\0".encode("utf-8", "replace")
            )
            looks.update(f"{status.st_mtime_ns}\0".encode())
        looks.update(b"/")
    return looks.hexdigest(length=16)


def _read(directory: str, stamp: str) -> Finding | None:
    try:
        data = read_whole(Path(directory) / layout.MANIFEST, MAX_ENVELOPE)
    except BundleError as error:
        _log.warning("%r: %s", directory, error)
        return None
    return Finding(directory, str(digest_of(data)), stamp)
