from __future__ import annotations

import random
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from bundle.codec.codec import Encoder
from bundle.errors import BundleError
from bundle.format.columns import RECORD_SIZE
from bundle.format.frame import FRAME_MAGIC, FrameHeader, frame_size, parse_frame
from bundle.limits import MAX_FRAME_PLAIN, MIB
from bundle.packing import worker
from tests.bundles import Site
from tests.meddling import Given, generated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.codec.codec import Encoded
    from bundle.codec.encoding import Kind

NOISE = random.Random(5).randbytes(8 * MIB)
TEXT = b"all work and no play makes a dull frame\n"


def _frames(bundle: Path) -> Iterator[FrameHeader]:
    for path in sorted(bundle.glob("*.bdv")):
        data = memoryview(path.read_bytes())[RECORD_SIZE:]
        while bytes(data[:4]) == FRAME_MAGIC:
            yield parse_frame(data)
            data = data[frame_size(data) :]


def _pack(tmp_path: Path, files: dict[str, bytes], jobs: int = 1) -> list[FrameHeader]:
    site = Site(tmp_path)
    return list(_frames(site.bundle(Given(generated(files)), jobs=jobs)))


def test_neighbours_of_one_kind_share_a_frame(tmp_path: Path) -> None:
    files = {f"{number:03}": b"%d " % number + TEXT * 50 for number in range(100)}
    [frame] = _pack(tmp_path, files)
    assert len(frame.lengths) == 100
    assert frame.stored < frame.plain // 10


def test_each_kind_has_frames_of_its_own(tmp_path: Path) -> None:
    files = {"a": TEXT * 5000, "b": b"\x1f\x8b" + NOISE[:MIB], "c": TEXT * 6000}
    frames = _pack(tmp_path, files)
    assert len(frames) >= 3
    encodings = [frame.encoding for frame in frames]
    assert encodings[0] == encodings[-1] == 1
    assert 0 in encodings


def test_frames_hold_a_bounded_number_of_bytes_and_chunks(tmp_path: Path) -> None:
    with mock.patch.object(worker, "MAX_FRAME_CHUNKS", 10):
        files = {f"{number:03}": b"%d " % number + TEXT * 5 for number in range(95)}
        frames = _pack(tmp_path, {**files, "noise": NOISE})
    assert max(len(frame.lengths) for frame in frames) == 10
    assert max(frame.plain for frame in frames) <= MAX_FRAME_PLAIN


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_chunk_is_stored_once(tmp_path: Path, jobs: int) -> None:
    """Gaps that known chunks leave in a buffer are closed before it is encoded."""
    chunk = NOISE[:300_000]
    files = {
        "a": chunk,
        "b": TEXT * 10,
        "c": chunk,
        "d": chunk + TEXT * 20,
        "e": NOISE,
        "f": NOISE[MIB:] + NOISE[:MIB],
    }
    frames = _pack(tmp_path, files, jobs)
    ids = [row.tobytes() for frame in frames for row in frame.ids]
    assert len(set(ids)) == len(ids)
    Site(tmp_path).verify(tmp_path / "out" / "models-prod-000001", jobs=jobs)


def test_a_frame_that_does_not_decode_to_its_content_is_never_written(
    tmp_path: Path,
) -> None:
    """A bit that flipped in memory, or a library with a fault."""
    encode = Encoder.encode

    def faulty(
        self: Encoder, plain: memoryview, kind: Kind, out: memoryview
    ) -> Encoded:
        other = bytearray(plain)
        other[len(other) // 2] ^= 1
        return encode(self, memoryview(other), kind, out)

    with (
        mock.patch.object(Encoder, "encode", faulty),
        pytest.raises(
            BundleError, match="did not decode to what was encoded"
        ) as caught,
    ):
        _pack(tmp_path, {"a": TEXT * 5000})
    assert caught.value.exit_code == 1
    assert not list((tmp_path / "out").iterdir())
