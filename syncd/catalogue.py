"""The releases of a store, each read and checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.publisher import release_of

if TYPE_CHECKING:
    from bundle.format.release import Release
    from bundle.store.base import Committed, ReadStore


@dataclass(frozen=True, slots=True)
class Entry:
    """A release as the store has it, and what it says."""

    committed: Committed
    release: Release

    @property
    def bytes(self) -> int:
        """Bytes of all files of all its artifacts."""
        return sum(one.bytes for one in self.release.artifacts)


@dataclass(slots=True)
class Catalogue:
    """Remembers what releases say for as long as the store holds them."""

    store: ReadStore
    _entries: dict[str, Entry] = field(default_factory=dict)

    async def entries(self) -> tuple[Entry, ...]:
        """Return every release that the store holds whole, by stream and number.

        Raises:
            StoreError, FormatError, IntegrityError: the store is damaged.
        """
        known = self._entries
        self._entries = {
            one.digest: known.get(one.digest) or Entry(one, release_of(one))
            for one in await self.store.releases()
        }
        return tuple(self._entries.values())
