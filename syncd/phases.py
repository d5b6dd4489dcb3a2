"""The life of one bundle on its way into the store, as a table.

::

    seen ──> reading ──> ingested
     ^        │   └────> refused     the reason stays; other content is looked at again
     └─ waiting <┘                   for media, approval, space, a release, a retry

Whatever is not in ``NEXT`` cannot happen. A daemon that was killed finds a bundle
in the phase that the journal has and takes the same step again: each may be taken
twice. What follows once a release is in the store is no phase of a bundle, since
several may carry one release: see ``syncd.plan``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Phase(StrEnum):
    """How far a bundle has come."""

    SEEN = "seen"
    """Its bundle.json is on a medium; nothing of it was judged."""

    READING = "reading"
    """It is being verified and its volumes are being taken into the store."""

    WAITING = "waiting"
    """It lacks what ``Need`` says; nothing is wrong with it."""

    REFUSED = "refused"
    """It will never be taken as it is."""

    INGESTED = "ingested"
    """The store holds its release whole; the medium may go."""


class Need(StrEnum):
    """What a waiting bundle waits for."""

    MEDIA = "media"
    """Volumes that are on no medium seen so far."""

    APPROVAL = "approval"
    """Signatures of approvers."""

    SPACE = "space"
    """Room in the store."""

    RELEASE = "release"
    """An operator's word, or time: it is dated ahead, or its stream is stopped."""

    BASE = "base"
    """Chunks that it builds on and the store lacks: a want says which."""

    RETRY = "retry"
    """Another try: a disk or a network did not answer."""


class Event(StrEnum):
    """What happens to a bundle."""

    BEGUN = "begun"
    LACKING = "lacking"
    REFUSED = "refused"
    TAKEN = "taken"
    CHANGED = "changed"
    ASKED = "asked"


NEXT: Final[Mapping[tuple[Phase, Event], Phase]] = {
    (Phase.SEEN, Event.BEGUN): Phase.READING,
    (Phase.SEEN, Event.CHANGED): Phase.SEEN,
    (Phase.SEEN, Event.ASKED): Phase.SEEN,
    (Phase.READING, Event.BEGUN): Phase.READING,
    (Phase.READING, Event.LACKING): Phase.WAITING,
    (Phase.READING, Event.REFUSED): Phase.REFUSED,
    (Phase.READING, Event.TAKEN): Phase.INGESTED,
    (Phase.READING, Event.CHANGED): Phase.SEEN,
    (Phase.READING, Event.ASKED): Phase.READING,
    (Phase.WAITING, Event.BEGUN): Phase.READING,
    (Phase.WAITING, Event.CHANGED): Phase.SEEN,
    (Phase.WAITING, Event.ASKED): Phase.SEEN,
    (Phase.REFUSED, Event.CHANGED): Phase.SEEN,
    (Phase.REFUSED, Event.ASKED): Phase.SEEN,
    (Phase.INGESTED, Event.CHANGED): Phase.INGESTED,
    (Phase.INGESTED, Event.ASKED): Phase.SEEN,
}
"""The phase after an event; a pair that is not here is a mistake of the caller."""

REMOVABLE: Final = frozenset({Phase.REFUSED, Phase.INGESTED})
"""Phases in which nothing more is read from a medium as it is."""


def after(phase: Phase, event: Event) -> Phase:
    """Return the phase that ``event`` leads to.

    Raises:
        ValueError: the event cannot happen in this phase.
    """
    try:
        return NEXT[phase, event]
    except KeyError:
        raise ValueError(f"{event} cannot happen to a bundle that is {phase}") from None
