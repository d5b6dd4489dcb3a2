"""``tree:PATH``: regular files and directories, straight into a directory.

A file that has other content is replaced by a rename, so whoever has the old one
open keeps it; files that nobody published here are left alone. A file is
visible as soon as it is complete: a tree has no name that could switch from the
old state to the new one at once, which is what a Hugging Face cache has.
"""

from __future__ import annotations

import asyncio
import stat
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from bundle.errors import TargetError
from bundle.format.recipe_layout import Mode
from bundle.target.base import Published
from bundle.target.claims import Claims
from bundle.target.folder import DIRECTORY_MODE, FILE_MODE, Folder, nearest
from bundle.target.handover import Handover
from bundle.target.local import FolderTarget
from bundle.target.record import Record
from bundle.target.retention import divide
from bundle.target.tree_pruning import TreePruning
from bundle.target.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.target.base import Staged
    from bundle.target.retention import Pruned


class TreeTarget(FolderTarget):
    """Publishes artifacts of kind ``tree`` into one directory."""

    prunes: ClassVar = True

    def __init__(self, root: Path) -> None:
        super().__init__(f"tree:{root}", root, Workspace(root))
        self._handover = Handover(self._workspace)
        self._records: dict[str, Record] = {}
        self._claims = Claims(self.location)

    def takes(self, kind: str) -> bool:
        """Return whether ``kind`` is ``tree``."""
        return kind == "tree"

    async def missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        """Return the files that are not there with this content.

        Raises:
            TargetError: a link or a directory is in the way, or another artifact
                of this run has one of the paths.
        """
        return await asyncio.to_thread(self._missing, artifact, recipe)

    def holds(self, artifact: Artifact) -> bool:
        """Return whether this tree was published here and is still here."""
        if not self.root.is_dir():
            return False
        with self._workspace.opened() as root:
            return self._record(artifact).is_complete(artifact.recipe.digest, root)

    async def publish(
        self, artifact: Artifact, recipe: Recipe, staged: Staged
    ) -> Published:
        """Put every file in place by one rename, directory by directory.

        Raises:
            TargetError: something is in the way, or changed since ``missing``.
        """
        return await asyncio.to_thread(self._publish, artifact, recipe, staged)

    def needed_sizes(self, recipe: Recipe, missing: Sequence[int]) -> Iterable[int]:
        """Return the size of each missing file: equal ones are written twice."""
        return (int(recipe.sizes[index]) for index in missing)

    def places(
        self,
        kind: str,  # noqa: ARG002 - trees alone are published here
        name: str,  # noqa: ARG002 - into the directory itself
        recipe: Recipe,
    ) -> Iterable[tuple[int, str]]:
        """Return the paths of the recipe."""
        return enumerate(recipe.paths())

    async def _retain(self, keep: int) -> Pruned:
        """Remove what left its stream, file by file, and the directories of it.

        Files that an artifact has no longer go at once (ADR 17).
        """
        return await asyncio.to_thread(self._prune, keep)

    def _prune(self, keep: int) -> Pruned:
        with self._workspace.opened() as root:
            run = TreePruning(root, self._workspace, self.ledger)
            return run.run(divide(self.ledger.releases(), keep, in_place=True))

    def _record(self, artifact: Artifact) -> Record:
        if artifact.name not in self._records:
            self._records[artifact.name] = Record(self._workspace, artifact)
        return self._records[artifact.name]

    def _missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        self._claims.add(artifact.name, recipe)
        if nearest(self.root) != self.root:
            return [i for i in range(len(recipe.sizes)) if recipe.sizes[i]]
        record = self._record(artifact)
        lacking: list[int] = []
        with self._workspace.opened() as root:
            for parts, entries in _by_directory(recipe):
                with root.below(parts, make=False) as folder:
                    lacking += [
                        index
                        for index, name in entries
                        if not _present(record, folder, recipe, index, name)
                    ]
        return lacking

    def _publish(self, artifact: Artifact, recipe: Recipe, staged: Staged) -> Published:
        record = self._record(artifact)
        done = Published(0, 0, 0)
        with self._workspace.opened() as root:
            for parts, entries in _by_directory(recipe):
                with root.made(parts) as folder:
                    part = self._fill(folder, recipe, entries, record, staged)
                    if part.written_files:
                        folder.flush()
                    done += part
        record.completed(artifact.recipe.digest, set(recipe.paths()), {})
        record.save()
        return done

    def _fill(
        self,
        folder: Folder,
        recipe: Recipe,
        entries: list[tuple[int, str]],
        record: Record,
        staged: Staged,
    ) -> Published:
        """Publish what the recipe has in one directory."""
        written = kept = size = 0
        for index, name in entries:
            if recipe.modes[index] == Mode.DIRECTORY:
                with folder.make(name):
                    continue
            path, sha256 = recipe.path(index), bytes(recipe.sha256[index])
            mode = _mode(recipe, index)
            if record.holds(path, folder, name, sha256):
                if folder.change_mode(name, mode, mask=0o100):
                    written += 1
                else:
                    kept += 1
                continue
            content = _content(folder, recipe, index, name, staged)
            status = self._handover.put(content, folder, name, mode)
            record.published(path, status, sha256)
            written += 1
            size += status.st_size
        return Published(written, kept, size)


def _by_directory(
    recipe: Recipe,
) -> Iterator[tuple[tuple[str, ...], list[tuple[int, str]]]]:
    """Return the files and directories of a recipe by the directory they are in."""
    split = (
        (index, *path.rpartition("/")[::2]) for index, path in enumerate(recipe.paths())
    )
    for directory, group in groupby(split, key=lambda entry: entry[1]):
        parts = tuple(directory.split("/")) if directory else ()
        yield parts, [(index, name) for index, _, name in group]


def _present(
    record: Record, folder: Folder | None, recipe: Recipe, index: int, name: str
) -> bool:
    """Return whether one file needs no content.

    Raises:
        TargetError: a file is in place of a directory, or the reverse.
    """
    directory = recipe.modes[index] == Mode.DIRECTORY
    if folder is None:
        return directory or not recipe.sizes[index]
    status = folder.status(name)
    if status is not None and stat.S_ISDIR(status.st_mode) != directory:
        there, wanted = ("file", "directory") if directory else ("directory", "file")
        raise TargetError(
            f"{folder.path / name}: a {there} is in place of a {wanted}",
            advice="move it elsewhere and run again",
        )
    if directory or not recipe.sizes[index]:
        return True
    sha256 = bytes(recipe.sha256[index])
    return (
        status is not None
        and status.st_size == recipe.sizes[index]
        and record.holds(recipe.path(index), folder, name, sha256)
    )


def _content(
    folder: Folder, recipe: Recipe, index: int, name: str, staged: Staged
) -> Path | None:
    """Return where the content of a file is staged; None stands for no bytes.

    Raises:
        TargetError: it was there when ``missing`` looked and is not any more.
    """
    path = staged(index)
    if path is None and recipe.sizes[index]:
        raise TargetError(
            f"{folder.path / name}: changed while this run was unpacking",
            advice="stop whatever else writes there and run again",
        )
    return path


def _mode(recipe: Recipe, index: int) -> int:
    return DIRECTORY_MODE if recipe.modes[index] == Mode.EXECUTABLE else FILE_MODE
