"""The cycle: look, plan, do, note; again whenever something changed or is due.

Nothing is remembered here that matters: what was done is in the journal, what is
held is in the store, what is published is at the targets. A daemon that is killed
at any moment plans the same work again, and each piece of it may be done twice.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import BundleError
from bundle.format import layout
from bundle.store.base import Retention
from bundle.target.locate import parse_target
from syncd.catalogue import Catalogue
from syncd.inbox import Inbox
from syncd.intake import Received, Receiving, receive
from syncd.phases import REMOVABLE, Event, Need, Phase
from syncd.plan import (
    Acknowledge,
    Collect,
    Placement,
    Publish,
    Read,
    Situation,
    plan,
    wake_at,
    wanted,
)
from syncd.progress import Progress
from syncd.publishing import (
    options_of,
    publish_to,
    refuse_two_owners,
)
from syncd.receipts import write_receipt
from syncd.requests import answer, doorbell, imports
from syncd.situation import ACKNOWLEDGED, situation_of
from syncd.verdict import Verdict, retry_delay
from syncd.watcher import Bell, watch_files, watch_mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bundle.publisher import PublishReport
    from bundle.state.receiver import TrustChoice
    from bundle.store.local import LocalStore
    from bundle.target.base import Target
    from syncd.config import Config, TargetSettings
    from syncd.journal import Journal
    from syncd.plan import Arrival, Work
    from syncd.survey import Survey

_log: Final = logging.getLogger("syncd")

Key = tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Daemon:
    """Everything that one run works with.

    ``clock`` gives seconds since 1970, ``stopwatch`` seconds of a clock that never
    goes back. ``told`` is called whenever something was noted.
    """

    config: Config
    journal: Journal
    store: LocalStore
    trust: TrustChoice
    survey: Survey
    clock: Callable[[], float]
    stopwatch: Callable[[], float]
    environment: Mapping[str, str] = field(default_factory=dict)
    bell: Bell = field(default_factory=Bell)
    told: Callable[[], None] = lambda: None
    doing: dict[Key, Progress] = field(default_factory=dict)
    catalogue: Catalogue = field(init=False)
    inbox: Inbox = field(init=False)
    _devices: dict[str, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.store)
        self.inbox = Inbox.below(Path(self.config.state))

    async def run(self, stop: asyncio.Event, round_ended: Callable[[], None]) -> None:
        """Go on until ``stop`` is set; what is being done then is finished first.

        ``round_ended`` is called after every look: it says that the cycle goes on.

        Raises:
            TargetError: the journal cannot be written.
        """
        async with asyncio.TaskGroup() as group:
            bells = (*self.config.media.watch, str(doorbell(Path(self.config.state))))
            group.create_task(watch_files(bells, self.bell, stop))
            group.create_task(watch_mounts(self.bell, stop))
            group.create_task(self._ring_at(stop))
            while not stop.is_set():
                settles, due = await self._cycle(group)
                round_ended()
                await self.bell.wait(self._patience(settles, due))

    async def settle(self) -> None:
        """Do everything that can be done now, and return; waits for no retry.

        Raises:
            TargetError: the journal cannot be written.
        """
        async with asyncio.TaskGroup() as group:
            while True:
                settles, _ = await self._cycle(group)
                if self.doing or settles is not None:
                    await self.bell.wait(self._patience(settles, None))
                else:
                    return

    async def situation(self) -> Situation:
        """Return everything that the plan looks at.

        Raises:
            StoreError, FormatError: the store cannot be read.
        """
        entries = await self.catalogue.entries()
        return await situation_of(self.config, self.journal, self.store, entries)

    async def _ring_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.bell.ring()

    def _patience(self, settles: float | None, due: float | None) -> float:
        """Return how many seconds to wait before looking again."""
        seconds = float(self.config.media.poll_seconds)
        if settles is not None:
            seconds = min(seconds, settles - self.stopwatch())
        if due is not None:
            seconds = min(seconds, due - self.clock())
        return max(0.0, seconds)

    async def _cycle(
        self, group: asyncio.TaskGroup
    ) -> tuple[float | None, float | None]:
        """Look, and start what can be done.

        Returns when something settles, by the stopwatch, and when a retry is due,
        by the clock.
        """
        await self._answer()
        settles = await self._look()
        situation = await self.situation()
        now = self.clock()
        for work in plan(situation, now):
            key = _key(work)
            if key not in self.doing:
                self.doing[key] = Progress(" ".join(key[1:]), self.stopwatch)
                group.create_task(self._do(key, work, situation))
        due = wake_at(situation)
        return settles, due if due is not None and due > now else None

    async def _look(self) -> float | None:
        self.survey.roots = (*self.config.media.watch, *imports(self.journal))
        found, again = await asyncio.to_thread(self.survey.look, self.stopwatch())
        known = self.journal.stamps()
        now = self.clock()
        for directory, finding in found.items():
            if known.get(directory) != (finding.bundle, finding.stamp):
                self.journal.appeared(finding.bundle, directory, finding.stamp, now)
                self._tell("seen", directory=directory, bundle=finding.bundle)
        await self._tidy()
        for directory in known.keys() - found.keys():
            if not await asyncio.to_thread(_has_bundle, directory):
                self.journal.vanished(directory)
                self._tell("gone", directory=directory, bundle=known[directory][0])
        return again

    async def _tidy(self) -> None:
        """Remove what was pushed and is in the store now."""
        for arrival in self.journal.arrivals():
            if arrival.phase is Phase.INGESTED:
                for place in filter(self.inbox.has, arrival.places):
                    await asyncio.to_thread(self.inbox.remove, place)

    async def _answer(self) -> None:
        """Do what operators asked for; what makes no sense is told and struck out."""
        for number, verb, members in self.journal.requests():
            with self.journal.together():
                self._tell(verb, **answer(self.journal, verb, members))
                self.journal.answered(number)

    async def _do(self, key: Key, work: Work, situation: Situation) -> None:
        try:
            match work:
                case Read():
                    await self._read(work.arrival, self.doing[key])
                case Publish():
                    await self._publish(work, situation, self.doing[key])
                case Acknowledge():
                    await self._acknowledge(work, situation)
                case Collect():
                    await self._collect(work, situation)
        finally:
            del self.doing[key]
            self.bell.ring()

    async def _read(self, arrival: Arrival, reporter: Progress) -> None:
        bundle = arrival.bundle
        self.journal.happened(bundle, Event.BEGUN)
        using = Receiving(
            self.store, self.trust, self.clock, Path(self.config.receipt_directory)
        )
        before = frozenset(self.journal.note(f"volumes {bundle}").split())
        try:
            received = await receive(arrival, before, using, reporter)
        except Exception as error:  # noqa: BLE001 - any exception of a verifier refuses
            # Whatever a verifier stumbles over is refused; the others go on.
            _log.exception("bundle %s", bundle)
            reason = f"unexpected {type(error).__name__}: {error}"
            received = Received(Verdict(Event.REFUSED, reason, "report this"))
        self._note_received(arrival, received)

    def _note_received(self, arrival: Arrival, received: Received) -> None:
        said, bundle = received.verdict, arrival.bundle
        with self.journal.together():
            names = "" if said.event is Event.TAKEN else " ".join(received.volumes)
            self.journal.write_note(f"volumes {bundle}", names)
            self.journal.happened(
                bundle,
                said.event,
                need=said.need,
                reason=said.reason,
                advice=said.advice,
                retry_at=said.retry_at,
                **received.members,
            )
            self._tell(
                "alarm" if said.alarm else str(said.need or said.event),
                bundle=bundle,
                reason=said.reason,
                advice=said.advice,
                **received.members,
            )
            now = next(one for one in self.journal.arrivals() if one.bundle == bundle)
            if now.places != arrival.places and said.event is not Event.TAKEN:
                self.journal.happened(bundle, Event.ASKED)
            elif now.phase in REMOVABLE or said.need in (Need.MEDIA, Need.BASE):
                for place in now.places:
                    self._tell("removable", directory=place, bundle=bundle)

    async def _publish(
        self, work: Publish, situation: Situation, reporter: Progress
    ) -> None:
        settings = next(one for one in self.config.target if one.name == work.target)
        before = next(
            (
                one
                for one in situation.placements
                if (one.stream, one.target) == (work.held.stream, work.target)
            ),
            Placement(work.held.stream, work.target),
        )
        try:
            staging = Path(self.config.state) / "targets"
            options = options_of(settings, staging, self.environment, self.clock)
            target = parse_target(settings.to, options)
            async with self._device(target):
                if wanted(await self.situation()).get(work.held.stream) != work.held:
                    return
                await self._refuse_two_owners(work, settings)
                if not before.release:
                    await asyncio.to_thread(target.doubt)
                report = await publish_to(
                    settings,
                    target,
                    work.held.release,
                    self.store,
                    reporter,
                    self.environment,
                )
        except BundleError as error:
            failures = before.failures + 1
            delay = retry_delay(settings.retry_seconds, failures)
            placement = replace(
                before,
                failures=failures,
                retry_at=self.clock() + delay,
                reason=str(error),
                advice=error.advice,
            )
            self._note_placed(work, placement, "unpublished")
            return
        self._note_pruned(work, report)
        release = work.held.release
        placement = Placement(work.held.stream, work.target, release)
        self._note_placed(work, placement, "published")

    def _note_pruned(self, work: Publish, report: PublishReport) -> None:
        """Tell what left a target, and what could not."""
        for _, pruned in report.prunings:
            if pruned.files or pruned.stayed:
                self._tell(
                    "pruned",
                    target=work.target,
                    files=pruned.files,
                    bytes=pruned.bytes,
                    stayed=list(pruned.stayed),
                )

    def _note_placed(self, work: Publish, placement: Placement, kind: str) -> None:
        with self.journal.together():
            self.journal.placed(placement)
            self._tell(
                kind,
                stream=work.held.stream,
                name=work.held.name,
                seq=work.held.seq,
                release=work.held.release,
                target=work.target,
                reason=placement.reason,
                advice=placement.advice,
            )

    async def _refuse_two_owners(self, work: Publish, settings: TargetSettings) -> None:
        entries = {one.committed.digest: one for one in await self.catalogue.entries()}
        placed = [
            entries[one.release]
            for one in self.journal.placements()
            if one.target == settings.name and one.release in entries
        ]
        refuse_two_owners(settings, entries[work.held.release], placed)

    def _device(self, target: Target) -> asyncio.Lock:
        """Return what targets on one device take in turn."""
        device = target.location if target.remote else str(target.room().device)
        return self._devices.setdefault(device, asyncio.Lock())

    async def _acknowledge(self, work: Acknowledge, situation: Situation) -> None:
        releases = await self.store.releases()
        identity = await self.store.identity()
        directories = [Path(self.config.receipt_directory)]
        if self.config.media.receipts == "medium":
            places = {place for one in situation.arrivals for place in one.places}
            directories += sorted({Path(place).parent for place in places})
        for directory in directories:
            try:
                path = await asyncio.to_thread(
                    write_receipt,
                    directory,
                    self.trust,
                    identity,
                    releases,
                    whole=work.whole,
                    now=self.clock(),
                )
                self._tell("receipted", path=str(path), whole=work.whole)
            except BundleError as error:
                self._tell("unreceipted", directory=str(directory), reason=str(error))
        self.journal.write_note(ACKNOWLEDGED, work.holding)

    async def _collect(self, work: Collect, situation: Situation) -> None:
        pins = frozenset(one.release for one in situation.held) - {*work.releases}
        try:
            report = await self.store.collect(Retention(situation.keep, pins))
        except BundleError as error:
            self._tell("uncollected", reason=str(error), advice=error.advice)
            return
        self._tell("collected", releases=len(report.releases), bytes=report.bytes)

    def _tell(self, kind: str, /, **members: object) -> None:
        """Note an event in the history and log it."""
        self.journal.tell(kind, members, self.clock())
        self.told()
        _log.info("%s", kind, extra={"members": members})


def _has_bundle(directory: str) -> bool:
    return (Path(directory) / layout.MANIFEST).is_file()


def _key(work: Work) -> Key:
    """Return what tells one piece of work from another that may go on beside it."""
    match work:
        case Read():
            return ("read", work.arrival.bundle)
        case Publish():
            return ("publish", work.held.stream, work.target)
        case Acknowledge():
            return ("acknowledge",)
        case Collect():
            return ("collect",)
