"""Receipts of a store: what it holds whole, said to whoever packs (spec §60.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

from bundle.durable import make_directory, write_file
from bundle.format.receipt import Receipt, StoreState, held_streams
from bundle.format.release import TrustVersion
from bundle.state.receiver import load_trust
from bundle.state.site import DEFAULT_SITE, site_key
from bundle.trust.receipts import sign_receipt
from bundle.wire import write_moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bundle.state.receiver import TrustChoice
    from bundle.store.base import Committed, Identity


def holding_of(identity: Identity, releases: Iterable[Committed]) -> str:
    """Return a text that differs whenever a receipt would say something else."""
    held = "\n".join(sorted(f"{one.stream} {one.seq} {one.digest}" for one in releases))
    return f"{identity.id}-{identity.generation}-{blake3(held.encode()).hexdigest(16)}"


def write_receipt(
    directory: Path,
    trust: TrustChoice,
    identity: Identity,
    releases: Iterable[Committed],
    *,
    whole: bool,
    now: float,
) -> Path:
    """Write one receipt for everything that a store holds whole; return its path.

    It says ``partial`` unless every target has what it should have.

    Raises:
        TargetError: the receipt or the key cannot be written.
        TrustError: no root is enrolled.
    """
    known = load_trust(trust, {}, now, keep=False)
    site = trust.site or DEFAULT_SITE
    receipt = Receipt(
        site=site,
        store=StoreState(identity.id, identity.generation),
        streams=held_streams(releases),
        outcome="applied" if whole else "partial",
        created=write_moment(now),
        trust_version=TrustVersion(known.root.version, known.roles.version),
    )
    receipt = receipt.fitted("")
    path = directory / receipt.name
    make_directory(directory)
    write_file(path, sign_receipt(receipt, site_key(trust.state, site)))
    return path
