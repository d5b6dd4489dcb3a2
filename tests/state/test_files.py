"""Small files: bounded to read, made at most once."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundle.errors import ExistsError, LimitError, MissingError, TargetError
from bundle.state.files import create_file, names_in, read_bounded, remove_files


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5, rule="22.1.1") == b"12345"
    with pytest.raises(LimitError, match=r"over 4 bytes \(rule 22\.1\.1\)"):
        read_bounded(path, 4, rule="22.1.1")


def test_what_cannot_be_read_is_our_own_error(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such file"):
        read_bounded(tmp_path / "no", 5, rule="22.1.1")
    with pytest.raises(TargetError):
        read_bounded(tmp_path, 5, rule="22.1.1")


def test_an_endless_file_is_read_up_to_its_bound() -> None:
    with pytest.raises(LimitError):
        read_bounded(Path("/dev/zero"), 1000, rule="22.1.1")


def test_a_directory_that_is_not_there_has_no_names(tmp_path: Path) -> None:
    assert names_in(tmp_path / "no") == []
    (tmp_path / "b").touch()
    (tmp_path / "a").touch()
    assert names_in(tmp_path) == ["a", "b"]
    with pytest.raises(TargetError):
        names_in(tmp_path / "a")


def test_a_file_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "new/a"
    create_file(path, b"first")
    with pytest.raises(ExistsError):
        create_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert names_in(path.parent) == ["a"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_of_many_makers_one_succeeds(tmp_path: Path) -> None:
    def make(number: int) -> bool:
        try:
            create_file(tmp_path / "a", str(number).encode())
        except ExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(20)))
    assert sum(made) == 1
    assert (tmp_path / "a").read_bytes() == str(made.index(True)).encode()
    assert names_in(tmp_path) == ["a"]


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    create_file(tmp_path / "a", b"first")
    with pytest.raises(ExistsError):
        create_file(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert names_in(tmp_path) == ["a"]


def test_a_link_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(TargetError):
        create_file(tmp_path / "a", b"first")
    assert names_in(tmp_path) == []


def test_removing_what_is_gone_is_fine(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    remove_files(tmp_path, ["a", "b"])
    assert names_in(tmp_path) == []
