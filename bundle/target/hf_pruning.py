"""What leaves one repository of a Hugging Face cache (spec §60.3).

Refs, then listings and markers, revisions, and blobs last: whatever is cut
off, a ref that is there leads to a snapshot, and a link to a blob. A revision goes
whole, by one rename, and only if nothing but what was published here is in it and
no ref leads to it. A blob goes if no link of any revision leads to it.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from bundle.target.hf_layout import COMMIT_SIZE, blob_name, link_text
from bundle.target.hf_listing import MAX_LISTING, listing_for
from bundle.target.ledger import ORIGINALS
from bundle.target.removal import above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bundle.format.recipe import Recipe
    from bundle.target.folder import Folder
    from bundle.target.hf_layout import Item, Layout
    from bundle.target.record import Record
    from bundle.target.removal import Removal
    from bundle.target.workspace import Workspace

    Forms = list[tuple["Version", Item]]
    """A path in versions that are gone: how it may be published."""


@dataclass(frozen=True)
class Version:
    """One recipe of a repository."""

    layout: Layout
    recipe: Recipe

    @cached_property
    def items(self) -> dict[str, Item]:
        """Its files by their path below the repository."""
        return {item.key: item for item in self.layout.items()}

    @cached_property
    def blobs(self) -> dict[str, int]:
        """The sizes of its blobs by their names."""
        return {
            blob_name(self.recipe, item.index): int(self.recipe.sizes[item.index])
            for items in self.layout.snapshots.values()
            for item in items
        }

    def sha256(self, item: Item) -> bytes:
        """Return the SHA-256 of a file."""
        return bytes(self.recipe.sha256[item.index])


@dataclass(slots=True)
class RepositoryPruning:
    """Removes what ``gone`` has and ``kept`` has not; use it once.

    ``kept_commits`` stay whatever else is in them, ``held`` for what is in them or
    leads to them that was not published here.
    """

    removal: Removal
    workspace: Workspace
    record: Record
    kept: tuple[Version, ...]
    gone: tuple[Version, ...]
    kept_commits: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Remove it in order; what is in the way is named and stays.

        Raises:
            TargetError: the system does not let us.
        """
        self.kept_commits = {one for each in self.kept for one in each.layout.snapshots}
        refs = self._left("refs")
        content = {key: [one.sha256(it) for one, it in refs[key]] for key in refs}
        self.removal.remove(content, self.record.holds)
        snapshots = self._left("snapshots")
        self._look(snapshots)
        self._remove(self._left("trees"), self._is_listing)
        self._remove(self._left(".no_exist"), _is_marker)
        self._remove_snapshots(snapshots)
        self._remove_blobs()
        self._remove_directories()

    def _left(self, area: str) -> dict[str, Forms]:
        """Return what only versions that are gone have below a directory, by path."""
        kept = {key for one in self.kept for key in one.items}
        found: dict[str, Forms] = {}
        for one in self.gone:
            for key, item in one.items.items():
                if item.parts[0] == area and key not in kept:
                    found.setdefault(key, []).append((one, item))
        return found

    def _look(self, left: dict[str, Forms]) -> None:
        """Find the revisions that have to stay although no kept release has them."""
        commits = {_commit(key) for key in left} - self.kept_commits
        with self.removal.opened(("refs",)) as refs:
            for _, folder, name in () if refs is None else _walk(refs):
                data = folder.read(name, COMMIT_SIZE) or b""
                commit = data.decode("ascii", "replace")
                if commit in commits:
                    self.held.add(commit)
                    self.removal.stays(f"snapshots/{commit}", "a ref leads to it")
        for commit in sorted(commits - self.held):
            place = ("snapshots", commit)
            with self.removal.opened(place) as snapshot:
                for parts, folder, name in () if snapshot is None else _walk(snapshot):
                    key = "/".join((*place, *parts, name))
                    if not self._is_ours(folder, name, left.get(key, [])):
                        self.held.add(commit)
                        self.removal.stays(
                            key, "was not published like this, its revision stays"
                        )

    def _is_ours(self, folder: Folder, name: str, forms: Forms) -> bool:
        """Return whether a name of a snapshot is as it was published."""
        text = folder.link_text(name)
        if text is not None:
            return any(
                text == link_text(item, blob_name(version.recipe, item.index))
                for version, item in forms
            )
        return any(
            self.record.holds(item.key, folder, name, version.sha256(item))
            for version, item in forms
        )

    def _remove(
        self, left: dict[str, Forms], is_ours: Callable[[Folder, str, Forms], bool]
    ) -> None:
        """Remove names of revisions that are not held, one by one."""
        going = {key for key in left if _commit(key) not in self.held}

        def holds(key: str, folder: Folder, name: str, _: bytes) -> bool:
            return is_ours(folder, name, left[key])

        self.removal.remove({key: [b""] for key in going}, holds)

    def _remove_snapshots(self, left: dict[str, Forms]) -> None:
        """Remove revisions, each at once; of those that stay, single names."""
        kept = {key: left[key] for key in left if _commit(key) in self.kept_commits}
        self._remove(kept, self._is_ours)
        commits = {_commit(key) for key in left} - self.kept_commits - self.held
        with self.removal.opened(("snapshots",)) as snapshots:
            if snapshots is not None:
                for commit in sorted(commits):
                    self._remove_revision(snapshots, commit)

    def _remove_revision(self, snapshots: Folder, commit: str) -> None:
        with snapshots.below((commit,), make=False) as snapshot:
            if snapshot is None:
                return
            sizes = [_size(folder, name) for _, folder, name in _walk(snapshot)]
        with self.workspace.building() as build:
            snapshots.move(commit, build, self.workspace.fresh())
        snapshots.flush()
        self.removal.files += len(sizes)
        self.removal.bytes += sum(size or 0 for size in sizes)

    def _is_listing(self, folder: Folder, name: str, forms: Forms) -> bool:
        data = folder.read(name, MAX_LISTING)
        return data is not None and any(
            sha256(data).digest() == version.sha256(item)
            or data == self._published(version, item)
            for version, item in forms
        )

    def _published(self, version: Version, item: Item) -> bytes | None:
        """Return a listing as it was published, where that is another form of it."""
        name = version.sha256(item).hex()
        original = self.workspace.read((ORIGINALS, name), MAX_LISTING)
        if original is None:
            return None
        snapshot = version.layout.snapshots.get(_commit(item.key), [])
        return listing_for(original, {"/".join(one.parts[2:]) for one in snapshot})

    def _remove_blobs(self) -> None:
        sizes = {name: size for one in self.gone for name, size in one.blobs.items()}
        used = self._linked().union(*(one.blobs for one in self.kept))

        def holds(_: str, folder: Folder, name: str, __: bytes) -> bool:
            return _size(folder, name) == sizes[name]

        content = {f"blobs/{name}": [b""] for name in sizes.keys() - used}
        self.removal.remove(content, holds)

    def _linked(self) -> set[str]:
        """Return the blobs that links of any revision lead to."""
        with self.removal.opened(("snapshots",)) as snapshots:
            if snapshots is None:
                return set()
            texts = (folder.link_text(name) for _, folder, name in _walk(snapshots))
            return {text.rpartition("/")[2] for text in texts if text is not None}

    def _remove_directories(self) -> None:
        """Remove what is empty now; ``snapshots`` last, without which clients warn."""
        made = above(key for one in self.gone for key in one.items) | {"blobs"}
        self.removal.empty(path for path in made if path != "snapshots")
        if set(self.removal.place.names()) <= {"snapshots"}:
            self.removal.empty(["snapshots"])


def _commit(key: str) -> str:
    """Return the commit of a path below ``snapshots``, ``.no_exist`` or ``trees``."""
    return key.split("/")[1].removesuffix(".json")


def _size(folder: Folder, name: str) -> int | None:
    """Return the bytes of a regular file, None for anything else."""
    status = folder.status(name)
    regular = status is not None and stat.S_ISREG(status.st_mode)
    return status.st_size if status is not None and regular else None


def _is_marker(folder: Folder, name: str, _: Forms) -> bool:
    return _size(folder, name) == 0


def _walk(
    folder: Folder, parts: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Folder, str]]:
    """Yield every name below a folder that is no directory, and the folder it is in."""
    for name in folder.names():
        status = folder.status(name)
        if status is None:
            continue
        if not stat.S_ISDIR(status.st_mode):
            yield parts, folder, name
            continue
        with folder.below((name,), make=False) as inner:
            if inner is not None:
                yield from _walk(inner, (*parts, name))
