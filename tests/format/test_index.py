from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st

from bundle.codec.encoding import Encoding
from bundle.errors import FormatError, LimitError
from bundle.format.index import VolumeIndex, serialize_index
from bundle.format.volume import frame_of
from bundle.limits import MAX_CHUNK
from tests.format.samples import assert_refused, assert_whole, ids_of, patched

CHUNKS = [str(number).encode() for number in range(600)]


def index_of(*ids: bytes) -> bytes:
    count = len(ids)
    return serialize_index(
        np.frombuffer(b"".join(ids), np.uint8).reshape(count, 32),
        np.arange(count, dtype=np.uint32) + 64,
        np.arange(count, dtype=np.uint32) * 10,
        np.arange(count, dtype=np.uint32) + 1,
    )


def test_an_index_is_these_bytes() -> None:
    low, high = b"\1" + bytes(31), b"\xfe" * 32
    fanout = struct.pack("<256I", 0, *[1] * 253, 2, 2)
    first = low + struct.pack("<4I", 65, 10, 2, 0)
    second = high + struct.pack("<4I", 64, 0, 1, 0)
    assert index_of(high, low) == fanout + first + second


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_index_is_read_whole_or_not_at_all(count: int) -> None:
    assert_whole(
        VolumeIndex.parse, index_of(*(bytes([7, n]) * 16 for n in range(count)))
    )


@given(st.sets(st.binary(min_size=32, max_size=32), max_size=40))
def test_what_is_in_an_index_is_found_and_nothing_else(ids: set[bytes]) -> None:
    known = sorted(ids)
    index = VolumeIndex.parse(index_of(*ids))
    rows = np.frombuffer(b"".join(known), np.uint8).reshape(-1, 32)
    assert index.lookup(rows).tolist() == list(range(len(known)))
    others = rows ^ np.uint8(1)
    expected = [known.index(bytes(o)) if bytes(o) in ids else -1 for o in others]
    assert index.lookup(others).tolist() == expected
    assert index.ids.tolist() == rows.tolist()


def test_a_batch_is_looked_up_in_any_order() -> None:
    ids = ids_of(*CHUNKS)
    data = serialize_index(
        ids,
        np.full(len(ids), 64, np.uint32),
        np.arange(len(ids), dtype=np.uint32),
        np.full(len(ids), 9, np.uint32),
    )
    index = VolumeIndex.parse(memoryview(data))
    wanted = np.concatenate([ids[::-1], ids_of(b"absent", b"away"), ids[:1]])
    found = index.lookup(wanted)
    assert found[len(ids) : len(ids) + 2].tolist() == [-1, -1]
    assert index.plain_offsets[found[0]] == len(ids) - 1
    assert found[-1] == found[len(ids) - 1]
    assert len(index.lookup(ids[:0])) == 0


GOOD = index_of(*(bytes([n]) * 32 for n in (1, 2, 2 ^ 64)))
START = 1024


def cell(record: int, field: int, value: int) -> bytes:
    return patched(GOOD, START + 48 * record + 32 + 4 * field, struct.pack("<I", value))


BAD = {
    "more records than bytes": (
        patched(GOOD, 1020, struct.pack("<I", 4)),
        "5.3.1",
        1168,
    ),
    "fewer records than bytes": (
        patched(GOOD, 1020, struct.pack("<I", 2)),
        "5.3.1",
        1120,
    ),
    "counts that descend": (patched(GOOD, 400, struct.pack("<I", 9)), "5.3.2", 404),
    "counts that put an id under another byte": (
        patched(GOOD, 4, struct.pack("<I", 0)),
        "5.3.4",
        0,
    ),
    "ids out of order": (patched(GOOD, START, b"\3"), "5.3.3", START + 48),
    "an id twice": (patched(GOOD, START + 48, b"\1" * 32), "5.3.3", START + 48),
    "a frame inside the header": (cell(1, 0, 63), "5.3.5", START + 48),
    "a reserved byte in use": (cell(2, 3, 1), "5.3.6", START + 96),
    "an empty chunk": (cell(0, 2, 0), "5.3.7", START),
    "a chunk over 1 MiB": (cell(0, 2, MAX_CHUNK + 1), "5.3.7", START),
    "a chunk past the end of its frame": (cell(1, 1, 4 << 20), "5.3.8", START + 48),
    "an offset that wraps around": (cell(1, 1, 0xFFFFFFFF), "5.3.8", START + 48),
}


@pytest.mark.parametrize(("data", "rule", "at"), BAD.values(), ids=BAD.keys())
def test_an_index_is_refused_for(data: bytes, rule: str, at: int) -> None:
    assert_refused(VolumeIndex.parse, data, rule, at)


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))
def test_an_index_is_accepted_as_it_is_or_refused(offset: int, new: bytes) -> None:
    changed = patched(GOOD, offset, new)[: len(GOOD)]
    try:
        index = VolumeIndex.parse(changed)
    except FormatError:
        return
    again = serialize_index(
        index.ids, index.frame_offsets, index.plain_offsets, index.lengths
    )
    assert again == changed


def test_no_index_is_written_that_cannot_be_read() -> None:
    with pytest.raises(FormatError) as twice:
        index_of(b"a" * 32, b"a" * 32)
    assert twice.value.rule == "5.3.3"
    one = np.ones(1, np.uint32)
    with pytest.raises(LimitError):
        serialize_index(ids_of(b"a"), one * 64, one, one * (MAX_CHUNK + 1))


def test_an_index_that_lies_about_a_frame_is_refused() -> None:
    chunks = (b"one", b"three", b"seventeen")
    lengths = np.array([len(chunk) for chunk in chunks], np.uint32)
    frame = frame_of((Encoding.RAW, 0, 0), ids_of(*chunks), lengths, b"".join(chunks))
    starts = np.array([0, 3, 8], np.uint32)
    offsets = np.full(3, 64, np.uint32)
    VolumeIndex.parse(serialize_index(frame.ids, offsets, starts, lengths)).check_frame(
        64, frame
    )
    for lie in (
        serialize_index(frame.ids, offsets + np.uint32(1), starts, lengths),
        serialize_index(frame.ids, offsets, starts + np.uint32(1), lengths),
        serialize_index(frame.ids, offsets, starts, lengths + np.uint32(1)),
        serialize_index(frame.ids[:2], offsets[:2], starts[:2], lengths[:2]),
    ):
        with pytest.raises(FormatError) as caught:
            VolumeIndex.parse(lie).check_frame(64, frame)
        assert (caught.value.rule, caught.value.offset) == ("5.5.4", 64)
