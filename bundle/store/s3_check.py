"""Checking a store in a bucket: every frame decoded, every chunk hashed (§51.8)."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bundle.codec.codec import Decoder
from bundle.digest import digest_of
from bundle.errors import (
    BundleError,
    IntegrityError,
    NotFoundError,
    StoreError,
    TargetError,
    TransientError,
)
from bundle.format.ending import serialize_ending
from bundle.format.recipe import Recipe
from bundle.limits import MAX_ENVELOPE, MAX_RECIPE
from bundle.progress import Reporter
from bundle.store.check import Checked, Lost, envelope_problem, lost_of, records_in
from bundle.store.index import Index
from bundle.store.pack import check_chunks
from bundle.store.s3_collect import leave, move
from bundle.store.s3_names import PACKS, RECIPES, RELEASES
from bundle.store.s3_reading import decode_frame, spans_of
from bundle.store.segment import join, records_of, split

if TYPE_CHECKING:
    from bundle.format.frame import FrameHeader
    from bundle.store.s3 import S3Store
    from bundle.store.s3_names import Content
    from bundle.store.s3_pointers import Pointer
    from bundle.store.segment import Table


async def check(
    store: S3Store,
    *,
    quick: bool = False,
    rebuild: bool = False,
    reporter: Reporter | None = None,
) -> Checked:
    """Check everything in a store in a bucket; ``quick`` looks at structure alone.

    With ``rebuild`` what is damaged leaves, what is good of it is put again, and
    releases that are not whole do not count until they are added again.

    Raises:
        MissingError: there is no store.
        TransientError: the server does not answer, or somebody else collects.
        TargetError: the bucket or this machine refuses.
    """
    await store.state.ready()
    # First: whatever is committed after this may use what is not listed below.
    pointers = await store.pointers.all()
    await store.state.refresh()
    before = store.state.generation
    with tempfile.TemporaryDirectory() as name:
        run = _Check(store, Path(name), reporter or Reporter(), pointers)
        try:
            report = await run.check(quick=quick)
        except NotFoundError as error:
            raise TransientError(
                f"{store.place.text()}: objects were removed while it was checked",
                advice="let one machine write at a time, and run it again",
            ) from error
        if rebuild:
            await run.rebuild(report, before)
    return report


class _Check:
    """One check; ``good`` is what the packs say, by numbers from 0."""

    def __init__(
        self,
        store: S3Store,
        directory: Path,
        reporter: Reporter,
        pointers: list[Pointer],
    ) -> None:
        self.store = store
        self.good = Index(directory)
        self.problems: list[str] = []
        self.pointers = pointers
        self._reporter = reporter
        self._damaged: dict[str, Table] = {}

    async def check(self, *, quick: bool) -> Checked:
        packs = self.store.state.packs
        self.good.set_live(np.arange(len(packs), dtype=np.uint32))
        self._reporter.started("store check", sum(packs.values()))
        size = 0
        for number, pack in enumerate(sorted(packs)):
            table = await self._pack(pack, number, quick=quick)
            size += int(table["length"].sum(dtype=np.int64))
            await asyncio.to_thread(self.good.add, [number], split(table))
        recipes = await self._recipes()
        for pointer in self.pointers:
            await self._envelope(pointer)
        lost = [one for pointer in self.pointers for one in await self._lost(pointer)]
        self._reporter.finished()
        return Checked(
            packs=len(packs),
            chunks=sum(len(segment) for segment in self.good.segments),
            bytes=size,
            recipes=recipes,
            releases=len(self.pointers),
            problems=tuple(self.problems),
            lost=tuple(lost),
        )

    async def rebuild(self, report: Checked, before: int) -> None:
        """Let what is damaged leave, and put again what is good of it."""
        broken = {one.release.digest for one in report.lost}
        for table in self._damaged.values():
            if len(table):
                await move(self.store, np.ascontiguousarray(table["id"]))
        gone = [one for one in self.pointers if one.release.digest in broken]
        known = {one.commit.key for one in self.pointers}
        await leave(self.store, [*self._damaged], gone, known, before)

    async def _pack(self, pack: Content, number: int, *, quick: bool) -> Table:
        """Return the records of what is good in a pack."""
        state, name = self.store.state, PACKS.key(pack)
        try:
            index, end = await state.pack_index(pack, state.packs[pack])
        except (TargetError, StoreError):
            raise
        except BundleError as error:
            self.problems.append(f"{name}: {error}")
            self._damaged[name] = join([])
            return join([])
        if quick:
            self._reporter.advanced(state.packs[pack])
            return records_of(index, number)
        starts = np.unique(index.frame_offsets).tolist()
        frames = zip(starts, [*starts[1:], end], strict=True)
        headers: list[tuple[int, FrameHeader]] = []
        for span in spans_of(number, frames):
            data = await state.place.part(name, span.start, span.end - span.start)
            offsets = [start - span.start for start in span.frames]
            headers += await asyncio.to_thread(
                self._frames, name, data, offsets, span.start
            )
            self._reporter.advanced(len(data))
        table = join([records_in(header, at, number) for at, header in headers])
        if len(headers) == len(starts):
            ending = await state.place.part(name, end, state.packs[pack])
            if serialize_ending(headers, end) == ending:
                return table
            self.problems.append(f"{name}: index and frames disagree")
        self._damaged[name] = table
        return table

    def _frames(
        self, name: str, data: bytes, offsets: list[int], base: int
    ) -> list[tuple[int, FrameHeader]]:
        decoder, good = Decoder(), []
        for offset in offsets:
            try:
                header, plain = decode_frame(memoryview(data)[offset:], decoder)
                check_chunks(header, plain)
            except BundleError as error:
                self.problems.append(
                    f"{name}: the frame at byte {base + offset}: {error}"
                )
            else:
                good.append((base + offset, header))
        return good

    async def _recipes(self) -> int:
        """Check every recipe by its name, used or not; return how many there are."""
        listed = await self.store.place.list(RECIPES.prefix)
        count = 0
        for one in listed:
            recipe = RECIPES.parse(one.key)
            if recipe is None:
                continue
            count += 1
            data = await self.store.place.get(one.key, MAX_RECIPE)
            if digest_of(data).raw != recipe.digest:
                self.problems.append(f"{one.key}: not what it is called")
                self._damaged[one.key] = join([])
        return count

    async def _envelope(self, pointer: Pointer) -> None:
        raw = pointer.commit.release.digest.hex()
        for one in await self.store.place.list(f"{RELEASES.prefix}{raw}"):
            envelope = await self.store.place.get(one.key, MAX_ENVELOPE)
            problem = envelope_problem(pointer.release.digest, envelope)
            if problem:
                self.problems.append(problem)
                self._damaged[one.key] = join([])

    async def _lost(self, pointer: Pointer) -> list[Lost]:
        lost: list[Lost] = []
        release = await self.store.pointers.with_envelope(pointer.release)
        for digest in dict.fromkeys(pointer.release.recipes):
            try:
                recipe = Recipe.parse(await self.store.recipe(digest))
                if any(name.startswith(_recipe(digest)) for name in self._damaged):
                    raise IntegrityError(f"recipe {digest}", rule="50.4.2")
            except (TargetError, TransientError):
                raise
            except BundleError:
                lost.append(Lost(release, digest, 0, 0, ()))
                continue
            found = await asyncio.to_thread(lost_of, release, digest, recipe, self.good)
            if found is not None:
                lost.append(found)
        return lost


def _recipe(digest: str) -> str:
    return f"{RECIPES.prefix}{digest.removeprefix('blake3:')}-"
