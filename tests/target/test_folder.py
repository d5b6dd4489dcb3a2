import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import TargetError
from bundle.target.folder import Folder, nearest

_PLACES = (Path("/dev/shm"), Path("/tmp"), Path.cwd())  # noqa: S108 - to look for one


def _link(path: Path) -> None:
    path.symlink_to("/")


def _file(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(_link, id="a link to another directory"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="a dangling link"),
        pytest.param(_file, id="a file"),
        pytest.param(os.mkfifo, id="a pipe"),
    ],
)
def test_what_is_planted_for_a_directory_is_refused(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    (tmp_path / "a").mkdir()
    plant(tmp_path / "a" / "b")
    with Folder.open(tmp_path) as folder:
        with (
            pytest.raises(TargetError, match="where a directory belongs"),
            folder.made(("a", "b", "c")),
        ):
            pass
        with (
            pytest.raises(TargetError, match="where a directory belongs"),
            folder.below(("a", "b"), make=False),
        ):
            pass
    assert len(list(tmp_path.rglob("*"))) == 2


def test_links_above_the_target_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Folder.open(tmp_path / "link") as folder, folder.made(("x",)):
        pass
    assert (tmp_path / "real" / "x").is_dir()


def test_a_directory_that_is_not_there_is_none(tmp_path: Path) -> None:
    with (
        Folder.open(tmp_path) as folder,
        folder.below(("a", "b"), make=False) as found,
    ):
        assert found is None
        assert not list(tmp_path.iterdir())


def test_directories_let_the_group_write_and_keep_the_inherited_group(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o2775)
    mask = os.umask(0o077)
    try:
        with Folder.open(tmp_path) as folder, folder.made(("a", "b")):
            pass
    finally:
        os.umask(mask)
    for name in ("a", "a/b"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o2775


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(_link, id="a link"),
        pytest.param(os.mkfifo, id="a pipe, which must not block"),
        pytest.param(lambda path: path.mkdir(), id="a directory"),
        pytest.param(lambda _: None, id="nothing"),
    ],
)
def test_only_a_regular_file_is_opened(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    plant(tmp_path / "name")
    with Folder.open(tmp_path) as folder:
        assert folder.open_file("name") is None
        assert folder.read("name", 10) is None


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"12345")
    with Folder.open(tmp_path) as folder:
        assert folder.read("name", 5) == b"12345"
        assert folder.read("name", 4) is None


def test_a_rename_over_a_directory_says_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"new")
    (tmp_path / "name").mkdir()
    with Folder.open(tmp_path) as folder:
        with pytest.raises(TargetError, match="a directory is in the way") as caught:
            folder.move("file", folder, "name")
        with pytest.raises(TargetError, match="a directory is in the way"):
            folder.move("file", folder, "name")
    assert caught.value.advice
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_rename_to_another_mount_says_what_to_name(tmp_path: Path) -> None:
    here = tmp_path.stat().st_dev
    others = [
        place
        for place in _PLACES
        if os.access(place, os.W_OK) and place.stat().st_dev != here
    ]
    if not others:
        pytest.skip("no second file system")
    (tmp_path / "file").write_bytes(b"new")
    with (
        Folder.open(tmp_path) as staging,
        Folder.open(others[0]) as folder,
        pytest.raises(TargetError, match="another mount") as caught,
    ):
        staging.move("file", folder, f"bundle-test-{os.getpid()}")
    assert "hf-cache:" in caught.value.advice


def test_a_file_system_without_links_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    with (
        Folder.open(tmp_path) as folder,
        pytest.raises(TargetError, match="no symbolic links") as caught,
    ):
        folder.link("name", "../blobs/x")
    assert "--copy" in caught.value.advice


def test_the_directory_above_has_to_exist(tmp_path: Path) -> None:
    assert nearest(tmp_path) == tmp_path
    assert nearest(tmp_path / "new") == tmp_path
    with pytest.raises(TargetError, match="directory above does not exist") as caught:
        nearest(tmp_path / "no" / "new")
    assert "mkdir -p" in caught.value.advice
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TargetError, match="not a directory"):
        nearest(tmp_path / "file")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(TargetError, match="not a directory"):
        nearest(tmp_path / "dangling")
