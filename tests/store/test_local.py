"""A store in a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.store.local import LocalStore
from tests.store.suite import StoreSuite

if TYPE_CHECKING:
    from pathlib import Path


class TestLocalStore(StoreSuite):
    """A store of packs does what every store does."""

    def make(self, path: Path) -> LocalStore:
        return LocalStore.make(path)
