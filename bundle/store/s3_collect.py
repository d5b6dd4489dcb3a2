"""Collection in a bucket: what leaves is said first, then looked for, then removed.

The order is what makes it safe beside others (spec §51.7). A generation is put that
names everything that leaves. Then the pointers are listed again: whoever committed
before that is seen here, and what it uses stays. Whoever commits after it sees the
generation, and takes the commit back if something of it leaves.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bundle.codec.codec import Encoder
from bundle.errors import MissingError, NotFoundError, TransientError
from bundle.flow.together import together
from bundle.format.columns import windows
from bundle.format.recipe import Recipe
from bundle.store.base import Collected
from bundle.store.collect import Sizes, is_mostly_dead, sizes_of
from bundle.store.pack_writer import PackWriter, frames_of
from bundle.store.s3_names import PACKS, RECIPES, RELEASES, papers_prefix
from bundle.store.use import dropped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from bundle.format.columns import Bytes
    from bundle.store.base import Retention
    from bundle.store.s3 import S3Store
    from bundle.store.s3_names import Shelf
    from bundle.store.s3_pointers import Pointer

AT_ONCE = 8
"""Objects that are removed at once."""

_BATCH = 32
"""Chunks that are moved at once."""


@dataclass(slots=True)
class _Plan:
    """What a collection found: what stays is marked, by segment and record."""

    kept: list[Pointer]
    gone: list[Pointer]
    recipes: set[str] = field(default_factory=set)
    flags: list[NDArray[np.bool_]] = field(default_factory=list)
    sizes: Sizes = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    """Names of recipes that no kept release uses."""

    @property
    def dead(self) -> list[int]:
        """Packs of which nothing is used."""
        return [pack for pack, size in self.sizes.items() if not size[0]]

    @property
    def mostly_dead(self) -> list[int]:
        """Packs of which little is used."""
        return [
            pack
            for pack, size in self.sizes.items()
            if size[0] and is_mostly_dead(size)
        ]


async def collect(
    store: S3Store, retention: Retention, *, dry_run: bool = False
) -> Collected:
    """Drop what ``retention`` lets go from a store in a bucket.

    Raises:
        UsageError: a pin names a release that is not held.
        FormatError, IntegrityError, MissingError: a recipe in use is damaged or
            gone, or a release is not whole; nothing is dropped.
        TransientError: somebody else is collecting, or the server does not do it.
        TargetError: the bucket cannot be changed.
    """
    await store.state.refresh()
    before = store.state.generation
    plan = await _plan(store, retention)
    gone = [await store.pointers.with_envelope(one.release) for one in plan.gone]
    touched = [plan.sizes[pack] for pack in (*plan.dead, *plan.mostly_dead)]
    report = Collected(
        releases=tuple({one.digest: one for one in gone}.values()),
        recipes=len({RECIPES.parse(name).digest for name in plan.unused}),  # type: ignore[union-attr]
        chunks=sum(every - used for used, _, every, _ in touched),
        bytes=sum(every - used for _, used, _, every in touched),
        generation=before + 1,
    )
    if not dry_run:
        await _carry_out(store, plan, before)
    return report


async def _plan(store: S3Store, retention: Retention) -> _Plan:
    pointers = await store.pointers.all()
    digests = {
        one.digest for one in dropped((one.release for one in pointers), retention)
    }
    plan = _Plan(
        [one for one in pointers if one.release.digest not in digests],
        [one for one in pointers if one.release.digest in digests],
    )
    index = store.state.index.index
    plan.flags = [np.zeros(len(one), np.bool_) for one in index.segments]
    for pointer in plan.kept:
        for digest in pointer.release.recipes:
            if digest not in plan.recipes:
                plan.recipes.add(digest)
                await _mark(store, digest, plan, pointer)
    listed = await store.place.list(RECIPES.prefix)
    plan.unused = [
        one.key
        for one in listed
        if (found := RECIPES.parse(one.key)) is not None
        and found.text not in plan.recipes
    ]
    plan.sizes = await asyncio.to_thread(_sizes, store, plan)
    return plan


def _sizes(store: S3Store, plan: _Plan) -> Sizes:
    """Return per pack: chunks and plain bytes in use, and all that it indexes."""
    cached = store.state.index
    with cached.every_pack():
        return sizes_of(cached.index, plan.flags)


async def _mark(store: S3Store, digest: str, plan: _Plan, pointer: Pointer) -> None:
    """Mark what a recipe uses.

    Raises:
        MissingError: something of it is not in the store.
    """
    release = pointer.release
    try:
        recipe = Recipe.parse(await store.recipe(digest))
    except NotFoundError:
        lost: str | None = f"recipe {digest}"
    else:
        lost = await asyncio.to_thread(_mark_chunks, store, recipe, plan)
    if lost is not None:
        raise MissingError(
            f"{lost} of release {release.seq} of {release.name} is not in the store",
            advice="'bundle store check' says what is lost; nothing was collected",
        )


def _mark_chunks(store: S3Store, recipe: Recipe, plan: _Plan) -> str | None:
    """Mark chunks; return the first that is not there, in words."""
    cached, ids = store.state.index, recipe.chunk_ids
    for start, end in windows(0, len(ids)):
        lost = cached.mark(ids[start:end], plan.flags)
        if lost >= 0:
            return f"chunk {ids[start + lost].tobytes().hex()}"
    return None


async def _carry_out(store: S3Store, plan: _Plan, before: int) -> None:
    state, moved = store.state, []
    used = [
        (number, await asyncio.to_thread(state.index.marked, number, plan.flags))
        for number in plan.mostly_dead
    ]
    for number, ids in used:
        if await move(store, ids):
            moved.append(number)
    packs = [state.index.pack(number) for number in (*plan.dead, *moved)]
    digests = {one.release.digest for one in plan.kept}
    envelopes = [
        one.key
        for one in await store.place.list(RELEASES.prefix)
        if (found := RELEASES.parse(one.key)) is not None and found.text not in digests
    ]
    names = [*envelopes, *plan.unused, *map(PACKS.key, packs)]
    await leave(store, names, plan.gone, {one.commit.key for one in plan.kept}, before)


async def leave(
    store: S3Store,
    names: Sequence[str],
    gone: Sequence[Pointer],
    known: set[str],
    before: int,
) -> None:
    """Say that these objects leave, spare what somebody uses since, remove the rest.

    ``known`` are the pointers that were looked at, ``before`` the generation then.

    Raises:
        TransientError: somebody else is doing this; nothing was removed.
        TargetError: the bucket cannot be changed.
    """
    state = store.state
    fresh = [one for one in names if one not in state.leaving]
    if await state.advance(fresh) != before + 1:
        raise TransientError(
            f"{store.place.text()}: somebody else is collecting; nothing was removed",
            advice="let one machine write at a time, and run it again",
        )
    dropped_keys = {one.commit.key for one in gone}
    newer = [
        one
        for one in await store.pointers.all()
        if one.commit.key not in known | dropped_keys
    ]
    spared = await _used_by(store, newer, names)
    await store.pointers.remove(one.commit for one in gone)
    kept = {one.commit.release.digest for one in await store.pointers.all()}
    for raw in {one.commit.release.digest for one in gone} - kept:
        papers = await store.place.list(papers_prefix(raw))
        await together(store.place.delete, [one.key for one in papers], AT_ONCE)
    leaving = [one for one in names if one not in spared]
    await together(store.place.delete, leaving, AT_ONCE)
    for name in leaving:
        await asyncio.to_thread(state.index.drop, name)
    await state.refresh()
    if any(PACKS.parse(one) is not None for one in leaving):
        await store.packs.merge(everything=True)


async def _used_by(
    store: S3Store, pointers: Iterable[Pointer], names: Iterable[str]
) -> set[str]:
    """Return those of ``names`` that releases use which were committed meanwhile."""
    packs = [pack for one in names if (pack := PACKS.parse(one)) is not None]
    used: set[str] = set()
    for pointer in pointers:
        used |= _named(names, RELEASES, pointer.release.digest)
        for digest in pointer.release.recipes:
            used |= _named(names, RECIPES, digest)
            recipe = Recipe.parse(await store.recipe(digest))
            found = await asyncio.to_thread(
                store.state.index.packs_with, recipe.chunk_ids, packs
            )
            used |= {PACKS.key(pack) for pack in found}
    return used


def _named(names: Iterable[str], shelf: Shelf, digest: str) -> set[str]:
    parsed = {name: shelf.parse(name) for name in names}
    return {
        name for name, one in parsed.items() if one is not None and one.text == digest
    }


async def move(store: S3Store, ids: Bytes) -> bool:
    """Put these chunks again, in packs of their own; false where one is damaged.

    Raises:
        TargetError, TransientError: the server does not do it.
    """
    writer = PackWriter(store.state.temporary())
    encoder = Encoder()
    try:
        for start, end in windows(0, len(ids), step=_BATCH):
            found = await store.read_many(ids[start:end])
            chunks = [
                (row.tobytes(), data)
                for row, data in zip(ids[start:end], found, strict=True)
                if data is not None
            ]
            if len(chunks) < len(found):
                writer.drop()
                return False
            await asyncio.to_thread(_write, writer, chunks, encoder)
        await asyncio.to_thread(writer.finish)
    except BaseException:
        writer.drop()
        raise
    await store.packs.take(writer.path)
    return True


def _write(
    writer: PackWriter, chunks: list[tuple[bytes, bytes]], encoder: Encoder
) -> None:
    for header, payload in frames_of(chunks, encoder):
        writer.add(header, payload)
