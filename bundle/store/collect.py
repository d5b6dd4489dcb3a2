"""Collection: old releases go, and what nothing kept uses (spec §50.6).

The first phase only reads: it marks what the kept releases use. The second
counts the generation up and deletes: commit pointers, then releases, recipes and
packs. Only then is anything written: what still lives in packs that are mostly
dead moves together. So a full disk is no hindrance, and a crash at any moment
leaves what is used where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from bundle.codec.codec import Decoder, Encoder
from bundle.durable import flush_directory, target_errors
from bundle.errors import (
    FormatError,
    IntegrityError,
    MissingError,
    NotFoundError,
    SpaceError,
)
from bundle.format.columns import windows
from bundle.format.recipe import Recipe
from bundle.store.base import Collected
from bundle.store.pack import Pack, check_chunks
from bundle.store.pack_writer import PackWriter, frames_of
from bundle.store.segment import join
from bundle.store.use import dropped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.format.columns import Indices
    from bundle.format.frame import FrameHeader
    from bundle.store.base import Retention
    from bundle.store.index import Index
    from bundle.store.local import LocalStore
    from bundle.store.pointers import Pointer
    from bundle.store.segment import Table
    from bundle.store.vault import Vault

    Frame = tuple[FrameHeader, bytes | memoryview]

Sizes: TypeAlias = dict[int, tuple[int, int, int, int]]
"""Per pack: chunks and plain bytes in use, all chunks and bytes that it indexes."""

MOSTLY: Final = 0.5
"""Packs with a smaller share of their bytes in use are written again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Marked:
    """What is to stay: a flag for each record of each segment, and recipes."""

    flags: list[NDArray[np.bool_]]
    recipes: set[str]
    kept: list[Pointer]
    gone: list[Pointer]


def collect(store: LocalStore, retention: Retention, *, dry_run: bool) -> Collected:
    """Drop what ``retention`` lets go from a local store.

    Raises:
        UsageError: a pin names a release that is not held.
        FormatError, IntegrityError, MissingError: a recipe in use is damaged or
            gone; nothing is dropped.
        TransientError: somebody else is changing the store.
        TargetError: the store cannot be changed.
    """
    if not dry_run:
        store.place.begin_alone()
    try:
        store.vault.reload()
        marked = _mark(store, retention)
        generation = store.place.identity().generation + 1
        sizes = sizes_of(store.vault.index, marked.flags)
        report = _report(store, marked, sizes, generation)
        if not dry_run:
            store.place.advance()
            _delete(store, marked, sizes)
            _repack(store.vault, marked, sizes)
            store.vault.reload()
        return report
    finally:
        if not dry_run:
            store.place.end()


def _mark(store: LocalStore, retention: Retention) -> _Marked:
    pointers = store.pointers.all()
    gone = {one.digest for one in dropped((one.release for one in pointers), retention)}
    marked = _Marked(
        [np.zeros(len(one), np.bool_) for one in store.vault.index.segments],
        set(),
        [one for one in pointers if one.release.digest not in gone],
        [one for one in pointers if one.release.digest in gone],
    )
    for pointer in marked.kept:
        for digest in pointer.release.recipes:
            if digest not in marked.recipes and _mark_recipe(store, digest, pointer):
                marked.recipes.add(digest)
                _mark_chunks(store, digest, marked.flags, pointer)
    return marked


def _mark_recipe(store: LocalStore, digest: str, pointer: Pointer) -> bool:
    """Say whether the recipe is there; one of a lost release may be gone."""
    try:
        store.load_recipe(digest)
    except NotFoundError:
        if pointer.lost:
            return False
        raise _not_whole(f"recipe {digest}", pointer) from None
    return True


def _mark_chunks(
    store: LocalStore, digest: str, flags: list[NDArray[np.bool_]], pointer: Pointer
) -> None:
    ids = Recipe.parse(store.load_recipe(digest)).chunk_ids
    for start, end in windows(0, len(ids)):
        where, rows = store.vault.index.locate(ids[start:end])
        lost = np.flatnonzero(where < 0)
        if len(lost) and not pointer.lost:
            chunk = ids[start + int(lost[0])].tobytes().hex()
            raise _not_whole(f"chunk {chunk}", pointer)
        for number, flag in enumerate(flags):
            flag[rows[where == number]] = True


def _not_whole(what: str, pointer: Pointer) -> MissingError:
    release = pointer.release
    return MissingError(
        f"{what} of release {release.seq} of {release.name} is not in the store",
        advice="'bundle store check --rebuild' says what is lost; "
        "nothing was collected",
    )


def sizes_of(index: Index, flags: Sequence[NDArray[np.bool_]]) -> Sizes:
    """Return per live pack: chunks and plain bytes in use, and all that it indexes.

    ``flags`` say of each record of each segment whether it is in use.
    """
    live = index.live
    top = int(live.max()) + 1 if len(live) else 0
    sums = np.zeros((4, top), np.int64)
    for segment, marked in zip(index.segments, flags, strict=True):
        for start, end in windows(0, len(segment)):
            packs = segment.table["pack"][start:end].astype(np.int64)
            lengths = segment.table["length"][start:end].astype(np.int64)
            used = marked[start:end] & (packs < top)
            known = packs < top
            _add(sums, packs[used], lengths[used], 0)
            _add(sums, packs[known], lengths[known], 2)
        segment.release()
    columns = sums[:, live.astype(np.int64)].T.tolist()
    return {
        int(pack): (row[0], row[1], row[2], row[3])
        for pack, row in zip(live, columns, strict=True)
    }


def _add(sums: Indices, packs: Indices, lengths: Indices, at: int) -> None:
    top = sums.shape[1]
    sums[at] += np.bincount(packs, minlength=top)
    sums[at + 1] += np.bincount(packs, lengths, minlength=top).astype(np.int64)


def _report(
    store: LocalStore,
    marked: _Marked,
    sizes: Sizes,
    generation: int,
) -> Collected:
    touched = [one for one in sizes.values() if one[0] == 0 or is_mostly_dead(one)]
    gone = tuple(store.with_envelope(one.release) for one in marked.gone)
    return Collected(
        releases=gone,
        recipes=len(_unused(store.place.recipes, ".bdr", marked.recipes)),
        chunks=sum(all_chunks - used for used, _, all_chunks, _ in touched),
        bytes=sum(all_bytes - used for _, used, _, all_bytes in touched),
        generation=generation,
    )


def is_mostly_dead(sizes: tuple[int, int, int, int]) -> bool:
    """Return whether so little of a pack is in use that it is written again."""
    return sizes[1] < MOSTLY * sizes[3]


def _unused(directory: Path, suffix: str, used: set[str]) -> list[Path]:
    names = {digest.removeprefix("blake3:") + suffix for digest in used}
    if not directory.is_dir():
        return []
    return [path for path in sorted(directory.iterdir()) if path.name not in names]


def _delete(store: LocalStore, marked: _Marked, sizes: Sizes) -> None:
    store.pointers.remove(marked.gone)
    kept = {pointer.release.digest for pointer in marked.kept}
    for directory, suffix, used in (
        (store.place.releases, ".json", kept),
        (store.place.recipes, ".bdr", marked.recipes),
    ):
        with target_errors(directory):
            for path in _unused(directory, suffix, used):
                path.unlink(missing_ok=True)
            if directory.is_dir():
                flush_directory(directory)
    store.papers.trim(kept)
    for pack, (chunks, *_) in sizes.items():
        if not chunks:
            store.vault.packs.remove(pack)
    store.vault.packs.flush()


def _repack(vault: Vault, marked: _Marked, sizes: Sizes) -> None:
    """Move what lives in mostly dead packs, while there is room for it."""
    old = [pack for pack, size in sizes.items() if size[0] and is_mostly_dead(size)]
    try:
        for pack in old:
            _move(vault, pack, _used(vault, marked, pack))
        vault.index.set_live(vault.packs.numbers())
        vault.index.rewrite()
        vault.cover()
    except SpaceError:
        # What is deleted is deleted; the rest can move when there is room.
        return


def _used(vault: Vault, marked: _Marked, pack: int) -> Table:
    """Return the records in use that this pack has to give."""
    tables = []
    for segment, flags in zip(vault.index.segments, marked.flags, strict=True):
        for start, end in windows(0, len(segment)):
            here = flags[start:end] & (segment.table["pack"][start:end] == pack)
            tables.append(segment.table[start:end][here])
        segment.release()
    return join(tables)


def _move(vault: Vault, pack: int, used: Table) -> None:
    """Write the chunks in use of a pack into a new one, and drop the old one."""
    writer = PackWriter(vault.place.temporary())
    try:
        with Pack(vault.packs.path(pack)) as source:
            for header, payload in _live_frames(source, used):
                writer.add(header, payload)
        writer.finish()
    except (FormatError, IntegrityError):
        # A damaged pack stays as it is: a check salvages what is good in it.
        writer.drop()
        return
    except BaseException:
        writer.drop()
        raise
    vault.name(writer.path)
    vault.packs.remove(pack)
    vault.packs.flush()


def _live_frames(pack: Pack, used: Table) -> Iterator[Frame]:
    """Yield frames with these chunks of a pack: as they are where all of it lives."""
    decoder, encoder = Decoder(), Encoder()
    ids = {row.tobytes() for row in used["id"]}
    for offset in np.unique(used["frame"]).tolist():
        header, plain = pack.decode(offset, decoder)
        check_chunks(header, plain)
        rows = [row.tobytes() in ids for row in header.ids]
        if all(rows):
            yield pack.stored(offset)
        else:
            yield from frames_of(_chosen(header, plain, rows), encoder)


def _chosen(
    header: FrameHeader, plain: bytes, rows: list[bool]
) -> Iterator[tuple[bytes, bytes]]:
    start = 0
    for row, length, chosen in zip(
        header.ids, header.lengths.tolist(), rows, strict=True
    ):
        if chosen:
            yield row.tobytes(), plain[start : start + length]
        start += length
