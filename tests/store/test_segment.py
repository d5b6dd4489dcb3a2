"""Index segments: written, mapped, looked up, merged, and refused when damaged."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st

from bundle.errors import BundleError, FormatError, IntegrityError
from bundle.store.segment import ENTRY, Segment, merge, split, write_segment

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.store.segment import Table


def table_of(ids: list[bytes], pack: int = 1) -> Table:
    """Records with these ids, whose other fields tell their place."""
    table = np.zeros(len(ids), ENTRY)
    table["id"] = np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 32)
    table["pack"] = pack
    table["frame"] = np.arange(64, 64 + len(ids))
    table["length"] = 1
    return table


def written(table: Table, packs: tuple[int, ...] = (1,)) -> bytes:
    file = io.BytesIO()
    write_segment(file, packs, split(table))
    return file.getvalue()


def rows_of(ids: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 32)


def spread(count: int, seed: int) -> list[bytes]:
    rows = np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)
    return [row.tobytes() for row in rows]


# Ids that differ late, and begin alike, are where a search by prefix goes wrong.
IDS = st.builds(
    lambda head, fill, tail: bytes([head]) + bytes([fill]) * 7 + bytes(20) + tail,
    st.sampled_from([0, 1, 127, 255]),
    st.sampled_from([0, 255]),
    st.binary(min_size=4, max_size=4),
)


@given(held=st.sets(IDS, max_size=40), asked=st.lists(IDS, max_size=40))
def test_lookup_finds_what_is_there_and_nothing_else(
    held: set[bytes], asked: list[bytes]
) -> None:
    segment = Segment.parse(written(table_of(sorted(held))))
    asked += list(held)
    found = segment.lookup(rows_of(asked))
    for one, row in zip(asked, found.tolist(), strict=True):
        assert (row >= 0) == (one in held)
        assert row < 0 or segment.table["id"][row].tobytes() == one


@pytest.mark.parametrize("asked", [1, 10, 5000], ids=["one", "few", "most of them"])
def test_lookup_by_jumps_and_by_walking_agree(asked: int) -> None:
    ids = spread(20_000, 1)
    segment = Segment.parse(written(table_of(ids)))
    wanted = ids[:asked] + spread(asked, 2)
    found = segment.lookup(rows_of(wanted))
    assert (found[:asked] >= 0).all()
    assert (found[asked:] == -1).all()
    assert segment.table["id"][found[:asked]].tobytes() == b"".join(ids[:asked])


def test_a_copy_in_a_higher_pack_counts() -> None:
    ids = spread(50, 3)
    first, second = table_of(ids, 4), table_of(ids[:20], 9)
    one, two = Segment.parse(written(first, (4,))), Segment.parse(written(second, (9,)))
    file = io.BytesIO()
    packs = np.array([4, 9], np.uint32)
    write_segment(file, [4, 9], merge([one, two], packs))
    merged = Segment.parse(file.getvalue())
    assert len(merged) == 50
    assert merged.packs.tolist() == [4, 9]
    at = merged.lookup(rows_of(ids))
    assert merged.table["pack"][at].tolist() == [9] * 20 + [4] * 30


def test_a_merge_leaves_out_packs_that_are_gone() -> None:
    ids = spread(50, 3)
    one = Segment.parse(written(table_of(ids, 4), (4,)))
    two = Segment.parse(written(table_of(ids[:20], 9), (9,)))
    file = io.BytesIO()
    write_segment(file, [4], merge([one, two], np.array([4], np.uint32)))
    assert Segment.parse(file.getvalue()).table["pack"].tolist() == [4] * 50


def test_the_same_records_are_the_same_bytes(tmp_path: Path) -> None:
    ids = spread(300, 5)
    backwards = table_of(ids)[::-1].copy()
    data = written(table_of(ids))
    assert written(backwards) == data
    (tmp_path / "segment").write_bytes(data)
    mapped = Segment.open(tmp_path / "segment")
    mapped.check()
    assert np.array_equal(mapped.lookup(rows_of(ids)) >= 0, np.ones(300, np.bool_))


@pytest.mark.parametrize(
    ("at", "rule"),
    [(0, "50.3.2"), (9, "50.3.3"), (70, "50.3.8")],
    ids=["the magic", "the version", "a record"],
)
def test_a_damaged_segment_is_refused_by_name(at: int, rule: str) -> None:
    data = bytearray(written(table_of(spread(9, 1))))
    data[at] ^= 1
    with pytest.raises((FormatError, IntegrityError)) as caught:
        Segment.parse(bytes(data)).check()
    assert rule in str(caught.value)


@pytest.mark.parametrize("size", [0, 63, 64, 700, -1])
def test_a_segment_that_stops_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "segment"
    path.write_bytes(written(table_of(spread(9, 1)))[:size])
    with pytest.raises(FormatError):
        Segment.open(path)


@given(st.data())
def test_any_damage_is_noticed(data: st.DataObject) -> None:
    good = written(table_of(spread(5, 1)))
    bad = bytearray(good)
    at = data.draw(st.integers(0, len(good) - 1))
    bad[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BundleError):
        Segment.parse(bytes(bad)).check()
