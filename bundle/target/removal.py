"""Files that were published and are to go: each only while it is still what it was."""

from __future__ import annotations

import contextlib
import stat
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from bundle.errors import TargetError
from bundle.target.retention import Pruned

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from bundle.target.folder import Folder

    Content = Mapping[str, Collection[bytes]]
    """By path, the SHA-256 of each content that was published there."""
    Holds = Callable[[str, Folder, str, bytes], bool]
    """Whether a file, by path, folder and name, has a content."""


@dataclass(slots=True)
class Removal:
    """Removes below ``place`` and counts; what stays is named by its path."""

    place: Folder
    files: int = 0
    bytes: int = 0
    stayed: dict[str, None] = field(default_factory=dict)

    def result(self) -> Pruned:
        """Return what was removed so far."""
        return Pruned(self.files, self.bytes, tuple(self.stayed))

    def stays(self, path: str, reason: str) -> None:
        """Name what is not removed, and why."""
        self.stayed[f"{self.place.path / path}: {reason}"] = None

    def remove(self, content: Content, holds: Holds) -> None:
        """Remove the files that have a content they were published with.

        Raises:
            TargetError: the system does not let us.
        """
        for parts, names in by_directory(content):
            with self.opened(parts) as folder:
                if folder is None:
                    continue
                before = self.files
                for name in names:
                    path = "/".join((*parts, name))
                    if folder.status(name) is None:
                        continue
                    if any(holds(path, folder, name, one) for one in content[path]):
                        self.drop(folder, name)
                    else:
                        self.stays(path, "changed since it was published")
                if self.files > before:
                    folder.flush()

    def drop(self, folder: Folder, name: str) -> None:
        """Remove one file, and count it; its name is gone once ``folder`` is flushed.

        Raises:
            TargetError: the system does not let us.
        """
        status = folder.status(name)
        folder.remove_file(name)
        self.files += 1
        if status is not None and stat.S_ISREG(status.st_mode):
            self.bytes += status.st_size

    def empty(self, directories: Iterable[str]) -> None:
        """Remove directories in which nothing is left, the deepest first."""
        for path in sorted(set(directories), key=lambda one: (-one.count("/"), one)):
            *above, name = path.split("/")
            with self.opened(tuple(above)) as folder:
                if folder is not None:
                    # Something is in it, or it was removed before.
                    with contextlib.suppress(OSError):
                        folder.remove_empty(name)

    @contextlib.contextmanager
    def opened(self, parts: tuple[str, ...]) -> Iterator[Folder | None]:
        """Open a directory; None where there is none, or a link that was planted."""
        with contextlib.ExitStack() as stack:
            folder: Folder | None = None
            try:
                folder = stack.enter_context(self.place.below(parts, make=False))
            except TargetError:
                self.stays("/".join(parts), "a link or a file in place of a directory")
            yield folder


def by_directory(
    paths: Iterable[str],
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Return names by the directory that they are in."""
    split = sorted(path.rpartition("/")[::2] for path in paths)
    for directory, group in groupby(split, key=lambda one: one[0]):
        parts = tuple(directory.split("/")) if directory else ()
        yield parts, [name for _, name in group]


def above(paths: Iterable[str]) -> set[str]:
    """Return all directories that paths are in, at any level.

    >>> sorted(above(["a/b/c", "d"]))
    ['a', 'a/b']
    """
    found: set[str] = set()
    for path in paths:
        directory = path.rpartition("/")[0]
        while directory and directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found
