import numpy as np
import numpy.typing as npt
import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from bundle.format.chunkset import ChunkSet

NONE = np.zeros((0, 32), np.uint8)


def _ids(*ids: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 32)


# Few values, so that they meet again; among them those that differ in their last
# bytes alone, where a text type would drop zeros.
_few = st.sampled_from(
    [
        bytes(32),
        bytes(31) + b"\x01",
        b"\x01" + bytes(31),
        b"\x01" * 31 + b"\x00",
        b"\x01" * 32,
        b"\x7f" * 32,
        b"\x80" * 32,
        b"\xff" * 32,
        b"\xff" * 31 + b"\x00",
    ]
) | st.integers(0, 30).map(lambda number: blake3(bytes([number])).digest())


@settings(deadline=None, max_examples=200)
@given(batches=st.lists(st.lists(_few, max_size=12), max_size=12))
def test_it_knows_what_a_plain_set_knows(batches: list[list[bytes]]) -> None:
    known, model = ChunkSet(), set[bytes]()
    for batch in batches:
        assert known.holds(_ids(*batch)).tolist() == [one in model for one in batch]
        expected = []
        for one in batch:
            expected.append(one not in model)
            model.add(one)
        assert known.add_new(_ids(*batch)).tolist() == expected
        assert len(known) == len(model)
    everything = sorted(model)
    assert known.holds(_ids(*everything)).all()
    assert not known.add_new(_ids(*everything)).any()


def test_nothing_is_held_at_the_start() -> None:
    known = ChunkSet()
    assert len(known) == 0
    assert known.holds(_ids(bytes(32))).tolist() == [False]
    assert known.holds(NONE).tolist() == []
    assert known.add_new(NONE).tolist() == []


def test_rows_of_a_larger_array_are_taken_as_they_are() -> None:
    rows = np.arange(40 * 64, dtype=np.uint32).astype(np.uint8).reshape(40, 64)
    known = ChunkSet()
    assert known.add_new(rows[::2, 16:48]).sum() == len({*map(bytes, rows[::2, 16:48])})
    assert known.holds(rows[::2, 16:48]).all()


@pytest.mark.parametrize("batch", [1, 64, 1000])
def test_segments_stay_few(batch: int) -> None:
    """Look-ups cost one search for each segment, so their number has to stay low."""
    known = ChunkSet()
    count = 20 * batch if batch > 1 else 500
    ids = _ids(*(blake3(b"%d" % number).digest() for number in range(count)))
    for start in range(0, count, batch):
        assert known.add_new(ids[start : start + batch]).all()
    assert len(known) == count
    assert len(known._segments) <= count.bit_length()
