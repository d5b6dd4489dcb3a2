import errno
import os
import stat
from pathlib import Path

import pytest

from bundle.errors import SpaceError, TargetError
from bundle.target.folder import Folder
from bundle.target.handover import Handover
from bundle.target.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.begin()
    return workspace


def _staged(workspace: Workspace, data: bytes) -> Path:
    path = workspace.files / "staged"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def test_the_first_name_gets_the_file_and_the_others_a_copy(
    tmp_path: Path, workspace: Workspace
) -> None:
    data = os.urandom(3_000_001)
    staged = _staged(workspace, data)
    inode = staged.stat().st_ino
    handover = Handover(workspace)
    with Folder.open(tmp_path) as folder:
        handover.put(staged, folder, "a")
        handover.put(staged, folder, "b", 0o775)
    assert not staged.exists()
    assert (tmp_path / "a").stat().st_ino == inode
    assert (tmp_path / "b").stat().st_ino != inode
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == data
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o664
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o775


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(errno.EXDEV, id="between mounts"),
        pytest.param(errno.ENOSYS, id="an old kernel"),
        pytest.param(errno.EOPNOTSUPP, id="a file system that cannot"),
    ],
)
def test_a_copy_needs_no_help_of_the_file_system(
    tmp_path: Path,
    workspace: Workspace,
    refusal: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_args: object) -> int:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    data = os.urandom(3_000_001)
    staged = _staged(workspace, data)
    handover = Handover(workspace)
    with Folder.open(tmp_path) as folder:
        handover.put(staged, folder, "a")
        handover.put(staged, folder, "b")
    assert (tmp_path / "b").read_bytes() == data


def test_a_full_disk_is_said_to_be_full(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    staged = _staged(workspace, b"data")
    handover = Handover(workspace)
    monkeypatch.setattr(os, "copy_file_range", full)
    with Folder.open(tmp_path) as folder:
        handover.put(staged, folder, "a")
        with pytest.raises(SpaceError):
            handover.put(staged, folder, "b")
    assert not (tmp_path / "b").exists()


def test_a_file_that_was_touched_after_it_was_published_is_not_copied(
    tmp_path: Path, workspace: Workspace
) -> None:
    staged = _staged(workspace, b"data")
    handover = Handover(workspace)
    with Folder.open(tmp_path) as folder:
        handover.put(staged, folder, "a")
        (tmp_path / "a").write_bytes(b"evil")
        os.utime(tmp_path / "a", ns=(0, 0))
        with pytest.raises(TargetError, match="changed since it was published"):
            handover.put(staged, folder, "b")
    assert not (tmp_path / "b").exists()


def test_a_staged_link_is_not_published(tmp_path: Path, workspace: Workspace) -> None:
    staged = workspace.files / "staged"
    staged.symlink_to("/etc/hostname")
    with Folder.open(tmp_path) as folder, pytest.raises(TargetError):
        Handover(workspace).put(staged, folder, "a")


def test_a_directory_that_is_renamed_takes_its_files_along(
    tmp_path: Path, workspace: Workspace
) -> None:
    staged = _staged(workspace, b"data")
    handover = Handover(workspace)
    with Folder.open(tmp_path) as folder, folder.made(("before",)) as before:
        handover.put(staged, before, "a")
        folder.move("before", folder, "after")
        handover.relocated(tmp_path / "before", tmp_path / "after")
        handover.put(staged, folder, "b")
    assert (tmp_path / "b").read_bytes() == b"data"


def test_an_empty_file_needs_no_staging(tmp_path: Path, workspace: Workspace) -> None:
    with Folder.open(tmp_path) as folder:
        Handover(workspace).put(None, folder, "empty")
    assert (tmp_path / "empty").read_bytes() == b""
