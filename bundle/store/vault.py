"""The chunks of a local store: packs, and an index over them (spec §50.2, §50.3)."""

from __future__ import annotations

import contextlib
import io
import threading
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from bundle.codec.codec import Decoder
from bundle.digest import DIGEST_SIZE
from bundle.errors import BundleError, FormatError, IntegrityError, NotFoundError
from bundle.store.index import Index
from bundle.store.pack import Pack
from bundle.store.pack_writer import packs_of
from bundle.store.packs import Packs
from bundle.store.segment import Segment, records_of, split, write_segment
from bundle.store.use import fresh_chunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.format.index import VolumeIndex
    from bundle.store.place import Place


class Vault:
    """The chunks in one directory; safe to use from several threads."""

    def __init__(self, place: Place) -> None:
        """Open what is there; writes nothing.

        Raises:
            StoreError: it cannot be read.
        """
        self.place = place
        self.packs = Packs(place.packs)
        self.index = Index(place.indexes)
        self.lock = threading.RLock()
        self.reload()

    def close(self) -> None:
        """Give descriptors back."""
        with self.lock:
            self.packs.close()

    def reload(self) -> None:
        """Look again at what is in the directory, as another process may have left it.

        Raises:
            StoreError: it cannot be read.
        """
        with self.lock:
            self.packs.close()
            self.index.load(self.packs.numbers())
            for number, index in self._uncovered():
                file = io.BytesIO()
                write_segment(file, [number], split(records_of(index, number)))
                self.index.remember(Segment.parse(file.getvalue()))

    def _uncovered(self) -> Iterator[tuple[int, VolumeIndex]]:
        """Yield the packs that no segment covers; a damaged one holds nothing."""
        for number in {*self.packs.numbers().tolist()} - self.index.covered():
            try:
                with Pack(self.packs.path(number)) as pack:
                    yield number, pack.index()
            except BundleError:
                continue

    def begin(self) -> None:
        """Get ready to write, and index what a crash left without one.

        Raises:
            TransientError: somebody collects or rebuilds.
            TargetError: the file system refuses.
        """
        with self.lock:
            if self.place.begin():
                self.index.load(self.packs.numbers())
                self.cover()
                self.index.tidy()

    def cover(self) -> None:
        """Write segments for packs that none covers.

        Raises:
            TargetError: the file system refuses.
        """
        with self.lock:
            for number, index in self._uncovered():
                self.index.add([number], split(records_of(index, number)))

    def holds(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether its chunk is held."""
        with self.lock:
            return self.index.locate(ids)[0] >= 0

    def frames(self, ids: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the frames that hold ``ids`` (n, 32), once each, as they come up.

        A row is the number of a pack and the byte where the frame begins in it.

        Raises:
            NotFoundError: a chunk is not held.
        """
        found = np.zeros((len(ids), 2), np.int64)
        if not len(ids):
            return found
        with self.lock:
            where, rows = self.index.locate(ids)
            lost = np.flatnonzero(where < 0)
            if len(lost):
                chunk = ids[int(lost[0])].tobytes().hex()
                raise NotFoundError(f"chunk {chunk} is not in the store")
            for number, segment in enumerate(self.index.segments):
                here = where == number
                records = segment.table[rows[here]]
                found[here, 0], found[here, 1] = records["pack"], records["frame"]
        _, first = np.unique(found, axis=0, return_index=True)
        return found[np.sort(first)]

    def fetch(self, chunk: bytes) -> bytes:
        """Return a chunk, hashed again.

        Raises:
            NotFoundError: it is not held.
            IntegrityError, FormatError: what is stored for it is damaged.
            StoreError: the store cannot be read.
        """
        with self.lock:
            try:
                return self._fetch(chunk)
            except (NotFoundError, IntegrityError, FormatError):
                # A collection may have moved it to another pack since.
                self.reload()
                return self._fetch(chunk)

    def _fetch(self, chunk: bytes) -> bytes:
        ids = np.frombuffer(chunk, np.uint8).reshape(1, DIGEST_SIZE)
        where, rows = self.index.locate(ids)
        if where[0] < 0:
            raise NotFoundError(f"chunk {chunk.hex()} is not in the store")
        record = self.index.segments[int(where[0])].table[int(rows[0])]
        plain = self.packs.frame(int(record["pack"]), int(record["frame"]))
        start = int(record["offset"])
        data = plain[start : start + int(record["length"])]
        if blake3(data).digest() != chunk:
            raise IntegrityError(
                f"chunk {chunk.hex()} is not where the index has it",
                rule="50.1.2",
                advice="'bundle store check --rebuild' makes the index again",
            )
        return data

    def put(self, chunks: Iterable[bytes]) -> NDArray[np.uint8]:
        """Hold chunks and return their ids.

        Raises:
            LimitError: one is empty or too large.
            TargetError: the store cannot take them.
            TransientError: somebody collects or rebuilds.
        """
        ids = bytearray()
        fresh = fresh_chunks(chunks, ids, self.holds)
        with self.lock:
            self.begin()
            with contextlib.closing(packs_of(fresh, self.place.temporary)) as packs:
                for path in packs:
                    self._take_or_drop(path)
        return np.frombuffer(bytes(ids), np.uint8).reshape(-1, DIGEST_SIZE)

    def _take_or_drop(self, path: Path) -> None:
        try:
            self.take(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def name(self, path: Path) -> int:
        """Give a flushed volume a number that was never used; return it.

        Raises:
            TargetError: the file system refuses.
        """
        return self.packs.adopt(path, max(self.index.covered(), default=0))

    def take(self, path: Path) -> int:
        """Make a pack of a verified and flushed volume, which moves; return its number.

        Raises:
            FormatError: it is no volume.
            TargetError: the file system refuses.
        """
        with self.lock:
            with Pack(path) as pack:
                index = pack.index()
            number = self.name(path)
            self.index.set_live(self.packs.numbers())
            self.index.add([number], split(records_of(index, number)))
        return number

    def adopt(self, path: Path) -> bool:
        """Check a flushed volume, and make a pack of it.

        Returns false, and removes it, where all of its chunks are held already.

        Raises:
            FormatError, IntegrityError: a frame or a chunk of it is damaged.
            TargetError: the store cannot take it.
        """
        with Pack(path) as pack:
            index = pack.verify(Decoder())
        if self.holds(index.ids).all():
            path.unlink()
            return False
        self.take(path)
        return True
