"""``hf-home:PATH`` and ``hf-cache:PATH``: what Hugging Face clients load from.

A client looks in ``$HF_HOME/hub``, or in ``$HF_HUB_CACHE`` itself, and so
``hf-home:PATH`` publishes into ``PATH/hub`` and ``hf-cache:PATH`` into ``PATH``.
The two are one target with another directory in it.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from bundle.target.folder import Folder, nearest
from bundle.target.handover import Handover
from bundle.target.hf_layout import FOLDERS, blob_name, folder_name, keys_of, layout_of
from bundle.target.hf_publication import Publication
from bundle.target.hf_retention import CachePruning
from bundle.target.hf_standing import Survey
from bundle.target.ledger import ORIGINALS
from bundle.target.local import FolderTarget
from bundle.target.record import Record
from bundle.target.retention import Pruned, divide
from bundle.target.workspace import NAME, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.target.base import Published, Staged

HUB = "hub"


class HuggingFaceTarget(FolderTarget):
    """Publishes repositories of every kind of the hub.

    ``copy`` writes real files into snapshots and no blobs, for file systems
    that have no symbolic links; it takes the room of every file of every
    revision.
    """

    prunes: ClassVar = True

    def __init__(self, location: str, root: Path, *, home: bool, copy: bool) -> None:
        self._hub = (HUB,) if home else ()
        self._copy = copy
        self._bundle = _place(root, self._hub)
        super().__init__(location, root, Workspace(root, self._bundle))
        self._handover = Handover(self._workspace)
        self._surveys: dict[tuple[str, str], Survey] = {}

    @property
    def hub(self) -> Path:
        """The directory with ``models--…`` in it."""
        return self.root.joinpath(*self._hub)

    def takes(self, kind: str) -> bool:
        """Return whether ``kind`` is a kind of repository of the hub."""
        return kind in FOLDERS

    async def missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        """Return the files whose content no blob, or with ``copy`` no file, has.

        Raises:
            TargetError: the artifact is none that a cache can hold, or something
                is in the way of it.
        """
        return await asyncio.to_thread(self._missing, artifact, recipe)

    def holds(self, artifact: Artifact) -> bool:
        """Return whether this repository was published here and is still here.

        Raises:
            TargetError: a link is planted in place of its directory.
        """
        record = Record(self._workspace, artifact)
        parts = folder_name(artifact.kind, artifact.name)
        with self._existing_hub() as hub:
            if hub is None:
                return False
            with hub.below((parts,), make=False) as repository:
                return repository is not None and record.is_complete(
                    artifact.recipe.digest, repository
                )

    async def publish(
        self, artifact: Artifact, recipe: Recipe, staged: Staged
    ) -> Published:
        """Publish blobs, snapshots, markers, listings and refs, in this order.

        Raises:
            TargetError: something is in the way; the old revision still loads.
        """
        return await asyncio.to_thread(self._publish, artifact, recipe, staged)

    def needed_sizes(self, recipe: Recipe, missing: Sequence[int]) -> Iterable[int]:
        """Return the size of each blob, or with ``copy`` of each file."""
        if self._copy:
            return [int(recipe.sizes[index]) for index in missing]
        blobs = {blob_name(recipe, index): index for index in missing}
        return [int(recipe.sizes[index]) for index in blobs.values()]

    def places(self, kind: str, name: str, recipe: Recipe) -> Iterable[tuple[int, str]]:
        """Return the names in the repository, and originals of its listings."""
        above = "/".join((*self._hub, folder_name(kind, name)))
        originals = "/".join((*self._bundle, ORIGINALS))
        for index, path in enumerate(recipe.paths()):
            yield index, f"{above}/{path}"
            if path.startswith("trees/"):
                yield index, f"{originals}/{bytes(recipe.sha256[index]).hex()}"

    async def _retain(self, keep: int) -> Pruned:
        """Remove the revisions that no kept release has, and what is only theirs."""
        return await asyncio.to_thread(self._prune, keep)

    def _prune(self, keep: int) -> Pruned:
        with self._workspace.opened() as root, root.below(self._hub, make=False) as hub:
            if hub is None:
                return Pruned()
            run = CachePruning(hub, self._workspace, self.ledger)
            return run.run(divide(self.ledger.releases(), keep, in_place=False))

    def _survey(self, artifact: Artifact, recipe: Recipe) -> Survey:
        key = (artifact.kind, artifact.name)
        if key not in self._surveys:
            self._surveys[key] = Survey(
                layout=layout_of(artifact, recipe),
                recipe=recipe,
                recipe_digest=artifact.recipe.digest,
                record=Record(self._workspace, artifact),
                copy=self._copy,
            )
        return self._surveys[key]

    def _missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        survey = self._survey(artifact, recipe)
        with self._existing_hub() as hub:
            return survey.missing(survey.look(hub))

    def _publish(self, artifact: Artifact, recipe: Recipe, staged: Staged) -> Published:
        survey = self._survey(artifact, recipe)
        with self._workspace.opened() as root, root.made(self._hub) as hub:
            standing = survey.look(hub)
            run = Publication(survey, standing, self._workspace, self._handover, staged)
            done = run.run(hub)
        keys, names = keys_of(survey.layout, recipe)
        survey.record.completed(survey.recipe_digest, keys, names)
        survey.record.save()
        return done

    @contextmanager
    def _existing_hub(self) -> Iterator[Folder | None]:
        if nearest(self.root) != self.root:
            yield None
            return
        with (
            self._workspace.opened() as root,
            root.below(self._hub, make=False) as hub,
        ):
            yield hub


def _place(root: Path, hub: tuple[str, ...]) -> tuple[str, ...]:
    """Return where ``.bundle`` is below ``root``: on the file system of the hub."""
    if not hub:
        return (".locks", NAME)
    inside = root.joinpath(*hub)
    if inside.is_dir() and inside.stat().st_dev != root.stat().st_dev:
        return (*hub, ".locks", NAME)
    return (NAME,)
