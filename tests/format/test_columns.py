from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st

from bundle.errors import FormatError
from bundle.format.columns import (
    Record,
    align,
    check_of,
    check_zero,
    column,
    first_unsorted,
    order_of,
    sums_between,
    windows,
)
from tests.format.samples import assert_prefix, patched

RECORD = Record("thing", "0.1", b"\x89THING\r\n", struct.Struct("<HH44s"))
BYTES = RECORD.serialize(1, 0, b"x" * 44)


def test_a_record_is_read_back() -> None:
    assert RECORD.parse(memoryview(BYTES)) == (1, 0, b"x" * 44)
    assert_prefix(lambda data: RECORD.parse(memoryview(data)), BYTES, 64)


@pytest.mark.parametrize("offset", range(64))
def test_no_byte_of_a_record_can_change_unnoticed(offset: int) -> None:
    damaged = patched(BYTES, offset, bytes([BYTES[offset] ^ 1]))
    with pytest.raises(FormatError) as caught:
        RECORD.parse(memoryview(damaged))
    assert caught.value.rule == ("0.1.2" if offset < 8 else "0.1.3")


@pytest.mark.parametrize(
    ("version", "flags", "rule"),
    [(2, 0, "0.1.4"), (0, 0, "0.1.4"), (1, 1, "0.1.5")],
    ids=["a newer format", "format 0", "a flag"],
)
def test_what_is_newer_is_refused(version: int, flags: int, rule: str) -> None:
    RECORD.check_version(1, 0)
    with pytest.raises(FormatError) as caught:
        RECORD.check_version(version, flags)
    assert caught.value.rule == rule
    assert bool(caught.value.advice) == (version == 2)


def test_a_check_covers_its_parts_in_a_row() -> None:
    assert check_of(b"ab", b"c") == check_of(b"abc")
    assert len(check_of()) == 8


@given(st.integers(0, 1 << 40), st.sampled_from([8, 64]))
def test_aligned_offsets_are_the_next_multiple(offset: int, step: int) -> None:
    aligned = align(offset, step)
    assert aligned % step == 0
    assert offset <= aligned < offset + step


def test_a_column_of_nothing_fits_anywhere() -> None:
    assert len(column(memoryview(b""), "<u8", 64, 0)) == 0


def test_a_byte_in_a_gap_is_found_where_it_is() -> None:
    data = memoryview(bytes(10) + b"\1" + bytes(10))
    check_zero(data, 0, 10, rule="2.1.3")
    with pytest.raises(FormatError) as caught:
        check_zero(data, 3, 20, rule="2.1.3")
    assert (caught.value.rule, caught.value.offset) == ("2.1.3", 10)


def test_windows_cover_a_range() -> None:
    assert list(windows(3, 10, step=3)) == [(3, 6), (6, 9), (9, 10)]
    assert list(windows(3, 3, step=3)) == []


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=20))
def test_ids_sort_as_bytes_do(values: list[bytes]) -> None:
    ids = np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)
    assert [row.tobytes() for row in ids[order_of(ids)]] == sorted(values)
    ascending = sorted(set(values)) == values
    assert (first_unsorted(ids) == -1) == ascending


def test_ids_that_differ_in_their_zeros_are_not_the_same() -> None:
    values = [b"\0" * 31 + b"\1", b"\1" + b"\0" * 31, b"\1" + b"\0" * 30 + b"\1"]
    ids = np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)
    assert first_unsorted(ids) == -1
    assert first_unsorted(ids[[0, 2, 1]]) == 2
    assert first_unsorted(ids[[0, 0]]) == 1


@given(
    st.lists(st.integers(0, 1 << 32), min_size=1, max_size=50),
    st.data(),
    st.integers(1, 60),
)
def test_sums_are_the_same_in_any_window(
    values: list[int], data: st.DataObject, step: int
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), min_size=1)))
    start, ends = cuts[0], cuts[1:]
    walked: list[tuple[int, int]] = []

    def walk(first: int, last: int) -> None:
        walked.append((first, last))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bundle.format.columns.windows", _windows_of(step))
        sums = sums_between(
            np.array(values, np.uint64), start, np.array(ends, np.int64), walk
        )
    befores = [start, *ends]
    assert sums.tolist() == [
        sum(values[before:end]) for before, end in zip(befores, ends, strict=False)
    ]
    assert sum(last - first for first, last in walked) == (befores[-1] - start)


def _windows_of(step: int) -> object:
    return lambda start, end: windows(start, end, step=step)
