"""Targets that are a directory on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.store.inplace import LocalFiles
from bundle.target.base import Target

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.target.workspace import Workspace


class FolderTarget(Target):
    """A directory ``root``; ``workspace`` is on its file system, for renames."""

    def __init__(self, location: str, root: Path, workspace: Workspace) -> None:
        super().__init__(location, workspace)
        self.root = root

    def files(self) -> LocalFiles:
        """Return the files below ``root``."""
        return LocalFiles(self.root)
