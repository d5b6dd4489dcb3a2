"""No content stops a pack: every file has a plan, every plan covers its file."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bundle.codec.encoding import TEXT, UNKNOWN
from bundle.cut.plan import Rule, cut_region, plan
from bundle.errors import SourceError
from bundle.limits import KIB, MAX_CHUNK, MIB
from spec.vectors.cutting.generate import content, gguf
from tests.cut.samples import MODEL, archive, chunks, planned, safetensors

SMALL = {name: data[: 20_000 + len(name)] for name, data in MODEL.items()}
SEEDS = {
    "safetensors": safetensors(SMALL),
    "gguf": content(gguf([("a", 0, 40_000), ("b", 12, 70_000), ("c", 30, 64)])),
    "zip": archive(SMALL),
    "packed zip": archive(SMALL, 8),
    "gzip": b"\x1f\x8b\x08" + SMALL["embed"],
    "text": b"all work and no play\n" * 2000,
}
MARKS = [b"", b"GGUF\3\0\0\0", b"PK\3\4", b"\x40\0\0\0\0\0\0\0{", b"\x1f\x8b\x08"]


def check(data: bytes) -> None:
    """Check that the chunks are the file, and that none is too long or empty."""
    whole = planned(data)
    found = chunks(data)
    assert b"".join(found) == data
    assert all(0 < len(chunk) <= MAX_CHUNK for chunk in found)
    assert whole.size == len(data)
    if data:
        assert int(whole.starts[0]) == 0
        assert np.all(np.diff(whole.starts.astype(np.int64)) > 0)
        assert int(whole.starts[-1]) < len(data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(MARKS), st.binary(max_size=200), st.integers(0, 60_000))
def test_any_start_of_a_file(mark: bytes, start: bytes, rest: int) -> None:
    check(mark + start + bytes(rest))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(SEEDS)),
    st.lists(st.tuples(st.integers(-4000, 4000), st.binary(min_size=1, max_size=9))),
)
def test_any_damage_to_a_file(name: str, edits: list[tuple[int, bytes]]) -> None:
    data = bytearray(SEEDS[name])
    for place, value in edits:
        start = place % len(data)
        data[start : start + len(value)] = value
    check(bytes(data))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 200_000))
def test_any_truncated_file(name: str, size: int) -> None:
    check(SEEDS[name][:size])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 20) | st.integers(0, 5000))
def test_any_reader_that_returns_too_little(name: str, limit: int) -> None:
    data = SEEDS[name]
    whole = plan(lambda at, size: data[at : at + min(size, limit)], len(data), "a")
    assert whole.size == len(data)


def test_a_reader_that_fails_is_heard() -> None:
    def read(_start: int, _size: int) -> bytes:
        raise SourceError("the disk is gone")

    with pytest.raises(SourceError, match="gone"):
        plan(read, 100, "a")


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_reads_are_few_and_inside_the_file(name: str) -> None:
    data = SEEDS[name]
    reads = []

    def read(start: int, size: int) -> bytes:
        reads.append((start, size))
        return data[start : start + size]

    plan(read, len(data), "a")
    assert len(reads) < 20
    assert all(0 <= start < len(data) for start, _ in reads)
    assert sum(size for _, size in reads) < 3 * MIB


@pytest.mark.parametrize(
    ("data", "kind"), [(b"text" * 9, TEXT), (b"\0text" * 9, UNKNOWN)]
)
def test_a_small_file_is_one_chunk(data: bytes, kind: object) -> None:
    (region,) = planned(data).regions()
    assert (region.rule, region.kind) == (Rule.FASTCDC, kind)


def test_a_header_of_many_objects_takes_little_memory() -> None:
    header = b"{" + b",".join(b'"%d":{}' % number for number in range(200_000)) + b"}"
    data = len(header).to_bytes(8, "little") + header
    tracemalloc.start()
    try:
        planned(data)
        assert tracemalloc.get_traced_memory()[1] < 100 * MIB
    finally:
        tracemalloc.stop()


STREAM = st.lists(st.integers(1, 700 * KIB), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([Rule.FASTCDC, Rule.FIXED]), STREAM)
def test_a_region_in_pieces_is_cut_like_the_whole(rule: Rule, sizes: list[int]) -> None:
    data = memoryview(MODEL["embed"])
    found: list[int] = []
    end = 0
    for size in sizes:
        end = min(end + size, len(data))
        start = sum(found)
        lengths = cut_region(rule, data[start:end], final=False)
        found += lengths.tolist()
        assert end - start - lengths.sum() <= MAX_CHUNK
    found += cut_region(rule, data[sum(found) :], final=True).tolist()
    assert found == cut_region(rule, data, final=True).tolist()


def test_an_atom_is_taken_whole_or_not_at_all() -> None:
    data = memoryview(bytes(MAX_CHUNK))
    assert cut_region(Rule.ATOM, data, final=True).tolist() == [MAX_CHUNK]
    assert cut_region(Rule.ATOM, data, final=False).tolist() == []
    with pytest.raises(ValueError, match="an atom of"):
        cut_region(Rule.ATOM, memoryview(bytes(MAX_CHUNK + 1)), final=True)


@pytest.mark.parametrize("rule", Rule)
def test_nothing_is_no_chunk(rule: Rule) -> None:
    assert cut_region(rule, memoryview(b""), final=True).tolist() == []
