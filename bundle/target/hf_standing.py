"""What of one recipe a Hugging Face cache holds already."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from bundle.errors import TargetError
from bundle.target.hf_layout import COMMIT_SIZE, blob_name, by_folder, link_text
from bundle.target.hf_listing import MAX_LISTING, mentions_xet

if TYPE_CHECKING:
    from bundle.format.recipe import Recipe
    from bundle.target.folder import Folder
    from bundle.target.hf_layout import Item, Layout
    from bundle.target.record import Record

_SHARED: Final = re.compile(r"\.\./\.\./blobs/([0-9a-f]{2})/([0-9a-f]{64})", re.ASCII)


@dataclass(slots=True)
class Standing:
    """What is here and right."""

    blobs: set[str] = field(default_factory=set)
    """Names of blobs with the content that the recipe has for them."""

    revisions: set[str] = field(default_factory=set)
    """Commits whose directory exists, complete or not."""

    settled: set[int] = field(default_factory=set)
    """Files for which nothing has to be written."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Compares a recipe with a cache; reads and never writes.

    ``copy`` looks for real files in the snapshots instead of blobs and links.
    """

    layout: Layout
    recipe: Recipe
    recipe_digest: str
    record: Record
    copy: bool

    def look(self, hub: Folder | None) -> Standing:
        """Return what the cache holds.

        Raises:
            TargetError: a link is planted where we would write, or a directory
                is in place of a file.
        """
        standing = Standing()
        if hub is None:
            return standing
        with hub.below((self.layout.folder,), make=False) as repository:
            if repository is not None:
                if not self.copy:
                    self._look_at_blobs(hub, repository, standing)
                for commit, items in self.layout.snapshots.items():
                    self._look_at_snapshot(repository, commit, items, standing)
                self._look_at_rest(repository, standing)
        return standing

    def missing(self, standing: Standing) -> list[int]:
        """Return the files whose content has to be staged."""
        lacking = [
            item.index
            for items in self.layout.snapshots.values()
            for item in items
            if self.recipe.sizes[item.index]
            and item.index not in standing.settled
            and blob_name(self.recipe, item.index) not in standing.blobs
        ]
        lacking += [
            item.index
            for item in (*self.layout.trees, *self.layout.refs)
            if item.index not in standing.settled
            and not self.record.was_omitted(item.key, self.recipe_digest)
        ]
        return sorted(lacking)

    def sha256(self, index: int) -> bytes:
        """Return the SHA-256 that the recipe has for a file."""
        return bytes(self.recipe.sha256[index])

    def _look_at_blobs(
        self, hub: Folder, repository: Folder, standing: Standing
    ) -> None:
        with repository.below(("blobs",), make=False) as blobs:
            if blobs is None:
                return
            seen: set[str] = set()
            for items in self.layout.snapshots.values():
                for item in items:
                    name = blob_name(self.recipe, item.index)
                    if name in seen:
                        continue
                    seen.add(name)
                    if self._is_blob(hub, blobs, name, item.index):
                        standing.blobs.add(name)

    def _is_blob(self, hub: Folder, blobs: Folder, name: str, index: int) -> bool:
        """Return whether a blob is right, here or in the store that clients share."""
        status = blobs.status(name)
        if status is None:
            return False
        _refuse_directory(blobs, name, status.st_mode)
        key = f"blobs/{name}"
        if stat.S_ISREG(status.st_mode):
            return status.st_size == self.recipe.sizes[index] and self.record.holds(
                key, blobs, name, self.sha256(index)
            )
        shared = _SHARED.fullmatch(blobs.link_text(name) or "")
        if shared is None:
            return False
        with hub.below(("blobs", shared[1]), make=False) as store:
            return store is not None and self.record.holds(
                key, store, shared[2], self.sha256(index)
            )

    def _look_at_snapshot(
        self, repository: Folder, commit: str, items: list[Item], standing: Standing
    ) -> None:
        with repository.below(("snapshots", commit), make=False) as snapshot:
            if snapshot is None:
                return
            standing.revisions.add(commit)
            for parts, group in by_folder(items):
                with snapshot.below(parts[2:], make=False) as folder:
                    if folder is None:
                        continue
                    standing.settled.update(
                        item.index
                        for item in group
                        if self._is_settled(folder, item, standing)
                    )

    def _is_settled(self, folder: Folder, item: Item, standing: Standing) -> bool:
        """Return whether a client finds the right content at this name."""
        name = item.parts[-1]
        status = folder.status(name)
        if status is None:
            return False
        _refuse_directory(folder, name, status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            blob = blob_name(self.recipe, item.index)
            expected = link_text(item, blob)
            return blob in standing.blobs and folder.link_text(name) == expected
        return status.st_size == self.recipe.sizes[item.index] and self.record.holds(
            item.key, folder, name, self.sha256(item.index)
        )

    def _look_at_rest(self, repository: Folder, standing: Standing) -> None:
        areas = (
            (self.layout.no_exist, self._is_marker),
            (self.layout.trees, self._is_listing),
            (self.layout.refs, self._is_ref),
        )
        for items, is_settled in areas:
            for parts, group in by_folder(items):
                with repository.below(parts, make=False) as folder:
                    if folder is None:
                        continue
                    standing.settled.update(
                        item.index for item in group if is_settled(folder, item)
                    )

    def _is_marker(self, folder: Folder, item: Item) -> bool:
        status = folder.status(item.parts[-1])
        return status is not None and stat.S_ISREG(status.st_mode)

    def _is_listing(self, folder: Folder, item: Item) -> bool:
        name, expected = item.parts[-1], self.sha256(item.index)
        if self.record.remembers(item.key, folder, name, expected):
            return True
        data = folder.read(name, MAX_LISTING)
        return (
            data is not None
            and not mentions_xet(data)
            and sha256(data).digest() == expected
        )

    def _is_ref(self, folder: Folder, item: Item) -> bool:
        name = item.parts[-1]
        status = folder.status(name)
        if status is None:
            return False
        _refuse_directory(folder, name, status.st_mode)
        return status.st_size == COMMIT_SIZE and self.record.holds(
            item.key, folder, name, self.sha256(item.index)
        )


def _refuse_directory(folder: Folder, name: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise TargetError(
            f"{folder.path / name}: a directory is in place of a file",
            advice="move it elsewhere and run again",
        )
