import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bundle.codec.encoding import Encoding
from bundle.errors import FormatError
from bundle.format.columns import RECORD_SIZE
from bundle.format.ending import serialize_ending
from bundle.format.index import VolumeIndex
from bundle.format.volume import (
    FrameHeader,
    frame_of,
    parse_frame,
    parse_volume_tail,
)
from tests.format.samples import ids_of, tiny_volume


def _frame(*chunks: bytes) -> FrameHeader:
    lengths = np.array([len(chunk) for chunk in chunks], np.uint32)
    return frame_of((Encoding.RAW, 0, 0), ids_of(*chunks), lengths, b"".join(chunks))


def test_the_worked_example_can_end_in_one_way() -> None:
    data = tiny_volume()
    frame = parse_frame(data[RECORD_SIZE:])
    end = RECORD_SIZE + frame.size
    assert serialize_ending([(RECORD_SIZE, frame)], end) == data[end:]


@settings(deadline=None, max_examples=60)
@given(
    frames=st.lists(
        st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=20),
        min_size=1,
        max_size=8,
    )
)
def test_every_chunk_is_found_where_it_was_put(frames: list[list[bytes]]) -> None:
    seen: set[bytes] = set()
    placed, where, end = [], {}, RECORD_SIZE
    for chunks in frames:
        new = [one for one in dict.fromkeys(chunks) if one not in seen]
        if not new:
            continue
        seen.update(new)
        header = _frame(*new)
        placed.append((end, header))
        inside = 0
        for one in new:
            where[one] = end, inside, len(one)
            inside += len(one)
        end += header.size
    data = serialize_ending(placed, end)
    tail = parse_volume_tail(data[-RECORD_SIZE:], end + len(data))
    assert (tail.frames, tail.chunks) == (len(placed), len(where))
    index = VolumeIndex.parse(data[:-RECORD_SIZE])
    tail.check_index(data[:-RECORD_SIZE])
    for one, place in where.items():
        row = int(index.lookup(ids_of(one))[0])
        assert place == (
            index.frame_offsets[row],
            index.plain_offsets[row],
            index.lengths[row],
        )


def test_no_volume_ends_without_a_frame() -> None:
    with pytest.raises(FormatError, match=r"without frames .*rule 5\.4\.4"):
        serialize_ending([], RECORD_SIZE)


def test_a_chunk_in_two_frames_has_no_place_in_the_index() -> None:
    first, second = _frame(b"one", b"two"), _frame(b"three", b"one")
    frames = [(RECORD_SIZE, first), (RECORD_SIZE + first.size, second)]
    with pytest.raises(FormatError, match=r"rule 5\.3"):
        serialize_ending(frames, RECORD_SIZE + first.size + second.size)


def test_an_end_before_the_frames_is_refused() -> None:
    with pytest.raises(FormatError, match=r"rule 5\.4\.5"):
        serialize_ending([(RECORD_SIZE, _frame(b"one"))], RECORD_SIZE)
