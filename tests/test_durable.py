"""Files are there whole or not at all, whatever fails."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bundle import durable
from bundle.errors import BundleError, SpaceError, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def fail(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record flushes and renames in the order in which they happen."""
    seen: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def recording_fsync(descriptor: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append(f"flush {kind}")
        fsync(descriptor)

    def recording_rename(path: Path, target: Path) -> Path:
        seen.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(Path, "rename", recording_rename)
    return seen


def test_a_file_is_flushed_then_named_then_its_name_is_flushed(
    tmp_path: Path, calls: list[str]
) -> None:
    durable.write_file(tmp_path / "a", b"data")
    assert calls == ["flush file", "rename", "flush directory"]
    assert (tmp_path / "a").read_bytes() == b"data"


def test_moving_flushes_the_name(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"data")
    durable.move(tmp_path / "a", tmp_path / "b")
    assert calls == ["rename", "flush directory"]
    assert (tmp_path / "b").read_bytes() == b"data"


def test_a_directory_is_flushed_into_the_one_above(
    tmp_path: Path, calls: list[str]
) -> None:
    durable.make_directory(tmp_path / "a/b/c", mode=0o700)
    assert calls == ["flush directory"] * 3
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o700
    durable.make_directory(tmp_path / "a/b/c")
    assert len(calls) == 3


def test_a_file_has_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    durable.write_file(tmp_path / "secret", b"", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_writing_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "a").symlink_to("elsewhere")
    durable.write_file(tmp_path / "a", b"new")
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_failed_flush_is_final_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    durable.write_file(tmp_path / "a", b"old")
    attempts = []

    def failing_fsync(descriptor: int) -> None:
        attempts.append(descriptor)
        raise fail(number)

    monkeypatch.setattr(os, "fsync", failing_fsync)
    with pytest.raises(TargetError) as caught:
        durable.write_file(tmp_path / "a", b"new")
    assert isinstance(caught.value, SpaceError) is (number != errno.EIO)
    assert len(attempts) == 1
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_an_interrupt_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        durable.write_file(tmp_path / "a", b"new")
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_flush_directories_is_put_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fsync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise fail(number)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    durable.write_file(tmp_path / "a", b"data")
    assert (tmp_path / "a").read_bytes() == b"data"


IN_THE_WAY: dict[str, Callable[[Path], None]] = {
    "a missing directory": (lambda path: durable.write_file(path / "no/a", b"")),
    "a directory of that name": (lambda path: durable.write_file(path / "dir", b"")),
    "a file for a directory": (lambda path: durable.write_file(path / "file/a", b"")),
    "nothing to move": (lambda path: durable.move(path / "no", path / "b")),
    "a file where a directory should be": (
        lambda path: durable.make_directory(path / "file")
    ),
    "a file above a directory": (lambda path: durable.make_directory(path / "file/a")),
    "a link that leads nowhere": (lambda path: durable.make_directory(path / "link")),
}


@pytest.mark.parametrize("attempt", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_is_in_the_way_is_a_target_error(
    tmp_path: Path, attempt: Callable[[Path], None]
) -> None:
    (tmp_path / "dir/inside").mkdir(parents=True)
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(TargetError):
        attempt(tmp_path)
    assert names(tmp_path) == ["dir", "file", "link"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_long_name_in_any_script_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("\N{CJK UNIFIED IDEOGRAPH-6A21}" * 85)
    durable.write_file(path, b"data")
    assert path.read_bytes() == b"data"


def test_every_system_error_becomes_our_own(tmp_path: Path) -> None:
    for number in errno.errorcode:
        with pytest.raises(BundleError), durable.target_errors(tmp_path):
            raise fail(number)


def test_all_bytes_are_written_where_they_belong(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w+b") as file:
        durable.write_all(file.fileno(), b"world", 6)
        durable.write_all(file.fileno(), memoryview(b"hello "), 0)
        assert file.read() == b"hello world"
