"""A store in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.store.memory import MemoryStore
from tests.store.suite import StoreSuite

if TYPE_CHECKING:
    from pathlib import Path


class TestMemoryStore(StoreSuite):
    """A store of dictionaries does what every store does."""

    def make(self, path: Path) -> MemoryStore:
        assert not path.exists()
        return MemoryStore()
