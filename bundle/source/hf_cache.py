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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.errors import SourceError
from bundle.source.base import Source, SourceArtifact, SourceFile
from bundle.source.content import content_warnings
from bundle.source.filter import EVERYTHING, ListOptions, revision_of
from bundle.source.hf_repository import Repository, RepositoryName
from bundle.source.links import Boundary
from bundle.source.listing import Listing
from bundle.source.model_card import licence_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Selector:
    """One repository of a cache, in all its revisions or in one."""

    repository: RepositoryName
    revision: str | None = None

    def __str__(self) -> str:
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{self.repository}{revision}"


class HfCacheSource(Source):
    """Lists the repositories of one cache."""

    def __init__(
        self,
        path: Path,
        selectors: tuple[Selector, ...] = (),
        *,
        location: str | None = None,
        options: ListOptions = EVERYTHING,
    ) -> None:
        self.location = f"hf-cache:{path}" if location is None else location
        self._path = path
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
        found = find_repositories(os.fspath(self._path))
        wanted: dict[RepositoryName, set[str | None]] = {}
        for selector in self._selectors:
            if selector.repository not in found:
                raise SourceError(
                    f"{self._path}: no repository {selector.repository}",
                    advice=f"here are: {_some(found)}",
                )
            wanted.setdefault(selector.repository, set()).add(selector.revision)
        if not self._selectors:
            wanted = {name: {None} for name in found}
        return [
            self._artifact(name, found[name], wanted[name])
            for name in sorted(wanted, key=lambda name: (name.kind, name.name))
        ]

    def _artifact(
        self, name: RepositoryName, repository: Repository, wanted: set[str | None]
    ) -> SourceArtifact:
        listing = Listing(name.kind, name.name, self._options)
        notes: list[str] = []
        with listing.guard(repository.path):
            self._revisions(repository, wanted, listing, notes)
        files = listing.files
        return SourceArtifact(
            kind=name.kind,
            name=name.name,
            source=self.location,
            revision=revision_of(files),
            licence=licence_of(files),
            warnings=(*content_warnings(name.kind, files), *notes),
            files=files,
            problems=listing.problems,
        )

    def _revisions(
        self,
        repository: Repository,
        wanted: set[str | None],
        listing: Listing,
        notes: list[str],
    ) -> None:
        """List the wanted revisions and what belongs to them."""
        here = repository.commits()
        refs = repository.refs()
        if None in wanted:
            commits = set(here) | set(refs.values())
        else:
            commits = {repository.resolve(one) for one in wanted if one is not None}
        if not commits:
            raise SourceError(
                f"{repository.path}: holds no revision",
                advice="fetch the repository again, or remove it",
            )
        for commit in sorted(commits):
            if commit not in here:
                names = ", ".join(
                    ref for ref, target in refs.items() if target == commit
                )
                listing.problem(
                    SourceError(
                        f"{repository.path}: ref {names} names {commit}, "
                        "of which there is no file",
                        advice="fetch the repository again, or remove the ref",
                    )
                )
                continue
            self._revision(repository, commit, listing, notes)
            for ref, target in refs.items():
                if target == commit:
                    listing.add(
                        SourceFile(f"refs/{ref}", commit.encode(), len(commit)),
                        f"{repository.path}/refs/{ref}",
                    )

    def _revision(
        self, repository: Repository, commit: str, listing: Listing, notes: list[str]
    ) -> None:
        """List the files of one revision, and its list of files if still true."""
        tree = None
        try:
            tree = repository.tree_list(commit)
        except (SourceError, OSError) as error:
            notes.append(f"left out: {error}")
        problems = len(listing.problems)
        repository.add_snapshot(commit, tree.identities if tree else {}, listing)
        repository.add_absent(commit, listing)
        if tree is None or self._options.filters or len(listing.problems) > problems:
            return
        inside = f"trees/{commit}.json"
        listing.add(
            SourceFile(inside, tree.data, len(tree.data)), f"{repository.path}/{inside}"
        )
        missing = listing.missing(f"snapshots/{commit}/", tree.identities)
        if missing:
            notes.append(
                f"revision {commit[:12]}: {len(missing)} of {len(tree.identities)} "
                f"files are not in the cache ({_some(missing)})"
            )


def find_repositories(path: str) -> dict[RepositoryName, Repository]:
    """Return the repositories of a cache: in ``path`` and in ``hub`` below it.

    Raises:
        SourceError: there is none, or one is in both places.
    """
    found: dict[RepositoryName, Repository] = {}
    seen: set[str] = set()
    for hub in (path, os.path.join(path, "hub")):  # noqa: PTH118
        real = os.path.realpath(hub)
        if real in seen or not os.path.isdir(real):  # noqa: PTH112
            continue
        seen.add(real)
        for name, repository in _repositories_in(hub):
            if name in found:
                raise SourceError(
                    f"{found[name].path} and {repository.path}: the same repository",
                    advice=f"name one of them: {path} or {hub}",
                )
            found[name] = repository
    if not seen:
        raise SourceError(f"{path}: not a directory", advice="check the path")
    if not found:
        raise SourceError(
            f"{path}: no repository here, nor in hub below it",
            advice="give the directory that holds models--org--name",
        )
    return found


def _repositories_in(hub: str) -> list[tuple[RepositoryName, Repository]]:
    """Return the repositories directly in one directory."""
    boundary = Boundary(hub)
    try:
        names = sorted(os.listdir(hub))  # noqa: PTH208
    except OSError as error:
        raise SourceError(
            f"{hub}: {error.strerror or error}", advice="make it readable"
        ) from error
    found = []
    for directory in names:
        name = RepositoryName.of_directory(directory)
        path = os.path.join(hub, directory)  # noqa: PTH118
        if name is not None and os.path.isdir(path):  # noqa: PTH112
            found.append((name, Repository(path, boundary)))
    return found


def _some(names: Iterable[object]) -> str:
    """Return the first few of some names."""
    texts = sorted(str(name) for name in names)
    return ", ".join(texts[:5]) + (", …" if len(texts) > 5 else "")
