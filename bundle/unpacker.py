"""``bundle unpack``: one bundle in, published into every target that takes it.

Nothing of a target is touched before the signatures, the lists, the recipes and
the free space are checked; nothing is renamed into place before every file of
every artifact is verified and flushed. So a bundle that is refused leaves the
targets as they were, and one that is interrupted leaves what still loads.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.errors import MissingError
from bundle.medium.reader import OpenBundle, open_bundle
from bundle.state.receiver import TrustChoice, record_applied
from bundle.target.base import require_space
from bundle.unpacking.contents import Contents, check_empty_files
from bundle.unpacking.run import assemble
from bundle.unpacking.sink import Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.progress import Reporter
    from bundle.target.base import Published, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackRequest:
    """What to unpack where; ``clock`` returns seconds since 1970."""

    bundle: Path
    targets: tuple[Target, ...]
    trust: TrustChoice
    clock: Callable[[], float]
    jobs: int = 2


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


@dataclass(frozen=True, slots=True)
class UnpackReport:
    """What was done; ``left`` names what no target takes, one line each."""

    stream: str
    seq: int
    release: str
    placed: tuple[PlacedReport, ...]
    left: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Placement:
    """One artifact on its way to one target."""

    artifact: Artifact
    recipe: Recipe
    target: Target
    missing: list[int] = field(default_factory=list)
    staged: dict[int, Path] = field(default_factory=dict)


async def unpack(request: UnpackRequest, reporter: Reporter) -> UnpackReport:
    """Publish everything the bundle holds into the targets that take it.

    Raises:
        FormatError, IntegrityError: the bundle is damaged; no target changed.
        TrustError: it is not to be trusted here; no target changed.
        MissingError: it needs what is neither in it nor at a target.
        TargetError: a target is full or refuses.
    """
    clock = request.clock()
    opened = await asyncio.to_thread(open_bundle, request.bundle, request.trust, clock)
    for warning in opened.warnings:
        reporter.warned(warning)
    for recipe in opened.recipes.values():
        check_empty_files(recipe)
    placements, left = _plan(opened, request.targets)
    for placement in placements:
        placement.missing = await placement.target.missing(
            placement.artifact, placement.recipe
        )
    require_space((one.target, one.recipe, one.missing) for one in placements)
    if any(one.missing for one in placements):
        await asyncio.to_thread(_look_for_volumes, opened)
    placed = await _place(request, opened, placements, reporter)
    await asyncio.to_thread(record_applied, request.trust, opened.facts, clock)
    return UnpackReport(
        stream=opened.release.stream.name,
        seq=opened.release.seq,
        release=str(opened.digest),
        placed=placed,
        left=left,
        warnings=opened.warnings,
    )


def _look_for_volumes(opened: OpenBundle) -> None:
    """Refuse a bundle whose volumes are not all here, before a target changes."""
    with opened.volumes():
        pass


def _plan(
    opened: OpenBundle, targets: Sequence[Target]
) -> tuple[list[_Placement], tuple[str, ...]]:
    """Pair artifacts with the targets that take them; name those with none.

    Raises:
        MissingError: something is needed that this bundle does not carry.
    """
    placements, left, elsewhere = [], [], []
    for artifact in opened.release.artifacts:
        takers = [target for target in targets if target.takes(artifact.kind)]
        recipe = opened.recipes.get(artifact.recipe.digest)
        if not takers:
            left.append(f"{artifact.kind} {artifact.name}: no target takes it")
        elif recipe is None:
            if not all(target.holds(artifact) for target in takers):
                elsewhere.append(f"{artifact.kind} {artifact.name}")
        else:
            placements += [_Placement(artifact, recipe, each) for each in takers]
    if elsewhere or opened.manifest.requires.count:
        what = ", ".join(elsewhere) or f"{opened.manifest.requires.count} chunks"
        raise MissingError(
            f"{what}: part of the release, not carried here, not at the target yet",
            advice="unpack the bundle that carries it first",
        )
    return placements, tuple(left)


async def _place(
    request: UnpackRequest,
    opened: OpenBundle,
    placements: list[_Placement],
    reporter: Reporter,
) -> tuple[PlacedReport, ...]:
    used = [
        target
        for target in request.targets
        if any(one.target is target for one in placements)
    ]
    try:
        for target in used:
            await target.begin()
        await _stage(request, opened, placements, reporter)
        placed = [
            _report(
                one,
                await one.target.publish(one.artifact, one.recipe, one.staged.get),
            )
            for one in placements
        ]
        for target in used:
            await target.finish(str(opened.digest))
    finally:
        for target in used:
            await target.abandon()
    return tuple(placed)


async def _stage(
    request: UnpackRequest,
    opened: OpenBundle,
    placements: list[_Placement],
    reporter: Reporter,
) -> None:
    """Put everything that is missing into the targets' staging, verified."""
    contents = Contents()
    for one in placements:
        for index in one.missing:
            content = contents.add(one.recipe, index)
            place = one.target.staging / f"{content.number}"
            if place not in content.places:
                content.places.append(place)
            one.staged[index] = place
    reporter.started("unpack", sum(content.size for content in contents.all))
    if contents.all:
        with opened.volumes() as volumes:
            assembly = await assemble(
                volumes,
                contents,
                Staging(contents),
                jobs=request.jobs,
                reporter=reporter,
            )
        assembly.check_complete()
    reporter.finished()


def _report(placement: _Placement, published: Published) -> PlacedReport:
    return PlacedReport(
        kind=placement.artifact.kind,
        name=placement.artifact.name,
        target=placement.target.location,
        written_files=published.written_files,
        kept_files=published.kept_files,
        written_bytes=published.written_bytes,
        left_out=published.left_out,
    )
