"""The directory of one repository in a model cache, and how files are found in it.

Links are followed inside the whole cache, since a blob may be a link into the
store that all its repositories share.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from bundle.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bundle.source.links import Boundary, Chain

IGNORED: Final = frozenset({".DS_Store"})
"""Names that desktop systems scatter; the clients ignore them too."""

UNFINISHED: Final = ".incomplete"
"""Ending of downloads that were not finished."""


class RepositoryDirectory:
    """Finds files in one repository; ``boundary`` is the cache it is part of."""

    def __init__(self, path: str, boundary: Boundary) -> None:
        self.path = path
        self.boundary = boundary

    def files(
        self, inside: str, failed: Callable[[OSError, str], None]
    ) -> Iterator[tuple[str, str]]:
        """Give everything below ``inside`` that is no directory, in order.

        Each is its path from ``inside`` and its path in the file system. A
        directory that cannot be read is handed to ``failed``; one that is not
        there is empty.
        """
        return self._files(f"{self.path}/{inside}", "", failed)

    def names(self, inside: str) -> list[str]:
        """Return the sorted names in the directory ``inside``, if it is there.

        Raises:
            OSError: the system refused to look.
        """
        return _names(f"{self.path}/{inside}")

    def regular(self, path: str) -> Chain:
        """Return where ``path`` leads, which is a regular file.

        Raises:
            SourceError: it leads out of the cache, nowhere, or to no such file.
            OSError: the system refused to look.
        """
        chain = self.boundary.follow(path)
        if len(chain.places) > 1 and chain.end.endswith(UNFINISHED):
            raise SourceError(
                f"{path}: its download did not finish",
                advice="fetch the repository again",
            )
        if not stat.S_ISREG(chain.status.st_mode):
            raise SourceError(
                f"{path}: neither a file nor a link to one",
                advice="fetch the repository again, or remove it",
            )
        return chain

    def _files(
        self, root: str, above: str, failed: Callable[[OSError, str], None]
    ) -> Iterator[tuple[str, str]]:
        try:
            with os.scandir(root) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        except OSError as error:
            failed(error, root)
            return
        for entry in entries:
            if entry.name in IGNORED:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._files(entry.path, f"{above}{entry.name}/", failed)
            elif entry.is_symlink() or not entry.name.endswith(UNFINISHED):
                yield above + entry.name, entry.path


def _names(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)  # noqa: PTH208
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name not in IGNORED)
