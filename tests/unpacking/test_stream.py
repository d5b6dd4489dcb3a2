from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from bundle.errors import FormatError, IntegrityError
from bundle.format.shards import Shards, serialize_shards
from bundle.limits import MAX_FRAME_PLAIN, MIB, SHARD
from bundle.medium.files import ShardedFile
from bundle.medium.volumes import ShardHasher
from bundle.unpacking.stream import BUFFER, FrameStream
from tests.attacks.forgery import frame, volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bundle.format.frame import FrameHeader

NOISE = random.Random(6).randbytes(8 * MIB)


def _opened(path: Path, *volumes: bytes) -> list[ShardedFile]:
    path.mkdir(exist_ok=True)
    starts, raw = [], b""
    for data in volumes:
        starts.append(len(raw) // 32)
        hasher = ShardHasher()
        hasher.update(data)
        raw += hasher.shards()
    shards = Shards.parse(serialize_shards(raw))
    files = []
    for number, data in enumerate(volumes, start=1):
        name = path / f"vol-{number:05}.bdv"
        name.write_bytes(data)
        files.append(ShardedFile(name, len(data), shards, starts[number - 1]))
    return files


def _read(files: list[ShardedFile], buffers: int = 2) -> list[tuple[bytes, bytes]]:
    """Return the id of the first chunk and the payload of each frame."""
    stream = FrameStream(files)
    own = [memoryview(bytearray(BUFFER)) for _ in range(buffers)]
    found: list[tuple[bytes, bytes]] = []
    turn = 0
    try:
        while frames := stream.fill(own[turn % buffers]):
            assert sum(one.header.plain for one in frames) <= MAX_FRAME_PLAIN
            for one in frames:
                one.header.check_payload(one.payload)
                found.append((one.header.ids[0].tobytes(), bytes(one.payload)))
            turn += 1
        assert stream.fill(own[0]) == []
    finally:
        for file in files:
            file.close()
    return found


def _frames(sizes: list[int]) -> list[tuple[FrameHeader, bytes]]:
    return [
        frame(number.to_bytes(4, "big") + NOISE[: size - 4])
        for number, size in enumerate(sizes)
    ]


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(
        st.integers(4, 300_000) | st.sampled_from([SHARD - 164, SHARD - 100, SHARD]),
        min_size=1,
        max_size=12,
    ),
    split=st.integers(0, 12),
    buffers=st.integers(1, 3),
)
def test_frames_come_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], split: int, buffers: int
) -> None:
    """Wherever shards and volumes end, and whoever has the buffers."""
    frames = _frames(sizes)
    parts = [part for part in (frames[:split], frames[split:]) if part]
    volumes = [volume(*part, number=n) for n, part in enumerate(parts, start=1)]
    files = _opened(tmp_path_factory.mktemp("stream"), *volumes)
    expected = [(header.ids[0].tobytes(), payload) for header, payload in frames]
    assert _read(files, buffers) == expected


def test_the_largest_frames_fit(tmp_path: Path) -> None:
    parts = [NOISE[at : at + MIB] for at in range(0, 4 * MIB, MIB)]
    tail = [part[::-1] for part in parts]
    files = _opened(tmp_path, volume(frame(*parts), frame(b"few"), frame(*tail)))
    assert [len(payload) for _, payload in _read(files)] == [4 * MIB, 3, 4 * MIB]


def test_frames_of_many_chunks_fit(tmp_path: Path) -> None:
    chunks = [number.to_bytes(3, "big") for number in range(1 << 16)]
    files = _opened(tmp_path, volume(frame(*chunks), frame(NOISE[:MIB])))
    assert [len(payload) for _, payload in _read(files)] == [3 << 16, MIB]


def test_whole_volumes_are_digested_for_who_wants_it(tmp_path: Path) -> None:
    volumes = [volume(frame(NOISE[:MIB])), volume(frame(b"x"), number=2)]
    seen: dict[str, bytes] = {}
    files = _opened(tmp_path, *volumes)
    stream = FrameStream(files, lambda name, digest: seen.update({name: digest}))
    buffer = memoryview(bytearray(BUFFER))
    while stream.fill(buffer):
        pass
    assert list(seen.values()) == [blake3(data).digest() for data in volumes]


def test_no_volumes_are_no_frames() -> None:
    assert FrameStream([]).fill(memoryview(bytearray(BUFFER))) == []


BENT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda data: data[:0], "5.5.2"),
    "less than a header": (lambda data: data[:63], "5.5.2"),
    "no frame, no index": (lambda data: data[:64], "5.5.2"),
    "half a frame": (lambda data: data[:200], "5.5.2"),
    "no tail": (lambda data: data[:-64], "5.5.2"),
    "another number": (lambda _: volume(frame(b"x"), number=2), "5.5.5"),
    "no magic": (lambda data: b"\0" + data[1:], "5.1.2"),
    "a tail twice": (lambda data: data + data[-64:], "5.5.2"),
}


@pytest.mark.parametrize("bent", BENT)
def test_what_is_no_volume_is_refused_though_its_shards_are_right(
    tmp_path: Path, bent: str
) -> None:
    change, rule = BENT[bent]
    files = _opened(tmp_path, change(volume(frame(NOISE[:500]))))
    with pytest.raises(FormatError) as caught:
        _read(files)
    assert caught.value.rule == rule


def _payloads(stream: FrameStream, buffer: memoryview) -> Iterator[bytes]:
    while found := stream.fill(buffer):
        yield from [bytes(one.payload) for one in found]


@pytest.mark.parametrize("shard", [0, 1, 3, 5])
def test_frames_before_a_damaged_shard_are_given_and_none_after(
    tmp_path: Path, shard: int
) -> None:
    frames = [frame(NOISE[at : at + MIB // 2]) for at in range(0, 6 * MIB, MIB // 2)]
    data = volume(*frames)
    files = _opened(tmp_path, data)
    path = tmp_path / "vol-00001.bdv"
    at = shard * SHARD + 1000
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    stream = FrameStream(files)
    buffer = memoryview(bytearray(BUFFER))
    given: list[bytes] = []
    with pytest.raises(IntegrityError, match=r"rule 3\.3\.11"):
        given.extend(_payloads(stream, buffer))
    for file in files:
        file.close()
    payloads = [payload for _, payload in frames]
    assert given == payloads[: len(given)]
    assert sum(map(len, given)) <= shard * SHARD
