"""The paths of a recipe: cumulative ends and UTF-8 text (spec §6.3).

Paths are ascending, so everything below one directory is in one run: a
directory is *opened* by the first path inside it and never again. Two paths
collide exactly when two of the files and opened directories share a key (spec
§2.4), which is found by sorting 64-bit hashes of the keys; only where two
hashes agree are the paths themselves compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from operator import ge
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.errors import FormatError
from bundle.format.columns import first_true, windows
from bundle.format.recipe_layout import Mode
from bundle.paths import check_distinct, check_path, collision_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.format.columns import Bytes, Indices, Release, Words

_STEP: Final = 1 << 15
_SUSPECTS: Final = 1024
_SLASH: Final = ord("/")


@dataclass(frozen=True, slots=True, eq=False)
class PathTable:
    """Paths, decoded one at a time; ``start`` is the table's place in the recipe."""

    ends: Words
    text: Bytes
    start: int

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, position: int) -> str:
        first = int(self.ends[position - 1]) if position else 0
        return self.text[first : int(self.ends[position])].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        for _, _, paths in self.runs():
            yield from paths

    def runs(self) -> Iterator[tuple[int, Bytes, list[str]]]:
        """Yield runs of paths: position of the first, their bytes, their texts.

        Raises:
            FormatError: a path is not UTF-8.
        """
        for first, last in windows(0, len(self), step=_STEP):
            base = int(self.ends[first - 1]) if first else 0
            ends = (self.ends[first:last] - np.uint32(base)).tolist()
            table = self.text[base : base + ends[-1]]
            try:
                yield first, table, _texts(table.tobytes(), ends)
            except UnicodeDecodeError as error:
                raise FormatError(
                    "a path is not UTF-8", rule="6.3.3", offset=self.start + base
                ) from error

    def check_ends(self, offset: int) -> None:
        """Refuse ends that do not divide the table; the column is at ``offset``.

        Raises:
            FormatError: rules 6.3.1 and 6.3.2.
        """
        for first, last in windows(0, len(self)):
            before = self.ends[max(first - 1, 0) : last - 1]
            found = first_true(self.ends[max(first, 1) : last] <= before)
            if found >= 0 or self.ends[0] == 0:
                raise FormatError(
                    "the end of a path is not above the one before it",
                    rule="6.3.1",
                    offset=offset + 4 * (found + max(first, 1) if found >= 0 else 0),
                )
        last_end = int(self.ends[-1]) if len(self) else 0
        if last_end != len(self.text):
            raise FormatError(
                f"the paths have {last_end} bytes, their table {len(self.text)}",
                rule="6.3.2",
                offset=offset,
            )

    def check(self, modes: Bytes, release: Release) -> tuple[int, int]:
        """Refuse paths that cannot be told apart or unpacked everywhere.

        Returns:
            The most components of a path, and the most bytes of a component.

        Raises:
            FormatError: rules 2.3, 2.4 and 6.3.3 to 6.3.7.
        """
        depth, longest, before = 0, 0, ""
        hashes: list[Indices] = []
        for first, table, paths in self.runs():
            for path in paths:
                check_path(path, rule="2.3")
            self._check_order(first, before, paths)
            opened = list(chain.from_iterable(_opened(before, paths)))
            keys = map(collision_key, chain(paths, opened))
            hashes.append(np.fromiter(map(hash, keys), np.int64))
            before = paths[-1]
            ends = (self.ends[first : first + len(paths)]).astype(np.int64)
            ends -= ends[0] - len(paths[0].encode())
            levels, name = _extent(table, ends)
            depth, longest = max(depth, levels), max(longest, name)
            release(
                self.start + int(self.ends[first - 1]) if first else self.start,
                self.start + int(self.ends[first + len(paths) - 1]),
            )
        self._check_keys(hashes, modes)
        return depth, longest

    def _check_order(self, first: int, before: str, paths: list[str]) -> None:
        # Code points sort as their UTF-8 bytes do.
        if any(map(ge, chain([before], paths), paths)):
            pairs = zip(chain([before], paths), paths, strict=False)
            at = next(at for at, (left, right) in enumerate(pairs) if left >= right)
            raise FormatError(
                f"path {paths[at]!r} is not above the one before it",
                rule="6.3.5",
                offset=self.start
                + (int(self.ends[first + at - 1]) if first + at else 0),
            )

    def _check_keys(self, hashes: list[Indices], modes: Bytes) -> None:
        """Refuse two keys that are the same (spec §2.4)."""
        if not hashes:
            return
        ordered = np.sort(np.concatenate(hashes))
        same = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        for first, last in windows(0, len(same), step=_SUSPECTS):
            self._compare(set(same[first:last].tolist()), modes)

    def _compare(self, suspects: set[int], modes: Bytes) -> None:
        """Compare the paths themselves whose keys have one of these hashes."""
        files: list[str] = []
        directories: list[str] = []
        above: set[str] = set()
        before = ""
        for first, _, paths in self.runs():
            for at, (path, opened) in enumerate(
                zip(paths, _opened(before, paths), strict=True), first
            ):
                if suspects.isdisjoint(hash(collision_key(p)) for p in (path, *opened)):
                    continue
                above.update(opened)
                (directories if modes[at] == Mode.DIRECTORY else files).append(path)
            before = paths[-1]
        check_distinct(files, directories, rule="2.4")
        for path in directories:
            if path in above:
                raise FormatError(
                    f"directory {path!r} is listed, but something is in it",
                    rule="6.3.6",
                )


def _texts(table: bytes, ends: list[int]) -> list[str]:
    starts = [0, *ends[:-1]]
    if table.isascii():
        text = table.decode("ascii")
        return [text[start:end] for start, end in zip(starts, ends, strict=True)]
    return [table[start:end].decode() for start, end in zip(starts, ends, strict=True)]


def _opened(before: str, paths: list[str]) -> Iterator[list[str]]:
    """Yield for each path the directories that it is the first to be in."""
    parent_before = before.rpartition("/")[0]
    for path in paths:
        parent = path.rpartition("/")[0]
        opened: list[str] = []
        if parent != parent_before:
            above = parent
            while above and not before.startswith(above + "/"):
                opened.append(above)
                above = above.rpartition("/")[0]
        yield opened
        before, parent_before = path, parent


def _extent(table: Bytes, ends: Indices) -> tuple[int, int]:
    """Return the most components of a path and the most bytes of a component."""
    slashes = np.flatnonzero(table == _SLASH)
    levels = np.diff(np.searchsorted(slashes, ends), prepend=0).max() + 1
    stops = np.concatenate([slashes, ends])
    skipped = np.concatenate([np.ones_like(slashes), np.zeros_like(ends)])
    order = np.argsort(stops, kind="stable")
    stops, skipped = stops[order], skipped[order]
    starts = np.concatenate([[0], stops[:-1] + skipped[:-1]])
    return int(levels), int((stops - starts).max())
