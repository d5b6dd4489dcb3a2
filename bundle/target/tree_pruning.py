"""What leaves a directory that trees are published to (spec §60.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.format.recipe_layout import Mode
from bundle.paths import collision_key
from bundle.target.record import RECORDS, Record, record_name
from bundle.target.removal import Removal, above
from bundle.target.retention import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundle.format.recipe import Recipe
    from bundle.target.folder import Folder
    from bundle.target.ledger import Given, Ledger
    from bundle.target.retention import Division, Pruned
    from bundle.target.workspace import Workspace


@dataclass(frozen=True, slots=True)
class TreePruning:
    """Removes from ``root`` what the ledger knows and no kept release has."""

    root: Folder
    workspace: Workspace
    ledger: Ledger

    def run(self, division: Division) -> Pruned:
        """Remove files, then directories; forget releases last.

        A run that is cut off leaves the ledger as it was, so that the next one goes
        on. Without the recipe of an artifact that stays nothing is removed: it might
        be its.

        Raises:
            TargetError: the system does not let us.
        """
        removal = Removal(self.root)
        kept = self._recipes(division.kept, removal)
        if len(kept) < sum(one.kind == "tree" for one in division.kept):
            return removal.result()
        paths = {collision_key(path) for one in kept.values() for path in one.paths()}
        staying = paths | above(paths)
        gone = self._recipes(division.gone, removal)
        self._remove_files(removal, gone, staying)
        made = {path for one in gone.values() for path in _directories(one)}
        removal.empty(path for path in made if collision_key(path) not in staying)
        names = {record_name(one.kind, one.name) for one in division.kept}
        left = {record_name(one.kind, one.name) for one in division.gone} - names
        self.workspace.discard(RECORDS, left)
        self.ledger.lose(division.forgotten)
        return removal.result()

    def _remove_files(
        self, removal: Removal, gone: dict[Given, Recipe], staying: set[str]
    ) -> None:
        records = {one.name: Record(self.workspace, one) for one in gone}
        content: dict[str, list[bytes]] = {}
        owners: dict[str, Record] = {}
        for given, recipe in gone.items():
            for path, sha256 in _files(recipe, staying):
                content.setdefault(path, []).append(sha256)
                owners[path] = records[given.name]

        def holds(path: str, folder: Folder, name: str, sha256: bytes) -> bool:
            return owners[path].holds(path, folder, name, sha256)

        removal.remove(content, holds)

    def _recipes(
        self, artifacts: Iterable[Given], removal: Removal
    ) -> dict[Given, Recipe]:
        """Return the recipes of trees that are known; names the others."""
        found = {}
        for one in sorted(artifacts, key=lambda one: (one.name, one.recipe)):
            recipe = self.ledger.recipe(one.recipe) if one.kind == "tree" else None
            if recipe is not None:
                found[one] = recipe
            elif one.kind == "tree":
                removal.stays(one.name, UNKNOWN)
        return found


def _files(recipe: Recipe, staying: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a recipe that are not among what stays, with their SHA-256."""
    for index, path in enumerate(recipe.paths()):
        if recipe.modes[index] != Mode.DIRECTORY and collision_key(path) not in staying:
            yield path, bytes(recipe.sha256[index])


def _directories(recipe: Recipe) -> set[str]:
    """Return the directories of a recipe and those that its files are in."""
    named = {
        path
        for index, path in enumerate(recipe.paths())
        if recipe.modes[index] == Mode.DIRECTORY
    }
    return named | above(recipe.paths())
