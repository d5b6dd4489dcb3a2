"""Receipts: what the targets of a run hold, said to whoever packs (spec §60.1)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blake3 import blake3

from bundle.durable import make_directory, write_file
from bundle.errors import TargetError
from bundle.format.receipt import (
    HeldStream,
    Outcome,
    Receipt,
    StoreState,
    held_streams,
)
from bundle.format.release import TrustVersion
from bundle.state.site import site_key
from bundle.trust.receipts import sign_receipt
from bundle.wire import write_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bundle.medium.reader import OpenBundle
    from bundle.store.base import Committed, Identity
    from bundle.target.base import Target
    from bundle.target.ledger import Applied


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Where a receipt goes, whose it is, and when: seconds since 1970."""

    directory: Path
    site: str
    state: Path
    clock: float


async def acknowledge(
    asked: Acknowledgement,
    opened: OpenBundle,
    targets: Sequence[Target],
    outcome: Outcome,
) -> Path | None:
    """Write one receipt for what ``targets`` hold now; return its path.

    Releases that they do not hold whole any more are forgotten first. Targets
    that were never given anything have nothing to say, not even who they are.

    Raises:
        TargetError: the receipt, the key or a target cannot be written.
    """
    whole = [await _settle(target) for target in targets]
    applied = {one.digest: one for each in targets for one in each.ledger.releases()}
    identities = [one for each in targets if (one := each.ledger.identity())]
    if not identities:
        return None
    trust = opened.trust
    receipt = Receipt(
        site=asked.site,
        store=_state_of(identities),
        streams=_streams(applied.values(), whole),
        outcome=outcome,
        created=write_moment(asked.clock),
        trust_version=TrustVersion(trust.root.version, trust.roles.version),
    ).fitted(opened.release.stream.id)
    return await asyncio.to_thread(_write, asked, receipt)


async def _settle(target: Target) -> tuple[Committed, ...]:
    """Return the releases a target holds whole, and let it forget the others."""
    whole = await target.store().releases()
    kept = {one.digest for one in whole}
    lost = {one.digest for one in target.ledger.releases()} - kept
    await asyncio.to_thread(target.ledger.lose, lost)
    return whole


def _state_of(identities: Iterable[Identity]) -> StoreState:
    """Return one store for several targets; it loses what any of them loses."""
    found = sorted(identities, key=lambda one: one.id)
    generation = sum(one.generation for one in found)
    if len(found) == 1:
        return StoreState(found[0].id, generation)
    together = blake3("\n".join(one.id for one in found).encode())
    return StoreState(together.hexdigest(length=16), generation)


def _streams(
    applied: Iterable[Applied], whole: Sequence[Sequence[Committed]]
) -> tuple[HeldStream, ...]:
    """Return the releases that the targets hold whole together, by stream."""
    recipes = {digest for each in whole for one in each for digest in one.recipes}
    return held_streams(
        one for one in applied if all(each.recipe in recipes for each in one.artifacts)
    )


def _write(asked: Acknowledgement, receipt: Receipt) -> Path:
    path = asked.directory / receipt.name
    try:
        data = sign_receipt(receipt, site_key(asked.state, asked.site))
        make_directory(asked.directory)
        write_file(path, data)
    except TargetError as error:
        error.advice = (
            "everything is published; for the receipt, run the same command again "
            "with a directory that can be written"
        )
        raise
    return path
