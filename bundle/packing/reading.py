"""The one time that the sources are read: every file through the workers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bundle.flow.crew import work
from bundle.format.chunkset import ChunkSet
from bundle.format.columns import windows
from bundle.packing.harvest import harvest
from bundle.packing.loader import Loader
from bundle.packing.worker import PackWorker, Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from bundle.format.recipe import Recipe
    from bundle.medium.volumes import Volumes
    from bundle.medium.writer import BundleWriter
    from bundle.packing.harvest import Harvest
    from bundle.packing.listing import Listing
    from bundle.progress import Reporter
    from bundle.source.base import SourceArtifact

    LeftOut = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What was read: the artifacts that are ready, and what was left out of them.

    ``new_bytes`` are plain bytes of the chunks that are carried, for each of the
    listing's artifacts by its position; ``known`` are the ids of all chunks.
    """

    ready: list[Harvest]
    problems: tuple[str, ...]
    new_bytes: dict[int, int]
    known: ChunkSet

    @property
    def new(self) -> int:
        """Plain bytes of all chunks that are carried."""
        return sum(self.new_bytes.values())


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read; ``left_out`` says which chunks are not carried."""

    reporter: Reporter
    jobs: int
    keep_going: bool
    left_out: LeftOut

    async def take_clean(self, listing: Listing, writer: BundleWriter) -> Taken:
        """Read every file of a listing into volumes that hold nothing else.

        A file may turn out damaged at its last byte, when the rest of it lies in a
        volume. Nobody listed or approved that, so all is read again without it.

        Raises:
            SourceError, TargetError: as ``take``.
        """
        taken = await self.take(listing, writer.volumes)
        while self._strays(taken):
            writer.start_again()
            listing = _without_what_failed(listing, taken)
            taken = await self.take(listing, writer.volumes)
        return taken

    def _strays(self, taken: Taken) -> bool:
        """Say whether a volume holds a chunk that no recipe uses."""
        used = ChunkSet()
        for each in taken.ready:
            for first, last in windows(0, each.recipe.chunks):
                used.add_new(each.recipe.chunk_ids[first:last])
        if len(used) == len(taken.known):
            return False
        ids = taken.known.sorted_ids()
        return bool((~used.holds(ids) & ~self.left_out(ids)).any())

    async def take(self, listing: Listing, volumes: Volumes | None) -> Taken:
        """Read every file of a listing; without ``volumes`` nothing is written.

        Raises:
            SourceError: an input is damaged or changed (unless keep going).
            TargetError: the output is full or refuses.
        """
        artifacts: tuple[SourceArtifact, ...] = listing.artifacts
        loader = Loader(artifacts, self.reporter, keep_going=self.keep_going)
        shared = Shared(loader, volumes, self.reporter, self.left_out)
        self.reporter.started("pack", listing.total)
        await work(self.jobs, lambda: PackWorker(shared), shared.turnstiles)
        self.reporter.finished()
        problems = tuple(one.problem for one in loader.intakes if one.problem)
        return Taken(
            harvest(artifacts, loader.intakes),
            listing.problems + problems,
            shared.new_bytes,
            shared.known,
        )


def _without_what_failed(listing: Listing, taken: Taken) -> Listing:
    """Return the same artifacts in the same order, with the files that were good."""
    kept = {(one.source.kind, one.source.name): one.source for one in taken.ready}
    return replace(
        listing,
        artifacts=tuple(
            kept.get((one.kind, one.name)) or replace(one, files=(), directories=())
            for one in listing.artifacts
        ),
        problems=taken.problems,
    )


def nothing_left_out(ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Leave out none of ``ids``: the far side holds nothing."""
    return np.zeros(len(ids), np.bool_)


def required_ids(recipes: Iterable[Recipe], left_out: LeftOut) -> NDArray[np.uint8]:
    """Return the sorted ids that ``recipes`` use and that are left out, once each."""
    required = ChunkSet()
    for recipe in recipes:
        for first, last in windows(0, recipe.chunks):
            ids = recipe.chunk_ids[first:last]
            required.add_new(ids[left_out(ids)])
    return required.sorted_ids()
