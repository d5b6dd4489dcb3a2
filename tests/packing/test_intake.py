from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError
from bundle.packing.intake import Intake, Opened
from bundle.source.base import SourceFile
from tests.target.sample import git_sha1

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"some content\n" * 100


def _file(tmp_path: Path, data: bytes = DATA) -> SourceFile:
    (tmp_path / "file").write_bytes(data)
    return SourceFile("file", tmp_path / "file", len(data))


def test_digests_do_not_depend_on_how_the_bytes_come() -> None:
    file = SourceFile("file", DATA, len(DATA), git_sha1_wanted=True)
    for step in (1, 7, 1000, len(DATA)):
        intake = Intake(0, file)
        for start in range(0, len(DATA), step):
            intake.update(memoryview(DATA)[start : start + step])
        intake.conclude()
        assert intake.sha256 == hashlib.sha256(DATA).digest()
        assert intake.git_sha1 == git_sha1(DATA)


def test_a_git_digest_is_made_only_where_it_is_wanted() -> None:
    intake = Intake(0, SourceFile("file", DATA, len(DATA)))
    intake.update(DATA)
    intake.conclude()
    assert intake.git_sha1 is None


@pytest.mark.parametrize("kind", ["a file", "memory"])
def test_any_part_can_be_read(tmp_path: Path, kind: str) -> None:
    file = _file(tmp_path)
    if kind == "memory":
        file = SourceFile("file", DATA, len(DATA))
    opened = Opened(file)
    for offset, size in ((0, 0), (0, 10), (5, 10), (len(DATA) - 3, 10), (9999, 1)):
        assert opened.read(offset, size) == DATA[offset : offset + size]
    buffer = memoryview(bytearray(50))
    opened.read_into(buffer[10:40], 20)
    assert bytes(buffer) == bytes(10) + DATA[20:50] + bytes(10)
    opened.check_unchanged()
    opened.close()
    opened.close()


def test_a_file_of_another_size_than_was_listed_is_refused(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of descriptors
    file = _file(tmp_path)
    for size in (0, len(DATA) - 1, len(DATA) + 1):
        with pytest.raises(SourceError, match="it changed while it was read"):
            Opened(SourceFile("file", file.content, size))
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Sources follow links and check them; whatever is here since was planted."""
    _file(tmp_path)
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(SourceError, match=r"^link: "):
        Opened(SourceFile("link", tmp_path / "link", len(DATA)))


def test_a_file_that_is_shorter_than_it_was_is_noticed_when_it_is_read(
    tmp_path: Path,
) -> None:
    opened = Opened(_file(tmp_path))
    os.truncate(tmp_path / "file", 10)
    with pytest.raises(SourceError, match="it changed while it was read"):
        opened.read(0, len(DATA))
    opened.close()


@pytest.mark.parametrize("change", ["content", "size", "permissions"])
def test_a_file_that_was_written_to_is_noticed_at_its_end(
    tmp_path: Path, change: str
) -> None:
    file = _file(tmp_path)
    os.utime(tmp_path / "file", (1, 1))
    opened = Opened(file)
    opened.check_unchanged()
    match change:
        case "content":
            (tmp_path / "file").write_bytes(DATA[::-1])
        case "size":
            with (tmp_path / "file").open("ab") as writing:
                writing.write(b"more")
        case _:
            os.utime(tmp_path / "file", (2, 2))
    with pytest.raises(SourceError, match="it changed while it was read"):
        opened.check_unchanged()
    opened.close()
