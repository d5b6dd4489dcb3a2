"""Links stay inside a directory at every step, or are refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError
from bundle.source.links import MAX_LINKS, Boundary

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with a file in it and one beside it."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "file").write_bytes(b"in")
    (tmp_path / "outside").write_bytes(b"out")
    (tmp_path / "rootless").mkdir()
    return root


def follow(root: Path, inside: str) -> list[str]:
    return Boundary(str(root)).follow(f"{root}/{inside}").places


def test_a_regular_file_leads_to_itself(root: Path) -> None:
    assert follow(root, "file") == [f"{root}/file"]


def test_every_step_of_a_chain_is_returned(root: Path) -> None:
    (root / "one").symlink_to("sub/two")
    (root / "sub" / "two").symlink_to("../file")
    assert follow(root, "one") == [f"{root}/one", f"{root}/sub/two", f"{root}/file"]


def test_an_absolute_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "link").symlink_to(root / "file")
    assert follow(root, "link")[-1] == f"{root}/file"


def test_the_boundary_itself_may_be_reached_through_a_link(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "alias").symlink_to("root")
    (root / "link").symlink_to("file")
    boundary = Boundary(str(tmp_path / "alias"))
    assert boundary.root == str(root)
    assert boundary.follow(f"{tmp_path}/alias/link").end == f"{root}/file"


@pytest.mark.parametrize("target", [".", "sub/..", "sub/", "../root"])
def test_links_to_directories_are_followed(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    assert follow(root, "link")[-1] in (str(root), f"{root}/sub")


@pytest.mark.parametrize(
    "target",
    ["../outside", "sub/../../outside", "/etc/passwd", "..", "/", "../rootless"],
)
def test_a_link_that_leaves_is_refused(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    with pytest.raises(SourceError, match=r"link: leads to .*, outside .*root$"):
        follow(root, "link")


def test_a_chain_that_leaves_and_comes_back_is_refused(
    root: Path, tmp_path: Path
) -> None:
    (root / "link").symlink_to("../back")
    (tmp_path / "back").symlink_to("root/file")
    with pytest.raises(SourceError, match="outside"):
        follow(root, "link")


def test_a_directory_that_is_a_link_out_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "rootless" / "file").write_bytes(b"")
    (root / "door").symlink_to("../rootless")
    with pytest.raises(SourceError, match="outside"):
        follow(root, "door/file")


def test_a_dangling_link_says_what_is_not_there(root: Path) -> None:
    (root / "link").symlink_to("gone")
    with pytest.raises(SourceError, match=r"a dangling link, .*/gone is not there"):
        follow(root, "link")


def test_a_missing_file_is_no_dangling_link(root: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        follow(root, "gone")


@pytest.mark.parametrize("target", ["link", "sub/back", "link/x"])
def test_links_in_a_circle_are_refused(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    (root / "sub" / "back").symlink_to("../link")
    with pytest.raises(SourceError, match="circle"):
        follow(root, "link")


def test_a_chain_is_followed_as_far_as_the_system_would(root: Path) -> None:
    for number in range(MAX_LINKS + 1):
        (root / f"{number}").symlink_to(f"{number + 1}")
    (root / f"{MAX_LINKS + 1}").write_bytes(b"")
    assert len(follow(root, "1")) == MAX_LINKS + 1
    with pytest.raises(SourceError, match="circle"):
        follow(root, "0")


def test_the_whole_file_system_can_be_a_boundary(root: Path) -> None:
    boundary = Boundary("/")
    assert boundary.follow(f"{root}/file").places == [f"{root}/file"]
    assert boundary.contains("/")
