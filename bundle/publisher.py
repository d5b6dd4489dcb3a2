"""A release that a store holds whole, published into targets without a bundle.

Its signatures were verified when it was taken into the store; what is read from
the store is checked against its digest again, chunk by chunk, file by file, and
nothing is renamed into place before every file is verified and flushed.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bundle.digest import digest_of
from bundle.errors import IntegrityError, MissingError
from bundle.format.columns import keys_of
from bundle.format.release import Release
from bundle.limits import MAX_ENVELOPE
from bundle.trust.envelope import parse
from bundle.unpacking.lack import feed
from bundle.unpacking.placement import Placing, everything
from bundle.unpacking.run import begin
from bundle.unpacking.sink import Staging
from bundle.unpacking.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.format.release import Artifact
    from bundle.progress import Reporter
    from bundle.store.base import Committed, ReadStore
    from bundle.target.base import Target
    from bundle.target.retention import Pruned
    from bundle.unpacking.placement import PlacedReport


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """Which release of which store goes where; ``release`` is its digest text.

    ``inspect`` is given each directory of files that are staged and verified, and
    not published yet; what it raises ends the run with no target changed.
    """

    store: ReadStore
    release: str
    targets: tuple[Target, ...]
    selected: Callable[[Artifact], bool] = everything
    inspect: Callable[[Path], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What was done; ``left`` names what no target takes, one line each.

    ``failed`` names what a target refused while it took others, ``stays`` what
    the release does not list any more and is still there, ``prunings`` what targets
    removed, by their location.
    """

    release: Release
    placed: tuple[PlacedReport, ...]
    left: tuple[str, ...]
    stays: tuple[str, ...]
    failed: tuple[str, ...] = ()
    prunings: tuple[tuple[str, Pruned], ...] = ()


async def publish(request: PublishRequest, reporter: Reporter) -> PublishReport:
    """Make the targets hold what is selected of a release.

    Raises:
        MissingError: the store does not hold it whole; no target changed.
        FormatError, IntegrityError: the store is damaged; no target changed.
        StoreError: the store or a network does not answer.
        TargetError: a target is full or refuses.
    """
    release = await stored_release(request.store, request.release)
    async with AsyncExitStack() as entered:
        for target in request.targets:
            target.reporter = reporter
            await entered.enter_async_context(target)
        near = [one.store() for one in request.targets if not one.remote]
        placing = Placing(
            release=release,
            digest=request.release,
            recipes={},
            targets=request.targets,
            supply=Supply([*near, request.store]),
            selected=request.selected,
        )
        await placing.plan()
        rows = await _look(placing)
        stays = placing.stays
        placed = await placing.place(
            lambda: _stage(placing, rows, reporter, request.inspect)
        )
    return PublishReport(
        release,
        placed,
        tuple(placing.left),
        stays,
        tuple(placing.failed),
        placing.prunings,
    )


async def stored_release(store: ReadStore, digest: str) -> Release:
    """Return the release with this digest out of a store.

    Raises:
        MissingError: the store does not hold it whole.
        IntegrityError, FormatError: what is stored for it is damaged.
        StoreError: the store cannot be read.
    """
    for committed in await store.releases():
        if committed.digest == digest:
            return release_of(committed)
    raise MissingError(
        f"release {digest} is not whole in the store",
        advice="add a bundle of it again; 'bundle store check' says what is lost",
    )


def release_of(committed: Committed) -> Release:
    """Return what a store holds as a release.

    Raises:
        IntegrityError, FormatError: its envelope is damaged, or not its own.
    """
    payload = parse(committed.envelope, limit=MAX_ENVELOPE).payload
    if str(digest_of(payload)) != committed.digest:
        raise IntegrityError(
            f"the store has another release for {committed.digest}",
            rule="50.4.1",
            advice="'bundle store check --rebuild' puts it right",
        )
    return Release.parse(payload)


async def _look(placing: Placing) -> NDArray[np.int64]:
    """Return one row of the contents for each chunk that is to be written.

    Raises:
        MissingError: something of the release is in no store.
    """
    contents = placing.contents
    rows = np.zeros(0, np.int64)
    lost = len(placing.lacking)
    if contents.all:
        contents.settle()
        rows = np.sort(np.unique(keys_of(contents.ids), return_index=True)[1])
        held = await placing.supply.holds(contents.ids[rows])
        lost += int((~held).sum())
    if lost:
        raise MissingError(
            f"{lost:,} chunks and recipes of release {placing.release.seq} of "
            f"{placing.release.stream.name} are not in the store",
            advice="add a bundle of it again; 'bundle store check' says what is lost",
        )
    return rows


async def _stage(
    placing: Placing,
    rows: NDArray[np.int64],
    reporter: Reporter,
    inspect: Callable[[Path], Awaitable[None]] | None,
) -> None:
    """Put everything that is missing into the targets' staging, verified."""
    contents = placing.contents
    reporter.started("publish", sum(content.size for content in contents.all))
    if contents.all:
        sink = Staging(contents, placing.openers())
        try:
            assembly = await begin([], contents, sink, reporter)
            lost = await feed(assembly, placing.supply, rows)
        finally:
            sink.close()
        if lost:
            raise MissingError(
                f"{len(lost):,} chunks of the store are damaged",
                advice="run 'bundle store check', then add a bundle of it again",
            )
        assembly.check_complete()
        if inspect is not None:
            for directory in placing.openers():
                await inspect(directory)
    reporter.finished()
