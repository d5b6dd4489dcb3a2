"""Packs into a bucket: the pack first, then an index object that covers it (§51.5)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from bundle.durable import target_errors
from bundle.s3.upload import Content as FileContent
from bundle.store.pack import Pack
from bundle.store.s3_names import INDEXES, PACKS, Content, index_key, parse_index

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bundle.format.index import VolumeIndex
    from bundle.store.s3_state import S3State

MERGED: Final = 16
"""Index objects that become one, when there are twice as many."""


@dataclass(frozen=True, slots=True, eq=False)
class _Volume:
    """A finished volume in a file of this machine."""

    content: FileContent
    digest: bytes
    index: VolumeIndex
    end: int


class PackShelf:
    """The packs of one store, as a writer sees them."""

    def __init__(self, state: S3State) -> None:
        self._state = state

    async def take(self, path: Path) -> Content:
        """Make a pack of a verified volume, which goes from this machine.

        Raises:
            FormatError, IntegrityError: it is no volume.
            TargetError, TransientError: the server does not take it.
        """
        state = self._state
        volume = await asyncio.to_thread(_look, path)
        pack = Content(volume.digest, await state.count())
        staying = (one for one in state.packs if PACKS.key(one) not in state.leaving)
        same = next((one for one in staying if one.digest == pack.digest), None)
        if same is None:
            await self._upload(PACKS.key(pack), volume.content)
            state.packs[pack] = volume.content.size
        pack = same or pack
        if state.index.lacking([pack]):
            await state.learn(pack, volume.index, volume.end)
        await self.publish([pack])
        await asyncio.to_thread(remove, path)
        return pack

    async def publish(self, packs: Iterable[Content]) -> str:
        """Put an index object over these packs; return its name.

        Raises:
            TargetError, TransientError: the server does not take it.
        """
        state, chosen = self._state, list(packs)
        path = state.temporary()
        try:
            name = await asyncio.to_thread(state.index.write_object, chosen, path)
            content = await asyncio.to_thread(_content, path)
            await self._upload(index_key(name), content)
            await asyncio.to_thread(state.index.cover, name, chosen)
        finally:
            await asyncio.to_thread(remove, path)
        return name

    async def _upload(self, name: str, content: FileContent) -> None:
        journals = self._state.index.root / "uploads"
        await self._state.place.upload(name, content, journals)

    async def merge(self, *, everything: bool = False) -> None:
        """Make one index object of many, where there are many, or of all.

        The new one is there before the old ones go. What packs say themselves is
        never lost by this.

        Raises:
            TargetError, TransientError: the server does not do it.
        """
        state = self._state
        listed = await state.place.list(INDEXES)
        known = [
            (one.size, name)
            for one in listed
            if (name := parse_index(one.key)) is not None
            and state.index.has_taken(name)
        ]
        if not everything and len(known) < 2 * MERGED:
            return
        old = [name for _, name in sorted(known)]
        old = old if everything else old[:MERGED]
        covered = {text for name in old for text in state.index.taken(name)}
        packs = [pack for pack in state.packs if everything or str(pack) in covered]
        packs = [pack for pack in packs if not state.index.lacking([pack])]
        new = await self.publish(packs) if packs else ""
        for name in old:
            if name != new:
                await state.place.delete(index_key(name))
                await asyncio.to_thread(state.index.uncover, name)


def remove(path: Path) -> None:
    """Remove a file of this machine, if it is there.

    Raises:
        TargetError: the file system refuses.
    """
    with target_errors(path):
        path.unlink(missing_ok=True)


def _look(path: Path) -> _Volume:
    with Pack(path) as pack:
        index, end = pack.index(), pack.tail().index_offset
    hasher = blake3()
    with target_errors(path):
        hasher.update_mmap(path)
    return _Volume(_content(path), hasher.digest(), index, end)


def _content(path: Path) -> FileContent:
    with target_errors(path), path.open("rb") as file:
        digest = hashlib.file_digest(file, hashlib.sha256)
        return FileContent(path, file.tell(), digest.digest())
