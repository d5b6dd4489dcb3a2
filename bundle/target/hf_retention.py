"""What leaves a Hugging Face cache, repository by repository (spec §60.3)."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.target.hf_layout import FOLDERS, folder_name, layout_of
from bundle.target.hf_pruning import RepositoryPruning, Version
from bundle.target.ledger import ORIGINALS
from bundle.target.record import RECORDS, Record, record_name
from bundle.target.removal import Removal
from bundle.target.retention import UNKNOWN, Pruned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.target.folder import Folder
    from bundle.target.ledger import Given, Ledger
    from bundle.target.retention import Division
    from bundle.target.workspace import Workspace


@dataclass(slots=True)
class _Repository:
    """What is known of one repository; ``unknown`` are recipes that are lost."""

    given: Given
    kept: list[Version] = field(default_factory=list)
    gone: list[Version] = field(default_factory=list)
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class CachePruning:
    """Removes from ``hub`` what the ledger knows and no kept release has."""

    hub: Folder
    workspace: Workspace
    ledger: Ledger

    def run(self, division: Division) -> Pruned:
        """Go through all repositories that something leaves; forget releases last.

        A run that is cut off leaves the ledger as it was, so that the next one goes
        on.

        Raises:
            TargetError: the system does not let us.
        """
        done = Pruned()
        known = self._repositories(division)
        leaving = [one for one in known if one.gone or one.unknown]
        for one in leaving:
            done += self._prune(one)
        self._forget_listings(known)
        gone = (one.given for one in leaving if not (one.kept or one.unknown))
        self.workspace.discard(
            RECORDS, [record_name(one.kind, one.name) for one in gone]
        )
        if not any(one.unknown for one in known):
            self.ledger.lose(division.forgotten)
        return done

    def _repositories(self, division: Division) -> list[_Repository]:
        """Return the repositories of the ledger with what is known of each."""
        found: dict[str, _Repository] = {}
        for artifacts, stays in ((division.kept, True), (division.gone, False)):
            for one in artifacts:
                if one.kind not in FOLDERS:
                    continue
                name = folder_name(one.kind, one.name)
                repository = found.setdefault(name, _Repository(one))
                version = self._version(one)
                if version is not None:
                    (repository.kept if stays else repository.gone).append(version)
                elif stays:
                    repository.unknown = True
        return [found[name] for name in sorted(found)]

    def _version(self, given: Given) -> Version | None:
        recipe = self.ledger.recipe(given.recipe)
        return None if recipe is None else Version(layout_of(given, recipe), recipe)

    def _prune(self, repository: _Repository) -> Pruned:
        given = repository.given
        name = folder_name(given.kind, given.name)
        if repository.unknown:
            return Pruned(stayed=(f"{self.hub.path / name}: {UNKNOWN}",))
        with contextlib.ExitStack() as stack:
            removal = Removal(self.hub)
            place = stack.enter_context(removal.opened((name,)))
            if place is None:
                return removal.result()
            removal = Removal(place)
            RepositoryPruning(
                removal,
                self.workspace,
                Record(self.workspace, given),
                tuple(repository.kept),
                tuple(repository.gone),
            ).run()
        with contextlib.suppress(OSError):
            # Whatever is still in it keeps it.
            self.hub.remove_empty(name)
        return removal.result()

    def _forget_listings(self, known: Iterable[_Repository]) -> None:
        """Drop the originals of listings that only versions have that are gone."""
        sets: dict[bool, set[str]] = defaultdict(set)
        for one in known:
            for versions, stays in ((one.kept, True), (one.gone, one.unknown)):
                for version in versions:
                    for item in version.layout.trees:
                        sets[stays].add(version.sha256(item).hex())
        self.workspace.discard(ORIGINALS, sets[False] - sets[True])
