"""``bundle push``: a bundle over a network, as far as the far side lacks it.

What arrived stays, however a connection ends: after each break the far side says
again what lacks. It verifies and publishes the bundle as one from a medium.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bundle.digest import digest_of
from bundle.errors import MissingError, TargetError, TransientError
from bundle.flow.pace import Pace
from bundle.flow.throttle import Throttle
from bundle.format import layout
from bundle.limits import MAX_ENVELOPE, MAX_SHARDS_FILE, MIB
from bundle.medium.files import read_whole
from bundle.medium.reader import open_bundle, read_approvals, read_trust
from bundle.pushing.far_side import FarSide
from bundle.pushing.frames import Span, bodies, lacking_frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bundle.medium.files import ShardedFile
    from bundle.medium.reader import OpenBundle
    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice

BODY: Final = 256 * MIB
"""Bytes of frames in one request: each becomes a pack there."""

AT_ONCE: Final = 3
"""Requests with frames at once: one waits for the network while others compute."""

POLL_SECONDS: Final = 0.2
"""Seconds between two questions while the far side reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRequest:
    """What to push where; ``clock`` gives seconds since 1970.

    ``beside`` are further directories of the bundle. ``rate`` is in bytes a second,
    None for as fast as it goes.
    """

    bundle: Path
    beside: tuple[Path, ...]
    trust: TrustChoice
    url: str
    token: str
    ca: Path | None
    clock: Callable[[], float]
    stopwatch: Callable[[], float]
    rate: int | None = None
    body: int = BODY
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class PushReport:
    """What was sent: ``frames`` and their bytes; ``phase`` is what came of it."""

    stream: str
    seq: int
    release: str
    frames: int
    bytes: int
    phase: str
    reason: str


@dataclass(slots=True)
class _Run:
    """One push: what was sent so far, and how often nothing came of trying."""

    request: PushRequest
    opened: OpenBundle
    bundle: str
    far: FarSide
    reporter: Reporter
    throttle: Throttle
    frames: int = 0
    bytes: int = 0


async def push(request: PushRequest, reporter: Reporter) -> PushReport:
    """Send what the far side lacks of a bundle, and wait until it has been read.

    Raises:
        FormatError, IntegrityError, MissingError: the bundle is damaged or not all
            here, or the far side lacks what no volume has.
        TargetError: the far side refuses.
        TransientError: the network does not work, after several tries.
    """
    opened = await asyncio.to_thread(
        open_bundle,
        request.bundle,
        request.trust,
        request.clock(),
        keep=False,
        judged=False,
        beside=request.beside,
    )
    envelope = read_whole(request.bundle / layout.MANIFEST, MAX_ENVELOPE)
    async with FarSide(request.url, request.token, request.ca) as far:
        run = _Run(
            request,
            opened,
            digest_of(envelope).raw.hex(),
            far,
            reporter,
            Throttle(request.rate, request.stopwatch),
        )
        state = await _bring(run)
    reporter.finished()
    release = opened.release
    return PushReport(
        release.stream.name,
        release.seq,
        str(opened.digest),
        run.frames,
        run.bytes,
        state["phase"],
        state["reason"],
    )


async def _bring(run: _Run) -> dict[str, str]:
    """Do what is left to be done of a push; return what became of the bundle."""
    trying = run.request.pace.keep_trying
    state = await trying(lambda: run.far.state(run.bundle))
    if state is not None and state["phase"] == "ingested":
        return state
    if state is None:
        await trying(lambda: _announce(run))
    await _send_all(run)
    return await trying(lambda: _commit(run))


async def _announce(run: _Run) -> None:
    """Send the small files, bundle.json last."""
    opened = run.opened
    manifest = opened.manifest
    limits = {
        layout.RELEASE: MAX_ENVELOPE,
        layout.APPROVAL: manifest.approval.size,
        layout.SHARDS: MAX_SHARDS_FILE,
        layout.RECIPES: manifest.recipes.size,
    }
    files = {
        **{f"{layout.TRUST}/{k}": v for k, v in read_trust(opened.path).items()},
        **read_approvals(opened.path, opened.trust),
    }
    for name, data in files.items():
        await run.far.put(run.bundle, name, data)
    for name, limit in {**limits, layout.MANIFEST: MAX_ENVELOPE}.items():
        data = await asyncio.to_thread(read_whole, opened.path / name, limit)
        await run.far.put(run.bundle, name, data)


async def _send_all(run: _Run) -> None:
    """Send frames until nothing lacks that a volume has.

    Raises:
        TransientError: as often as was to be tried, not one frame arrived.
    """
    failed, before = 0, -1
    with run.opened.volumes() as volumes:
        while spans := await _lacking(run, volumes):
            failed = 0 if len(spans) != before else failed + 1
            before = len(spans)
            run.reporter.started("push", sum(span.size for span in spans))
            try:
                await _send(run, spans)
            except* TransientError as broken:
                if failed >= run.request.pace.attempts:
                    raise broken.exceptions[0] from None


async def _lacking(run: _Run, volumes: list[ShardedFile]) -> list[Span]:
    """Return the frames to send, as the far side says now."""
    want = await run.request.pace.keep_trying(lambda: run.far.lacks(run.bundle))
    if want is None:
        return []
    return await asyncio.to_thread(lacking_frames, volumes, want.chunks)


async def _send(run: _Run, spans: list[Span]) -> None:
    groups = bodies(spans, run.request.body)

    async def worker() -> None:
        for group in groups:
            await run.far.frames(run.bundle, _body(run, group))

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(worker())


async def _body(run: _Run, group: list[Span]) -> AsyncIterator[memoryview]:
    for span in group:
        data = await asyncio.to_thread(span.read)
        await run.throttle.pass_on(span.size)
        yield data
        run.frames += 1
        run.bytes += span.size
        run.reporter.advanced(span.size)


async def _commit(run: _Run) -> dict[str, str]:
    """Have the bundle read there, and return what became of it.

    Raises:
        MissingError: the far side lacks what no volume of the bundle has.
        TargetError: it refuses the bundle.
    """
    accepted = False
    while True:
        accepted = accepted or await run.far.commit(run.bundle)
        state = await run.far.state(run.bundle)
        if state is None:
            raise TargetError(f"{run.request.url} forgot the bundle")
        if accepted and state["phase"] not in ("seen", "reading"):
            break
        await run.request.pace.sleep(POLL_SECONDS)
    said = f"{run.request.url}: {state['reason']}"
    if state["phase"] == "refused":
        raise TargetError(said, advice=state["advice"])
    if state["need"] in ("media", "base"):
        raise MissingError(said, advice=state["advice"])
    return state
