"""One repository in a model cache, as an artifact.

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
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import SourceError
from bundle.source.base import (
    HF_DATASET,
    HF_KERNEL,
    HF_MODEL,
    HF_SPACE,
    SourceFile,
)
from bundle.source.filter import COMMIT_LENGTH
from bundle.source.hf_trees import Identity, TreeList, parse_tree_list
from bundle.source.listing import check_readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.source.links import Boundary
    from bundle.source.listing import Listing

PREFIXES: Final = {
    "models": HF_MODEL,
    "datasets": HF_DATASET,
    "spaces": HF_SPACE,
    "kernels": HF_KERNEL,
}
"""What a repository's directory starts with, and the kind of artifact it is."""

IGNORED: Final = frozenset({".DS_Store"})
"""Names that desktop systems scatter; the clients ignore them too."""

UNFINISHED: Final = ".incomplete"

_DIRECTORY: Final = re.compile(r"([a-z]+)--(.+)", re.ASCII)
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
_COMMIT: Final = re.compile(rf"[0-9a-f]{{{COMMIT_LENGTH}}}", re.ASCII)
_SHORTEST_PREFIX: Final = 7
_SHOWN_LINKS: Final = 2


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """What a repository is called: its kind, and ``org/name`` or ``name``."""

    kind: str
    name: str

    @classmethod
    def of_directory(cls, directory: str) -> RepositoryName | None:
        """Read the name of a directory such as ``models--org--name``."""
        match = _DIRECTORY.fullmatch(directory)
        if match is None or match[1] not in PREFIXES:
            return None
        parts = match[2].split("--")
        if not all(_PART.fullmatch(part) for part in parts):
            return None
        return cls(PREFIXES[match[1]], "/".join(parts))

    def __str__(self) -> str:
        prefix = self.kind.removeprefix("hf-") + "s/"
        return ("" if self.kind == HF_MODEL else prefix) + self.name


class Repository:
    """Reads one repository's directory; ``boundary`` is the cache it is part of."""

    def __init__(self, path: str, boundary: Boundary) -> None:
        self.path = path
        self._boundary = boundary

    def commits(self) -> list[str]:
        """Return the revisions that have at least one file here, sorted.

        Raises:
            SourceError: something else than a revision is among them.
            OSError: the system refused to look.
        """
        root = f"{self.path}/snapshots"
        found = []
        for name in _names(root):
            shown = f"{root}/{name}"
            if _COMMIT.fullmatch(name) is None:
                raise SourceError(
                    f"{shown}: not named after a commit",
                    advice="remove it; a client takes it for a revision",
                )
            if any(True for _ in self._files(shown)):
                found.append(name)
        return found

    def refs(self) -> dict[str, str]:
        """Return the commit that each ref names.

        Raises:
            SourceError: a ref does not hold the name of a commit.
            OSError: the system refused to look.
        """
        root = f"{self.path}/refs"
        refs = {}
        for name, path in self._files(root):
            place = self._regular(path)[-1]
            with open(place, "rb") as file:  # noqa: PTH123
                text = file.read(COMMIT_LENGTH + 3).decode("ascii", "replace")
            commit = text.rstrip("\r\n")
            if _COMMIT.fullmatch(commit) is None:
                raise SourceError(
                    f"{path}: does not hold a commit",
                    advice="fetch the repository again, or remove the ref",
                )
            refs[name] = commit
        return refs

    def resolve(self, revision: str) -> str:
        """Return the commit that ``revision`` means: a ref, a commit or its start.

        Raises:
            SourceError: nothing here is called so, or more than one thing.
            OSError: the system refused to look.
        """
        refs = self.refs()
        if revision in refs:
            return refs[revision]
        commits = self.commits()
        found = [
            commit
            for commit in commits
            if len(revision) >= _SHORTEST_PREFIX and commit.startswith(revision)
        ]
        if len(found) == 1:
            return found[0]
        here = ", ".join([*sorted(refs), *(commit[:12] for commit in commits)])
        reason = "more than one revision starts so" if found else "no such revision"
        raise SourceError(
            f"{self.path}: {revision!r}: {reason}",
            advice=f"here are: {here or 'none'}",
        )

    def tree_list(self, commit: str) -> TreeList | None:
        """Return what the server said that a revision holds, if that was kept.

        Raises:
            SourceError: the list is damaged.
            OSError: the system refused to look.
        """
        path = f"{self.path}/trees/{commit}.json"
        if not os.path.lexists(path):
            return None
        place = self._regular(path)[-1]
        return parse_tree_list(Path(place).read_bytes(), path)

    def add_snapshot(
        self, commit: str, identities: dict[str, Identity], listing: Listing
    ) -> None:
        """Put the files of a revision on the listing."""
        for name, path in self._files(f"{self.path}/snapshots/{commit}"):
            inside = f"snapshots/{commit}/{name}"
            with listing.guard(path, inside):
                known = identities.get(name, Identity())
                listing.add(self._file(path, inside, known), path)

    def add_absent(self, commit: str, listing: Listing) -> None:
        """Put the marks of files that a revision does not have on the listing."""
        for name, path in self._files(f"{self.path}/.no_exist/{commit}"):
            listing.add(SourceFile(f".no_exist/{commit}/{name}", b"", 0), path)

    def _file(self, path: str, inside: str, known: Identity) -> SourceFile:
        """Return one file of a snapshot, its links followed."""
        places = self._regular(path)
        for place in places[1:]:
            repository, _, etag = place.rpartition("/blobs/")
            if os.path.dirname(repository) == self._boundary.root:  # noqa: PTH120
                known = Identity.of_name(etag)
                break
        check_readable(places[-1], path)
        return SourceFile(
            path=inside,
            content=Path(places[-1]),
            size=os.stat(places[-1]).st_size,  # noqa: PTH116
            sha256=known.sha256,
            git_sha1=known.git_sha1,
            git_sha1_wanted=known.git_sha1 is not None,
        )

    def _regular(self, path: str) -> list[str]:
        """Return the places ``path`` leads through, the last one a regular file."""
        places = self._boundary.follow(path)
        if not stat.S_ISREG(os.lstat(places[-1]).st_mode):
            raise SourceError(
                f"{path}: not a file, nor a link to one",
                advice="fetch the repository again, or remove it",
            )
        if len(places) > 1 and places[-1].endswith(UNFINISHED):
            raise SourceError(
                f"{path}: its download did not finish",
                advice="fetch the repository again",
            )
        return places

    def _files(self, root: str, inside: str = "") -> Iterator[tuple[str, str]]:
        """Give name and path of everything below ``root`` that is no directory."""
        for name in _names(root):
            path = f"{root}/{name}"
            if stat.S_ISDIR(os.lstat(path).st_mode):
                yield from self._files(path, f"{inside}{name}/")
            elif not (name.endswith(UNFINISHED) and not os.path.islink(path)):  # noqa: PTH114
                yield f"{inside}{name}", path


def _names(directory: str) -> list[str]:
    """Return the sorted names in a directory, none if it does not exist."""
    try:
        names = os.listdir(directory)  # noqa: PTH208
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name not in IGNORED)
