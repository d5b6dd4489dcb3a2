"""How a recipe appears in a Hugging Face cache (spec chapter 30).

Blobs, then the links of snapshots, then ``.no_exist``, listings, and refs last,
each flushed before the next begins. Whatever is interrupted, a client that asks
for a ref finds the old snapshot or the new one, complete. No name but a final
one is ever seen below ``snapshots`` or ``refs``, where clients take every name
for a revision or a ref: everything is put together in ``.bundle`` and renamed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.durable import target_errors
from bundle.errors import TargetError
from bundle.target.base import Published
from bundle.target.hf_layout import (
    COMMIT_SIZE,
    blob_name,
    by_folder,
    is_commit,
    link_text,
)
from bundle.target.hf_listing import MAX_LISTING, listing_for
from bundle.target.ledger import ORIGINALS

if TYPE_CHECKING:
    from bundle.target.base import Staged
    from bundle.target.folder import Folder
    from bundle.target.handover import Handover
    from bundle.target.hf_layout import Item
    from bundle.target.hf_standing import Standing, Survey
    from bundle.target.workspace import Workspace


@dataclass(slots=True)
class Publication:
    """One publication of one recipe; use it once."""

    survey: Survey
    standing: Standing
    workspace: Workspace
    handover: Handover
    staged: Staged
    written_bytes: int = 0
    left_out: tuple[str, ...] = ()

    def run(self, hub: Folder) -> Published:
        """Write what differs, in order, and say how much that was.

        Raises:
            TargetError: something is in the way; what was there still loads.
        """
        layout, settled = self.survey.layout, self.standing.settled
        todo = [item for item in layout.items() if item.index not in settled]
        if todo:
            self._check_content()
            refs = self._read_refs(hub)
            with hub.made((layout.folder,)) as repository:
                if not self.survey.copy:
                    self._put_blobs(repository)
                for commit, items in layout.snapshots.items():
                    self._put_snapshot(repository, commit, items)
                self._put_markers(repository)
                self._put_listings(repository)
                self._put_refs(repository, refs)
        written = len(todo) - len(self.left_out)
        return Published(written, len(settled), self.written_bytes, self.left_out)

    def _open(self, items: list[Item]) -> list[Item]:
        """Return the items that something has to be written for."""
        return [item for item in items if item.index not in self.standing.settled]

    def _check_content(self) -> None:
        """Refuse before the first change what cannot be completed.

        Raises:
            TargetError: content that was here when ``missing`` looked is gone.
        """
        for index in self.survey.missing(self.standing):
            if self.staged(index) is None:
                path = self.survey.recipe.path(index)
                raise TargetError(
                    f"{self.survey.layout.folder}/{path}: changed while this run was "
                    "unpacking",
                    advice="stop whatever else writes there and run again",
                )

    def _read_refs(self, hub: Folder) -> list[tuple[Item, bytes]]:
        """Return the refs to write, each known to point to a snapshot.

        Raises:
            TargetError: one does not; a client would find nothing behind it.
        """
        refs = []
        layout = self.survey.layout
        with hub.below((layout.folder, "snapshots"), make=False) as snapshots:
            for item in self._open(layout.refs):
                data = self._read(item.index, COMMIT_SIZE)
                commit = data.decode("ascii", "replace")
                if commit not in layout.snapshots and not (
                    is_commit(commit)
                    and snapshots is not None
                    and snapshots.status(commit) is not None
                ):
                    raise TargetError(
                        f"{hub.path / layout.folder / item.key}: points to {commit!r}, "
                        "which is no snapshot here or in the bundle",
                        advice="pack the revision together with its ref",
                    )
                refs.append((item, data))
        return refs

    def _read(self, index: int, limit: int) -> bytes:
        """Return the content of a small staged file."""
        path = self.staged(index)
        if path is None:
            return b""
        with target_errors(path):
            descriptor = self.workspace.open_staged(path, os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(limit)

    def _put_blobs(self, repository: Folder) -> None:
        recipe = self.survey.recipe
        lacking = {
            blob_name(recipe, item.index): item.index
            for items in self.survey.layout.snapshots.values()
            for item in self._open(items)
        }
        for name in self.standing.blobs:
            lacking.pop(name, None)
        if not lacking:
            return
        with repository.made(("blobs",)) as blobs:
            for name, index in lacking.items():
                self._put_file(blobs, name, f"blobs/{name}", index)
            blobs.flush()

    def _put_file(self, folder: Folder, name: str, key: str, index: int) -> None:
        status = self.handover.put(self.staged(index), folder, name)
        self.survey.record.published(key, status, self.survey.sha256(index))
        self.written_bytes += status.st_size

    def _put_snapshot(self, repository: Folder, commit: str, items: list[Item]) -> None:
        """Make a snapshot appear at once, or add what one lacks name by name."""
        todo = self._open(items)
        if not todo:
            return
        if commit in self.standing.revisions:
            for parts, group in by_folder(todo):
                with repository.made(parts) as folder:
                    for item in group:
                        self._replace(folder, item)
                    folder.flush()
            return
        with repository.made(("snapshots",)) as snapshots:
            with self.workspace.building() as build:
                name = self.workspace.fresh()
                with build.made((name,)) as snapshot:
                    self._fill(snapshot, todo)
                build.move(name, snapshots, commit)
            self.handover.relocated(build.path / name, snapshots.path / commit)
            snapshots.flush()

    def _fill(self, snapshot: Folder, items: list[Item]) -> None:
        """Put a whole snapshot together where nobody sees it."""
        for parts, group in by_folder(items):
            with snapshot.made(parts[2:]) as folder:
                for item in group:
                    if self.survey.copy:
                        self._put_file(folder, item.parts[-1], item.key, item.index)
                    else:
                        folder.link(item.parts[-1], self._text(item))
                folder.flush()
        snapshot.flush()

    def _replace(self, folder: Folder, item: Item) -> None:
        """Put one name of a snapshot in place by a rename."""
        if self.survey.copy:
            self._put_file(folder, item.parts[-1], item.key, item.index)
            return
        with self.workspace.building() as build:
            name = self.workspace.fresh()
            build.link(name, self._text(item))
            build.move(name, folder, item.parts[-1])

    def _text(self, item: Item) -> str:
        return link_text(item, blob_name(self.survey.recipe, item.index))

    def _put_markers(self, repository: Folder) -> None:
        for parts, group in by_folder(self._open(self.survey.layout.no_exist)):
            with repository.made(parts) as folder:
                for item in group:
                    self.handover.put_bytes(b"", folder, item.parts[-1])
                folder.flush()

    def _put_listings(self, repository: Folder) -> None:
        record, digest = self.survey.record, self.survey.recipe_digest
        for item in self._open(self.survey.layout.trees):
            data = None
            if not record.was_omitted(item.key, digest):
                data = self._listing(item)
            if data is None:
                record.omitted(item.key, digest)
                self.left_out += (item.key,)
                continue
            with repository.made(("trees",)) as folder:
                status = self.handover.put_bytes(data, folder, item.parts[-1])
                record.published(item.key, status, self.survey.sha256(item.index))
                folder.flush()
            self.written_bytes += status.st_size

    def _listing(self, item: Item) -> bytes | None:
        """Return the listing as it is published, or None to leave it out.

        The original is kept: the next bundle may take its chunks for granted.
        """
        commit = item.parts[-1].removesuffix(".json")
        snapshot = self.survey.layout.snapshots.get(commit, [])
        files = {"/".join(entry.parts[2:]) for entry in snapshot}
        original = self._read(item.index, MAX_LISTING + 1)
        published = listing_for(original, files)
        if published != original and len(original) <= MAX_LISTING:
            name = self.survey.sha256(item.index).hex()
            self.workspace.write((ORIGINALS, name), original)
        return published

    def _put_refs(self, repository: Folder, refs: list[tuple[Item, bytes]]) -> None:
        for item, data in refs:
            with repository.made(item.parts[:-1]) as folder:
                status = self.handover.put_bytes(data, folder, item.parts[-1])
                self.survey.record.published(
                    item.key, status, self.survey.sha256(item.index)
                )
                folder.flush()
            self.written_bytes += status.st_size
