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
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bundle.medium.piping import open_stream
from bundle.medium.reader import OpenBundle, open_bundle
from bundle.state.receiver import TrustChoice, record_applied
from bundle.state.site import DEFAULT_SITE
from bundle.unpacking.acknowledge import Acknowledgement, acknowledge
from bundle.unpacking.lack import Desk, feed, find_needed
from bundle.unpacking.placement import PlacedReport, Placing
from bundle.unpacking.run import begin, read_frames
from bundle.unpacking.sink import Staging
from bundle.unpacking.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from bundle.format.receipt import Outcome
    from bundle.progress import Reporter
    from bundle.store.base import ReadStore
    from bundle.target.base import Target, Transfer
    from bundle.target.retention import Pruned


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
class UnpackReport:
    """What was done; ``left`` names what no target takes, one line each.

    ``failed`` names what a target refused while it took others. ``reused_bytes``
    were not carried but found here. ``stays`` names what the release does not list
    any more and is still at a target. ``transfers`` say of remote targets, by their
    location, what was sent there, and ``prunings`` of targets that remove what left
    how that went.
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
    failed: tuple[str, ...] = ()
    transfers: tuple[tuple[str, Transfer], ...] = ()
    prunings: tuple[tuple[str, Pruned], ...] = ()


@dataclass(slots=True)
class _Run:
    """One bundle on its way to its targets."""

    request: UnpackRequest
    opened: OpenBundle
    reporter: Reporter
    supply: Supply
    desk: Desk
    placing: Placing
    reused_bytes: int = 0


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
            target.reporter = reporter
            await entered.enter_async_context(target)
        return await _unpack(request, reporter)


async def _unpack(request: UnpackRequest, reporter: Reporter) -> UnpackReport:
    clock = request.clock()
    opened = await asyncio.to_thread(_open, request, clock)
    for warning in opened.warnings:
        reporter.warned(warning)
    site = request.trust.site or DEFAULT_SITE
    supply = Supply(_stores(request))
    placing = Placing(
        release=opened.release,
        digest=str(opened.digest),
        recipes=opened.recipes,
        targets=request.targets,
        supply=supply,
    )
    desk = Desk(request.want_to or request.receipt_to, site)
    run = _Run(request, opened, reporter, supply, desk, placing)
    await placing.plan()
    for one in placing.placements:
        opened.admit(one.artifact, one.recipe)
    needed = await _look(run)
    stays, known = placing.stays, placing.is_known
    placed = await placing.place(lambda: _stage(run, needed))
    if not placing.failed:
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
        left=tuple(placing.left),
        warnings=opened.warnings,
        reused_bytes=run.reused_bytes,
        stays=stays,
        receipt=receipt,
        failed=tuple(placing.failed),
        transfers=placing.transfers,
        prunings=placing.prunings,
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


async def _look(run: _Run) -> NDArray[np.int64]:
    """Return the rows of chunks to take from stores, all of which say they have them.

    Raises:
        MissingError: something is neither in the bundle nor here.
    """
    opened, contents = run.opened, run.placing.contents
    needed = np.zeros(0, np.int64)
    if contents.all and _is_delta(run):
        needed = await find_needed(opened, contents)
    elif contents.all:
        await asyncio.to_thread(_look_for_volumes, opened)
    held = await run.supply.holds(contents.ids[needed])
    lacking = run.placing.lacking
    if lacking or not held.all():
        lost = [row.tobytes() for row in contents.ids[needed[~held]]]
        raise run.desk.refuse(opened, lacking, lost)
    return needed


def _is_delta(run: _Run) -> bool:
    """Return whether chunks may be needed that no volume holds."""
    carried = run.opened.recipes
    return bool(run.opened.manifest.requires.count) or any(
        one.artifact.recipe.digest not in carried for one in run.placing.placements
    )


def _look_for_volumes(opened: OpenBundle) -> None:
    """Refuse a bundle whose volumes are not all here, before a target changes."""
    with opened.volumes():
        pass


async def _stage(run: _Run, needed: NDArray[np.int64]) -> None:
    """Put everything that is missing into the targets' staging, verified.

    Raises:
        MissingError: a store does not have what it said it had.
    """
    contents, reporter = run.placing.contents, run.reporter
    reporter.started("unpack", sum(content.size for content in contents.all))
    if contents.all:
        with run.opened.volumes() as volumes:
            sink = Staging(contents, run.placing.openers())
            try:
                assembly = await begin(volumes, contents, sink, reporter)
                lost = await feed(assembly, run.supply, needed)
                if lost:
                    raise run.desk.refuse(run.opened, (), lost)
                await read_frames(assembly, run.request.jobs)
            finally:
                sink.close()
        assembly.check_complete()
        run.reused_bytes = int(contents.lengths[needed].sum())
    reporter.finished()


def _outcome(run: _Run, placed: tuple[PlacedReport, ...], *, known: bool) -> Outcome:
    if run.placing.left or run.placing.failed:
        return "partial"
    written = any(one.written_files for one in placed)
    return "already-applied" if known and not written else "applied"
