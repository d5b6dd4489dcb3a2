"""What is taken for granted: looked for before anything changes (spec §60.3).

A bundle names the chunks that it builds on. Those of them that are needed here,
and not all of them may be, are looked up before a target is touched, read after,
and hashed as they are read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.digest import DIGEST_SIZE, Digest
from bundle.durable import make_directory, write_file
from bundle.errors import MissingError
from bundle.flow.together import together
from bundle.format.columns import keys_of, order_of, windows
from bundle.format.want import Want, want_name
from bundle.medium.chunks import ChunkReader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.medium.reader import OpenBundle
    from bundle.unpacking.contents import Contents
    from bundle.unpacking.supply import Supply
    from bundle.unpacking.worker import Assembly

_BATCH: Final = 8
"""Chunks that are read together; two such batches are in memory, at most 16 MiB."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a want goes: a directory or None, and the name of the site."""

    directory: Path | None
    site: str

    def refuse(
        self, opened: OpenBundle, recipes: Iterable[str], chunks: Iterable[bytes]
    ) -> MissingError:
        """Write a want, where there is a place for it, and return what to raise.

        Raises:
            TargetError: it could not be written.
        """
        want = Want(
            opened.digest,
            _rows({Digest.parse(one).raw for one in recipes}),
            _rows(set(chunks)),
        )
        lacking = " and ".join(
            f"{count:,} {noun}{'s' if count > 1 else ''}"
            for count, noun in (
                (len(want.recipes), "recipe"),
                (len(want.chunks), "chunk"),
            )
            if count
        )
        message = (
            f"{lacking} that this bundle builds on are neither in it nor here; "
            "nothing was changed"
        )
        return MissingError(message, advice=self._advice(opened, want))

    def _advice(self, opened: OpenBundle, want: Want) -> str:
        stream = opened.release.stream.name
        if self.directory is None:
            return (
                "name a store that has them with --store, or run again with "
                "--want-to DIR and have the file there answered by "
                "'bundle pack --fill'"
            )
        make_directory(self.directory)
        path = self.directory / want_name(self.site, stream, opened.release.seq)
        write_file(path, want.serialize())
        return (
            f"carry {path} to the sender and run: bundle pack --fill {path.name} "
            f"SOURCE… --stream {stream} --out DIR --key KEYS; then unpack this "
            "bundle with --store FILL"
        )


async def find_needed(opened: OpenBundle, contents: Contents) -> NDArray[np.int64]:
    """Return one row of ``contents`` for each chunk that no volume holds.

    The indexes of a stream come last: there a volume holds what a carried recipe
    uses and the bundle does not say it requires.

    Raises:
        MissingError: a volume is not here.
        FormatError, IntegrityError: an index is damaged.
        StoreError: the medium cannot be read.
    """
    contents.settle()
    _, rows = np.unique(keys_of(contents.ids), return_index=True)
    rows = np.sort(rows)
    if opened.pipe is not None:
        used = [one.chunk_ids for one in opened.recipes.values()]
        carried = np.concatenate([np.zeros((0, DIGEST_SIZE), np.uint8), *used])
        ids = keys_of(contents.ids[rows])
        here = np.isin(ids, keys_of(carried)) & ~np.isin(ids, keys_of(opened.required))
        listed: NDArray[np.int64] = rows[~here]
        return listed

    def look() -> NDArray[np.bool_]:
        with opened.volumes() as volumes:
            return ChunkReader(volumes).holds(contents.ids[rows])

    needed: NDArray[np.int64] = rows[~await asyncio.to_thread(look)]
    return needed


async def feed(
    assembly: Assembly, supply: Supply, rows: NDArray[np.int64]
) -> list[bytes]:
    """Take the chunks of ``rows`` from the stores; return the ids that were not there.

    Raises:
        IntegrityError: a recipe lies about a chunk.
        StoreError: a store cannot be read.
        TargetError: the sink cannot take it.
    """
    feeding = _Feeding(assembly, supply)
    for start, end in windows(0, len(rows), step=_BATCH):
        feeding.ids = assembly.contents.ids[rows[start:end]]
        await together(lambda step: step(), (feeding.take, feeding.read), at_once=2)
    await feeding.take()
    return feeding.lost


class _Feeding:
    """Two batches of chunks: one is written and hashed while the next is read."""

    def __init__(self, assembly: Assembly, supply: Supply) -> None:
        self.ids: NDArray[np.uint8] = np.zeros((0, DIGEST_SIZE), np.uint8)
        self.lost: list[bytes] = []
        self._assembly = assembly
        self._supply = supply
        self._arrived: dict[int, memoryview] = {}

    async def read(self) -> None:
        """Read the batch of ``ids``, and note those of them that no store has."""
        chunks = [row.tobytes() for row in self.ids]
        found = await together(self._supply.read, chunks, at_once=_BATCH)
        rows = self._assembly.contents.rows_of(self.ids)
        self._arrived = {}
        for chunk, data, same in zip(chunks, found, rows, strict=True):
            if data is None:
                self.lost.append(chunk)
            else:
                self._arrived |= dict.fromkeys(same, memoryview(data))

    async def take(self) -> None:
        """Give the batch that was read to the assembly; if cancelled, at its end."""
        if not self._arrived:
            return
        taking = asyncio.ensure_future(
            asyncio.to_thread(self._assembly.take, self._arrived)
        )
        try:
            await asyncio.shield(taking)
        except asyncio.CancelledError:
            await asyncio.wait([taking])
            raise


def _rows(ids: set[bytes]) -> NDArray[np.uint8]:
    rows = np.frombuffer(b"".join(ids), np.uint8).reshape(-1, DIGEST_SIZE)
    return rows[order_of(rows)]
