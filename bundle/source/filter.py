"""Which files of an artifact are wanted, by patterns on ``artifact/path``.

Patterns are those of ``fnmatch``, case counts, and ``*`` crosses ``/``. A file
is wanted if it matches one of the include patterns, or there are none, and it
matches no exclude pattern. An image is taken whole or not at all: the patterns
are tried on its name.

What a cache of models keeps beside its files follows them: a ref is kept while
its snapshot has files, whatever the include patterns say, and so are the marks
of files that do not exist. The list of what a revision holds (``trees/``) would
no longer be true, so that a client would refuse the revision as unfinished: it
is dropped.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bundle.source.base import HF_KINDS, OCI_KINDS, SourceArtifact, SourceFile

if TYPE_CHECKING:
    from collections.abc import Collection

COMMIT_LENGTH: Final = 40
"""Characters of a commit's name, and bytes of a ref."""

_FOLLOWERS: Final = ("refs/", ".no_exist/")
"""Where a model cache keeps what include patterns do not apply to."""


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return one expression for all patterns, or None if there are none."""
    if not patterns:
        return None
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))


@dataclass(frozen=True, slots=True)
class ListOptions:
    """How a source lists: patterns of what is wanted, and what a problem does.

    With ``keep_going`` a problem is noted and what has it is left out; without
    it the first problem ends the listing.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep_going: bool = False
    _include: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _exclude: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_include", _any_of(self.include))
        object.__setattr__(self, "_exclude", _any_of(self.exclude))

    @property
    def filters(self) -> bool:
        """Whether there is any pattern."""
        return bool(self.include or self.exclude)

    def takes(self, kind: str, name: str, path: str) -> bool:
        """Say whether ``path`` of an artifact is wanted."""
        if self._include is None and self._exclude is None:
            return True
        text = f"{name}/{path}"
        if self._exclude is not None and self._exclude.match(text):
            return False
        if self._include is None or (kind in HF_KINDS and path.startswith(_FOLLOWERS)):
            return True
        return self._include.match(text) is not None

    def takes_whole(self, name: str) -> bool:
        """Say whether an artifact that is taken whole or not at all is wanted."""
        if self._exclude is not None and self._exclude.match(name):
            return False
        return self._include is None or self._include.match(name) is not None


EVERYTHING: Final = ListOptions()


def filtered(
    artifact: SourceArtifact, include: Collection[str], exclude: Collection[str]
) -> SourceArtifact | None:
    """Return ``artifact`` with the wanted files only, or None if none is left."""
    options = ListOptions(tuple(include), tuple(exclude))
    if not options.filters:
        return artifact
    files = tuple(
        file
        for file in artifact.files
        if options.takes(artifact.kind, artifact.name, file.path)
        and not (artifact.kind in HF_KINDS and file.path.startswith("trees/"))
    )
    directories = tuple(
        path
        for path in artifact.directories
        if options.takes(artifact.kind, artifact.name, path)
    )
    kept = consistent(replace(artifact, files=files, directories=directories))
    if not kept.files and not kept.directories and not kept.problems:
        return None
    return kept


def without(
    artifact: SourceArtifact, paths: Collection[str], problems: tuple[str, ...]
) -> SourceArtifact:
    """Return ``artifact`` without the files at ``paths``, which had ``problems``.

    Revisions that lose a file lose their list of files too, and refs to
    revisions that have no file left are dropped.
    """
    if artifact.kind in OCI_KINDS:
        # An image that lacks a blob is none.
        return replace(artifact, files=(), problems=artifact.problems + problems)
    lost = frozenset(paths)
    untrue = {f"trees/{commit_of(path)}.json" for path in lost if commit_of(path)}
    return consistent(
        replace(
            artifact,
            files=tuple(
                file
                for file in artifact.files
                if file.path not in lost and file.path not in untrue
            ),
            problems=artifact.problems + problems,
        )
    )


def consistent(artifact: SourceArtifact) -> SourceArtifact:
    """Return ``artifact`` without refs, marks and lists of revisions without files.

    ``revision`` becomes the commits that are left. A tree stays as it is.
    """
    if artifact.kind not in HF_KINDS:
        return artifact
    commits = {commit_of(file.path) for file in artifact.files}
    files = tuple(file for file in artifact.files if _owner(file) in commits)
    return replace(artifact, files=files, revision=revision_of(files))


def commit_of(path: str) -> str | None:
    """Return the commit whose snapshot holds ``path``, or None."""
    parts = path.split("/", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "snapshots" else None


def revision_of(files: Collection[SourceFile]) -> str:
    """Return the commits that have files among ``files``, sorted, with commas."""
    commits = {commit_of(file.path) for file in files} - {None}
    return ",".join(sorted(commit for commit in commits if commit))


def _owner(file: SourceFile) -> str:
    """Return the commit that a file in a model cache belongs to."""
    if isinstance(file.content, bytes) and file.path.startswith("refs/"):
        return file.content.decode("ascii")
    return file.path.split("/")[1].removesuffix(".json")
