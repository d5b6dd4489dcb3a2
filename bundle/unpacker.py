"""``bundle unpack``: one bundle in, published into every target that takes it.

Nothing of a target is touched before the signatures, the lists, the recipes, the
free space and the chunks that the bundle builds on are checked; nothing is renamed
into place before every file of every artifact is verified and flushed. So a bundle
that is refused leaves the targets as they were, and one that is interrupted leaves
what still loads.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bundle.medium.piping import open_stream
from bundle.medium.reader import OpenBundle, open_bundle
from bundle.state.receiver import TrustChoice, record_applied
from bundle.state.site import DEFAULT_SITE
from bundle.target.ledger import Applied, Given
from bundle.target.room import require_space
from bundle.unpacking.acknowledge import Acknowledgement, acknowledge
from bundle.unpacking.contents import Contents
from bundle.unpacking.lack import Desk, feed, find_needed
from bundle.unpacking.run import begin, read_frames
from bundle.unpacking.sink import Staging
from bundle.unpacking.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from bundle.format.receipt import Outcome
    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.progress import Reporter
    from bundle.store.base import ReadStore
    from bundle.target.base import Published, Target
    from bundle.unpacking.contents import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackRequest:
    """What to unpack where; ``clock`` returns seconds since 1970.

    ``beside`` are further directories of the same bundle, with other volumes. With
    a ``stream``, the bundle is read from there, as ``bundle export`` writes it.
    What the bundle builds on is taken from the targets, then from ``stores``. A
    receipt is written into ``receipt_to``, and where something lacks a want into
    ``want_to``, or beside the receipts.
    """

    bundle: Path
    targets: tuple[Target, ...]
    trust: TrustChoice
    clock: Callable[[], float]
    jobs: int = 2
    stores: tuple[ReadStore, ...] = ()
    receipt_to: Path | None = None
    want_to: Path | None = None
    beside: tuple[Path, ...] = ()
    stream: BinaryIO | None = None


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
    """What was done; ``left`` names what no target takes, one line each.

    ``reused_bytes`` were not carried but found here. ``stays`` names what the
    release does not list any more and is still at a target.
    """

    stream: str
    seq: int
    release: str
    placed: tuple[PlacedReport, ...]
    left: tuple[str, ...]
    warnings: tuple[str, ...]
    reused_bytes: int = 0
    stays: tuple[str, ...] = ()
    receipt: Path | None = None


@dataclass(slots=True)
class _Placement:
    """One artifact on its way to one target."""

    artifact: Artifact
    recipe: Recipe
    target: Target
    missing: list[int] = field(default_factory=list)
    contents: dict[int, Content] = field(default_factory=dict)
    staged: dict[int, Path] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """One bundle on its way to its targets; filled step by step."""

    request: UnpackRequest
    opened: OpenBundle
    reporter: Reporter
    supply: Supply
    desk: Desk
    placements: list[_Placement] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    contents: Contents = field(default_factory=Contents)
    reused_bytes: int = 0

    @property
    def used(self) -> list[Target]:
        """The targets that something is placed at."""
        return [
            target
            for target in self.request.targets
            if any(one.target is target for one in self.placements)
        ]


async def unpack(request: UnpackRequest, reporter: Reporter) -> UnpackReport:
    """Publish everything the bundle holds into the targets that take it.

    Raises:
        FormatError, IntegrityError: the bundle is damaged; no target changed.
        TrustError: it is not to be trusted here; no target changed.
        MissingError: it needs what is neither in it nor here; no target changed.
        TargetError: a target is full or refuses.
    """
    async with AsyncExitStack() as entered:
        for target in request.targets:
            await entered.enter_async_context(target)
        return await _unpack(request, reporter)


async def _unpack(request: UnpackRequest, reporter: Reporter) -> UnpackReport:
    clock = request.clock()
    opened = await asyncio.to_thread(_open, request, clock)
    for warning in opened.warnings:
        reporter.warned(warning)
    site = request.trust.site or DEFAULT_SITE
    run = _Run(
        request,
        opened,
        reporter,
        Supply(_stores(request)),
        Desk(request.want_to or request.receipt_to, site),
    )
    await _plan(run)
    needed = await _look(run)
    stays = tuple(_stays(run))
    known = _is_known(run)
    placed = await _place(run, needed)
    await asyncio.to_thread(record_applied, request.trust, opened.facts, clock)
    receipt = None
    if request.receipt_to is not None:
        asked = Acknowledgement(request.receipt_to, site, request.trust.state, clock)
        outcome = _outcome(run, placed, known=known)
        receipt = await acknowledge(asked, opened, request.targets, outcome)
    return UnpackReport(
        stream=opened.release.stream.name,
        seq=opened.release.seq,
        release=str(opened.digest),
        placed=placed,
        left=tuple(run.left),
        warnings=opened.warnings,
        reused_bytes=run.reused_bytes,
        stays=stays,
        receipt=receipt,
    )


def _stores(request: UnpackRequest) -> list[ReadStore]:
    """Return what to ask for chunks: what is on this machine before a network."""
    near = [one.store() for one in request.targets if not one.remote]
    far = [one.store() for one in request.targets if one.remote]
    return [*near, *request.stores, *far]


def _open(request: UnpackRequest, clock: float) -> OpenBundle:
    if request.stream is not None:
        return open_stream(request.stream, request.trust, clock)
    return open_bundle(request.bundle, request.trust, clock, beside=request.beside)


async def _plan(run: _Run) -> None:
    """Pair artifacts with the targets that take them, and find what is missing there.

    Raises:
        SpaceError: it would not fit.
        TargetError: something is in the way at a target.
    """
    release = run.opened.release
    for artifact in release.artifacts:
        takers = [one for one in run.request.targets if one.takes(artifact.kind)]
        if not takers:
            run.left.append(f"{artifact.kind} {artifact.name}: no target takes it")
            continue
        recipe = run.opened.recipes.get(artifact.recipe.digest)
        if recipe is None:
            recipe = await run.supply.recipe(artifact, release)
        if recipe is not None:
            run.placements += [_Placement(artifact, recipe, each) for each in takers]
        elif not all(target.holds(artifact) for target in takers):
            run.lacking.append(artifact.recipe.digest)
    for one in run.placements:
        one.missing = await one.target.missing(one.artifact, one.recipe)
    require_space((one.target, one.recipe, one.missing) for one in run.placements)
    for one in run.placements:
        for index in one.missing:
            one.contents[index] = run.contents.add(one.recipe, index)


async def _look(run: _Run) -> NDArray[np.int64]:
    """Return the rows of chunks to take from stores, all of which say they have them.

    Raises:
        MissingError: something is neither in the bundle nor here.
    """
    opened, contents = run.opened, run.contents
    needed = np.zeros(0, np.int64)
    if contents.all and _is_delta(run):
        needed = await find_needed(opened, contents)
    elif contents.all:
        await asyncio.to_thread(_look_for_volumes, opened)
    held = await run.supply.holds(contents.ids[needed])
    if run.lacking or not held.all():
        lost = [row.tobytes() for row in contents.ids[needed[~held]]]
        raise run.desk.refuse(opened, run.lacking, lost)
    return needed


def _is_delta(run: _Run) -> bool:
    """Return whether chunks may be needed that no volume holds."""
    carried = run.opened.recipes
    return bool(run.opened.manifest.requires.count) or any(
        one.artifact.recipe.digest not in carried for one in run.placements
    )


def _look_for_volumes(opened: OpenBundle) -> None:
    """Refuse a bundle whose volumes are not all here, before a target changes."""
    with opened.volumes():
        pass


async def _place(run: _Run, needed: NDArray[np.int64]) -> tuple[PlacedReport, ...]:
    used = run.used
    try:
        for target in used:
            await target.begin()
        await _stage(run, needed)
        placed = []
        for one in run.placements:
            digest = one.artifact.recipe.digest
            await asyncio.to_thread(one.target.ledger.keep, digest, one.recipe)
            published = await one.target.publish(
                one.artifact, one.recipe, one.staged.get
            )
            placed.append(_report(one, published))
        for target in used:
            changed = any(
                one.written_files for one in placed if one.target == target.location
            )
            await asyncio.to_thread(
                target.ledger.note, _applied(run.opened), changed=changed
            )
            await target.finish(str(run.opened.digest))
    finally:
        for target in used:
            await target.abandon()
    return tuple(placed)


async def _stage(run: _Run, needed: NDArray[np.int64]) -> None:
    """Put everything that is missing into the targets' staging, verified.

    Raises:
        MissingError: a store does not have what it said it had.
    """
    contents, reporter = run.contents, run.reporter
    for one in run.placements:
        for index, content in one.contents.items():
            place = one.target.staging / f"{content.number}"
            if place not in content.places:
                content.places.append(place)
            one.staged[index] = place
    reporter.started("unpack", sum(content.size for content in contents.all))
    if contents.all:
        with run.opened.volumes() as volumes:
            sink = Staging(contents)
            try:
                assembly = begin(volumes, contents, sink, reporter)
                lost = await feed(assembly, run.supply, needed)
                if lost:
                    raise run.desk.refuse(run.opened, (), lost)
                await read_frames(assembly, run.request.jobs)
            finally:
                sink.close()
        assembly.check_complete()
        run.reused_bytes = int(contents.lengths[needed].sum())
    reporter.finished()


def _applied(opened: OpenBundle) -> Applied:
    release = opened.release
    return Applied(
        release.stream.id,
        release.stream.name,
        release.seq,
        str(opened.digest),
        tuple(
            Given(one.kind, one.name, one.recipe.digest) for one in release.artifacts
        ),
    )


def _stays(run: _Run) -> dict[str, None]:
    """Return what was published of this stream before and is not listed any more."""
    listed = {(one.kind, one.name) for one in run.opened.release.artifacts}
    stream = run.opened.release.stream.id
    return {
        f"{one.kind} {one.name}: left the stream, stays at {target.location}": None
        for target in run.request.targets
        for release in target.ledger.releases()
        if release.stream == stream
        for one in release.artifacts
        if target.takes(one.kind) and (one.kind, one.name) not in listed
    }


def _is_known(run: _Run) -> bool:
    """Return whether every target in use was given this release before."""
    digest = str(run.opened.digest)
    return all(
        any(one.digest == digest for one in target.ledger.releases())
        for target in run.used
    )


def _outcome(run: _Run, placed: tuple[PlacedReport, ...], *, known: bool) -> Outcome:
    if run.left:
        return "partial"
    written = any(one.written_files for one in placed)
    return "already-applied" if known and not written else "applied"


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
