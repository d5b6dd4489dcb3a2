"""Chunks out of a store: each once, hashed, in frames as they were where that fits."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bundle.codec.codec import Decoder
from bundle.codec.encoding import Encoding, elements
from bundle.errors import BundleError, MissingError
from bundle.flow.turnstile import Halted
from bundle.format.columns import RECORD_SIZE
from bundle.format.recipe import Recipe
from bundle.format.volume import FRAME_MAGIC, parse_frame
from bundle.limits import MIN_VOLUME
from bundle.medium.volumes import Volumes
from bundle.packing.forwarding import Forwarding, Share
from bundle.packing.reading import nothing_left_out
from bundle.progress import Reporter
from bundle.store import pack_writer
from bundle.store.base import Retention
from bundle.store.local import LocalStore
from bundle.store.pack import check_chunks
from tests.store.contents import chunk, recipe_of, rows
from tests.store.suite import commit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.format.volume import FrameHeader


def share(chunks: Sequence[bytes], left_out: Sequence[bytes] = ()) -> Share:
    """What of a file of these chunks travels."""
    gone = {row.tobytes() for row in rows([*left_out])} if left_out else set()

    def is_left_out(ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return np.array([row.tobytes() in gone for row in ids], np.bool_)

    return Share.of([Recipe.parse(recipe_of(chunks))], is_left_out)


def forward(
    store: LocalStore, what: Share, out: Path
) -> list[tuple[FrameHeader, bytes]]:
    """Send it into volumes; return every frame and its plain bytes, checked."""
    out.mkdir()
    volumes = Volumes(out, MIN_VOLUME)
    Forwarding(store.vault, what, volumes, Reporter()).run()
    for volume in volumes.volumes:
        volume.finish()
    return [one for volume in volumes.volumes for one in frames(volume.path)]


def frames(path: Path) -> list[tuple[FrameHeader, bytes]]:
    data, offset, found = path.read_bytes(), RECORD_SIZE, []
    while data.startswith(FRAME_MAGIC, offset):
        header = parse_frame(memoryview(data)[offset:])
        payload = data[offset + header.table_end : offset + header.size]
        coding = (header.encoding, header.width, header.rotate, header.flags)
        plain = bytes(Decoder().decode(*coding, memoryview(payload), header.plain))
        check_chunks(header, plain)
        found.append((header, plain))
        offset += header.size
    return found


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore.make(tmp_path / "store")


CHUNKS = [chunk(number, 4000) for number in range(20)]


async def test_frames_that_travel_whole_keep_their_bytes(
    store: LocalStore, tmp_path: Path
) -> None:
    await store.put(CHUNKS)
    [(header, plain)] = forward(store, share(CHUNKS), tmp_path / "out")
    assert plain == b"".join(CHUNKS)
    [pack] = (tmp_path / "store/packs").iterdir()
    [(before, _)] = frames(pack)
    assert header.payload_digest == before.payload_digest


async def test_of_other_frames_only_what_is_due_travels(
    store: LocalStore, tmp_path: Path
) -> None:
    await store.put(CHUNKS)
    what = share(CHUNKS, CHUNKS[5:15])
    assert what.new_bytes == (10 * 4000,)
    [(header, plain)] = forward(store, what, tmp_path / "out")
    assert plain == b"".join(CHUNKS[:5] + CHUNKS[15:])
    assert len(header.ids) == 10


async def test_weights_stay_planes(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(3)
    tensors = [
        generator.normal(0, 0.02, 30_000).astype(np.float32).tobytes() for _ in range(4)
    ]
    monkeypatch.setattr(pack_writer, "UNKNOWN", elements(4, 1))
    await store.put(tensors)
    monkeypatch.undo()
    [(header, plain)] = forward(store, share(tensors, tensors[:1]), tmp_path / "out")
    assert (header.encoding, header.width, header.rotate) == (Encoding.PLANES, 4, 1)
    assert plain == b"".join(tensors[1:])


async def test_a_chunk_travels_once(store: LocalStore, tmp_path: Path) -> None:
    await store.put(CHUNKS)
    again = [*CHUNKS, *CHUNKS[::-1]]
    found = forward(store, share(again), tmp_path / "out")
    ids = [row.tobytes() for header, _ in found for row in header.ids]
    assert sorted(ids) == sorted(row.tobytes() for row in rows(CHUNKS))


async def test_volumes_have_their_size(store: LocalStore, tmp_path: Path) -> None:
    large = [random.Random(one).randbytes(1 << 20) for one in range(20)]
    await store.put(large)
    found = forward(store, share(large), tmp_path / "out")
    assert b"".join(plain for _, plain in found) == b"".join(large)
    sizes = [path.stat().st_size for path in (tmp_path / "out").iterdir()]
    assert len(sizes) > 2
    assert max(sizes) <= MIN_VOLUME


async def test_what_moved_to_another_pack_is_found(
    store: LocalStore, tmp_path: Path
) -> None:
    await commit(store, 1, CHUNKS[:15])
    other = LocalStore(tmp_path / "store")
    await commit(other, 2, CHUNKS[15:])
    await other.put([chunk(90, 50_000)])
    store.vault.reload()
    kept = await commit(other, 3, [*CHUNKS[13:]])
    assert kept.seq == 3
    await other.collect(Retention(keep=1))
    [(_, plain), *rest] = forward(store, share(CHUNKS[13:]), tmp_path / "out")
    assert b"".join([plain, *(one for _, one in rest)]) == b"".join(CHUNKS[13:])


async def test_what_has_left_is_named(store: LocalStore, tmp_path: Path) -> None:
    await store.put(CHUNKS[:3])
    missing = rows([CHUNKS[3]])[0].tobytes().hex()
    with pytest.raises(MissingError, match=f"{missing} is not in the store any more"):
        forward(store, share(CHUNKS[:4]), tmp_path / "out")


async def test_damage_is_named(store: LocalStore, tmp_path: Path) -> None:
    await store.put(CHUNKS)
    [pack] = (tmp_path / "store/packs").iterdir()
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    with pytest.raises(BundleError) as caught:
        forward(store, share(CHUNKS), tmp_path / "out")
    assert "--rebuild" in caught.value.advice


async def test_it_stops_when_it_is_told(store: LocalStore, tmp_path: Path) -> None:
    await store.put(CHUNKS)
    work = Forwarding(
        store.vault, share(CHUNKS), Volumes(tmp_path, MIN_VOLUME), Reporter()
    )
    work.stop()
    with pytest.raises(Halted):
        work.run()


def test_a_chunk_counts_where_it_first_comes() -> None:
    recipes = [
        Recipe.parse(recipe_of(CHUNKS[:4])),
        Recipe.parse(recipe_of(CHUNKS[2:6])),
    ]
    what = Share.of(recipes, nothing_left_out)
    assert what.new_bytes == (4 * 4000, 2 * 4000)
    assert len(what.chunks) == 6
