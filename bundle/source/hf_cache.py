"""A model cache on disk, as every client of the Hugging Face Hub keeps it.

PATH is a hub directory, which holds ``models--org--name`` and the like, or the
directory above (``HF_HOME``), which holds ``hub``. Each repository becomes one
artifact. A selector picks one repository, and one revision of it: a ref, a
commit, or the first seven or more digits of one. Of a repository, only what
belongs to the revisions is carried: the refs that name them, the marks of files
that they do not have, the list of what they hold.
"""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

from bundle.errors import SourceError
from bundle.source.base import Source, SourceArtifact
from bundle.source.content import content_warnings
from bundle.source.filter import EVERYTHING, ListOptions, consistent
from bundle.source.hf_directory import RepositoryDirectory
from bundle.source.hf_names import RepositoryName, Selector
from bundle.source.hf_repository import RepositoryLister
from bundle.source.hf_revisions import Revisions
from bundle.source.links import Boundary
from bundle.source.listing import Listing, some, unreadable
from bundle.source.model_card import licence_of

if TYPE_CHECKING:
    from pathlib import Path


class HfCacheSource(Source):
    """Lists the repositories of one cache: all of them, or the selected."""

    def __init__(
        self,
        path: Path,
        selectors: tuple[Selector, ...] = (),
        *,
        location: str | None = None,
        options: ListOptions = EVERYTHING,
    ) -> None:
        self.location = f"hf-cache:{path}" if location is None else location
        self._path = os.fspath(path)
        self._selectors = selectors
        self._options = options

    async def artifacts(self) -> list[SourceArtifact]:
        """Return one artifact for each repository that was asked for.

        Raises:
            SourceError: PATH is no cache, a selector names nothing in it, or
                something that would be carried is damaged or unreadable.
        """
        return await asyncio.to_thread(self._list)

    def _list(self) -> list[SourceArtifact]:
        found = find_repositories(self._path)
        wanted: dict[RepositoryName, list[Selector]] = {}
        for selector in self._selectors:
            if selector.repository not in found:
                raise SourceError(
                    f"{self._path}: no repository {selector.repository}",
                    advice=f"here are: {some(found)}",
                )
            wanted.setdefault(selector.repository, []).append(selector)
        if not self._selectors:
            wanted = {name: [] for name in found}
        listed = (
            self._artifact(name, found[name], wanted[name])
            for name in sorted(wanted, key=lambda name: (name.kind, name.name))
        )
        return [one for one in listed if one.files or one.problems]

    def _artifact(
        self,
        name: RepositoryName,
        directory: RepositoryDirectory,
        selectors: list[Selector],
    ) -> SourceArtifact:
        listing = Listing(name.kind, name.name, self._options)
        lister = RepositoryLister(directory, listing)
        with listing.guard(directory.path):
            _check_repository(name, directory)
            revisions = Revisions(directory)
            commits = _commits(directory, revisions, selectors, listing)
            lister.add_revisions(revisions, commits)
        files = listing.files
        place = self.location.partition("#")[0]
        return consistent(
            SourceArtifact(
                kind=name.kind,
                name=name.name,
                source=place + "".join(f"#{selector}" for selector in selectors),
                revision="",
                licence=licence_of(files),
                warnings=(
                    *content_warnings(name.kind, files),
                    *lister.notes,
                ),
                files=files,
                problems=listing.problems,
            )
        )


def find_repositories(path: str) -> dict[RepositoryName, RepositoryDirectory]:
    """Return the repositories of a cache: in ``path`` and in ``hub`` below it.

    Raises:
        SourceError: there is none, or one is in both places.
    """
    if not os.path.isdir(path):  # noqa: PTH112
        raise SourceError(f"{path}: not a directory", advice="check the path")
    below = os.path.join(path, "hub")  # noqa: PTH118
    hubs = [path]
    if os.path.isdir(below) and not os.path.samefile(path, below):  # noqa: PTH112, PTH121
        hubs.append(below)
    found: dict[RepositoryName, RepositoryDirectory] = {}
    for hub in hubs:
        for name, directory in _repositories_in(hub):
            other = found.setdefault(name, directory)
            if other is not directory:
                raise SourceError(
                    f"{other.path} and {directory.path}: one repository, two caches",
                    advice=f"name the one you mean: {below}, or a copy without it",
                )
    if not found:
        raise SourceError(
            f"{path}: no repository here, nor in hub below it",
            advice="give the directory that holds models--org--name",
        )
    return found


def _repositories_in(hub: str) -> list[tuple[RepositoryName, RepositoryDirectory]]:
    """Return the repositories directly in one directory."""
    boundary = Boundary(hub)
    try:
        entries = sorted(os.listdir(hub))  # noqa: PTH208
    except OSError as error:
        raise unreadable(hub, error) from error
    found = []
    for entry in entries:
        name = RepositoryName.of_directory(entry)
        path = os.path.join(hub, entry)  # noqa: PTH118
        if name is not None:
            found.append((name, RepositoryDirectory(path, boundary)))
    return found


def _check_repository(name: RepositoryName, directory: RepositoryDirectory) -> None:
    """Refuse what looks like a repository and is none."""
    if not name.valid:
        raise SourceError(
            f"{directory.path}: not the name of a repository",
            advice="remove it, or rename it to models--org--name",
        )
    chain = directory.boundary.follow(directory.path)
    if not stat.S_ISDIR(chain.status.st_mode):
        raise SourceError(f"{directory.path}: not a directory", advice="remove it")


def _commits(
    directory: RepositoryDirectory,
    revisions: Revisions,
    selectors: list[Selector],
    listing: Listing,
) -> set[str]:
    """Return the commits to carry; what is wrong with the rest only if all are."""
    asked = [one.revision for one in selectors if one.revision is not None]
    if asked and len(asked) == len(selectors):
        return {revisions.named(revision) for revision in asked}
    for fault in revisions.faults.values():
        listing.problem(fault)
    if not revisions.every() and not revisions.faults:
        raise SourceError(
            f"{directory.path}: holds no revision",
            advice="fetch the repository again, or remove it",
        )
    return revisions.every()
