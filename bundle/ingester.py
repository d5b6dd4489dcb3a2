"""``bundle store add``: a bundle into a local store, volumes as they are.

A volume is checked shard by shard while it is copied, and the copy is read back,
decoded and hashed chunk by chunk before it becomes a pack. The release counts once
everything it uses is held, from this bundle or from earlier ones (spec §50.5).
"""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blake3 import blake3

from bundle.digest import digest_of
from bundle.durable import target_errors
from bundle.errors import IntegrityError, MissingError
from bundle.format import layout
from bundle.format.columns import RECORD_SIZE
from bundle.format.index import VolumeIndex
from bundle.format.volume import parse_volume_tail
from bundle.limits import MAX_APPROVAL, MAX_ENVELOPE, SHARD
from bundle.medium.files import read_whole
from bundle.medium.reader import read_approvals, read_trust
from bundle.medium.spread import missing_volumes
from bundle.store.base import Committed
from bundle.trust.envelope import parse

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bundle.medium.files import ShardedFile
    from bundle.medium.reader import OpenBundle
    from bundle.progress import Reporter
    from bundle.store.base import VolumeStore


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What went into the store; ``kept`` counts volumes whose chunks were held."""

    stream: str
    seq: int
    release: str
    volumes: int
    kept: int
    bytes: int
    recipes: int


@dataclass(frozen=True, slots=True)
class Taken:
    """The volumes of a bundle that were here: their names, and what was new of them."""

    names: frozenset[str]
    volumes: int
    bytes: int


async def ingest(
    opened: OpenBundle, store: VolumeStore, reporter: Reporter
) -> IngestReport:
    """Take an open bundle into a store; the same again changes nothing.

    Where volumes are on other media, those that are here are taken all the same:
    the store has them when the others come.

    Raises:
        MissingError: volumes are not here and were not taken before, or the store
            lacks what the bundle takes for granted; the release does not count.
        FormatError, IntegrityError: a volume is damaged.
        StoreError: the medium cannot be read, or somebody collects.
        TargetError: the store cannot take it.
    """
    taken = await take_volumes(opened, store, reporter)
    report = await commit(opened, store, taken)
    reporter.finished()
    return report


async def take_volumes(
    opened: OpenBundle, store: VolumeStore, reporter: Reporter
) -> Taken:
    """Take the volumes that are here into a store; no release uses them yet.

    Raises:
        FormatError, IntegrityError: a volume is damaged.
        StoreError: the medium cannot be read, or somebody collects.
        TargetError: the store cannot take it.
    """
    await store.begin()
    count = size = 0
    with opened.volumes_here() as (volumes, _):
        fresh = [
            one
            for one in volumes
            if not (await store.keeps(await asyncio.to_thread(_ids, one))).all()
        ]
        store.require_space([volume.size for volume in fresh])
        reporter.started("store add", sum(volume.size for volume in fresh))
        digests = {volume.name: volume.digest for volume in opened.manifest.volumes}
        for volume in fresh:
            path = await _copy(volume, store, digests[volume.path.name], reporter)
            if await store.adopt(path):
                count, size = count + 1, size + volume.size
        names = frozenset(volume.path.name for volume in volumes)
    return Taken(names, count, size)


async def commit(
    opened: OpenBundle,
    store: VolumeStore,
    taken: Taken,
    before: Collection[str] = (),
) -> IngestReport:
    """Make the release of a bundle count, now that its volumes were taken.

    ``before`` names volumes that were taken from other media: with them, an error
    says which are still to come.

    Raises:
        MissingError: volumes were not taken, or the store lacks what the bundle
            takes for granted; the release does not count.
        TargetError, StoreError: the store cannot take it.
    """
    for recipe in opened.recipes.values():
        await store.put_recipe(bytes(recipe.data))
    release = await asyncio.to_thread(_release, opened)
    try:
        await store.commit(release)
    except MissingError as error:
        known = taken.names.union(before)
        others = [one for one in opened.manifest.volumes if one.name not in known]
        if others:
            raise missing_volumes(opened.directories, others) from error
        raise
    return IngestReport(
        stream=release.name,
        seq=release.seq,
        release=release.digest,
        volumes=taken.volumes,
        kept=len(opened.manifest.volumes) - taken.volumes,
        bytes=taken.bytes,
        recipes=len(opened.recipes),
    )


def _ids(volume: ShardedFile) -> NDArray[np.uint8]:
    """Return the ids of the chunks in a volume."""
    data = volume.read(volume.size - RECORD_SIZE, RECORD_SIZE)
    tail = parse_volume_tail(data, volume.size)
    index = volume.read(tail.index_offset, tail.index_size)
    tail.check_index(index)
    return VolumeIndex.parse(index).ids


async def _copy(
    volume: ShardedFile, store: VolumeStore, digest: str, reporter: Reporter
) -> Path:
    """Return a durable copy of a volume; a cancelled copy stops at the next shard."""
    path, halt = store.temporary(), threading.Event()

    def write() -> None:
        with target_errors(path):
            try:
                _write(volume, path, digest, reporter, halt)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    try:
        await asyncio.to_thread(write)
    finally:
        halt.set()
    return path


def _write(
    volume: ShardedFile,
    path: Path,
    digest: str,
    reporter: Reporter,
    halt: threading.Event,
) -> None:
    shard, whole = memoryview(bytearray(SHARD)), blake3()
    with path.open("xb") as file:
        for number in range(-(-volume.size // SHARD)):
            if halt.is_set():
                raise InterruptedError("cancelled")
            data = shard[: volume.read_shard(number, shard)]
            whole.update(data)
            file.write(data)
            reporter.advanced(len(data))
        if f"blake3:{whole.hexdigest()}" != digest:
            raise IntegrityError(
                f"{volume.path.name} is not the one that was signed", rule="3.2.4"
            )
        file.flush()
        os.fsync(file.fileno())
        # What is read back is what the disk has, as far as that can be asked for.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _release(opened: OpenBundle) -> Committed:
    envelope = read_whole(opened.path / layout.RELEASE, MAX_ENVELOPE)
    if digest_of(parse(envelope, limit=MAX_ENVELOPE).payload) != opened.digest:
        raise IntegrityError(
            f"{layout.RELEASE} changed while it was read", rule="26.1.3"
        )
    release = opened.release
    return Committed(
        stream=release.stream.id,
        name=release.stream.name,
        seq=release.seq,
        digest=str(opened.digest),
        recipes=tuple(one.recipe.digest for one in release.artifacts),
        envelope=envelope,
        papers=_papers(opened),
    )


def _papers(opened: OpenBundle) -> dict[str, bytes]:
    """Return what came beside the release, for whoever sends it on (rule 50.4.4)."""
    approval = read_whole(opened.path / layout.APPROVAL, MAX_APPROVAL)
    opened.manifest.approval.check(approval, layout.APPROVAL)
    trust = opened.trust
    newest = {"root": trust.root.version, "roles": trust.roles.version}
    return {
        layout.APPROVAL: approval,
        **read_approvals(opened.path, trust),
        **{
            f"{layout.TRUST}/{name}": data
            for name, data in read_trust(opened.path).items()
            if int(name.partition(".")[0]) <= newest[name.split(".")[1]]
        },
    }
