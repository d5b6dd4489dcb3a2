"""What every store can do, in few words (spec §50.1).

A store holds chunks by id, recipes by digest, and says which releases it holds
whole. Content goes in first and means nothing yet: a release is there once it is
committed, and only what a committed release uses is kept for good.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What callers may count on.

    ``durable``: what was committed survives a loss of power. ``stable``: a chunk
    that is held stays held until ``collect``; without it, whoever owns the files
    may change them at any time. ``writable`` and ``collects`` say that the store
    is a ``Store`` and that ``collect`` gives room back.
    """

    writable: bool
    durable: bool
    stable: bool
    collects: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Which store this is: a random id of 32 hexadecimal digits, made once.

    ``generation`` grows whenever chunks may have left the store, so a receipt of
    an older generation promises nothing (rule 50.1.4).
    """

    id: str
    generation: int


@dataclass(frozen=True, slots=True)
class Committed:
    """One release that a store holds whole.

    ``stream`` is the stream's id and ``name`` its label, ``digest`` names the
    release and ``recipes`` those of its artifacts, in their order, as digest
    texts. ``envelope`` is the signed release as it came, empty in a store that
    keeps only its digest. ``papers`` are what came beside it, for whoever sends it
    on: approval.md, detached signatures and trust files, by their names in a bundle.
    """

    stream: str
    name: str
    seq: int
    digest: str
    recipes: tuple[str, ...]
    envelope: bytes = b""
    papers: Mapping[str, bytes] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Retention:
    """What a collection keeps: the newest ``keep`` releases of each stream.

    ``pins`` are digests of releases that stay whatever their age.
    """

    keep: int = 1
    pins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection dropped, or would drop; ``generation`` is the one after it."""

    releases: tuple[Committed, ...]
    recipes: int
    chunks: int
    bytes: int
    generation: int


class ReadStore(ABC):
    """The half of a store that answers."""

    capabilities: ClassVar[Capabilities]

    @abstractmethod
    async def identity(self) -> Identity:
        """Return which store this is, and its generation."""

    @abstractmethod
    async def has_many(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether its chunk is held.

        Raises:
            StoreError: the store cannot be read.
        """

    @abstractmethod
    async def read(self, chunk: bytes) -> bytes:
        """Return the bytes of the chunk with this id, hashed again (rule 50.1.2).

        Raises:
            NotFoundError: the store does not hold it.
            IntegrityError, FormatError: what is stored for it is damaged.
            StoreError: the store cannot be read.
        """

    @abstractmethod
    def list(self) -> AsyncIterator[NDArray[np.uint8]]:
        """Yield the ids of all chunks as rows of 32 bytes, each once, in batches.

        Raises:
            StoreError: the store cannot be read.
        """

    @abstractmethod
    async def recipe(self, digest: str) -> bytes:
        """Return the recipe with this digest text, hashed again.

        Raises:
            NotFoundError: the store does not hold it.
            IntegrityError: what is stored for it is damaged.
            StoreError: the store cannot be read.
        """

    @abstractmethod
    async def releases(self) -> tuple[Committed, ...]:
        """Return the releases held whole, by stream and number.

        Raises:
            StoreError: the store cannot be read.
        """


class Store(ReadStore):
    """A store that also takes."""

    @abstractmethod
    async def put(self, chunks: Iterable[bytes]) -> NDArray[np.uint8]:
        """Hold these chunks, each of 1 to ``MAX_CHUNK`` bytes; return their ids.

        Those that are held already cost nothing.

        Raises:
            LimitError: one is empty or too large (rule 5.2.12).
            TargetError: the store cannot take them.
        """

    @abstractmethod
    async def put_recipe(self, recipe: bytes) -> str:
        """Hold a recipe and return its digest text.

        Raises:
            FormatError: it is no recipe.
            TargetError: the store cannot take it.
        """

    @abstractmethod
    async def commit(self, release: Committed) -> None:
        """Hold a release, now that everything it uses is held; once is enough.

        Raises:
            MissingError: a recipe or a chunk it uses is not held (rule 50.1.3).
            TargetError: the store cannot take it.
        """

    @abstractmethod
    async def collect(
        self, retention: Retention, *, dry_run: bool = False
    ) -> Collected:
        """Drop old releases and everything that no release kept uses.

        Raises:
            UsageError: a pin names a release that is not held.
            FormatError, IntegrityError: a recipe in use is damaged; nothing is
                dropped.
            TargetError: the store cannot be changed.
        """


class VolumeStore(Store):
    """A store that takes whole volumes, by way of files on this machine."""

    @abstractmethod
    async def begin(self) -> None:
        """Get ready to take volumes.

        Raises:
            TransientError: somebody collects.
            StoreError, TargetError: the store cannot be read or written.
        """

    @abstractmethod
    async def keeps(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` whether its chunk is held, and is to stay.

        Raises:
            StoreError, TargetError: the store cannot be read.
        """

    @abstractmethod
    def temporary(self) -> Path:
        """Return a new name for a volume that is on its way.

        Raises:
            TargetError: there is no place for it.
        """

    @abstractmethod
    def require_space(self, sizes: Sequence[int]) -> None:
        """Refuse volumes of these bytes where there is no room for them.

        Raises:
            SpaceError: there is not.
            TargetError: nobody can say.
        """

    @abstractmethod
    async def adopt(self, path: Path) -> bool:
        """Check a flushed volume at a ``temporary`` path, and take it; it moves.

        Returns false, and removes it, where all of its chunks are held already.

        Raises:
            FormatError, IntegrityError: a frame or a chunk of it is damaged.
            TargetError, TransientError: the store cannot take it.
        """
