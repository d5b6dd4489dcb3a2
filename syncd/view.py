"""How things stand, as values: what the API answers, the page and status show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bundle.wire import write_moment
from syncd.phases import REMOVABLE
from syncd.plan import Placement, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bundle.store.stat import Stat
    from syncd.catalogue import Entry
    from syncd.journal import Journal
    from syncd.plan import Arrival, Held, Situation
    from syncd.progress import Doing

SHOWN_EVENTS = 50
"""Events of the history that go with a status."""


class Work(msgspec.Struct, frozen=True, rename="camel"):
    """What is being done: bytes, bytes a second, seconds."""

    what: str
    verb: str
    done: int
    total: int
    rate: int
    idle_seconds: int
    left_seconds: int | None


class Bundle(msgspec.Struct, frozen=True, rename="camel"):
    """A bundle that was seen, and what is to be done about it.

    ``removable`` says that its media may be taken away.
    """

    bundle: str
    phase: str
    need: str | None
    places: tuple[str, ...]
    stream: str
    seq: int
    release: str
    seen: str
    reason: str
    advice: str
    removable: bool


class ReleaseView(msgspec.Struct, frozen=True, rename="camel"):
    """A release that the store holds whole; ``bytes`` are those of its files."""

    seq: int
    release: str
    created: str
    artifacts: int
    bytes: int
    wanted: bool


class Placed(msgspec.Struct, frozen=True, rename="camel"):
    """What one target has of a stream; ``seq`` is None before the first."""

    target: str
    seq: int | None
    current: bool
    failures: int
    reason: str
    advice: str


class StreamView(msgspec.Struct, frozen=True, rename="camel"):
    """A stream: its releases, the newest first, and which one each target has."""

    id: str
    name: str
    releases: tuple[ReleaseView, ...]
    targets: tuple[Placed, ...]


class StoreView(msgspec.Struct, frozen=True, rename="camel"):
    """The store: ``release_bytes`` is what its releases would take without it."""

    id: str
    generation: int
    chunks: int
    bytes: int
    release_bytes: int


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """Everything about one daemon."""

    site: str
    at: str
    running: bool
    doing: tuple[Work, ...]
    bundles: tuple[Bundle, ...]
    streams: tuple[StreamView, ...]
    store: StoreView
    history: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a status is made of.

    ``doing`` is None where no daemon runs; ``now`` is in seconds since 1970.
    """

    site: str
    situation: Situation
    entries: Sequence[Entry]
    doing: Sequence[Doing] | None
    now: float


def status_of(sight: Sight, journal: Journal, counted: Stat) -> Status:
    """Return how things stand; ``counted`` is what the store holds, in numbers.

    Raises:
        TargetError: the journal cannot be read.
    """
    return Status(
        site=sight.site,
        at=write_moment(sight.now),
        running=sight.doing is not None,
        doing=tuple(map(_work, sight.doing or ())),
        bundles=tuple(map(_bundle, sight.situation.arrivals)),
        streams=_streams(sight),
        store=StoreView(
            counted.identity.id,
            counted.identity.generation,
            counted.chunks,
            counted.bytes,
            sum(one.bytes for one in sight.entries),
        ),
        history=tuple(
            {**one, "at": write_moment(one["at"])}
            for one in journal.history(SHOWN_EVENTS)
        ),
    )


def _work(doing: Doing) -> Work:
    return Work(
        doing.what,
        doing.verb,
        doing.done,
        doing.total,
        int(doing.rate),
        int(doing.idle),
        None if doing.left is None else int(doing.left),
    )


def _bundle(arrival: Arrival) -> Bundle:
    return Bundle(
        arrival.bundle,
        arrival.phase,
        arrival.need,
        arrival.places,
        arrival.name,
        arrival.seq,
        arrival.release,
        write_moment(arrival.seen_at),
        arrival.reason,
        arrival.advice,
        arrival.phase in REMOVABLE and bool(arrival.places),
    )


def _streams(sight: Sight) -> tuple[StreamView, ...]:
    current = wanted(sight.situation)
    entries = {one.committed.digest: one for one in sight.entries}
    views = []
    for stream, best in sorted(current.items(), key=lambda item: item[1].name):
        held = [one for one in sight.situation.held if one.stream == stream]
        held.sort(key=lambda one: -one.seq)
        releases = tuple(_release(entries[one.release], one == best) for one in held)
        targets = tuple(_placed(sight.situation, held, best))
        views.append(StreamView(stream, best.name, releases, targets))
    return tuple(views)


def _release(entry: Entry, wanted: bool) -> ReleaseView:  # noqa: FBT001 - one of its fields
    return ReleaseView(
        entry.committed.seq,
        entry.committed.digest,
        entry.release.created,
        len(entry.release.artifacts),
        entry.bytes,
        wanted,
    )


def _placed(situation: Situation, held: Sequence[Held], best: Held) -> Iterable[Placed]:
    seqs = {one.release: one.seq for one in held}
    found = {
        one.target: one for one in situation.placements if one.stream == best.stream
    }
    for name in sorted({*found, *best.targets}):
        one = found.get(name, Placement(best.stream, name))
        yield Placed(
            name,
            seqs.get(one.release),
            one.release == best.release,
            one.failures,
            one.reason,
            one.advice,
        )
