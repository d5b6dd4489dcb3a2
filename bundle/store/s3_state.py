"""What is in a store in a bucket right now, as far as a listing says (spec §51.3)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.durable import make_directory, target_errors
from bundle.errors import (
    FormatError,
    IntegrityError,
    MissingError,
    NotFoundError,
    TargetError,
)
from bundle.format.columns import RECORD_SIZE
from bundle.format.index import VolumeIndex
from bundle.format.volume import parse_volume_tail
from bundle.limits import MAX_INDEX_OBJECT, MAX_LEAVING, MIB
from bundle.store.base import Identity
from bundle.store.s3_index import CachedIndex, name_of
from bundle.store.s3_names import (
    GENERATIONS,
    IDENTITIES,
    INDEXES,
    PACKS,
    Content,
    generation_key,
    is_generation,
    parse_identity,
    parse_index,
)
from bundle.wire import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bundle.store.s3_place import S3Place

_OURS: Final = (
    *("store/", "generations/", "packs/", "indexes/", "recipes/", "releases/"),
    *("papers/", "commits/"),
)
_ENDING: Final = 1 * MIB
"""Bytes at the end of a pack that are fetched at once: most indexes are in them."""


class _Leaving(msgspec.Struct, frozen=True):
    """What a generation says: the names of the objects that leave in it."""

    format: int
    leaves: tuple[str, ...]


class S3State:
    """One store as it was listed last; ``refresh`` looks again.

    ``packs`` are those in the bucket, with their sizes; ``leaving`` the names of
    all objects that some generation said would go.
    """

    def __init__(self, place: S3Place, cache: Path) -> None:
        self.place = place
        self.packs: dict[Content, int] = {}
        self.leaving: frozenset[str] = frozenset()
        self.generation = 0
        self._cache = cache
        self._index: CachedIndex | None = None
        self._lock = asyncio.Lock()

    @property
    def index(self) -> CachedIndex:
        """The copy of the index; there after ``refresh``."""
        if self._index is None:
            raise RuntimeError("a store is refreshed before it is used")
        return self._index

    async def ready(self) -> None:
        """Look once, if nobody has.

        Raises:
            MissingError: there is no store.
            TargetError, TransientError: the bucket or this machine refuses.
        """
        if self._index is None:
            await self.refresh()

    async def make(self) -> None:
        """Make the store, if there is none.

        Raises:
            TargetError: the prefix is something else's, or nothing can be put there.
            TransientError: the server does not manage to take it.
        """
        if await self._ids():
            return
        for one in await self.place.list(""):
            if not one.key.startswith(_OURS):
                raise TargetError(
                    f"{self.place.text()}: not empty, and not a store: {one.key}",
                    advice="name a new or an empty prefix",
                )
        await self.advance(())
        # Its id makes it a store; of several that try at once, the first one counts.
        await self.place.put(f"{IDENTITIES}{secrets.token_hex(16)}", b"")

    async def identity(self) -> Identity:
        """Return the store's id and its generation now.

        Raises:
            MissingError: there is no store.
            TargetError, TransientError: the bucket cannot be read.
        """
        ids = await self._ids()
        generations = await self._generations()
        if not ids or not generations:
            raise MissingError(
                f"{self.place.text()}: there is no store here",
                advice="'bundle store add' makes one",
            )
        return Identity(ids[0], len(generations))

    async def refresh(self) -> None:
        """Look again at what is in the bucket.

        Raises:
            MissingError: there is no store.
            FormatError: a generation is damaged (rule 51.3.3).
            TargetError, TransientError: the bucket or this machine refuses.
        """
        async with self._lock:
            if self._index is None:
                identity = await self.identity()
                self._index = CachedIndex(self._cache / identity.id)
            generations = await self._generations()
            leaving = await self._named(generations)
            listed = await self.place.list(PACKS.prefix)
            packs = {
                pack: one.size
                for one in listed
                if (pack := PACKS.parse(one.key)) is not None
            }
            await asyncio.to_thread(self._index.begin)
            try:
                await self._cover(self._index, packs)
            finally:
                self._index.end()
            self.packs, self.leaving = packs, leaving
            self.generation = len(generations)
            self.settle()

    def settle(self) -> None:
        """Let look-ups see the packs that are listed, and no others."""
        leaves = {pack for pack in self.packs if PACKS.key(pack) in self.leaving}
        self.index.set_packs(self.packs.keys() - leaves, leaves)

    async def learn(self, pack: Content, index: VolumeIndex, end: int) -> None:
        """Know the chunks of a pack from now on, as if it had been listed.

        Raises:
            TargetError: this machine cannot keep that.
        """
        async with self._lock:
            await asyncio.to_thread(self.index.begin)
            try:
                await asyncio.to_thread(self.index.add, pack, index, end)
            finally:
                self.index.end()
            self.settle()

    async def count(self) -> int:
        """Return the generation now; what was listed stays as it was.

        Raises:
            TargetError, TransientError: the bucket cannot be read.
        """
        return len(await self._generations())

    async def advance(self, leaves: Iterable[str]) -> int:
        """Count the generation up, and say what leaves in it; return it.

        Raises:
            TargetError, TransientError: the server does not take it.
        """
        number = await self.count() + 1
        document = write_json(_Leaving(1, tuple(leaves)))
        await self.place.put(generation_key(number, secrets.token_hex(8)), document)
        return await self.count()

    async def _ids(self) -> list[str]:
        listed = await self.place.list(IDENTITIES)
        return sorted(filter(None, (parse_identity(one.key) for one in listed)))

    async def _generations(self) -> list[str]:
        listed = await self.place.list(GENERATIONS)
        return [one.key for one in listed if is_generation(one.key)]

    async def _named(self, generations: Iterable[str]) -> frozenset[str]:
        """Return the names of all objects that these generations say leave."""
        names: set[str] = set()
        for key in generations:
            data = await self.small(key, MAX_LEAVING)
            document = read_json(data, _Leaving, limit=MAX_LEAVING, rule="51.3.3")
            if document.format != 1:
                raise FormatError(
                    f"{self.place.text(key)}: of a format nobody knows", rule="51.3.3"
                )
            names.update(document.leaves)
        return frozenset(names)

    async def small(self, key: str, limit: int) -> bytes:
        """Return an object that never changes: this machine's copy, if it has one.

        Raises:
            NotFoundError: there is none.
            TargetError, TransientError: it cannot be read.
        """
        data = await asyncio.to_thread(self.index.kept, key)
        if data is None:
            data = await self.place.get(key, limit)
            await asyncio.to_thread(self.index.keep, key, data)
        return data

    async def _cover(self, index: CachedIndex, packs: dict[Content, int]) -> None:
        """Bring what is not known about packs: from index objects, or from them."""
        lacking = index.lacking(packs)
        if lacking:
            listed = await self.place.list(INDEXES)
            for one in sorted(listed, key=lambda one: one.size):
                name = parse_index(one.key)
                if name is None or not lacking or index.has_taken(name):
                    continue
                await self._take(index, name, one.size, lacking)
                lacking = index.lacking(packs)
        for pack in sorted(lacking):
            with contextlib.suppress(NotFoundError, FormatError, IntegrityError):
                # A damaged pack holds nothing; 'store check' names it.
                volume, end = await self.pack_index(pack, packs[pack])
                await asyncio.to_thread(index.add, pack, volume, end)

    async def _take(
        self, index: CachedIndex, name: str, size: int, wanted: set[Content]
    ) -> None:
        """Take an index object in; one that is gone or damaged says nothing."""
        path = self.temporary()
        try:
            if size > MAX_INDEX_OBJECT:
                return
            await self.place.fetch(f"{INDEXES}{name}.bdx", size, path)
            if await asyncio.to_thread(name_of, path) == name:
                await asyncio.to_thread(index.take, name, path, wanted)
        except (NotFoundError, FormatError):
            return
        finally:
            with target_errors(path):
                path.unlink(missing_ok=True)

    async def pack_index(self, pack: Content, size: int) -> tuple[VolumeIndex, int]:
        """Return the index that a pack carries, and where its frames end.

        Raises:
            NotFoundError: the pack is gone.
            FormatError, IntegrityError: it is damaged.
            TargetError, TransientError: it cannot be read.
        """
        key, start = PACKS.key(pack), max(size - _ENDING, 0)
        data = await self.place.part(key, start, size - start)
        tail = parse_volume_tail(data[-RECORD_SIZE:], size)
        if tail.index_offset < start:
            data = await self.place.part(key, tail.index_offset, size)
            start = tail.index_offset
        at = tail.index_offset - start
        raw = data[at : at + tail.index_size]
        tail.check_index(raw)
        return VolumeIndex.parse(raw), tail.index_offset

    def temporary(self) -> Path:
        """Return a new name for a file of this machine.

        Raises:
            TargetError: there is no place for it.
        """
        directory = self.index.root / "tmp"
        make_directory(directory)
        return directory / secrets.token_hex(8)
