"""What differs between two lists of artifacts, down to the files.

Recipes are sorted by path, so two of them are compared in one walk, whatever
their size, and nothing is kept but what is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from bundle.format.chunkset import ChunkSet
from bundle.format.columns import windows
from bundle.format.recipe import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact

ADDED: Final = "added"
REMOVED: Final = "removed"
CHANGED: Final = "changed"
SAME: Final = "same"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One artifact of a side; ``recipe`` is None where only its digest is known.

    ``files`` and ``bytes`` are None where not even they are.
    """

    kind: str
    name: str
    revision: str
    digest: str
    files: int | None
    bytes: int | None
    recipe: Recipe | None

    @classmethod
    def of(cls, artifact: Artifact, recipes: Mapping[str, Recipe]) -> Self:
        """Return the entry of an artifact, with its recipe if that is at hand."""
        return cls(
            kind=artifact.kind,
            name=artifact.name,
            revision=artifact.revision,
            digest=artifact.recipe.digest,
            files=artifact.files,
            bytes=artifact.bytes,
            recipe=recipes.get(artifact.recipe.digest),
        )


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that is on one side only, or not the same on both; sizes in bytes."""

    path: str
    state: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Files and bytes added, removed and changed; of changed files the new bytes."""

    added_files: int = 0
    removed_files: int = 0
    changed_files: int = 0
    added_bytes: int = 0
    removed_bytes: int = 0
    changed_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Return both together."""
        return Tally(
            self.added_files + other.added_files,
            self.removed_files + other.removed_files,
            self.changed_files + other.changed_files,
            self.added_bytes + other.added_bytes,
            self.removed_bytes + other.removed_bytes,
            self.changed_bytes + other.changed_bytes,
        )

    def plus(self, change: FileChange) -> Tally:
        """Return this with one more file."""
        before, after = change.before or 0, change.after or 0
        match change.state:
            case "added":
                return self + Tally(added_files=1, added_bytes=after)
            case "removed":
                return self + Tally(removed_files=1, removed_bytes=before)
            case _:
                return self + Tally(changed_files=1, changed_bytes=after)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What became of one artifact; an entry is None on the side that lacks it."""

    before: Entry | None
    after: Entry | None

    @property
    def entry(self) -> Entry:
        """The newer of the two that are there."""
        entry = self.after or self.before
        if entry is None:
            raise ValueError("a change of nothing")
        return entry

    @property
    def state(self) -> str:
        """One of added, removed, changed and same."""
        if self.before is None:
            return ADDED
        if self.after is None:
            return REMOVED
        return SAME if self.before.digest == self.after.digest else CHANGED

    @property
    def is_known(self) -> bool:
        """Whether single files can be told: the recipes it takes are at hand."""
        return self.state == SAME or all(
            entry.recipe is not None
            for entry in (self.before, self.after)
            if entry is not None
        )

    def files(self) -> Iterator[FileChange]:
        """Yield each file that differs, by path; none where that is not known."""
        if self.state == SAME or not self.is_known:
            return
        before = None if self.before is None else self.before.recipe
        after = None if self.after is None else self.after.recipe
        yield from changed_files(before, after)

    def tally(self) -> Tally | None:
        """Return how much differs, None where that is not known."""
        if not self.is_known:
            return self._counted()
        tally = Tally()
        for change in self.files():
            tally = tally.plus(change)
        return tally

    def _counted(self) -> Tally | None:
        """Return the whole of an artifact that one side lacks, if that is known."""
        files, size = self.entry.files, self.entry.bytes
        if files is None or size is None or self.state == CHANGED:
            return None
        if self.state == ADDED:
            return Tally(added_files=files, added_bytes=size)
        return Tally(removed_files=files, removed_bytes=size)


def compare(before: Iterable[Entry], after: Iterable[Entry]) -> list[Change]:
    """Return what became of every artifact of either side, by kind and name."""
    old = {(entry.kind, entry.name): entry for entry in before}
    new = {(entry.kind, entry.name): entry for entry in after}
    return [Change(old.get(key), new.get(key)) for key in sorted({*old, *new})]


def changed_files(before: Recipe | None, after: Recipe | None) -> Iterator[FileChange]:
    """Yield each file that is not the same in both, by path; None has no files."""
    old, new = _rows(before), _rows(after)
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if left is not None and (right is None or left.key < right.key):
            yield FileChange(left.path, REMOVED, left.size, None)
            left = next(old, None)
        elif right is not None and (left is None or right.key < left.key):
            yield FileChange(right.path, ADDED, None, right.size)
            right = next(new, None)
        elif left is not None and right is not None:
            if left.content != right.content:
                yield FileChange(right.path, CHANGED, left.size, right.size)
            left, right = next(old, None), next(new, None)


def new_bytes(before: Iterable[Entry], after: Iterable[Entry]) -> int | None:
    """Return the plain bytes of the chunks that only ``after`` has, each once.

    None where a recipe is not at hand and not the same on both sides.
    """
    old = {entry.digest: entry.recipe for entry in before}
    new = {entry.digest: entry.recipe for entry in after if entry.digest not in old}
    if None in [*new.values(), *(old.values() if new else ())]:
        return None
    known = ChunkSet()
    total = 0
    for recipe in old.values() if new else ():
        if recipe is not None:
            _add(known, recipe)
    for recipe in new.values():
        if recipe is not None:
            total += _add(known, recipe)
    return total


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    key: bytes
    size: int
    content: tuple[int, bytes]


def _rows(recipe: Recipe | None) -> Iterator[_Row]:
    if recipe is None:
        return
    for index, path in enumerate(recipe.paths()):
        mode = int(recipe.modes[index])
        size = 0 if mode == Mode.DIRECTORY else int(recipe.sizes[index])
        content = mode, recipe.sha256[index].tobytes()
        yield _Row(path, path.encode(), size, content)


def _add(known: ChunkSet, recipe: Recipe) -> int:
    """Add a recipe's chunks; return the plain bytes of those that were new."""
    total = 0
    for first, last in windows(0, recipe.chunks):
        new = known.add_new(recipe.chunk_ids[first:last])
        total += int(recipe.chunk_lengths[first:last][new].sum())
    return total
