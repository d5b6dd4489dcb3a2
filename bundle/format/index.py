"""The index of a volume: where each chunk lies (spec §5.3).

256 counts lead to the records whose id starts with a given byte, the records
are sorted by id, and a whole batch of ids is looked up at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from bundle.digest import DIGEST_SIZE
from bundle.errors import FormatError, LimitError, TruncatedError
from bundle.format.columns import (
    RECORD_SIZE,
    first_true,
    first_unsorted,
    keys_of,
    order_of,
    view_of,
)
from bundle.format.volume import FANOUT_SIZE, INDEX_ENTRY_SIZE
from bundle.limits import MAX_CHUNK, MAX_FRAME_PLAIN

if TYPE_CHECKING:
    import numpy.typing as npt
    from _typeshed import ReadableBuffer

    from bundle.format.columns import Bytes, Indices, Words
    from bundle.format.volume import FrameHeader

_ENTRY: Final = np.dtype(
    {
        "names": ["id", "key", "frame", "offset", "length", "reserved"],
        "formats": [f"{DIGEST_SIZE}u1", f"S{DIGEST_SIZE}", "<u4", "<u4", "<u4", "<u4"],
        "offsets": [0, 0, 32, 36, 40, 44],
        "itemsize": INDEX_ENTRY_SIZE,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class VolumeIndex:
    """Columns over the records of an index, read in place.

    ``frame_offsets`` count from the start of the volume, ``plain_offsets`` from
    the start of the frame's plain bytes. ``keys`` are the ids again, as values that
    compare.
    """

    fanout: Words
    ids: Bytes
    keys: npt.NDArray[np.bytes_]
    frame_offsets: Words
    plain_offsets: Words
    lengths: Words

    @classmethod
    def parse(cls, buffer: ReadableBuffer) -> Self:
        """Return the index in ``buffer``, which holds it and nothing else.

        Its digest is checked before, by ``VolumeTail.check_index``.

        Raises:
            TruncatedError: it stops too soon.
            FormatError: rule 5.3.
        """
        data = view_of(buffer)
        if len(data) < FANOUT_SIZE:
            raise TruncatedError("a volume index", rule="5.3.1", offset=len(data))
        fanout = np.frombuffer(data, "<u4", 256)
        records = int(fanout[-1])
        size = FANOUT_SIZE + INDEX_ENTRY_SIZE * records
        if len(data) != size:
            kind = TruncatedError if len(data) < size else FormatError
            raise kind(
                f"an index of {records} chunks has {size} bytes, not {len(data)}",
                rule="5.3.1",
                offset=min(len(data), size),
            )
        table = np.frombuffer(data, _ENTRY, records, FANOUT_SIZE)
        index = cls(
            fanout,
            table["id"],
            table["key"],
            table["frame"],
            table["offset"],
            table["length"],
        )
        _check(index, table["reserved"])
        return index

    def __len__(self) -> int:
        return len(self.lengths)

    def lookup(self, ids: Bytes) -> Indices:
        """Return the position of each of ``ids``, or -1 where it is absent.

        All of the ids take each step of the binary search together, so the
        records are neither copied nor turned into objects.
        """
        if len(self) == 0 or len(ids) == 0:
            return np.full(len(ids), -1, np.int64)
        wanted, keys = keys_of(np.ascontiguousarray(ids)), self.keys
        first = ids[:, 0].astype(np.int64)
        high = self.fanout[first].astype(np.int64)
        low = np.where(first > 0, self.fanout[first - 1], 0).astype(np.int64)
        top = len(self) - 1
        for _ in range(int((high - low).max()).bit_length()):
            middle = (low + high) >> 1
            below = (low < high) & (keys[np.minimum(middle, top)] < wanted)
            low = np.where(below, middle + 1, low)
            high = np.where(below, high, middle)
        found = keys[np.minimum(low, top)] == wanted
        return np.where(found, low, -1)

    def check_frame(self, offset: int, frame: FrameHeader) -> None:
        """Refuse an index that disagrees with the frame at ``offset``.

        Raises:
            FormatError: a chunk of the frame is not where the index has it.
        """
        at = self.lookup(frame.ids)
        starts = np.cumsum(frame.lengths, dtype=np.int64) - frame.lengths
        right = (
            (at >= 0)
            & (self.frame_offsets[at] == offset)
            & (self.plain_offsets[at] == starts)
            & (self.lengths[at] == frame.lengths)
        )
        if not bool(right.all()):
            raise FormatError(
                "the index and this frame disagree", rule="5.5.4", offset=offset
            )


def serialize_index(
    ids: Bytes, frame_offsets: Words, plain_offsets: Words, lengths: Words
) -> bytes:
    """Return the index of these chunks, given in any order.

    Raises:
        FormatError: a chunk is there twice, or a value is out of bounds.
    """
    order = order_of(ids)
    table = np.zeros(len(order), _ENTRY)
    table["id"] = ids[order]
    table["frame"] = frame_offsets[order]
    table["offset"] = plain_offsets[order]
    table["length"] = lengths[order]
    data = _fanout(table["id"]).tobytes() + table.tobytes()
    VolumeIndex.parse(data)
    return data


def _fanout(ids: Bytes) -> Words:
    """Return, for each byte, how many ids begin with it or with a lower one."""
    counts = np.bincount(ids[:, 0], minlength=256) if len(ids) else np.zeros(256)
    return np.cumsum(counts).astype("<u4")


def _check(index: VolumeIndex, reserved: Words) -> None:
    ends = index.plain_offsets.astype(np.uint64) + index.lengths
    refusals = (
        (index.fanout[1:] < index.fanout[:-1], FormatError, "counts descend", "5.3.2"),
        (reserved != 0, FormatError, "a reserved byte is not zero", "5.3.6"),
        (index.frame_offsets < RECORD_SIZE, FormatError, "no frame there", "5.3.5"),
        (
            (index.lengths == 0) | (index.lengths > MAX_CHUNK),
            LimitError,
            f"a length that is not 1 to {MAX_CHUNK}",
            "5.3.7",
        ),
        (ends > MAX_FRAME_PLAIN, LimitError, "a chunk outside its frame", "5.3.8"),
    )
    for flags, kind, reason, rule in refusals:
        at = first_true(flags)
        if at >= 0:
            raise kind(f"index: {reason}", rule=rule, offset=_place(at, rule))
    unsorted = first_unsorted(np.ascontiguousarray(index.ids))
    if unsorted >= 0:
        raise FormatError(
            "index: an id is not above the one before it",
            rule="5.3.3",
            offset=_place(unsorted, "5.3.3"),
        )
    if not np.array_equal(_fanout(index.ids), index.fanout):
        raise FormatError("index: the counts are wrong", rule="5.3.4", offset=0)


def _place(position: int, rule: str) -> int:
    """Return the byte where a count or a record begins."""
    if rule == "5.3.2":
        return 4 * (position + 1)
    return FANOUT_SIZE + INDEX_ENTRY_SIZE * position
