from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from bundle.cut.plan import cut_region, plan
from bundle.limits import MAX_CHUNK, MIB
from bundle.packing.intake import LITERAL
from bundle.packing.loader import Loader
from bundle.packing.worker import BATCH
from bundle.progress import Reporter
from tests.meddling import generated

if TYPE_CHECKING:
    from collections.abc import Mapping

NOISE = random.Random(4).randbytes(12 * MIB)


def _tensors(*sizes: int) -> bytes:
    entries, at = [], 0
    for number, size in enumerate(sizes):
        place = f'"shape":[{size}],"data_offsets":[{at},{at + size}]'
        entries.append(f'"t{number}":{{"dtype":"U8",{place}}}')
        at += size
    header = ("{" + ",".join(entries) + "}").encode()
    return struct.pack("<Q", len(header)) + header + NOISE[:at]


CONTENT = {
    "noise": NOISE[: 9 * MIB],
    "text": b"all work and no play makes a dull file\n" * 100_000,
    "tensors": _tensors(100, 2 * MIB, 5000, 5000, 5000, 3 * MIB + 5, 900_000, 4 * MIB),
    "compressed": b"\x1f\x8b" + NOISE[: 6 * MIB],
}


def _chunks(files: Mapping[str, bytes], *, room: int = BATCH) -> dict[str, list[bytes]]:
    """Return the chunks of every file, as they lie in the buffers one after another."""
    loader = Loader([generated(files)], Reporter(), keep_going=False)
    buffer = memoryview(bytearray(room))
    found: dict[str, list[bytes]] = {path: [] for path in files}
    while pieces := loader.fill(buffer):
        end = 0
        for piece in pieces:
            assert piece.start == end
            end += piece.size
            at = piece.start
            for length in piece.lengths.tolist():
                assert 0 < length <= MAX_CHUNK
                found[piece.intake.file.path].append(bytes(buffer[at : at + length]))
                at += length
        assert end <= room
    assert loader.fill(buffer) == []
    return found


def _cut_alone(path: str, data: bytes) -> list[bytes]:
    """Return the chunks that the rules give, from the whole file at once."""
    regions = plan(lambda at, size: data[at : at + size], len(data), path).regions()
    chunks = []
    for region in regions:
        at = region.start
        part = memoryview(data)[region.start : region.end]
        for length in cut_region(region.rule, part, final=True).tolist():
            chunks.append(data[at : at + length])
            at += length
    return chunks


@settings(max_examples=12, deadline=None)
@given(
    before=st.integers(LITERAL + 1, 5 * MIB),
    kind=st.sampled_from(sorted(CONTENT)),
)
def test_where_a_file_is_cut_does_not_depend_on_what_comes_before_it(
    before: int, kind: str
) -> None:
    """Else the same file would not be found again in another pack."""
    data = CONTENT[kind]
    found = _chunks({"before": NOISE[:before], "file": data})
    assert found["file"] == _cut_alone("file", data)
    assert b"".join(found["before"]) == NOISE[:before]


@pytest.mark.parametrize("kind", CONTENT)
def test_where_a_file_is_cut_does_not_depend_on_the_buffer(kind: str) -> None:
    data = CONTENT[kind]
    alone = _cut_alone("file", data)
    for room in (MAX_CHUNK, MAX_CHUNK + 12345, 3 * MIB, 16 * MIB):
        assert _chunks({"file": data}, room=room)["file"] == alone


def test_small_files_share_a_buffer_and_the_smallest_need_none() -> None:
    files = {f"{size:04}": NOISE[:size] for size in range(0, 1000, 50)}
    loader = Loader([generated(files)], Reporter(), keep_going=False)
    pieces = loader.fill(memoryview(bytearray(BATCH)))
    assert [piece.size for piece in pieces] == list(range(150, 1000, 50))
    assert all(piece.last for piece in pieces)
    literals = [len(intake.literal) for intake in loader.intakes if intake.sha256]
    assert literals == [0, 50, 100]


def test_every_file_is_concluded_by_its_last_piece() -> None:
    loader = Loader([generated(CONTENT)], Reporter(), keep_going=False)
    buffer = memoryview(bytearray(BATCH))
    lasts: list[str] = []
    while pieces := loader.fill(buffer):
        lasts += [piece.intake.file.path for piece in pieces if piece.last]
    assert lasts == sorted(CONTENT)


def test_nothing_to_read_is_the_end() -> None:
    loader = Loader([], Reporter(), keep_going=False)
    assert loader.fill(memoryview(bytearray(BATCH))) == []
