from __future__ import annotations

import struct

import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from bundle.errors import FormatError, IntegrityError, LimitError
from bundle.format.shards import (
    Shards,
    serialize_shards,
    shard_count,
    shard_starts,
    shards_file_size,
)
from bundle.limits import MAX_SHARDS_FILE, MIB
from tests.format.samples import assert_refused, assert_whole, patched, with_field

RAW = blake3(b"one").digest() + blake3(b"two").digest()
GOOD = serialize_shards(RAW)


def test_a_shards_file_is_these_bytes() -> None:
    body = b"\x89BDS\r\n\x1a\n" + struct.pack("<HHIQ", 1, 0, MIB, 2) + bytes(32)
    assert body + blake3(body).digest(8) + RAW == GOOD
    assert_whole(Shards.parse, GOOD)
    assert_whole(Shards.parse, serialize_shards(b""))


BAD = {
    "the magic of a recipe": (patched(GOOD, 3, b"R"), "3.3.2"),
    "a damaged count": (patched(GOOD, 16, b"\3"), "3.3.3"),
    "a format this reader is too old for": (with_field(GOOD, 8, "<H", 2), "3.3.4"),
    "a flag": (with_field(GOOD, 10, "<H", 1), "3.3.5"),
    "shards of 2 MiB": (with_field(GOOD, 12, "<I", 2 * MIB), "3.3.6"),
    "a reserved byte in use": (with_field(GOOD, 55, "B", 1), "3.3.7"),
    "a digest too few": (with_field(GOOD, 16, "<Q", 3), "3.3.8"),
    "a digest too many": (with_field(GOOD, 16, "<Q", 1), "3.3.8"),
    "a count that wraps around": (with_field(GOOD, 16, "<Q", (1 << 64) - 1), "3.3.8"),
}


@pytest.mark.parametrize(("data", "rule"), BAD.values(), ids=BAD.keys())
def test_a_shards_file_is_refused_for(data: bytes, rule: str) -> None:
    assert_refused(Shards.parse, data, rule)


def test_a_shard_is_compared_with_its_digest() -> None:
    shards = Shards.parse(GOOD)
    shards.check(1, memoryview(b"two"), "vol-00001.bdv")
    with pytest.raises(IntegrityError, match="vol-00001") as caught:
        shards.check(1, b"too", "vol-00001.bdv")
    assert caught.value.rule == "3.3.11"


@given(st.lists(st.integers(0, 5 * MIB), max_size=6))
def test_no_shard_crosses_the_end_of_a_file(sizes: list[int]) -> None:
    starts = shard_starts(sizes)
    assert starts[0] == 0
    for size, start, end in zip(sizes, starts, starts[1:], strict=False):
        assert (end - start - 1) * MIB < size <= (end - start) * MIB
        assert shard_count(size) == end - start


@given(
    st.integers(0, 20).flatmap(lambda n: st.binary(min_size=32 * n, max_size=32 * n))
)
def test_digests_are_read_back(raw: bytes) -> None:
    data = serialize_shards(raw)
    shards = Shards.parse(data)
    assert shards.digests.tobytes() == raw
    assert len(data) == shards_file_size(len(shards))


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))
def test_a_shards_file_is_accepted_as_it_is_or_refused(offset: int, new: bytes) -> None:
    changed = patched(GOOD, offset, new)[: len(GOOD)]
    try:
        shards = Shards.parse(changed)
    except FormatError:
        return
    assert serialize_shards(shards.digests.tobytes()) == changed


def test_more_shards_than_a_reader_takes_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bundle.format.shards.MAX_SHARDS_FILE", len(GOOD) - 1)
    assert_refused(Shards.parse, GOOD, "3.3.9")


class Enormous(bytes):
    """Bytes that say they are more than they are."""

    __slots__ = ()

    def __len__(self) -> int:
        return MAX_SHARDS_FILE


def test_more_shards_than_a_reader_takes_are_not_written() -> None:
    with pytest.raises(LimitError):
        serialize_shards(Enormous())
    with pytest.raises(ValueError, match="33 bytes"):
        serialize_shards(bytes(33))
