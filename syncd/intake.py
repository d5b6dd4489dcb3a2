"""From a medium into the store: one bundle verified, its volumes taken, committed.

The volumes of one medium are taken although others are still to come. A release
counts once the store holds all of it; then its mark is noted, so that an older one
or a second one of the same number is refused from here on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bundle.durable import make_directory, write_file
from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    MissingError,
    NotFoundError,
)
from bundle.format import layout
from bundle.format.columns import keys_of, order_of
from bundle.format.manifest import Manifest
from bundle.format.want import Want, want_name
from bundle.ingester import commit, take_volumes
from bundle.limits import MAX_ENVELOPE
from bundle.medium.files import read_whole
from bundle.medium.reader import open_bundle
from bundle.state.receiver import record_applied
from bundle.state.site import DEFAULT_SITE
from bundle.trust.envelope import parse
from syncd.phases import Event, Need
from syncd.verdict import Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from bundle.medium.reader import OpenBundle
    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice
    from bundle.store.local import LocalStore
    from syncd.plan import Arrival


@dataclass(frozen=True, slots=True)
class Receiving:
    """What every bundle is received with; ``clock`` gives seconds since 1970."""

    store: LocalStore
    trust: TrustChoice
    clock: Callable[[], float]
    wants: Path


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a bundle, and what is known of it now.

    ``members`` are columns of the journal, empty before its signatures were
    verified. ``volumes`` names those that are in the store.
    """

    verdict: Verdict
    members: dict[str, object] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    want: Path | None = None


async def receive(
    arrival: Arrival, before: frozenset[str], using: Receiving, reporter: Reporter
) -> Received:
    """Take a bundle from where it is now, as far as it is there.

    ``before`` names volumes that were taken from other media. What is wrong with
    the bundle, its media or the store is the result and is not raised.
    """
    first, *others = map(Path, arrival.places)
    now = using.clock()
    members: dict[str, object] = {}
    try:
        opened = await asyncio.to_thread(
            open_bundle, first, using.trust, now, beside=others
        )
        stream = opened.release.stream
        members = {
            "stream": stream.id,
            "name": stream.name,
            "seq": opened.release.seq,
            "release": str(opened.digest),
        }
        for warning in opened.warnings:
            reporter.warned(warning)
        taken = await take_volumes(opened, using.store, reporter)
        before |= taken.names
        try:
            report = await commit(opened, using.store, taken, before)
        except MissingError as error:
            if any(one.name not in before for one in opened.manifest.volumes):
                raise
            return await _without_base(opened, using, error, members, before)
        await asyncio.to_thread(record_applied, using.trust, opened.facts, now)
        reporter.finished()
    except BundleError as error:
        short = await asyncio.to_thread(_short, arrival.places)
        if short and isinstance(error, (FormatError, IntegrityError)):
            return Received(short, members, before)
        return Received(verdict(error, now), members, before)
    said = f"{report.volumes} volumes new, {report.kept} known"
    return Received(Verdict(Event.TAKEN, said, ""), members, before)


def _short(places: Iterable[str]) -> Verdict | None:
    """Say which file of a bundle is shorter than it should be, if one is.

    For words alone: bundle.json may not even be verified. A copy that goes on
    changes how the directory looks, and then the bundle is read again.
    """
    for place in map(Path, places):
        try:
            data = read_whole(place / layout.MANIFEST, MAX_ENVELOPE)
            manifest = Manifest.parse(parse(data, limit=MAX_ENVELOPE).payload)
        except BundleError:
            continue
        sizes = {
            layout.RECIPES: manifest.recipes.size,
            layout.SHARDS: manifest.shards.size,
            layout.APPROVAL: manifest.approval.size,
            **{volume.name: volume.size for volume in manifest.volumes},
        }
        for name, size in sizes.items():
            with contextlib.suppress(OSError):
                found = os.lstat(place / name).st_size
                if found < size:
                    return Verdict(
                        Event.LACKING,
                        f"{place / name} has {found} of {size} bytes",
                        "wait until the copy is complete; where nobody copies, copy "
                        "it again",
                        Need.MEDIA,
                    )
    return None


async def _without_base(
    opened: OpenBundle,
    using: Receiving,
    error: MissingError,
    members: dict[str, object],
    volumes: frozenset[str],
) -> Received:
    """Say which chunks are lacking, in a want for whoever packs."""
    want = await lacking(opened, using.store)
    stream = opened.release.stream.name
    path = using.wants / want_name(
        using.trust.site or DEFAULT_SITE, stream, opened.release.seq
    )
    await asyncio.to_thread(make_directory, path.parent)
    await asyncio.to_thread(write_file, path, want.serialize())
    said = Verdict(
        Event.LACKING,
        f"the store lacks what this bundle builds on: {error}",
        f"carry {path} to the sender, who answers it with 'bundle pack --fill', or "
        "ask for a full bundle",
        Need.BASE,
    )
    return Received(said, members, volumes, path)


async def lacking(opened: OpenBundle, store: LocalStore) -> Want:
    """Return what a bundle's release needs that a store does not hold.

    Raises:
        StoreError: the store cannot be read.
    """
    recipes: set[bytes] = set()
    ids = [np.zeros((0, 32), np.uint8)]
    for artifact in opened.release.artifacts:
        recipe = opened.recipes.get(artifact.recipe.digest)
        if recipe is not None:
            ids.append(recipe.chunk_ids[~await store.has_many(recipe.chunk_ids)])
            continue
        try:
            await store.recipe(artifact.recipe.digest)
        except NotFoundError:
            recipes.add(artifact.recipe.raw)
    chunks = np.concatenate(ids)
    chunks = chunks[np.unique(keys_of(chunks), return_index=True)[1]]
    rows = np.frombuffer(b"".join(recipes), np.uint8).reshape(-1, 32)
    return Want(opened.digest, _sorted(rows), _sorted(chunks))


def _sorted(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rows[order_of(rows)]
