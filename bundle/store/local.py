"""A store in a directory: packs, an index over them, recipes, releases (spec §50).

Whatever is written is first complete and durable under a name that nothing looks
at, then renamed: packs, index, recipes, the release, and last the commit
pointer. So a crash leaves at most content that no release uses yet.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, ClassVar, Self

from bundle.digest import Digest, digest_of
from bundle.durable import make_directory, target_errors, write_file
from bundle.errors import IntegrityError, NotFoundError, SpaceError, StoreError
from bundle.format.recipe import Recipe
from bundle.store.base import Capabilities, Committed, Identity, VolumeStore
from bundle.store.collect import collect
from bundle.store.papers import Papers
from bundle.store.place import Place, make_place
from bundle.store.pointers import Pointers
from bundle.store.use import check_held, check_recipe, order
from bundle.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bundle.store.base import Collected, Retention


class LocalStore(VolumeStore):
    """The store in one directory; safe to use from several tasks and threads."""

    capabilities: ClassVar = Capabilities(
        writable=True, durable=True, stable=True, collects=True
    )

    def __init__(self, root: Path) -> None:
        """Open the store that is in the directory ``root``; writes nothing.

        Raises:
            MissingError: there is none.
            FormatError, StoreError: it is damaged, or cannot be read.
        """
        self.place = Place(root)
        self.vault = Vault(self.place)
        self.pointers = Pointers(self.place.commits)
        self.papers = Papers(self.place.papers)

    @classmethod
    def make(cls, root: Path) -> Self:
        """Return the store in the directory ``root``, made if there is none.

        Raises:
            TargetError: the directory is something else's, or cannot be made.
            FormatError, StoreError: it is damaged, or cannot be read.
        """
        make_place(root)
        return cls(root)

    def close(self) -> None:
        """Give everything back; nothing is lost by not calling it."""
        self.vault.close()
        self.place.end()

    async def identity(self) -> Identity:
        """Return the store's id and its generation now.

        Raises:
            StoreError: it cannot be read.
        """
        return self.place.identity()

    async def has_many(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether its chunk is held.

        Raises:
            StoreError: the store cannot be read.
        """
        return await asyncio.to_thread(self.vault.holds, ids)

    async def read(self, chunk: bytes) -> bytes:
        """Return a chunk, hashed again.

        Raises:
            NotFoundError: it is not held.
            IntegrityError, FormatError: what is stored for it is damaged.
            StoreError: the store cannot be read.
        """
        return await asyncio.to_thread(self.vault.fetch, chunk)

    async def list(self) -> AsyncIterator[NDArray[np.uint8]]:
        """Yield the ids of all chunks, ascending.

        Raises:
            StoreError: the store cannot be read.
        """
        for ids in self.vault.index.batches():
            yield ids
            await asyncio.sleep(0)

    async def recipe(self, digest: str) -> bytes:
        """Return a recipe, hashed again.

        Raises:
            NotFoundError: it is not held.
            IntegrityError: it is damaged.
            StoreError: the store cannot be read.
        """
        return await asyncio.to_thread(self.load_recipe, digest)

    def load_recipe(self, digest: str) -> bytes:
        """Return the same as ``recipe``, at once.

        Raises:
            NotFoundError, IntegrityError, StoreError: as ``recipe``.
        """
        data = _read(self.recipe_path(digest), f"recipe {digest}")
        check_recipe(digest, data)
        return data

    def recipe_path(self, digest: str) -> Path:
        """Return where the recipe with this digest is, or would be."""
        return self.place.recipes / f"{Digest.parse(digest).raw.hex()}.bdr"

    def release_path(self, digest: str) -> Path:
        """Return where the release with this digest is, or would be."""
        return self.place.releases / f"{Digest.parse(digest).raw.hex()}.json"

    async def releases(self) -> tuple[Committed, ...]:
        """Return the releases held whole; what came with one is in ``papers``.

        Raises:
            FormatError: a commit pointer is damaged.
            StoreError: the store cannot be read.
        """
        return order(
            self.with_envelope(pointer.release) for pointer in self.pointers.whole()
        )

    def with_envelope(self, release: Committed) -> Committed:
        """Return a release with its envelope, where the store has that.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            envelope = _read(self.release_path(release.digest), "")
        except NotFoundError:
            return release
        return Committed(
            release.stream,
            release.name,
            release.seq,
            release.digest,
            release.recipes,
            envelope,
        )

    async def put(self, chunks: Iterable[bytes]) -> NDArray[np.uint8]:
        """Hold chunks and return their ids.

        Raises:
            LimitError: one is empty or too large.
            TargetError: the store cannot take them.
            TransientError: somebody collects or rebuilds.
        """
        return await asyncio.to_thread(self.vault.put, chunks)

    async def begin(self) -> None:
        """Get ready to take volumes, and index what a crash left without an index.

        Raises:
            TransientError: somebody collects or rebuilds.
            TargetError: the file system refuses.
        """
        await asyncio.to_thread(self.vault.begin)

    async def keeps(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether its chunk is held.

        Raises:
            StoreError: the store cannot be read.
        """
        return await self.has_many(ids)

    def temporary(self) -> Path:
        """Return a new name for a volume that is on its way.

        Raises:
            TargetError: the file system refuses.
        """
        return self.place.temporary()

    def require_space(self, sizes: Sequence[int]) -> None:
        """Refuse volumes for which the file system has no room.

        Raises:
            SpaceError: they are larger than what is free.
            TargetError: the file system does not say.
        """
        root = self.place.root
        with target_errors(root):
            free = shutil.disk_usage(root).free
        if sum(sizes) > free:
            raise SpaceError(
                f"{root}: {sum(sizes)} bytes are needed and {free} are free",
                advice="'bundle store gc' gives back what old releases take",
            )

    async def adopt(self, path: Path) -> bool:
        """Check a flushed volume at a ``temporary`` path, and make a pack of it.

        Returns false, and removes it, where all of its chunks are held already.

        Raises:
            FormatError, IntegrityError: a frame or a chunk of it is damaged.
            TargetError: the store cannot take it.
        """
        return await asyncio.to_thread(self.vault.adopt, path)

    async def put_recipe(self, recipe: bytes) -> str:
        """Hold a recipe and return its digest.

        Raises:
            FormatError: it is no recipe.
            TargetError: the store cannot take it.
            TransientError: somebody collects or rebuilds.
        """
        return await asyncio.to_thread(self._put_recipe, recipe)

    def _put_recipe(self, recipe: bytes) -> str:
        Recipe.parse(recipe)
        digest = str(digest_of(recipe))
        self.place.begin()
        try:
            self.load_recipe(digest)
        except (NotFoundError, IntegrityError):
            make_directory(self.place.recipes)
            write_file(self.recipe_path(digest), recipe)
        return digest

    async def commit(self, release: Committed) -> None:
        """Hold a release, now that everything it uses is held.

        Raises:
            MissingError: a recipe or a chunk it uses is not held.
            TargetError: the store cannot take it.
            TransientError: somebody collects or rebuilds.
        """
        self.place.begin()
        before = self.place.identity()
        await check_held(self, release)
        known = {pointer.release.digest for pointer in self.pointers.whole()}
        if release.digest in known:
            await asyncio.to_thread(self.papers.keep, release.digest, release.papers)
        else:
            path = await asyncio.to_thread(self._commit, release)
            if self.place.identity() != before:
                await self._check_again(release, path)
        self.place.end()

    def _commit(self, release: Committed) -> Path:
        if release.envelope:
            make_directory(self.place.releases)
            write_file(self.release_path(release.digest), release.envelope)
        self.papers.keep(release.digest, release.papers)
        return self.pointers.write(release)

    async def _check_again(self, release: Committed, path: Path) -> None:
        """Take a commit back if something left while it was made (rule 50.5.6)."""
        try:
            await asyncio.to_thread(self.vault.reload)
            await check_held(self, release)
        except BaseException:
            await asyncio.to_thread(path.unlink)
            raise

    async def collect(
        self, retention: Retention, *, dry_run: bool = False
    ) -> Collected:
        """Drop old releases and the packs and recipes that no release kept uses.

        Chunks that share a pack with others in use may stay held.

        Raises:
            UsageError: a pin names a release that is not held.
            FormatError, IntegrityError: a recipe in use is damaged; nothing is
                dropped.
            TransientError: somebody else is changing the store.
            TargetError: the store cannot be changed.
        """
        return await asyncio.to_thread(collect, self, retention, dry_run=dry_run)


def _read(path: Path, noun: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{noun} is not in the store") from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
