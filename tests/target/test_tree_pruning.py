"""A directory is what the newest releases say, and what was never ours stays."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bundle.target.tree import TreeTarget
from tests.target.interrupted import Interruption, PowerCut, bury
from tests.target.published import prune, release
from tests.target.sample import Sample, sample

if TYPE_CHECKING:
    from pathlib import Path

OLD = sample("tree", "t", {"a/x": b"1", "a/y": b"2", "b": b"3"}, directories=["void"])
NEW = sample("tree", "t", {"a/x": b"1", "c/d/e": b"4"})
OTHER = sample("tree", "o", {"a/other": b"5", "deep/er/z": b"6"})


def names(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if ".bundle" not in path.parts
    }


def target(root: Path, keep: int | None = None) -> TreeTarget:
    made = TreeTarget(root)
    made.keep = keep
    return made


def test_files_that_a_tree_has_no_longer_go_at_once(tmp_path: Path) -> None:
    release(target(tmp_path), 1, OLD)
    pruning = target(tmp_path, keep=2)
    release(pruning, 2, NEW)
    assert names(tmp_path) == {"a", "a/x", "c", "c/d", "c/d/e"}
    assert pruning.pruned is not None
    assert (pruning.pruned.files, pruning.pruned.bytes) == (2, 2)
    assert pruning.pruned.stayed == ()
    assert [one.seq for one in pruning.ledger.releases()] == [1, 2]


def test_a_tree_that_left_stays_until_its_last_release_is_not_kept(
    tmp_path: Path,
) -> None:
    release(target(tmp_path), 1, OLD, OTHER)
    release(target(tmp_path, keep=2), 2, OLD)
    assert (tmp_path / "deep/er/z").exists()
    pruning = target(tmp_path, keep=2)
    before = pruning.ledger.identity()
    release(pruning, 3, OLD)
    assert names(tmp_path) == {"a", "a/x", "a/y", "b", "void"}
    assert [one.seq for one in pruning.ledger.releases()] == [2, 3]
    after = pruning.ledger.identity()
    assert before is not None
    assert after is not None
    assert (after.id, after.generation) == (before.id, before.generation + 1)
    assert pruning.ledger.recipe(OTHER.artifact.recipe.digest) is None


def test_nothing_goes_without_being_asked(tmp_path: Path) -> None:
    release(target(tmp_path), 1, OLD, OTHER)
    unasked = target(tmp_path)
    release(unasked, 2, NEW)
    assert unasked.pruned is None
    assert {"b", "a/y", "deep/er/z"} <= names(tmp_path)


def test_what_was_changed_or_added_here_stays_and_is_named(tmp_path: Path) -> None:
    release(target(tmp_path), 1, OLD)
    (tmp_path / "b").write_bytes(b"mine")
    (tmp_path / "void" / "note").write_bytes(b"mine too")
    pruning = target(tmp_path, keep=1)
    release(pruning, 2, NEW)
    assert {"b", "void", "void/note"} <= names(tmp_path)
    assert pruning.pruned is not None
    [line] = pruning.pruned.stayed
    assert line == f"{tmp_path / 'b'}: changed since it was published"


def test_what_another_stream_publishes_stays(tmp_path: Path) -> None:
    release(target(tmp_path), 1, OLD)
    release(target(tmp_path), 1, sample("tree", "u", {"b": b"3"}), stream="6" * 32)
    release(target(tmp_path, keep=1), 2, NEW)
    assert "b" in names(tmp_path)
    assert "a/y" not in names(tmp_path)


def test_a_link_in_place_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    release(target(root), 1, OTHER)
    shutil.move(root / "deep", outside)
    (root / "deep").symlink_to(outside)
    pruning = target(root, keep=1)
    release(pruning, 2, NEW)
    assert (outside / "er/z").read_bytes() == b"6"
    assert pruning.pruned is not None
    assert any(str(root / "deep") in line for line in pruning.pruned.stayed)


def test_nothing_goes_while_a_recipe_that_stays_is_lost(tmp_path: Path) -> None:
    release(target(tmp_path), 1, OLD, OTHER)
    shutil.rmtree(tmp_path / ".bundle" / "recipes")
    pruning = target(tmp_path)
    release(pruning, 2, NEW)
    pruning.ledger.keep(OTHER.artifact.recipe.digest, OTHER.recipe)
    shutil.rmtree(tmp_path / ".bundle" / "recipes")
    before = names(tmp_path)
    pruning = target(tmp_path)
    prune(pruning, 1)
    assert names(tmp_path) == before
    assert pruning.pruned is not None
    assert "a recipe of it is lost" in pruning.pruned.stayed[0]
    assert [one.seq for one in pruning.ledger.releases()] == [1, 2]


def _state(root: Path, directory: Path) -> TreeTarget:
    if root.exists():
        shutil.rmtree(root)
    shutil.copytree(directory, root)
    return target(root)


@pytest.mark.parametrize("samples", [(NEW,), (OTHER,), (NEW, OTHER)])
def test_a_power_cut_at_any_call_leaves_what_stays(
    tmp_path: Path, samples: tuple[Sample, ...]
) -> None:
    base, root = tmp_path / "base", tmp_path / "run"
    release(target(base), 1, OLD, OTHER)
    release(target(base), 2, *samples)
    watch, whole = Interruption(), _state(root, base)
    with watch.armed():
        prune(whole, 1)
    wanted = names(root)
    calls = range(1, watch.calls + 1)
    for at in random.Random(5).sample(calls, min(20, len(calls))):
        cut = _state(root, base)
        with Interruption(at).armed(), suppress(PowerCut):
            prune(cut, 1)
        bury(cut)
        assert wanted <= names(root)
        again = target(root)
        prune(again, 1)
        assert names(root) == wanted
        assert [one.seq for one in again.ledger.releases()] == [2]
