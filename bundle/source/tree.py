"""A directory tree as an artifact.

Regular files and directories are carried, empty directories too. A link is
followed where it stays inside the tree, so that what crosses has no links; a
link that leaves, a circle of links, a device, a socket or a pipe is refused.
Whether a file may be executed by its owner is kept, other modes are not.

The artifact is named after the directory: its last component, in lower case,
with ``-`` for what a slug cannot have (spec §2.2). ``.bundle`` at the top is
where this tool keeps its own state in a tree that it unpacks into: it stays.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from pathlib import Path
from typing import Final

from bundle.errors import FormatError, SourceError
from bundle.limits import MAX_PATH_DEPTH
from bundle.paths import check_slug
from bundle.source.base import TREE, Source, SourceArtifact, SourceFile
from bundle.source.content import content_warnings
from bundle.source.filter import EVERYTHING, ListOptions
from bundle.source.links import Boundary
from bundle.source.listing import Listing, check_readable

STATE_DIRECTORY: Final = ".bundle"
_STATE_LEFT_OUT: Final = (
    f"{STATE_DIRECTORY} at the top of the tree is this tool's own and is left out"
)
_NOT_SLUG: Final = re.compile(r"[^a-z0-9.]+")
_SLUG_LENGTH: Final = 64


class TreeSource(Source):
    """Lists one directory tree."""

    def __init__(
        self,
        path: Path,
        *,
        location: str | None = None,
        options: ListOptions = EVERYTHING,
    ) -> None:
        self.location = f"tree:{path}" if location is None else location
        self._path = path
        self._options = options

    async def artifacts(self) -> list[SourceArtifact]:
        """Return the tree, as one artifact.

        Raises:
            SourceError: it is not a directory, or something in it is unreadable
                or cannot be carried.
        """
        return [await asyncio.to_thread(self._list)]

    def _list(self) -> SourceArtifact:
        root = os.fspath(self._path)
        if not os.path.isdir(root):  # noqa: PTH112
            raise SourceError(f"{root}: not a directory", advice="check the path")
        name = tree_name(os.path.realpath(root))
        listing = Listing(TREE, name, self._options)
        walk = _Walk(root, listing)
        with listing.guard(root):
            walk.directory(root, "", ())
        files = listing.files
        return SourceArtifact(
            kind=TREE,
            name=name,
            source=self.location,
            revision="",
            licence=None,
            warnings=(*content_warnings(TREE, files), *walk.warnings),
            files=files,
            directories=listing.directories,
            problems=listing.problems,
        )


def tree_name(path: str) -> str:
    """Return the name of the artifact that the directory at ``path`` becomes."""
    last = path.rstrip("/").rpartition("/")[2].lower()
    slug = _NOT_SLUG.sub("-", last).strip(".-")[:_SLUG_LENGTH].rstrip(".-")
    if not slug:
        return "tree"
    try:
        return check_slug(slug, rule="2.2")
    except FormatError:
        return f"tree-{slug}"[:_SLUG_LENGTH].rstrip(".-")


class _Walk:
    """Goes through a tree once, into links that stay inside."""

    def __init__(self, root: str, listing: Listing) -> None:
        self._boundary = Boundary(root)
        self._listing = listing
        self.warnings: tuple[str, ...] = ()

    def directory(
        self, path: str, inside: str, above: tuple[tuple[int, int], ...]
    ) -> None:
        """List ``path``, which is ``inside`` in the artifact.

        ``above`` are the directories that lead here, by device and inode.
        """
        status = os.stat(path)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise SourceError(
                f"{path}: its links run in a circle", advice="remove the link"
            )
        if len(above) > MAX_PATH_DEPTH:
            raise SourceError(f"{path}: over {MAX_PATH_DEPTH} directories deep")
        with os.scandir(path) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        if not entries and inside:
            self._listing.add_directory(inside, path)
        here = (*above, identity)
        for entry in entries:
            if not inside and entry.name == STATE_DIRECTORY:
                self.warnings = (_STATE_LEFT_OUT,)
                continue
            name = f"{inside}/{entry.name}" if inside else entry.name
            try:
                self._entry(entry, name, here)
            except (SourceError, OSError) as error:
                self._listing.failed(error, entry.path, name)

    def _entry(
        self,
        entry: os.DirEntry[str],
        inside: str,
        above: tuple[tuple[int, int], ...],
    ) -> None:
        path = entry.path
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            chain = self._boundary.follow(path)
            path, status = chain.end, chain.status
        if stat.S_ISDIR(status.st_mode):
            self.directory(path, inside, above)
            return
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(
                f"{entry.path}: neither a regular file nor a directory",
                advice="remove it, or pack a tree without it",
            )
        check_readable(path, status.st_mode, entry.path)
        self._listing.add(
            SourceFile(
                path=inside,
                content=Path(path),
                size=status.st_size,
                executable=bool(status.st_mode & stat.S_IXUSR),
            ),
            entry.path,
        )
