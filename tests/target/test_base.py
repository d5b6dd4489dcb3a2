import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bundle.errors import SpaceError, TargetError
from bundle.format.recipe import Recipe
from bundle.target.base import Published
from bundle.target.room import require_space
from bundle.target.tree import TreeTarget
from tests.target.sample import sample

RECIPE = sample("tree", "tools", {"a": b"a"}).recipe


class _Wanting(TreeTarget):
    """Needs files of the sizes that ``missing`` is made of."""

    def needed_sizes(self, recipe: Recipe, missing: Sequence[int]) -> Sequence[int]:
        return missing if recipe is RECIPE else ()


def test_what_does_not_fit_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    target = _Wanting(tmp_path / "new")
    free, block = target.free_bytes(), os.statvfs(tmp_path).f_frsize
    most = free - 1024 * block
    require_space([(target, RECIPE, [most])])
    with pytest.raises(SpaceError, match="bytes are needed") as caught:
        require_space([(target, RECIPE, [2 * free])])
    assert "free" in caught.value.advice
    assert not (tmp_path / "new").exists()


def test_a_file_takes_whole_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = os.statvfs_result((4096, 4096, 9, 9, 3, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: small)
    target = _Wanting(tmp_path)
    assert target.free_bytes() == 3 * 4096
    require_space([(target, RECIPE, [1, 4097])])
    with pytest.raises(SpaceError, match="16384 bytes are needed and 12288 are free"):
        require_space([(target, RECIPE, [1, 4097]), (target, RECIPE, [1])])


def test_a_file_system_that_takes_no_more_files_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = list(os.statvfs(tmp_path))
    full[5:8] = 1000, 2, 2
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(full))
    target = _Wanting(tmp_path)
    require_space([(target, RECIPE, [1, 1])])
    with pytest.raises(SpaceError, match="3 files are needed"):
        require_space([(target, RECIPE, [1, 1]), (target, RECIPE, [1])])


def test_targets_on_one_file_system_share_its_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = os.statvfs_result((4096, 4096, 9, 9, 3, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: small)
    one, two = _Wanting(tmp_path / "one"), _Wanting(tmp_path / "two")
    require_space([(one, RECIPE, [4096]), (two, RECIPE, [8192])])
    with pytest.raises(SpaceError, match="16384 bytes are needed and 12288 are free"):
        require_space([(one, RECIPE, [8192]), (two, RECIPE, [8192])])


def test_there_is_no_room_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="directory above"):
        _Wanting(tmp_path / "no" / "where").free_bytes()


def test_publications_add_up() -> None:
    both = Published(1, 2, 3, ("a",)) + Published(10, 20, 30, ("b",))
    assert both == Published(11, 22, 33, ("a", "b"))
