"""A store in a bucket: for an estate that is larger than one machine (spec §51).

Everything in it is an object that is put once, under a name that says what it is:
packs, index objects over them, recipes, releases, and last the commit pointer. Any
number of machines read it. One writes, by word of whoever runs them; nothing in
the bucket enforces that, since conditions on requests are ignored by too many
servers. Two that write by mistake lose nothing: what a collection is about to
remove is said first, and whoever commits looks again after the pointer is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from bundle.codec.codec import Decoder
from bundle.digest import DIGEST_SIZE, digest_of
from bundle.durable import target_errors
from bundle.errors import (
    BundleError,
    IntegrityError,
    MissingError,
    NotFoundError,
    SpaceError,
    TransientError,
)
from bundle.format.columns import windows
from bundle.format.recipe import Recipe
from bundle.limits import MAX_RECIPE
from bundle.store.base import Capabilities, Committed, Identity, VolumeStore
from bundle.store.pack import Pack
from bundle.store.pack_writer import packs_of
from bundle.store.s3_collect import collect
from bundle.store.s3_names import RECIPES
from bundle.store.s3_packs import PackShelf, remove
from bundle.store.s3_pointers import S3Pointers, newest_of, put_content
from bundle.store.s3_reading import BATCH, ChunkFetcher, Fetched, ReadQueue
from bundle.store.s3_state import S3State
from bundle.store.use import check_held, check_recipe, fresh_chunks, order

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Iterable,
        Sequence,
    )
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from bundle.store.base import Collected, Retention
    from bundle.store.s3_place import S3Place


class S3Store(VolumeStore):
    """The store at one address, inside ``async with``; for one event loop."""

    capabilities: ClassVar = Capabilities(
        writable=True, durable=True, stable=True, collects=True
    )

    def __init__(self, place: S3Place, cache: Path) -> None:
        """Know where the store is; nothing is asked yet.

        ``cache`` is a directory of this machine for copies of what never changes.
        """
        self.place = place
        self.state = S3State(self.place, cache)
        self.packs = PackShelf(self.state)
        self.pointers = S3Pointers(self.state)
        self._fetcher = ChunkFetcher(self.state)
        self._queue = ReadQueue(self._fetch)

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            TargetError: the settings make no sense.
        """
        await self.place.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self.place.__aexit__(kind, error, trace)

    async def make(self) -> None:
        """Make the store, if there is none.

        Raises:
            TargetError: the prefix is something else's, or nothing can be put there.
            TransientError: the server does not manage to take it.
        """
        await self.state.make()

    async def identity(self) -> Identity:
        """Return the store's id and its generation now.

        Raises:
            MissingError: there is no store.
            TargetError, TransientError: the bucket cannot be read.
        """
        return await self.state.identity()

    async def has_many(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether its chunk is held.

        Raises:
            MissingError: there is no store.
            TargetError, TransientError: the bucket cannot be read.
        """
        await self.state.ready()
        found = await asyncio.to_thread(self.state.index.locate, ids, leaving=True)
        return found.held

    async def read(self, chunk: bytes) -> bytes:
        """Return a chunk, hashed again.

        Raises:
            NotFoundError: it is not held.
            IntegrityError, FormatError: what is stored for it is damaged.
            TargetError, TransientError: the bucket cannot be read.
        """
        return await self._queue.read(chunk)

    async def read_many(self, ids: NDArray[np.uint8]) -> list[bytes | None]:
        """Return the chunk of each row of ``ids``, None where there is none to give.

        Those that lie near one another come with one request.

        Raises:
            MissingError: there is no store.
            TargetError, TransientError: the bucket cannot be read.
        """
        found: list[bytes | None] = []
        for start, end in windows(0, len(ids), step=BATCH):
            chunks = await self._fetch(ids[start:end])
            found += [one if isinstance(one, bytes) else None for one in chunks]
        return found

    async def _fetch(self, ids: NDArray[np.uint8]) -> list[Fetched]:
        await self.state.ready()
        found = await self._fetcher.fetch(ids)
        located = await asyncio.to_thread(self.state.index.locate, ids, leaving=True)
        wrong = [
            row
            for row, one in enumerate(found)
            if isinstance(one, BundleError) and located.held[row]
        ]
        if wrong:
            # A collection may have moved it to another pack since.
            self._fetcher.forget()
            await self.state.refresh()
            again = await self._fetcher.fetch(ids[wrong])
            for row, one in zip(wrong, again, strict=True):
                found[row] = one
        return found

    async def list(self) -> AsyncIterator[NDArray[np.uint8]]:
        """Yield the ids of all chunks, ascending.

        Raises:
            MissingError: there is no store.
            TargetError, TransientError: the bucket cannot be read.
        """
        await self.state.ready()
        for ids in self.state.index.batches():
            yield ids
            await asyncio.sleep(0)

    async def recipe(self, digest: str) -> bytes:
        """Return a recipe, hashed again.

        Raises:
            NotFoundError: it is not held.
            IntegrityError: it is damaged.
            TargetError, TransientError: the bucket cannot be read.
        """
        await self.state.ready()
        return await self._recipe(digest, leaving=True)

    async def _recipe(self, digest: str, *, leaving: bool) -> bytes:
        found = await newest_of(self.state, RECIPES, digest)
        if found is None or (not leaving and RECIPES.key(found) in self.state.leaving):
            raise NotFoundError(f"recipe {digest} is not in the store")
        key = RECIPES.key(found)
        data = await self.state.small(key, MAX_RECIPE)
        try:
            check_recipe(digest, data)
        except IntegrityError:
            # The copy on this machine may be what is damaged.
            await asyncio.to_thread(self.state.index.drop, key)
            data = await self.state.small(key, MAX_RECIPE)
            check_recipe(digest, data)
        return data

    async def releases(self) -> tuple[Committed, ...]:
        """Return the releases held whole.

        Raises:
            FormatError: a commit pointer is damaged.
            TargetError, TransientError: the bucket cannot be read.
        """
        await self.state.ready()
        once = {one.release.digest: one.release for one in await self.pointers.all()}
        found = [await self.pointers.with_envelope(one) for one in once.values()]
        return order(found)

    async def put(self, chunks: Iterable[bytes]) -> NDArray[np.uint8]:
        """Hold chunks and return their ids.

        Raises:
            LimitError: one is empty or too large.
            TargetError, TransientError: the server does not take them.
        """
        await self.state.ready()
        ids = bytearray()
        fresh = fresh_chunks(chunks, ids, self._stays)
        with contextlib.closing(packs_of(fresh, self.state.temporary)) as packs:
            while (path := await asyncio.to_thread(next, packs, None)) is not None:
                await self.packs.take(path)
        return np.frombuffer(bytes(ids), np.uint8).reshape(-1, DIGEST_SIZE)

    def _stays(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return self.state.index.locate(ids, leaving=False).held

    async def begin(self) -> None:
        """Make the store if there is none, and look at what is in it.

        Raises:
            TargetError, TransientError: the bucket or this machine refuses.
        """
        await self.make()
        await self.state.refresh()

    async def keeps(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` whether its chunk is held and does not leave.

        Raises:
            TargetError, TransientError: the bucket cannot be read.
        """
        await self.state.ready()
        return await asyncio.to_thread(self._stays, ids)

    def temporary(self) -> Path:
        """Return a new name for a volume on its way through this machine.

        Raises:
            TargetError: there is no place for it.
        """
        return self.state.temporary()

    def require_space(self, sizes: Sequence[int]) -> None:
        """Refuse volumes where this machine has no room for one after the other.

        Raises:
            SpaceError: one is larger than what is free.
            TargetError: the file system does not say.
        """
        root = self.state.index.root
        with target_errors(root):
            free = shutil.disk_usage(root).free
        if max(sizes, default=0) > free:
            raise SpaceError(
                f"{root}: {max(sizes)} bytes are needed and {free} are free",
                advice="volumes pass through this directory one after the other; "
                "XDG_CACHE_HOME names another",
            )

    async def adopt(self, path: Path) -> bool:
        """Check a flushed volume at a ``temporary`` path, and make a pack of it.

        Returns false, and removes it, where all of its chunks are held already.

        Raises:
            FormatError, IntegrityError: a frame or a chunk of it is damaged.
            TargetError, TransientError: the server does not take it.
        """
        ids = await asyncio.to_thread(_verified, path)
        if (await self.keeps(ids)).all():
            await asyncio.to_thread(remove, path)
            return False
        await self.packs.take(path)
        return True

    async def put_recipe(self, recipe: bytes) -> str:
        """Hold a recipe and return its digest.

        Raises:
            FormatError: it is no recipe.
            TargetError, TransientError: the server does not take it.
        """
        await self.state.ready()
        Recipe.parse(recipe)
        digest = str(digest_of(recipe))
        await put_content(self.state, RECIPES, digest, recipe)
        return digest

    async def commit(self, release: Committed) -> None:
        """Hold a release, now that everything it uses is held.

        Raises:
            MissingError: a recipe or a chunk it uses is not held.
            TargetError: the server does not take it.
            TransientError: the server does not manage to, or somebody collects and
                something of it is about to leave.
        """
        await self.state.refresh()
        before = self.state.generation
        await check_held(_Staying(self), release)
        known = {one.release.digest for one in await self.pointers.all()}
        if release.digest in known:
            await self.pointers.put_papers(release)
            return
        commit = await self.pointers.put(release)
        if await self.state.count() != before:
            try:
                await self.state.refresh()
                await check_held(_Staying(self), release)
            except BaseException as error:
                await self.pointers.remove([commit])
                if not isinstance(error, MissingError):
                    raise
                raise TransientError(
                    f"{self.place.text()}: somebody removes what release "
                    f"{release.seq} of {release.name} uses",
                    advice="let one machine write at a time, and run it again",
                ) from error
        await self.packs.merge()

    async def collect(
        self, retention: Retention, *, dry_run: bool = False
    ) -> Collected:
        """Drop old releases and the packs and recipes that no release kept uses.

        Chunks that share a pack with others in use may stay held.

        Raises:
            UsageError: a pin names a release that is not held.
            FormatError, IntegrityError: a recipe in use is damaged; nothing is
                dropped.
            MissingError: a release is not whole; nothing is dropped.
            TargetError, TransientError: the bucket cannot be changed.
        """
        return await collect(self, retention, dry_run=dry_run)


class _Staying:
    """What a store holds and nobody said would leave."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    async def has_many(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether its chunk is held."""
        return await asyncio.to_thread(self._store._stays, ids)  # noqa: SLF001 - a view of it

    async def recipe(self, digest: str) -> bytes:
        """Return a recipe, hashed again."""
        return await self._store._recipe(digest, leaving=False)  # noqa: SLF001 - a view of it


def _verified(path: Path) -> NDArray[np.uint8]:
    """Check every frame and chunk of a volume; return the ids of its chunks."""
    with Pack(path) as pack:
        return pack.verify(Decoder()).ids
