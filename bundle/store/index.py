"""All index segments of a store together: where a chunk is, if it is anywhere.

Segments only ever gain company: a pack is added by a segment of its own, and
where two are of like size they become one (an LSM tree). A segment that breaks
a rule is left out, since packs tell again what it said.
"""

from __future__ import annotations

import itertools
import os
import secrets
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.durable import flush_directory, make_directory, target_errors
from bundle.errors import FormatError
from bundle.store.segment import FEW, Query, Segment, merge, write_segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.format.columns import Bytes, Indices, Words
    from bundle.store.segment import Table

SUFFIX: Final = ".bdx"


class Index:
    """The segments in one directory, and those that are only in memory."""

    def __init__(self, directory: Path) -> None:
        self.segments: list[Segment] = []
        self._paths: list[Path | None] = []
        self._directory = directory
        self._asked = 0
        self._live: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def load(self, live: Words) -> None:
        """Open the segments again; packs other than ``live`` count as absent."""
        self.segments, self._paths = [], []
        self.set_live(live)
        for path in self.files():
            try:
                segment = Segment.open(path)
            except (FormatError, FileNotFoundError):
                continue
            self.segments.append(segment)
            self._paths.append(path)

    def files(self) -> list[Path]:
        """Return the segments' files, also of those that break a rule."""
        return sorted(self._directory.glob(f"[0-9a-f]*{SUFFIX}"))

    def replace(self, other: Index) -> None:
        """Put the segments of another index in the place of these.

        Between the two there may be none: packs tell again what they said.

        Raises:
            TargetError: the file system refuses.
        """
        with target_errors(self._directory):
            for path in self.files():
                path.unlink(missing_ok=True)
            for path in other.files():
                path.rename(self._directory / path.name)
            if self._directory.is_dir():
                flush_directory(self._directory)

    def set_live(self, live: Words) -> None:
        """Say which packs there are."""
        self._live = np.zeros(int(live.max()) + 1 if len(live) else 0, np.bool_)
        self._live[live] = True

    @property
    def live(self) -> Words:
        """The numbers of the packs there are."""
        return np.flatnonzero(self._live).astype(np.uint32)

    def covered(self) -> set[int]:
        """Return the numbers of the packs that some segment covers."""
        return {int(pack) for segment in self.segments for pack in segment.packs}

    def locate(self, ids: Bytes) -> tuple[Indices, Indices]:
        """Return for each of ``ids`` its segment, or -1, and its record there.

        Of several copies the one in the highest pack counts (rule 50.3.9).
        """
        query = Query.of(ids)
        best = np.full((3, len(ids)), -1, np.int64)
        for number, segment in enumerate(self.segments):
            rows, packs = segment.find(query)
            rows[~self._alive(packs)] = -1
            better = np.flatnonzero((rows >= 0) & (packs > best[2]))
            best[0][better] = number
            best[1][better] = rows[better]
            best[2][better] = packs[better]
        self._asked += len(ids)
        if self._asked > FEW:
            self._asked = 0
            for segment in self.segments:
                segment.release()
        found = np.empty((2, len(ids)), np.int64)
        found[:, query.order] = best[:2]
        return found[0], found[1]

    def _alive(self, packs: Indices) -> NDArray[np.bool_]:
        alive = (packs >= 0) & (packs < len(self._live))
        alive[alive] = self._live[packs[alive]]
        return alive

    def batches(self) -> Iterator[Bytes]:
        """Yield the ids of all chunks, each once, ascending."""
        for table in merge(self.segments, self.live) if self.segments else ():
            ids = np.unique(np.ascontiguousarray(table["key"]))
            if len(ids):
                yield ids.view(np.uint8).reshape(-1, 32)

    def remember(self, segment: Segment, path: Path | None = None) -> None:
        """Take a segment in; without ``path`` it is in memory alone."""
        self.segments.append(segment)
        self._paths.append(path)

    def add(self, packs: Sequence[int], buckets: Iterator[Table]) -> None:
        """Write a segment, durable on return, and merge it with those of its size.

        Raises:
            TargetError: it could not be written; the packs are there all the same.
        """
        path = self._write(packs, buckets)
        self.remember(Segment.open(path), path)
        self._compact()

    def tidy(self) -> None:
        """Finish a merge that a crash left: drop segments that others stand for.

        Raises:
            TargetError: the file system refuses.
        """
        live = set(self.live.tolist())
        covers = [live.intersection(one.packs.tolist()) for one in self.segments]
        order = sorted(range(len(covers)), key=lambda at: -len(self.segments[at]))
        kept = list(order)
        for at in order:
            if any(covers[at] <= covers[other] for other in kept if other != at):
                kept.remove(at)
                self._drop(self._paths[at])
        self.segments = [self.segments[at] for at in sorted(kept)]
        self._paths = [self._paths[at] for at in sorted(kept)]
        self._compact()

    def _compact(self) -> None:
        while (run := self._alike()) is not None:
            self._merge(run)

    def rewrite(self) -> None:
        """Write all segments as one, without the packs that are gone.

        Raises:
            TargetError: it could not be written; nothing changed.
        """
        if self.segments:
            self._merge(list(range(len(self.segments))))

    def _alike(self) -> list[int] | None:
        """Return two segments, the larger less than twice the other, or None."""
        order = sorted(range(len(self.segments)), key=lambda at: len(self.segments[at]))
        for low, high in itertools.pairwise(order):
            if len(self.segments[high]) < 2 * len(self.segments[low]) + 1:
                return [low, high]
        return None

    def _merge(self, run: list[int]) -> None:
        segments = [self.segments[at] for at in run]
        old = [self._paths[at] for at in run]
        packs = np.unique(np.concatenate([one.packs for one in segments]))
        packs = packs[self._alive(packs.astype(np.int64))]
        path = self._write([int(one) for one in packs], merge(segments, packs))
        keep = [at for at in range(len(self.segments)) if at not in run]
        self.segments = [self.segments[at] for at in keep]
        self._paths = [self._paths[at] for at in keep]
        self.remember(Segment.open(path), path)
        for name in old:
            if name != path:
                self._drop(name)

    def _drop(self, path: Path | None) -> None:
        if path is not None:
            with target_errors(path):
                path.unlink(missing_ok=True)

    def _write(self, packs: Sequence[int], buckets: Iterator[Table]) -> Path:
        make_directory(self._directory)
        temporary = self._directory / f".{secrets.token_hex(8)}.tmp"
        with target_errors(temporary):
            try:
                with temporary.open("xb") as file:
                    name = write_segment(file, packs, buckets)
                    file.flush()
                    os.fsync(file.fileno())
                path = self._directory / f"{name}{SUFFIX}"
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            flush_directory(self._directory)
        return path
