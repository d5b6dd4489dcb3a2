"""One repository in a model cache, as files of an artifact.

    snapshots/<commit>/<path>    a link to ../../blobs/<etag>, or a file
    refs/<ref>                   the commit that a branch, tag or request names
    .no_exist/<commit>/<path>    empty: the server said that there is no such file
    trees/<commit>.json          what the revision holds
    blobs/<etag>                 content, or a link into the store of all repositories

The first four are carried under these paths, content in place of links. The
name of a blob is what the server calls the content: SHA-256 of large files, Git
SHA-1 of others. Nothing else in the directory is looked at, so that locks,
unfinished downloads and the shared store never cross.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import SourceError
from bundle.source.base import SourceFile
from bundle.source.hf_trees import Identity, TreeList, parse_tree_list, read_tree_list
from bundle.source.listing import check_readable, some, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.source.hf_directory import RepositoryDirectory
    from bundle.source.hf_revisions import Revisions
    from bundle.source.listing import Listing

_UNKNOWN: Final = Identity()


class RepositoryLister:
    """Puts revisions of one repository on a listing."""

    def __init__(self, directory: RepositoryDirectory, listing: Listing) -> None:
        self._directory = directory
        self._listing = listing
        self.notes: list[str] = []
        """What a reviewer should know about the state of the cache."""

    def add_revisions(self, revisions: Revisions, commits: Iterable[str]) -> None:
        """List ``commits`` and all that belongs to them.

        Raises:
            SourceError: something cannot be carried, and the listing was not
                told to keep going.
        """
        for commit in sorted(commits):
            if commit not in revisions.commits:
                self._listing.problem(revisions.absent(commit))
                continue
            self._add_revision(commit)
            for ref in revisions.refs_to(commit):
                self._add_made(f"refs/{ref}", commit.encode())

    def _add_revision(self, commit: str) -> None:
        """List one revision, and its list of files if that is still true."""
        tree = self._tree_list(commit)
        problems = len(self._listing.problems)
        self._add_snapshot(commit, tree)
        for name, _ in self._directory.files(
            f".no_exist/{commit}", self._listing.failed
        ):
            self._add_made(f".no_exist/{commit}/{name}", b"")
        if tree is None or len(self._listing.problems) > problems:
            return
        if self._listing.filters:
            return
        self._add_made(f"trees/{commit}.json", tree.data)
        missing = self._listing.missing(f"snapshots/{commit}/", tree.identities)
        if missing:
            self.notes.append(
                f"revision {commit[:12]} is not whole in the cache: {len(missing)} of "
                f"{len(tree.identities)} files are missing ({some(missing)})"
            )

    def _tree_list(self, commit: str) -> TreeList | None:
        """Return what the server said that a revision holds, if that is known."""
        path = f"{self._directory.path}/trees/{commit}.json"
        if not os.path.lexists(path):
            return None
        try:
            data = read_tree_list(self._directory.regular(path).end, path)
            return parse_tree_list(data, path)
        except SourceError as error:
            self.notes.append(f"left out {error}")
        except OSError as error:
            self.notes.append(f"left out {unreadable(path, error)}")
        return None

    def _add_snapshot(self, commit: str, tree: TreeList | None) -> None:
        root = f"snapshots/{commit}"
        identities = tree.identities if tree else {}
        for name, path in self._directory.files(root, self._listing.failed):
            inside = f"{root}/{name}"
            known = identities.get(name, _UNKNOWN)
            try:
                self._listing.add(self._file(path, inside, known), path)
            except (SourceError, OSError) as error:
                self._listing.failed(error, path, inside)

    def _file(self, path: str, inside: str, known: Identity) -> SourceFile:
        """Return one file of a snapshot, its links followed."""
        chain = self._directory.regular(path)
        for place in chain.places[1:]:
            repository, _, etag = place.rpartition("/blobs/")
            if os.path.dirname(repository) == self._directory.boundary.root:  # noqa: PTH120
                known = Identity.of_name(etag) or known
                break
        check_readable(chain.end, chain.status.st_mode, path)
        return SourceFile(
            path=inside,
            content=Path(chain.end),
            size=chain.status.st_size,
            sha256=known.sha256,
            git_sha1=known.git_sha1,
            git_sha1_wanted=known.git_sha1 is not None,
        )

    def _add_made(self, inside: str, data: bytes) -> None:
        """List a file that is made here."""
        self._listing.add(
            SourceFile(inside, data, len(data)), f"{self._directory.path}/{inside}"
        )
