from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from bundle.errors import (
    FormatError,
    IntegrityError,
    MissingError,
    StoreError,
    TruncatedError,
)
from bundle.format.shards import Shards, serialize_shards
from bundle.limits import MAX_DIRECTORY_SCAN, SHARD
from bundle.medium.files import (
    ShardedFile,
    is_there,
    names_on,
    open_regular,
    read_whole,
)
from bundle.medium.volumes import ShardHasher

if TYPE_CHECKING:
    from pathlib import Path

DATA = random.Random(1).randbytes(2 * SHARD + 100)


def _sharded(path: Path, data: bytes = DATA, *, before: int = 0) -> ShardedFile:
    """Return ``data`` as a file whose shards come after ``before`` others."""
    path.write_bytes(data)
    hasher = ShardHasher()
    hasher.update(data)
    shards = Shards.parse(serialize_shards(bytes(32 * before) + hasher.shards()))
    return ShardedFile(path, len(data), shards, before)


def test_a_file_is_read_whole_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_whole(tmp_path / "file", 5) == b"12345"
    with pytest.raises(FormatError, match=r"5 bytes, over 4 \(rule 4\.5\)"):
        read_whole(tmp_path / "file", 4)


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_whole(tmp_path / "file", 0) == b""


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    assert not is_there(tmp_path / "file")
    assert not is_there(tmp_path / "file" / "below")
    with pytest.raises(MissingError, match="file is not here"):
        open_regular(tmp_path / "file")
    assert names_on(tmp_path / "file") == []


def test_a_link_to_nothing_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to("nowhere")
    assert is_there(tmp_path / "file")
    with pytest.raises(FormatError, match=r"rule 4\.4"):
        open_regular(tmp_path / "file")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_bytes(b"12345")
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of descriptors
    for name in ("directory", "file", "nothing"):
        with pytest.raises((FormatError, MissingError)):
            read_whole(tmp_path / name, 1)
    with pytest.raises(IntegrityError):
        ShardedFile(tmp_path / "file", 6, Shards.parse(serialize_shards(b"")), 0)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_names_are_sorted_and_bounded(tmp_path: Path) -> None:
    for number in range(MAX_DIRECTORY_SCAN):
        (tmp_path / f"{number:04}").touch()
    assert names_on(tmp_path) == [f"{n:04}" for n in range(MAX_DIRECTORY_SCAN)]
    (tmp_path / "one more").touch()
    with pytest.raises(FormatError, match=r"over 4096 entries \(rule 4\.7\)"):
        names_on(tmp_path)


def test_a_link_to_a_directory_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(FormatError, match=r"link is a link \(rule 4\.4\)"):
        names_on(tmp_path / "link")


RANGES = {
    "nothing": (5, 0),
    "the first byte": (0, 1),
    "the last byte": (len(DATA) - 1, 1),
    "inside one shard": (10, 1000),
    "up to the end of a shard": (SHARD - 10, 10),
    "from the start of a shard": (SHARD, 10),
    "across two shards": (SHARD - 10, 20),
    "across all shards": (1, len(DATA) - 2),
    "everything": (0, len(DATA)),
}


@pytest.mark.parametrize(("offset", "size"), RANGES.values(), ids=RANGES)
def test_any_range_is_given_out_checked(tmp_path: Path, offset: int, size: int) -> None:
    file = _sharded(tmp_path / "file", before=3)
    assert file.read(offset, size) == DATA[offset : offset + size]
    file.close()
    file.close()


@pytest.mark.parametrize("at", [0, SHARD - 1, SHARD, 2 * SHARD + 99])
def test_a_damaged_shard_is_refused_and_the_others_are_not(
    tmp_path: Path, at: int
) -> None:
    file = _sharded(tmp_path / "file")
    with (tmp_path / "file").open("r+b") as writing:
        writing.seek(at)
        writing.write(bytes([DATA[at] ^ 1]))
    damaged = at // SHARD
    for shard in range(3):
        offset = shard * SHARD
        if shard == damaged:
            with pytest.raises(
                IntegrityError, match=rf"bytes {offset} .*rule 3\.3\.11"
            ):
                file.read(offset, 1)
        else:
            assert file.read(offset, 1) == DATA[offset : offset + 1]
    file.close()


def test_a_range_past_the_end_is_refused(tmp_path: Path) -> None:
    file = _sharded(tmp_path / "file")
    with pytest.raises(TruncatedError, match="ends inside a structure"):
        file.read(len(DATA) - 1, 2)
    file.close()


def test_a_file_that_shrinks_while_it_is_open_is_refused(tmp_path: Path) -> None:
    file = _sharded(tmp_path / "file")
    os.truncate(tmp_path / "file", SHARD + 5)
    assert file.read(0, 10) == DATA[:10]
    with pytest.raises(IntegrityError, match=rf"ends at byte {SHARD + 5}"):
        file.read(SHARD, 10)
    file.close()


def test_a_file_that_grows_while_it_is_open_is_read_as_far_as_was_signed(
    tmp_path: Path,
) -> None:
    file = _sharded(tmp_path / "file")
    with (tmp_path / "file").open("ab") as writing:
        writing.write(b"more")
    assert file.read(0, len(DATA)) == DATA
    file.close()


def test_a_descriptor_that_fails_is_the_mediums_fault(tmp_path: Path) -> None:
    file = _sharded(tmp_path / "file")
    file.close()
    with pytest.raises(StoreError, match="cannot be read at byte 0"):
        file.read(0, 1)
