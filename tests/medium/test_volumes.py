from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from bundle.errors import TargetError
from bundle.format.columns import RECORD_SIZE
from bundle.format.frame import FrameHeader, frame_of
from bundle.format.volume import parse_volume_header, parse_volume_tail
from bundle.limits import MIB, SHARD
from bundle.medium.volumes import ShardHasher, Volumes
from tests.attacks.forgery import frame, volume

if TYPE_CHECKING:
    from pathlib import Path


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(
        st.sampled_from([0, 1, SHARD - 1, SHARD, SHARD + 1])
        | st.integers(0, 3 * SHARD),
        max_size=5,
    )
)
def test_shards_do_not_depend_on_how_the_bytes_come(sizes: list[int]) -> None:
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]
    data = b"".join(parts)
    hasher = ShardHasher()
    for part in parts:
        hasher.update(part)
    assert hasher.size == len(data)
    assert hasher.digest() == blake3(data).digest()
    shards = (data[at : at + SHARD] for at in range(0, len(data), SHARD))
    assert hasher.shards() == b"".join(blake3(one).digest() for one in shards)


def _frames(count: int, size: int) -> list[tuple[FrameHeader, bytes]]:
    source = random.Random(count)
    return [frame(source.randbytes(size)) for _ in range(count)]


def _finish(volumes: Volumes) -> None:
    for one in volumes.volumes:
        one.finish()


def test_a_volume_is_what_the_format_says(tmp_path: Path) -> None:
    frames = _frames(3, 1000)
    volumes = Volumes(tmp_path, MIB)
    for place in volumes.reserve(frames):
        place.write()
    _finish(volumes)
    assert (tmp_path / "vol-00001.bdv").read_bytes() == volume(*frames)


def test_frames_may_be_written_in_any_order(tmp_path: Path) -> None:
    frames = _frames(10, 5000)
    volumes = Volumes(tmp_path, MIB)
    places = [volumes.reserve([one])[0] for one in frames]
    random.Random(1).shuffle(places)
    for place in places:
        place.write()
    _finish(volumes)
    data = (tmp_path / "vol-00001.bdv").read_bytes()
    assert data == volume(*frames)
    [made] = volumes.volumes
    assert (made.hasher.size, made.hasher.digest()) == (
        len(data),
        blake3(data).digest(),
    )


@pytest.mark.parametrize("size", [10_000, 20_000, 50_000])
def test_no_volume_is_larger_than_was_asked_for(tmp_path: Path, size: int) -> None:
    frames = _frames(30, 3000)
    volumes = Volumes(tmp_path, size)
    for place in volumes.reserve(frames):
        place.write()
    _finish(volumes)
    paths = sorted(tmp_path.iterdir())
    found = 0
    for number, path in enumerate(paths, start=1):
        data = path.read_bytes()
        assert parse_volume_header(data).number == number
        tail = parse_volume_tail(data[-RECORD_SIZE:], len(data))
        assert len(data) <= size
        # One more would not have fitted.
        if number < len(paths):
            assert len(data) + frames[0][0].size + 48 > size
        found += tail.frames
    assert found == len(frames)


def test_chunks_of_a_volume_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bundle.medium.volumes.MAX_VOLUME_CHUNKS", 5)
    source = random.Random(0)
    volumes = Volumes(tmp_path, MIB)
    volumes.reserve(
        [frame(source.randbytes(50), source.randbytes(50)) for _ in range(6)]
    )
    assert len(volumes.volumes) == 3


def test_volumes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundle.medium.volumes.MAX_VOLUMES", 2)
    volumes = Volumes(tmp_path, 5000)
    volumes.reserve(_frames(2, 3000))
    with pytest.raises(TargetError, match="more than 2 volumes") as caught:
        volumes.reserve(_frames(1, 3000))
    assert "--volume-size" in caught.value.advice


def test_a_file_in_the_way_of_a_volume_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "vol-00001.bdv").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetError, match=r"vol-00001\.bdv"):
        Volumes(tmp_path, MIB).reserve(_frames(1, 100))
    assert not (tmp_path / "elsewhere").exists()


def test_a_volume_that_is_taken_away_is_an_error_of_the_medium(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, MIB)
    [place] = volumes.reserve(_frames(1, 100))
    (tmp_path / "vol-00001.bdv").unlink()
    with pytest.raises(TargetError, match=r"vol-00001\.bdv"):
        place.write()
    with pytest.raises(TargetError, match=r"vol-00001\.bdv"):
        _finish(volumes)


def test_lengths_are_added_up_without_overflow(tmp_path: Path) -> None:
    lengths = np.full(4, MIB, np.uint32)
    data = [bytes([number]) * MIB for number in range(4)]
    ids = np.frombuffer(b"".join(blake3(one).digest() for one in data), np.uint8)
    header = frame_of((0, 0, 0), ids.reshape(-1, 32), lengths, b"".join(data))
    volumes = Volumes(tmp_path, 8 * MIB)
    [place] = volumes.reserve([(header, b"".join(data))])
    place.write()
    _finish(volumes)
    assert (tmp_path / "vol-00001.bdv").stat().st_size > 4 * MIB
