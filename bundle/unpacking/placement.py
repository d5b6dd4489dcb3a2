"""One release on its way to its targets: planned, staged, published.

``plan`` only reads. ``place`` changes a target only after everything of it was
verified and flushed into staging, artifact by artifact, in the order of spec §30.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.errors import TargetError
from bundle.target.ledger import Applied, Given
from bundle.target.room import require_space
from bundle.unpacking.contents import Contents

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact, Release
    from bundle.target.base import Published, Target, Transfer
    from bundle.target.retention import Pruned
    from bundle.unpacking.contents import Content
    from bundle.unpacking.sink import Opener
    from bundle.unpacking.supply import Supply


@dataclass(frozen=True, slots=True)
class PlacedReport:
    """What was done with one artifact at one target."""

    kind: str
    name: str
    target: str
    written_files: int
    kept_files: int
    written_bytes: int
    left_out: tuple[str, ...]


@dataclass(slots=True)
class Placement:
    """One artifact on its way to one target."""

    artifact: Artifact
    recipe: Recipe
    target: Target
    missing: list[int] = field(default_factory=list)
    contents: dict[int, Content] = field(default_factory=dict)
    staged: dict[int, Path] = field(default_factory=dict)


def everything(_artifact: Artifact) -> bool:
    """Select every artifact."""
    return True


@dataclass(slots=True, kw_only=True)
class Placing:
    """What is placed where; filled step by step.

    ``recipes`` are at hand by the text of their digest, others are asked of
    ``supply``. Artifacts that are not among ``selected`` are as if the release did
    not list them. ``left`` names what no target takes, ``failed`` what a target
    refused while it took others, ``lacking`` the digests of recipes that are nowhere.
    """

    release: Release
    digest: str
    recipes: Mapping[str, Recipe]
    targets: tuple[Target, ...]
    supply: Supply
    selected: Callable[[Artifact], bool] = everything
    placements: list[Placement] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    contents: Contents = field(default_factory=Contents)

    @property
    def artifacts(self) -> list[Artifact]:
        """The artifacts that are selected, in the order of the release."""
        return [one for one in self.release.artifacts if self.selected(one)]

    @property
    def used(self) -> list[Target]:
        """The targets that something is placed at, or has to leave."""
        return [
            target
            for target in self.targets
            if any(one.target is target for one in self.placements)
            or (_prunes(target) and self._left(target))
        ]

    @property
    def transfers(self) -> tuple[tuple[str, Transfer], ...]:
        """What was sent to each target that is remote, by its location."""
        return tuple(
            (target.location, target.transfer)
            for target in self.used
            if target.transfer is not None
        )

    @property
    def stays(self) -> tuple[str, ...]:
        """What was published of this stream before and is not listed any more.

        Targets that remove what left are asked for ``prunings`` instead.
        """
        return tuple(
            f"{one.kind} {one.name}: left the stream, stays at {target.location}"
            for target in self.targets
            if not _prunes(target)
            for one in self._left(target)
        )

    @property
    def prunings(self) -> tuple[tuple[str, Pruned], ...]:
        """What was removed at each target that was to, by its location."""
        return tuple(
            (target.location, target.pruned)
            for target in self.targets
            if target.pruned is not None
        )

    def _left(self, target: Target) -> list[Given]:
        """Return what ``target`` was given of the stream and the release has not."""
        listed = {(one.kind, one.name) for one in self.artifacts}
        found = {
            (one.kind, one.name): one
            for release in target.ledger.releases()
            if release.stream == self.release.stream.id
            for one in release.artifacts
            if target.takes(one.kind) and (one.kind, one.name) not in listed
        }
        return list(found.values())

    @property
    def is_known(self) -> bool:
        """Whether every target in use was given this release before."""
        return all(
            any(one.digest == self.digest for one in target.ledger.releases())
            for target in self.used
        )

    async def plan(self) -> None:
        """Pair artifacts with the targets that take them; find what is missing there.

        Raises:
            SpaceError: it would not fit.
            TargetError: something is in the way at a target.
        """
        for artifact in self.artifacts:
            takers = [one for one in self.targets if one.takes(artifact.kind)]
            if not takers:
                self.left.append(f"{artifact.kind} {artifact.name}: no target takes it")
                continue
            recipe = self.recipes.get(artifact.recipe.digest)
            if recipe is None:
                recipe = await self.supply.recipe(artifact, self.release)
            if recipe is not None:
                self.placements += [Placement(artifact, recipe, one) for one in takers]
            elif not all(target.holds(artifact) for target in takers):
                self.lacking.append(artifact.recipe.digest)
        for one in self.placements:
            one.missing = await one.target.missing(one.artifact, one.recipe)
        require_space((one.target, one.recipe, one.missing) for one in self.placements)
        for one in self.placements:
            for index in one.missing:
                one.contents[index] = self.contents.add(one.recipe, index)

    async def place(
        self, stage: Callable[[], Awaitable[None]]
    ) -> tuple[PlacedReport, ...]:
        """Publish everything that was planned.

        ``stage`` puts the contents where they are to be staged, verified. A target
        that refused an artifact and took others is not noted to have the release.

        Raises:
            TargetError: a target is full or refuses.
        """
        used = self.used
        try:
            for target in used:
                await target.begin()
            self._assign()
            await stage()
            placed = []
            refusing: list[Target] = []
            for one in self.placements:
                try:
                    placed.append(await _publish(one))
                except TargetError as error:
                    if not one.target.isolates:
                        raise
                    self.failed.append(_failure(one, error))
                    refusing.append(one.target)
            for target in used:
                if target in refusing:
                    continue
                changed = any(
                    one.written_files for one in placed if one.target == target.location
                )
                await asyncio.to_thread(
                    target.ledger.note, self._applied(), changed=changed
                )
                await target.finish(self.digest)
        finally:
            for target in used:
                await target.abandon()
        return tuple(placed)

    def openers(self) -> dict[Path, Opener]:
        """Return how files are opened, by the staging directory they are in."""
        return {one.staging: one.open_staged for one in self.used}

    def _assign(self) -> None:
        """Say for every content where it is staged: once at each target."""
        for one in self.placements:
            for index, content in one.contents.items():
                place = one.target.staging / f"{content.number}"
                if place not in content.places:
                    content.places.append(place)
                one.staged[index] = place

    def _applied(self) -> Applied:
        stream = self.release.stream
        return Applied(
            stream.id,
            stream.name,
            self.release.seq,
            self.digest,
            tuple(
                Given(one.kind, one.name, one.recipe.digest) for one in self.artifacts
            ),
        )


def _prunes(target: Target) -> bool:
    """Return whether a target removes what left a stream."""
    return target.prunes and target.keep is not None


async def _publish(one: Placement) -> PlacedReport:
    digest = one.artifact.recipe.digest
    await asyncio.to_thread(one.target.ledger.keep, digest, one.recipe)
    published = await one.target.publish(one.artifact, one.recipe, one.staged.get)
    return _report(one, published)


def _failure(one: Placement, error: TargetError) -> str:
    advice = f" ({error.advice})" if error.advice else ""
    return f"{one.artifact.kind} {one.target.location}: {error}{advice}"


def _report(placement: Placement, published: Published) -> PlacedReport:
    return PlacedReport(
        kind=placement.artifact.kind,
        name=placement.artifact.name,
        target=placement.target.location,
        written_files=published.written_files,
        kept_files=published.kept_files,
        written_bytes=published.written_bytes,
        left_out=published.left_out,
    )
