"""Everything that is to be packed, checked before the first byte is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from bundle.errors import FormatError, SourceError
from bundle.paths import check_distinct
from bundle.source.base import TREE
from bundle.source.references import reference_warnings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bundle.source.base import Source, SourceArtifact


@dataclass(frozen=True, slots=True)
class Listing:
    """Artifacts sorted by kind and name, and what was left out of them.

    ``warnings`` are those of all artifacts, each with the name it is about.
    """

    artifacts: tuple[SourceArtifact, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(file.size for each in self.artifacts for file in each.files)

    @property
    def files(self) -> int:
        """Number of all files."""
        return sum(len(artifact.files) for artifact in self.artifacts)


async def gather(sources: Iterable[Source], present: Collection[str] = ()) -> Listing:
    """List every source and check that the artifacts can stand side by side.

    ``present`` are names of models that the release holds besides.

    Raises:
        SourceError: there is nothing to pack, one artifact comes from two
            sources, or two trees hold one path.
        StoreError: a source needs a network and it did not work.
    """
    listed = [artifact for source in sources for artifact in await source.artifacts()]
    problems = tuple(problem for artifact in listed for problem in artifact.problems)
    artifacts = sorted(
        (each for each in listed if each.files or each.directories),
        key=lambda artifact: (artifact.kind, artifact.name),
    )
    if not artifacts:
        raise SourceError(
            "there is nothing to pack",
            advice=problems[0] if problems else "check --include, --exclude and paths",
        )
    _check_names(artifacts)
    _check_trees([artifact for artifact in artifacts if artifact.kind == TREE])
    needs = await reference_warnings(artifacts, present)
    warned = tuple(
        replace(artifact, warnings=artifact.warnings + more)
        for artifact, more in zip(artifacts, needs, strict=True)
    )
    return Listing(
        warned,
        problems,
        tuple(f"{one.name}: {text}" for one in warned for text in one.warnings),
    )


def _check_names(artifacts: Sequence[SourceArtifact]) -> None:
    for before, after in pairwise(artifacts):
        if (before.kind, before.name) == (after.kind, after.name):
            raise SourceError(
                f"{after.kind} {after.name} comes from {before.source} and from "
                f"{after.source}",
                advice="leave one of them out",
            )


def _check_trees(trees: Sequence[SourceArtifact]) -> None:
    """Trees are unpacked into one directory, so they must not share a path."""
    owners: dict[str, str] = {}
    for tree in trees:
        for file in tree.files:
            other = owners.setdefault(file.path, tree.source)
            if other != tree.source:
                raise SourceError(
                    f"{file.path} is in {other} and in {tree.source}",
                    advice="leave one of them out with --exclude",
                )
    try:
        check_distinct(
            owners, (path for tree in trees for path in tree.directories), rule="2.4"
        )
    except FormatError as error:
        raise SourceError(
            str(error), advice="rename one of them: some file systems take them for one"
        ) from error
