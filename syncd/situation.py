"""The facts that a plan is made from, gathered from journal and store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncd.plan import Situation
from syncd.publishing import held_of
from syncd.receipts import holding_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundle.store.local import LocalStore
    from syncd.catalogue import Entry
    from syncd.config import Config
    from syncd.journal import Journal

ACKNOWLEDGED: Final = "acknowledged"
"""The note of what the newest receipt says."""


async def situation_of(
    config: Config, journal: Journal, store: LocalStore, entries: Sequence[Entry]
) -> Situation:
    """Return everything that the plan looks at.

    Raises:
        StoreError: the store cannot be read.
        TargetError: the journal cannot be read.
    """
    identity = await store.identity()
    releases = [one.committed for one in entries]
    placements = journal.placements()
    had = {(one.stream, one.target) for one in placements if one.release}
    return Situation(
        arrivals=journal.arrivals(),
        held=tuple(held_of(one, config.target, had) for one in entries),
        placements=placements,
        returns=journal.returns(),
        pins=frozenset(config.store.pins),
        keep=config.store.keep,
        holding=holding_of(identity, releases) if releases else "",
        acknowledged=journal.note(ACKNOWLEDGED),
    )
