"""What is to be done next, decided on facts alone.

At the start of ``plan`` there is one invariant: every fact in it was true and
durable when it was noted. So whatever it asks for is safe to do, and safe to do
again: taking a bundle that is in the store changes nothing, and neither does
publishing what is published.

One release is a stream's whole state. Of all releases that the store holds, a
stream has one that targets should have, the newest or the one that an operator
went back to, and every target that selects something of it is made equal to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from syncd.phases import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One bundle that was seen; ``bundle`` is the digest text of its bundle.json.

    ``places`` are the directories that have it now, none when its media are gone.
    Times are seconds since 1970. ``retry_at`` is when a waiting one is tried again
    without anything having changed, 0 for never.
    """

    bundle: str
    phase: Phase
    seen_at: float
    need: Need | None = None
    places: tuple[str, ...] = ()
    stream: str = ""
    name: str = ""
    seq: int = 0
    release: str = ""
    reason: str = ""
    advice: str = ""
    retry_at: float = 0


@dataclass(frozen=True, slots=True)
class Held:
    """One release that the store holds whole, and the targets that select of it."""

    stream: str
    name: str
    seq: int
    release: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """What a target has of a stream: ``release`` is empty before the first one.

    ``failures`` counts tries that failed since the last that did not;
    ``retry_at`` is when the next is due, in seconds since 1970.
    """

    stream: str
    target: str
    release: str = ""
    failures: int = 0
    retry_at: float = 0
    reason: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Return:
    """An operator went back to ``release``; a release over ``above`` ends it."""

    stream: str
    release: str
    above: int


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that ``plan`` looks at.

    ``keep`` is how many releases of a stream stay in the store. ``holding`` and
    ``acknowledged`` name what the store holds now and what the newest receipt
    says: they differ when there is something to say to the sender.
    """

    arrivals: Sequence[Arrival] = ()
    held: Sequence[Held] = ()
    placements: Sequence[Placement] = ()
    returns: Sequence[Return] = ()
    pins: frozenset[str] = frozenset()
    keep: int = 3
    holding: str = ""
    acknowledged: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """Verify a bundle and take it into the store."""

    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Publish:
    """Make a target equal to a release, as far as it selects something of it."""

    held: Held
    target: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Write a receipt: ``holding`` is what it says; not ``whole`` while tries fail."""

    holding: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Collect:
    """Let the store drop what retention does not keep."""

    releases: tuple[str, ...]


Work = Read | Publish | Acknowledge | Collect


def plan(situation: Situation, now: float) -> tuple[Work, ...]:
    """Return what can be done now; nothing in it waits for anything else in it.

    One bundle is read at a time, the oldest first, so that a medium is read from
    its first byte to its last. Targets are independent of each other: whoever does
    the work decides which of them share a device.
    """
    reads = _reads(situation.arrivals, now)
    publishes = [*_publishes(situation, now)]
    work: list[Work] = [*reads[:1], *publishes]
    if not work and situation.holding != situation.acknowledged:
        late = any(True for _ in _unplaced(situation))
        work.append(Acknowledge(situation.holding, whole=not late))
    if not work and not _unfinished(situation.arrivals):
        surplus = _surplus(situation)
        if surplus:
            work.append(Collect(surplus))
    return tuple(work)


def wake_at(situation: Situation) -> float | None:
    """Return when something is due without anything changing; None for never."""
    times = [
        *(one.retry_at for one in situation.arrivals if one.phase is Phase.WAITING),
        *(placed.retry_at for _, _, placed in _unplaced(situation)),
    ]
    return min((time for time in times if time), default=None)


def wanted(situation: Situation) -> dict[str, Held]:
    """Return for each stream the release that its targets should have."""
    newest: dict[str, Held] = {}
    for one in situation.held:
        if one.stream not in newest or one.seq > newest[one.stream].seq:
            newest[one.stream] = one
    for back in situation.returns:
        found = [one for one in situation.held if one.release == back.release]
        if found and newest[back.stream].seq <= back.above:
            newest[back.stream] = found[0]
    return newest


def _reads(arrivals: Iterable[Arrival], now: float) -> list[Read]:
    due = [
        one
        for one in arrivals
        if one.places
        and (
            one.phase in (Phase.SEEN, Phase.READING)
            or (one.phase is Phase.WAITING and 0 < one.retry_at <= now)
        )
    ]
    # A bundle that was begun goes on first: a kill must not change the order. Of
    # those seen at once the names decide: releases of a stream are numbered there.
    due.sort(key=lambda one: (one.phase is not Phase.READING, one.seen_at, one.places))
    return [Read(one) for one in due]


def _publishes(situation: Situation, now: float) -> Iterator[Publish]:
    for held, target, placed in _unplaced(situation):
        if placed.retry_at <= now:
            yield Publish(held, target)


def _unplaced(situation: Situation) -> Iterator[tuple[Held, str, Placement]]:
    """Yield every target that should have another release than it has."""
    has = {(one.stream, one.target): one for one in situation.placements}
    for held in wanted(situation).values():
        for target in held.targets:
            placed = has.get((held.stream, target), Placement(held.stream, target))
            if placed.release != held.release:
                yield held, target, placed


def _unfinished(arrivals: Iterable[Arrival]) -> bool:
    """Say whether packs may be in the store that no release uses yet."""
    phases = (Phase.SEEN, Phase.READING, Phase.WAITING)
    return any(one.phase in phases for one in arrivals)


def _surplus(situation: Situation) -> tuple[str, ...]:
    """Return the releases that neither retention nor a target needs."""
    kept = set(situation.pins) | {one.release for one in situation.placements}
    kept |= {one.release for one in wanted(situation).values()}
    by_stream: dict[str, list[Held]] = {}
    for one in situation.held:
        by_stream.setdefault(one.stream, []).append(one)
    for releases in by_stream.values():
        releases.sort(key=lambda one: -one.seq)
        kept |= {one.release for one in releases[: situation.keep]}
    return tuple(one.release for one in situation.held if one.release not in kept)
