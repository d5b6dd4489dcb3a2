from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from bundle.target import beneath
from bundle.target.beneath import is_supported, open_beneath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["in one step", "level by level"])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    """An open directory, with and without the system call."""
    if request.param == "level by level":
        monkeypatch.setattr(beneath, "is_supported", lambda: False)
    elif not is_supported():
        pytest.skip("this kernel has no openat2")
    (tmp_path / "inside" / "a" / "b").mkdir(parents=True)
    (tmp_path / "inside" / "a" / "b" / "file").write_bytes(b"content")
    (tmp_path / "outside").write_bytes(b"secret")
    (tmp_path / "inside" / "out").symlink_to("..")
    (tmp_path / "inside" / "a" / "absolute").symlink_to("/")
    (tmp_path / "inside" / "a" / "within").symlink_to("b")
    (tmp_path / "inside" / "a" / "last").symlink_to("b/file")
    descriptor = os.open(tmp_path / "inside", os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def _read(root: int, path: str) -> bytes:
    with os.fdopen(open_beneath(root, path, os.O_RDONLY), "rb") as file:
        return file.read()


def test_what_is_below_is_opened(root: int) -> None:
    assert _read(root, "a/b/file") == b"content"
    os.close(open_beneath(root, "a/b", os.O_RDONLY | os.O_DIRECTORY))


def test_a_file_is_made_where_it_is_told(root: int, tmp_path: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = open_beneath(root, "a/b/new", flags, 0o600)
    os.write(descriptor, b"new")
    os.close(descriptor)
    made = tmp_path / "inside" / "a" / "b" / "new"
    assert made.read_bytes() == b"new"
    assert made.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        open_beneath(root, "a/b/new", flags, 0o600)


@pytest.mark.parametrize(
    "path",
    ["../outside", "a/../../outside", "..", "/etc/passwd", "a//../../outside"],
)
def test_nothing_leads_out(root: int, path: str) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EXDEV)):
        open_beneath(root, path, os.O_RDONLY)


@pytest.mark.parametrize(
    "path",
    ["out/outside", "a/absolute/etc/passwd", "a/within/file", "a/last", "out"],
)
def test_no_link_is_followed_not_even_one_that_stays_inside(
    root: int, path: str
) -> None:
    links = "|".join(map(os.strerror, (errno.ELOOP, errno.ENOTDIR)))
    with pytest.raises(OSError, match=links):
        open_beneath(root, path, os.O_RDONLY)


@pytest.mark.parametrize("path", ["nothing", "a/nothing/file", "a/b/nothing"])
def test_what_is_not_there_is_said_to_be(root: int, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        open_beneath(root, path, os.O_RDONLY)


def test_no_descriptor_is_left_open(root: int) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of descriptors
    for path in ("a/b/file", "a/last", "a/nothing/x", "../outside"):
        try:
            os.close(open_beneath(root, path, os.O_RDONLY))
        except OSError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_descriptors_are_not_inherited(root: int) -> None:
    descriptor = open_beneath(root, "a/b/file", os.O_RDONLY)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_it_is_known_whether_this_kernel_can(monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of descriptors
    is_supported.cache_clear()
    assert is_supported() in (True, False)
    is_supported.cache_clear()
    monkeypatch.setattr(beneath, "_openat2", lambda *_: -errno.ENOSYS)
    assert not is_supported()
    is_supported.cache_clear()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_a_look_up_that_is_always_interrupted_goes_level_by_level(
    root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beneath, "is_supported", lambda: True)
    monkeypatch.setattr(beneath, "_openat2", lambda *_: -errno.EAGAIN)
    assert _read(root, "a/b/file") == b"content"
