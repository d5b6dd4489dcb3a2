"""Symbolic links, followed one by one and never out of a directory.

Every step of a chain has to stay inside, not only its end: a chain that leaves
and comes back depends on files that are not part of the source.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final, NamedTuple

from bundle.errors import SourceError

MAX_LINKS: Final = 40
"""Links followed for one file (the bound of the Linux kernel)."""


class Chain(NamedTuple):
    """Where a path leads: itself, each link's target, and what is at the end."""

    places: list[str]
    status: os.stat_result

    @property
    def end(self) -> str:
        """The last place, which is no link."""
        return self.places[-1]


class Boundary:
    """Follows links that stay inside one directory."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._within = self._root.rstrip("/") + "/"
        self._parents: dict[str, str] = {}

    @property
    def root(self) -> str:
        """The directory, with its own links followed."""
        return self._root

    def follow(self, path: str) -> Chain:
        """Return where ``path`` leads, link by link.

        Raises:
            SourceError: the chain leaves the directory, ends nowhere or loops.
            OSError: the system refused to look.
        """
        places = [self._place(path, path)]
        while len(places) <= MAX_LINKS + 1:
            try:
                status = os.lstat(places[-1])
                if not stat.S_ISLNK(status.st_mode):
                    return Chain(places, status)
                target = os.readlink(places[-1])  # noqa: PTH115
            except FileNotFoundError:
                raise _dangling(path, places) from None
            except OSError as error:
                if error.errno == errno.ELOOP:
                    break
                raise
            joined = os.path.join(os.path.dirname(places[-1]), target)  # noqa: PTH118, PTH120
            places.append(self._place(joined, path))
        raise SourceError(
            f"{path}: its links run in a circle", advice="remove or repair the link"
        )

    def contains(self, path: str) -> bool:
        """Say whether a path without links is the directory or inside it."""
        return path == self._root or path.startswith(self._within)

    def _place(self, path: str, start: str) -> str:
        """Return ``path`` with the links above its last component followed."""
        parent, name = os.path.split(path)
        if name in ("", ".", ".."):
            place = os.path.realpath(path)
        else:
            real = self._parents.get(parent)
            if real is None:
                real = self._parents[parent] = os.path.realpath(parent)
            place = real.rstrip("/") + "/" + name
        if not self.contains(place):
            raise SourceError(
                f"{start}: leads to {place}, outside {self._root}",
                advice="put the file itself in place of the link",
            )
        return place


def _dangling(path: str, places: list[str]) -> SourceError:
    """Return the error for a chain whose last place does not exist."""
    if len(places) == 1:
        return SourceError(f"{path}: no such file or directory")
    return SourceError(
        f"{path}: a dangling link, {places[-1]} is not there",
        advice="fetch the file again, or remove the link",
    )
