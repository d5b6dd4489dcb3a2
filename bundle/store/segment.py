"""Index segments: where each chunk lies in the packs, on disk and mapped (spec §50.3).

A segment is 64 bytes of header, records sorted by id, 256 counts that lead to
the records whose id begins with a given byte, the numbers of the packs it
covers, and a digest. It never changes: new packs bring new segments, and
segments of like size are merged a byte of ids at a time.
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from blake3 import blake3

from bundle.digest import DIGEST_SIZE
from bundle.errors import FormatError, IntegrityError
from bundle.format.columns import FORMAT, RECORD_SIZE, Record, keys_of, view_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedIOBase
    from typing import TypeAlias

    from _typeshed import ReadableBuffer
    from numpy.typing import NDArray

    from bundle.format.columns import Bytes, Indices, Longs, Words
    from bundle.format.index import VolumeIndex

    Table: TypeAlias = NDArray[np.void]

ENTRY: Final = np.dtype(
    {
        "names": ["id", "key", "prefix", "pack", "frame", "offset", "length"],
        "formats": [f"{DIGEST_SIZE}u1", f"S{DIGEST_SIZE}", ">u8", *["<u4"] * 4],
        "offsets": [0, 0, 0, 32, 36, 40, 44],
        "itemsize": 48,
    }
)
"""A record: id, number of the pack, byte of the frame in the pack, byte of the
chunk in the frame's plain bytes, length. ``key`` is the id as a value that compares,
``prefix`` its first eight bytes as a number."""

_RAW: Final = np.dtype(f"V{ENTRY.itemsize}")
_FANOUT: Final = 256
_STEP: Final = 1 << 19
"""Records that a part of a query can touch, before what it touched is dropped."""

FEW: Final = 256
"""Ids that are looked up before what they touched is dropped: every touch brings 64
KiB of a mapped file into memory."""

_DENSE: Final = 64
"""Records for each id wanted, below which all of them are looked at."""

_HEADER: Final = Record(
    "index segment", "50.3", b"\x89BDX\r\n\x1a\n", struct.Struct("<HHIQ32s")
)


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """Ids to look up, sorted once for all segments: neighbours are neighbours there.

    ``order`` are their places in the question, ``prefixes`` their first eight bytes
    as numbers, which ascend, and ``keys`` the ids as values that compare.
    """

    order: Indices
    prefixes: Longs
    keys: NDArray[np.bytes_]

    @classmethod
    def of(cls, ids: Bytes) -> Self:
        """Return the query for rows of 32 bytes."""
        keys = keys_of(np.ascontiguousarray(ids))
        prefixes = keys.view(">u8")[::4].astype(np.uint64)
        order = np.argsort(prefixes)
        return cls(order, prefixes[order], keys[order])


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One segment, read in place; ``packs`` are the numbers it covers, ascending."""

    data: memoryview
    table: Table
    packs: Words
    _starts: Indices
    mapping: mmap.mmap | None = None

    @classmethod
    def parse(cls, buffer: ReadableBuffer, mapping: mmap.mmap | None = None) -> Self:
        """Return the segment in ``buffer``, which holds it and nothing else.

        Its digest is looked at by ``check`` alone: whatever a wrong record leads
        to is hashed before it is used.

        Raises:
            TruncatedError, FormatError: rule 50.3.
        """
        data = view_of(buffer)
        version, flags, packs, records, _ = _HEADER.parse(data)
        _HEADER.check_version(version, flags)
        counts = RECORD_SIZE + ENTRY.itemsize * records
        covered = counts + 4 * _FANOUT
        if len(data) != covered + 4 * packs + DIGEST_SIZE:
            raise FormatError(
                f"{len(data)} bytes are no segment of {records} chunks",
                rule="50.3.6",
                offset=len(data),
            )
        fanout = np.frombuffer(data, "<u4", _FANOUT, counts)
        if bool((fanout[1:] < fanout[:-1]).any()) or int(fanout[-1]) != records:
            raise FormatError("counts that descend", rule="50.3.7", offset=counts)
        return cls(
            data,
            np.frombuffer(data, ENTRY, records, RECORD_SIZE),
            np.frombuffer(data, "<u4", packs, covered),
            np.concatenate([[0], fanout]).astype(np.int64),
            mapping,
        )

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Map the segment in a file.

        Raises:
            OSError: it cannot be read.
            TruncatedError, FormatError: rule 50.3.
        """
        with open(path, "rb") as file:  # noqa: PTH123 - one call for both kinds
            if not os.fstat(file.fileno()).st_size:
                return cls.parse(b"")
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return cls.parse(mapping, mapping)

    def __len__(self) -> int:
        return len(self.table)

    def find(self, query: Query) -> tuple[Indices, Indices]:
        """Return for each id of a query its record, or -1, and the record's pack.

        Both are in the order of the query, not in that of its ids.
        """
        rows = np.full(len(query.keys), -1, np.int64)
        packs = np.full(len(query.keys), -1, np.int64)
        for part in self._parts(query.prefixes):
            rows[part] = self._search(query.prefixes[part], query.keys[part])
            hits = part.start + np.flatnonzero(rows[part] >= 0)
            packs[hits] = self.table["pack"][rows[hits]]
            if len(rows) > FEW:
                self.release()
        return rows, packs

    def _parts(self, prefixes: Longs) -> Iterator[slice]:
        """Cut a query where the records that it can touch would be over ``_STEP``."""
        bits = (len(self) // _STEP).bit_length() if len(prefixes) > FEW else 0
        firsts = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits or 63)
        starts = [0, *np.searchsorted(prefixes, firsts[1:]).tolist(), len(prefixes)]
        for start, end in itertools.pairwise(starts):
            if start < end and len(self):
                yield slice(start, end)

    def lookup(self, ids: Bytes) -> Indices:
        """Return the record of each of ``ids``, or -1 where it is absent."""
        query = Query.of(ids)
        found = np.empty(len(ids), np.int64)
        found[query.order] = self.find(query)[0]
        return found

    def _search(self, prefixes: Longs, keys: NDArray[np.bytes_]) -> Indices:
        """Return the record of each of these ids, which come by ascending prefix."""
        first = (prefixes >> np.uint64(56)).astype(np.int64)
        low, high = self._starts[first], self._starts[first + 1]
        start, end = int(low[0]), int(high[-1])
        if end - start < _DENSE * len(keys):
            # A look at each prefix in turn beats jumps that miss every cache.
            near = self.table["prefix"][start:end].astype(np.uint64)
            low = start + np.searchsorted(near, prefixes)
        else:
            low = self._lower_bound(low, high, prefixes)
        return self._match(low, prefixes, keys)

    def _lower_bound(self, low: Indices, high: Indices, prefixes: Longs) -> Indices:
        column, top = self.table["prefix"], len(self) - 1
        for _ in range(int((high - low).max()).bit_length()):
            middle = (low + high) >> 1
            below = (low < high) & (column[np.minimum(middle, top)] < prefixes)
            low = np.where(below, middle + 1, low)
            high = np.where(below, high, middle)
        return low

    def _match(
        self, low: Indices, prefixes: Longs, keys: NDArray[np.bytes_]
    ) -> Indices:
        """Go on from the first record of each prefix to the one with the whole id."""
        top = len(self) - 1
        while True:
            here = self.table["key"][np.minimum(low, top)]
            found = here == keys
            on = ~found & (low < top)
            on[on] = here[on].view(">u8")[::4] == prefixes[on]
            if not on.any():
                return np.where(found, low, -1)
            low = low + on

    def bucket(self, first: int) -> Table:
        """Return the records of the ids that begin with this byte."""
        return self.table[self._starts[first] : self._starts[first + 1]]

    def check(self) -> None:
        """Refuse a segment whose bytes are not those that were written.

        Raises:
            IntegrityError: the digest is another.
        """
        if blake3(self.data[RECORD_SIZE:-DIGEST_SIZE]).digest() != bytes(
            self.data[-DIGEST_SIZE:]
        ):
            raise IntegrityError("an index segment is damaged", rule="50.3.8")
        self.release()

    def release(self) -> None:
        """Let go of the pages that were read; they come back when asked for."""
        if self.mapping is not None:
            self.mapping.madvise(mmap.MADV_DONTNEED)


def records_of(index: VolumeIndex, pack: int) -> Table:
    """Return the records of a volume that is pack number ``pack``, sorted."""
    table = np.zeros(len(index), ENTRY)
    table["id"] = index.ids
    table["pack"] = pack
    table["frame"] = index.frame_offsets
    table["offset"] = index.plain_offsets
    table["length"] = index.lengths
    return table


def join(tables: Sequence[Table]) -> Table:
    """Return the records of several tables in one."""
    # Fields that overlap would be laid out anew, and copied one by one.
    raw = [table.view(_RAW) for table in tables]
    return np.concatenate([np.empty(0, _RAW), *raw]).view(ENTRY)


def write_segment(
    file: BufferedIOBase, packs: Sequence[int], buckets: Iterator[Table]
) -> str:
    """Write a segment; return its name, 32 hexadecimal digits of its digest.

    ``buckets`` yields, for each first byte, the records of its ids in any order.
    Where an id is there several times, the highest pack counts (rule 50.3.9). The
    file is written from where it stands.
    """
    start = file.tell()
    file.write(bytes(RECORD_SIZE))
    hasher, counts = blake3(), []
    for bucket in buckets:
        records = _once(bucket)
        counts.append(len(records))
        data = records.tobytes()
        hasher.update(data)
        file.write(data)
    fanout = np.cumsum(counts, dtype=np.uint64).astype("<u4")
    rest = fanout.tobytes() + np.unique(np.array(packs, "<u4")).tobytes()
    hasher.update(rest)
    file.write(rest + hasher.digest())
    file.seek(start)
    number = len(set(packs))
    file.write(_HEADER.serialize(FORMAT, 0, number, int(fanout[-1]), bytes(32)))
    return hasher.hexdigest()[:32]


def split(table: Table) -> Iterator[Table]:
    """Yield the records in buckets, for ``write_segment``."""
    table = table[np.argsort(table["id"][:, 0], kind="stable")]
    ends = np.searchsorted(table["id"][:, 0], np.arange(_FANOUT), side="right")
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        yield table[start:end]


def merge(segments: Sequence[Segment], packs: Words) -> Iterator[Table]:
    """Yield the records of these packs in all ``segments`` together, in buckets."""
    for first in range(_FANOUT):
        table = join([segment.bucket(first) for segment in segments])
        yield table[np.isin(table["pack"], packs)]
        for segment in segments:
            segment.release()


def _once(table: Table) -> Table:
    """Return the records sorted by id, of each id the one in the highest pack."""
    order = np.lexsort((~table["pack"], table["key"]))
    table = table.view(_RAW)[order].view(ENTRY)
    keys = table["key"]
    fresh = np.ones(len(table), np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    return table.view(_RAW)[fresh].view(ENTRY)
