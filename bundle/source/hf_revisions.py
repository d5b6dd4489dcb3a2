"""Which revisions of a repository a cache holds, and what they are called.

A revision counts when it has at least one file: a download that stopped early
leaves an empty snapshot behind. What is wrong with the others is remembered,
since it matters only to those who ask for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bundle.errors import SourceError
from bundle.source.filter import COMMIT_LENGTH
from bundle.source.listing import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.source.hf_directory import RepositoryDirectory

SHORTEST_PREFIX: Final = 7
"""Digits of a commit that are enough to ask for it (Git's own default)."""

_COMMIT: Final = re.compile(rf"[0-9a-f]{{{COMMIT_LENGTH}}}", re.ASCII)


class Revisions:
    """The revisions in one repository's directory, as they were when looked at."""

    def __init__(self, directory: RepositoryDirectory) -> None:
        self._directory = directory
        self.refs: dict[str, str] = {}
        """The commit that each ref names."""
        self.commits: list[str] = []
        """The commits that have files, sorted."""
        self.faults: dict[str, SourceError] = {}
        """What is wrong with a ref or a snapshot, by its path in the repository."""
        self._look_at_snapshots()
        self._look_at_refs()

    def every(self) -> set[str]:
        """Return the commits that have files or a ref."""
        return set(self.commits) | set(self.refs.values())

    def named(self, revision: str) -> str:
        """Return the commit that is called so by a ref, whole, or by its start.

        Raises:
            SourceError: none is, or several are, or its ref is damaged.
        """
        fault = self.faults.get(f"refs/{revision}")
        if fault is not None:
            raise fault
        if revision in self.refs:
            return self.refs[revision]
        long_enough = len(revision) >= SHORTEST_PREFIX
        found = [c for c in self.commits if long_enough and c.startswith(revision)]
        if len(found) == 1:
            return found[0]
        here = ", ".join([*sorted(self.refs), *(c[:12] for c in self.commits)])
        reason = "several revisions start so" if found else "no such revision"
        raise SourceError(
            f"{self._directory.path}: {revision!r}: {reason}",
            advice=f"here are: {here or 'none'}",
        )

    def refs_to(self, commit: str) -> list[str]:
        """Return the refs that name ``commit``, sorted."""
        return sorted(ref for ref, target in self.refs.items() if target == commit)

    def absent(self, commit: str) -> SourceError:
        """Return the error for a commit that has a ref but no file to be read."""
        fault = self.faults.get(f"snapshots/{commit}")
        if fault is not None:
            return fault
        refs = ", ".join(f"refs/{ref}" for ref in self.refs_to(commit))
        return SourceError(
            f"{self._directory.path}: {refs} names {commit}, which has no file here",
            advice="fetch the repository again, or remove the ref",
        )

    def _look_at_snapshots(self) -> None:
        try:
            names = self._directory.names("snapshots")
        except OSError as error:
            self._unreadable(error, f"{self._directory.path}/snapshots")
            return
        for name in names:
            inside = f"snapshots/{name}"
            if _COMMIT.fullmatch(name) is None:
                self.faults[inside] = SourceError(
                    f"{self._directory.path}/{inside}: not named after a commit",
                    advice="remove it; a client takes it for a revision",
                )
            elif _any(self._directory.files(inside, self._unreadable)):
                self.commits.append(name)

    def _look_at_refs(self) -> None:
        for ref, path in self._directory.files("refs", self._unreadable):
            try:
                self.refs[ref] = self._commit_in(path)
            except SourceError as error:
                self.faults[f"refs/{ref}"] = error
            except OSError as error:
                self.faults[f"refs/{ref}"] = unreadable(path, error)

    def _commit_in(self, path: str) -> str:
        """Return the commit in a ref; a line end after it is not part of it."""
        with open(self._directory.regular(path).end, "rb") as file:  # noqa: PTH123
            text = file.read(COMMIT_LENGTH + 3).decode("ascii", "replace")
        commit = text.rstrip("\r\n")
        if _COMMIT.fullmatch(commit) is None:
            raise SourceError(
                f"{path}: does not hold a commit",
                advice="fetch the repository again, or remove the ref",
            )
        return commit

    def _unreadable(self, error: OSError, path: str) -> None:
        inside = path.removeprefix(f"{self._directory.path}/")
        self.faults[inside] = unreadable(path, error)


def _any(files: Iterable[object]) -> bool:
    """Say whether there is one, without looking for more."""
    return next(iter(files), None) is not None
