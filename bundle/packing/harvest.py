"""What the workers found, as recipes and as the release's artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bundle.errors import FormatError, SourceError
from bundle.format.descriptor import RECIPE, Descriptor
from bundle.format.recipe import Mode, Recipe
from bundle.format.recipe_builder import ChunkRun, Literal, RecipeBuilder
from bundle.format.release import Artifact
from bundle.source.filter import without

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bundle.format.recipe_builder import Part
    from bundle.packing.intake import Intake
    from bundle.source.base import SourceArtifact


@dataclass(frozen=True, slots=True)
class Harvest:
    """One artifact that is ready: its entry in the release and its recipe.

    ``source`` is what was read of it, without the files that had problems.
    """

    artifact: Artifact
    data: bytes
    recipe: Recipe
    source: SourceArtifact


def harvest(
    artifacts: Sequence[SourceArtifact], intakes: Iterable[Intake]
) -> list[Harvest]:
    """Return what became of each artifact; those that lost every file are dropped.

    Raises:
        SourceError: the paths of an artifact cannot stand in a recipe.
    """
    by_artifact: list[dict[str, Intake]] = [{} for _ in artifacts]
    for intake in intakes:
        by_artifact[intake.artifact][intake.file.path] = intake.learnt
    ready = []
    for artifact, found in zip(artifacts, by_artifact, strict=True):
        failed = {path: each.problem for path, each in found.items() if each.problem}
        kept = without(artifact, failed, tuple(failed.values())) if failed else artifact
        if kept.files or kept.directories:
            ready.append(_ready(kept, found))
    return ready


def _ready(artifact: SourceArtifact, found: dict[str, Intake]) -> Harvest:
    builder = RecipeBuilder()
    for file in artifact.files:
        intake = found[file.path]
        mode = Mode.EXECUTABLE if file.executable else Mode.FILE
        builder.add(
            file.path,
            mode,
            file.size,
            intake.sha256,
            intake.git_sha1 if file.git_sha1_wanted else None,
            _parts(intake),
        )
    for path in artifact.directories:
        builder.add_directory(path)
    try:
        data = builder.finish()
    except FormatError as error:
        raise SourceError(
            f"{artifact.name}: {error}", advice="rename it, or --exclude it"
        ) from error
    recipe = Recipe.parse(data)
    entry = Artifact(
        kind=artifact.kind,
        name=artifact.name,
        source=artifact.source,
        revision=artifact.revision,
        recipe=Descriptor.of(RECIPE, data),
        bytes=recipe.total,
        files=recipe.files,
        chunks=recipe.chunks,
        licence=artifact.licence,
        warnings=artifact.warnings,
        notes=artifact.notes,
    )
    return Harvest(entry, data, recipe, artifact)


def _parts(intake: Intake) -> list[Part]:
    if not intake.runs:
        return [Literal(intake.literal)]
    return [
        ChunkRun(
            np.concatenate([ids for ids, _ in intake.runs]),
            np.concatenate([lengths for _, lengths in intake.runs]),
        )
    ]


def merged(before: Iterable[Artifact], ready: Iterable[Harvest]) -> list[Artifact]:
    """Return the artifacts of ``before`` with those that are ready put over them."""
    entries = {(entry.kind, entry.name): entry for entry in before}
    entries |= {
        (each.artifact.kind, each.artifact.name): each.artifact for each in ready
    }
    return [entries[key] for key in sorted(entries)]
