"""Where the chunks of a store in a bucket are, kept on this machine (spec §51.4).

What an index object says is kept under numbers of this machine's own, in the same
segments as a store in a directory has: looked up in batches, mapped, merged. It is
a copy: without it everything is fetched again, and whatever it leads to is hashed.

::

    packs/NUMBER-PACK     where the frames of a pack begin, u32 each, and end
    indexes/NAME.bdx      segments, by those numbers
    taken/NAME            the packs that an index object covers, one a line
    kept/…                small objects that never change, by their keys
    lock                  held while something is added
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from blake3 import blake3

from bundle.durable import make_directory, target_errors, write_file
from bundle.errors import FormatError
from bundle.format.columns import windows
from bundle.store.index import Index
from bundle.store.s3_names import Content
from bundle.store.s3_table import Frames, PackTable, frames_of_pack
from bundle.store.segment import (
    Segment,
    join,
    merge,
    records_of,
    split,
    write_segment,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.format.columns import Bytes, Indices, Words
    from bundle.format.index import VolumeIndex
    from bundle.store.segment import Table

_PACK: Final = re.compile(r"([0-9]{10})-([0-9a-f]{64})-([0-9]{10})", re.ASCII)
_KEPT_FRAMES: Final = 256
_COLUMNS: Final = ("pack", "frame", "offset", "length")


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Where chunks lie, one value each: packs by their numbers here.

    ``frame`` is where the frame begins in the pack, ``offset`` where the chunk
    begins in the frame's plain bytes. What is not ``held`` has no meaning.
    """

    held: NDArray[np.bool_]
    pack: Indices
    frame: Indices
    offset: Indices
    length: Indices

    def fill(self, rows: Indices, other: Located) -> None:
        """Put what ``other`` found in the place of these rows."""
        self.held[rows] = other.held
        self.pack[rows], self.frame[rows] = other.pack, other.frame
        self.offset[rows], self.length[rows] = other.offset, other.length


class CachedIndex:
    """The copy in one directory; several processes may use it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = Index(root / "indexes")
        self.lock = threading.RLock()
        self._numbers: dict[Content, int] = {}
        self._names: dict[int, Content] = {}
        self._frames: dict[int, Frames] = {}
        self._staying: Words = np.zeros(0, np.uint32)
        self._leaving: Words = np.zeros(0, np.uint32)
        self._held = -1

    def begin(self) -> None:
        """Wait until nobody else adds, and look again at what is there.

        Raises:
            TargetError: this machine cannot keep a copy.
        """
        make_directory(self.root / "packs")
        make_directory(self.root / "taken")
        with target_errors(self.root):
            self._held = os.open(
                self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
            with contextlib.suppress(OSError):
                fcntl.flock(self._held, fcntl.LOCK_EX)
        with self.lock:
            self._numbers = dict(self._known())
            self._names = {number: pack for pack, number in self._numbers.items()}
            self._frames.clear()
            self.index.load(np.array(sorted(self._names), np.uint32))

    def end(self) -> None:
        """Let others add."""
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def set_packs(self, staying: Iterable[Content], leaving: Iterable[Content]) -> None:
        """Say which packs are in the bucket, and which of these are about to leave."""
        with self.lock:
            self._staying = self._numbers_of(staying)
            self._leaving = self._numbers_of(leaving)
            self.index.set_live(self._staying)

    def _numbers_of(self, packs: Iterable[Content]) -> Words:
        numbers = (self._numbers.get(pack, -1) for pack in packs)
        return np.array(sorted(one for one in numbers if one >= 0), np.uint32)

    def lacking(self, packs: Collection[Content]) -> set[Content]:
        """Return those of ``packs`` whose chunks are not known here."""
        covered = self.index.covered()
        return {one for one in packs if self._numbers.get(one, -1) not in covered}

    def has_taken(self, name: str) -> bool:
        """Return whether what an index object says is known here."""
        return (self.root / "taken" / name).is_file()

    def taken(self, name: str) -> set[str]:
        """Return the packs that an index object covers, as texts."""
        try:
            return {*(self.root / "taken" / name).read_text().split()}
        except (OSError, ValueError):
            return set()

    def take(self, name: str, path: Path, wanted: Collection[Content]) -> None:
        """Add what an index object says of the packs that are ``wanted``.

        Raises:
            FormatError: it breaks a rule.
            TargetError: this machine cannot keep it.
        """
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        table, size = PackTable.parse(data)
        segment = Segment.parse(memoryview(data)[size:])
        if int(segment.packs.max(initial=0)) >= len(table.packs):
            raise FormatError(f"index {name}: packs without a row", rule="51.4.9")
        fresh = [one for one in table.packs if one.pack in wanted]
        if fresh:
            numbers = np.full(len(table.packs), -1, np.int64)
            for row, one in enumerate(table.packs):
                if one.pack in wanted:
                    numbers[row] = self._note(one)
            chosen = sorted(numbers[numbers >= 0].tolist())
            self.index.set_live(np.array(sorted(self._names), np.uint32))
            self.index.add(chosen, _renumbered(segment, numbers))
        self.cover(name, (one.pack for one in table.packs))

    def cover(self, name: str, packs: Iterable[Content]) -> None:
        """Note that what an index object says of these packs is known here.

        Raises:
            TargetError: this machine cannot keep it.
        """
        write_file(self.root / "taken" / name, "\n".join(map(str, packs)).encode())

    def uncover(self, name: str) -> None:
        """Forget that an index object was taken in: it is gone.

        Raises:
            TargetError: this machine refuses.
        """
        path = self.root / "taken" / name
        with target_errors(path):
            path.unlink(missing_ok=True)

    def add(self, pack: Content, index: VolumeIndex, end: int) -> None:
        """Add what a pack's own index says; ``end`` is where its frames end.

        Between ``begin`` and ``end``, as ``take``.

        Raises:
            TargetError: this machine cannot keep it.
        """
        with self.lock:
            number = self._note(frames_of_pack(pack, index.frame_offsets, end))
            self.index.set_live(np.array(sorted(self._names), np.uint32))
            self.index.add([number], split(records_of(index, number)))

    def locate(self, ids: Bytes, *, leaving: bool) -> Located:
        """Return where each of ``ids`` lies; with ``leaving`` also in packs that leave.

        What stays comes before what leaves.
        """
        with self.lock:
            found = self._locate(ids)
            lost = np.flatnonzero(~found.held)
            if leaving and len(lost) and len(self._leaving):
                self.index.set_live(self._leaving)
                found.fill(lost, self._locate(ids[lost]))
                self.index.set_live(self._staying)
        return found

    def _locate(self, ids: Bytes) -> Located:
        columns = np.zeros((4, len(ids)), np.int64)
        where, rows = self.index.locate(ids)
        for number in np.unique(where[where >= 0]).tolist():
            here = where == number
            records = self.index.segments[number].table[rows[here]]
            for column, name in zip(columns, _COLUMNS, strict=True):
                column[here] = records[name]
        return Located(where >= 0, *columns)

    def batches(self) -> Iterator[Bytes]:
        """Yield the ids of all chunks, each once, ascending."""
        with self.every_pack():
            yield from self.index.batches()

    @contextlib.contextmanager
    def every_pack(self) -> Iterator[None]:
        """Look into packs that leave, too."""
        with self.lock:
            self.index.set_live(np.union1d(self._staying, self._leaving))
            try:
                yield
            finally:
                self.index.set_live(self._staying)

    def mark(self, ids: Bytes, flags: Sequence[NDArray[np.bool_]]) -> int:
        """Set the flags of the records of ``ids``; return the first without, or -1."""
        with self.lock:
            where, rows = self.index.locate(ids)
            lost = np.flatnonzero(where < 0)
            if len(lost) and len(self._leaving):
                self.index.set_live(self._leaving)
                where[lost], rows[lost] = self.index.locate(ids[lost])
                self.index.set_live(self._staying)
        for number, flag in enumerate(flags):
            flag[rows[where == number]] = True
        lost = np.flatnonzero(where < 0)
        return int(lost[0]) if len(lost) else -1

    def marked(self, number: int, flags: Sequence[NDArray[np.bool_]]) -> Bytes:
        """Return the ids of a pack's records that are flagged."""
        tables = []
        with self.lock:
            for segment, flag in zip(self.index.segments, flags, strict=True):
                for start, end in windows(0, len(segment)):
                    table = segment.table[start:end]
                    tables.append(table[flag[start:end] & (table["pack"] == number)])
                segment.release()
        return np.ascontiguousarray(join(tables)["id"])

    def packs_with(self, ids: Bytes, packs: Iterable[Content]) -> set[Content]:
        """Return those of ``packs`` that may hold one of ``ids``."""
        found: set[Content] = set()
        with self.lock:
            for pack in packs:
                number = self._numbers.get(pack)
                if number is not None:
                    self.index.set_live(np.array([number], np.uint32))
                    for start, end in windows(0, len(ids)):
                        if (self.index.locate(ids[start:end])[0] >= 0).any():
                            found.add(pack)
                            break
            self.index.set_live(self._staying)
        return found

    def frames(self, number: int) -> Frames:
        """Return where the frames of the pack with this number are."""
        found = self._frames.get(number)
        if found is None:
            pack = self._names[number]
            try:
                data = self._path(number, pack).read_bytes()
            except OSError:
                data = b""
            found = Frames(pack, np.frombuffer(data[: len(data) & -4], "<u4"))
            if len(self._frames) >= _KEPT_FRAMES:
                self._frames.clear()
            self._frames[number] = found
        return found

    def pack(self, number: int) -> Content:
        """Return the pack that has this number here."""
        return self._names[number]

    def number(self, pack: Content) -> int:
        """Return the number that a known pack has here."""
        return self._numbers[pack]

    def write_object(self, packs: Iterable[Content], path: Path) -> str:
        """Write an index object over known packs; return its name.

        Raises:
            TargetError: this machine has no room for it.
        """
        with self.lock, target_errors(path), path.open("xb") as file:
            numbers = sorted(self._numbers[pack] for pack in packs)
            table = PackTable(tuple(self.frames(number) for number in numbers))
            rows = np.full(max(numbers, default=0) + 1, -1, np.int64)
            rows[numbers] = np.arange(len(numbers))
            file.write(table.serialize())
            buckets = merge(self.index.segments, np.array(numbers, np.uint32))
            write_segment(
                file, range(len(numbers)), (_mapped(one, rows) for one in buckets)
            )
        return name_of(path)

    def forget(self) -> None:
        """Drop all of the copy's index: it leads to what is not there."""
        for directory in ("indexes", "packs", "taken"):
            for path in (self.root / directory).glob("*"):
                with target_errors(path):
                    path.unlink(missing_ok=True)

    def kept(self, key: str) -> bytes | None:
        """Return a small object that never changes, or None if it is not here."""
        try:
            return (self.root / "kept" / key).read_bytes()
        except OSError:
            return None

    def keep(self, key: str, data: bytes) -> None:
        """Keep a small object that never changes.

        Raises:
            TargetError: this machine cannot.
        """
        path = self.root / "kept" / key
        make_directory(path.parent)
        write_file(path, data)

    def drop(self, key: str) -> None:
        """Keep an object no longer."""
        path = self.root / "kept" / key
        with target_errors(path):
            path.unlink(missing_ok=True)

    def _known(self) -> Iterator[tuple[Content, int]]:
        for path in sorted((self.root / "packs").iterdir()):
            match = _PACK.fullmatch(path.name)
            if match is not None:
                pack = Content(bytes.fromhex(match[2]), int(match[3]))
                yield pack, int(match[1])

    def _note(self, frames: Frames) -> int:
        """Give a pack a number, if it has none, and keep where its frames are."""
        number = self._numbers.get(frames.pack, 0)
        if not number:
            top = max(self._names, default=0), max(self.index.covered(), default=0)
            number = max(top) + 1
        write_file(self._path(number, frames.pack), frames.offsets.tobytes())
        self._numbers[frames.pack] = number
        self._names[number] = frames.pack
        self._frames[number] = frames
        return number

    def _path(self, number: int, pack: Content) -> Path:
        return self.root / "packs" / f"{number:010d}-{pack}"


def name_of(path: Path) -> str:
    """Return what an index object in a file is called (rule 51.4.10).

    Raises:
        TargetError: the file cannot be read.
    """
    hasher = blake3()
    with target_errors(path):
        hasher.update_mmap(path)
    return hasher.hexdigest()[:32]


def _renumbered(segment: Segment, numbers: Indices) -> Iterator[Table]:
    """Yield the records of the packs that have a number, under those numbers."""
    for first in range(256):
        yield _mapped(segment.bucket(first), numbers)


def _mapped(records: Table, numbers: Indices) -> Table:
    packs = records["pack"].astype(np.int64)
    known = packs < len(numbers)
    known[known] = numbers[packs[known]] >= 0
    table = join([records[known]])
    table["pack"] = numbers[packs[known]]
    return table
