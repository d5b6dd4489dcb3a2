import asyncio
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from bundle.errors import TargetError
from bundle.target.tree import TreeTarget
from tests.clients import contents
from tests.target.interrupted import Interruption, PowerCut, bury
from tests.target.sample import Sample, listing_of, sample, unpack

FILES = {
    "bin/run": b"#!/bin/sh\n",
    "bin/same": b"#!/bin/sh\n",
    "data/deep/down/file": b"x" * 70_000,
    "empty": b"",
    "read me": b"hello",
}
TREE = sample(
    "tree", "tools", FILES, executable=["bin/run"], directories=["void/within"]
)


def _published(root: Path) -> dict[str, bytes]:
    return {
        path: data
        for path, data in contents(root).items()
        if not path.startswith(".bundle/")
    }


def test_a_tree_appears_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "new"
    done = unpack(TreeTarget(root), TREE)
    assert (done.written_files, done.kept_files) == (5, 0)
    assert done.written_bytes == sum(map(len, FILES.values()))
    assert _published(root) == FILES
    assert (root / "void" / "within").is_dir()
    assert stat.S_IMODE((root / "bin/run").stat().st_mode) == 0o775
    assert stat.S_IMODE((root / "bin/same").stat().st_mode) == 0o664
    assert stat.S_IMODE((root / "bin").stat().st_mode) == 0o775


def test_a_second_run_writes_nothing_and_says_so(tmp_path: Path) -> None:
    unpack(TreeTarget(tmp_path), TREE)
    before = listing_of(tmp_path)
    before.pop(".bundle")
    done = unpack(TreeTarget(tmp_path), TREE)
    after = listing_of(tmp_path)
    after.pop(".bundle")
    assert (done.written_files, done.kept_files, done.written_bytes) == (0, 5, 0)
    assert after == before


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    unpack(TreeTarget(tmp_path), TREE)
    kept = (tmp_path / "data/deep/down/file").stat().st_ino
    (tmp_path / "bin/same").write_bytes(b"damaged")
    (tmp_path / "empty").unlink()
    (tmp_path / "foreign").write_bytes(b"mine")
    done = unpack(TreeTarget(tmp_path), TREE)
    assert (done.written_files, done.kept_files) == (2, 3)
    assert _published(tmp_path) == {**FILES, "foreign": b"mine"}
    assert (tmp_path / "data/deep/down/file").stat().st_ino == kept


def test_content_of_the_right_size_is_not_taken_at_its_word(tmp_path: Path) -> None:
    (tmp_path / "read me").write_bytes(b"HELLO")
    (tmp_path / "data/deep/down").mkdir(parents=True)
    (tmp_path / "data/deep/down/file").write_bytes(FILES["data/deep/down/file"])
    done = unpack(TreeTarget(tmp_path), TREE)
    assert (done.written_files, done.kept_files) == (4, 1)
    assert _published(tmp_path) == FILES


def test_a_file_that_someone_has_open_is_replaced_and_not_changed(
    tmp_path: Path,
) -> None:
    (tmp_path / "read me").write_bytes(b"the old one")
    with (tmp_path / "read me").open("rb") as reader:
        unpack(TreeTarget(tmp_path), TREE)
        assert reader.read() == b"the old one"
    assert (tmp_path / "read me").read_bytes() == b"hello"


def test_the_executable_bit_alone_is_put_right(tmp_path: Path) -> None:
    unpack(TreeTarget(tmp_path), TREE)
    (tmp_path / "bin/run").chmod(0o644)
    (tmp_path / "bin/same").chmod(0o755)
    done = unpack(TreeTarget(tmp_path), TREE)
    assert (done.written_files, done.written_bytes) == (2, 0)
    assert os.access(tmp_path / "bin/run", os.X_OK)
    assert not stat.S_IMODE((tmp_path / "bin/same").stat().st_mode) & 0o111


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "away").write_bytes(b"hello")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "read me").symlink_to(tmp_path / "away")
    unpack(TreeTarget(tmp_path / "target"), TREE)
    assert not (tmp_path / "target" / "read me").is_symlink()
    assert (tmp_path / "away").read_bytes() == b"hello"


@pytest.mark.parametrize("there", ["bin", "data/deep", "void"])
def test_a_link_in_place_of_a_directory_is_refused(tmp_path: Path, there: str) -> None:
    target, away = tmp_path / "target", tmp_path / "away"
    away.mkdir()
    (target / there).parent.mkdir(parents=True)
    (target / there).symlink_to(away)
    before = listing_of(tmp_path)
    with pytest.raises(TargetError, match=r"where a directory belongs|in place of"):
        unpack(TreeTarget(target), TREE)
    assert listing_of(tmp_path) == before


@pytest.mark.parametrize(
    ("directory", "file"),
    [("read me", None), ("empty", None), (None, "bin"), (None, "void/within")],
)
def test_a_directory_for_a_file_and_the_reverse_are_refused_before_any_write(
    tmp_path: Path, directory: str | None, file: str | None
) -> None:
    if directory:
        (tmp_path / directory).mkdir()
    if file:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    before = listing_of(tmp_path)
    with pytest.raises(TargetError, match=r"in place of|where a directory belongs"):
        unpack(TreeTarget(tmp_path), TREE)
    assert listing_of(tmp_path) == before


def test_two_trees_with_one_path_are_refused_before_any_write(tmp_path: Path) -> None:
    other = sample("tree", "other", {"READ ME": b"x"})
    with pytest.raises(TargetError, match="both have the path"):
        unpack(TreeTarget(tmp_path), TREE, other)
    assert not list(tmp_path.iterdir())


def test_two_trees_share_a_directory(tmp_path: Path) -> None:
    other = sample("tree", "other", {"bin/third": b"#!/bin/sh\n"})
    done = unpack(TreeTarget(tmp_path), TREE, other)
    assert done.written_files == 6
    assert _published(tmp_path) == {**FILES, "bin/third": b"#!/bin/sh\n"}


def test_content_that_vanished_since_it_was_looked_at_is_named(tmp_path: Path) -> None:
    unpack(TreeTarget(tmp_path), TREE)
    target = TreeTarget(tmp_path)

    async def run() -> None:
        assert await target.missing(TREE.artifact, TREE.recipe) == []
        await target.begin()
        (tmp_path / "read me").unlink()
        try:
            await target.publish(TREE.artifact, TREE.recipe, lambda _: None)
        finally:
            await target.abandon()
            await target.abandon()

    with pytest.raises(TargetError, match="changed while this run was unpacking"):
        asyncio.run(run())


# ``Interruption()`` ends nothing; it keeps a flush from reaching the disk, which
# is what most of the time of a small publication goes to.


def test_a_run_that_is_cut_off_leaves_whole_files_and_the_next_finishes(
    tmp_path: Path,
) -> None:
    old = sample("tree", "tools", {**FILES, "read me": b"old", "bin/run": b"old"})
    count = Interruption()
    unpack(TreeTarget(tmp_path / "count"), old)
    with count.armed():
        unpack(TreeTarget(tmp_path / "count"), TREE)
    for at in range(1, count.calls + 1):
        root = tmp_path / str(at)
        with Interruption().armed():
            unpack(TreeTarget(root), old)
        target = TreeTarget(root)
        with Interruption(at).armed(), pytest.raises(PowerCut):
            unpack(target, TREE)
        bury(target)
        for path, data in _published(root).items():
            assert data in (FILES[path], old.content[path])
        with Interruption().armed():
            unpack(TreeTarget(root), TREE)
        assert _published(root) == FILES
        assert not list((root / ".bundle").glob("run-*"))


_names = st.text("ab.c", min_size=1, max_size=3).filter(
    lambda name: not name.endswith(".")
)
_trees = st.dictionaries(
    st.lists(_names, min_size=1, max_size=3).map("/".join),
    st.binary(max_size=9),
    max_size=6,
).filter(
    lambda tree: (
        not any(
            one != two and two.startswith(f"{one}/") for one in tree for two in tree
        )
    )
)


@settings(deadline=None, max_examples=50)
@given(first=_trees, second=_trees)
def test_any_tree_over_any_other_gives_the_second(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, bytes],
    second: dict[str, bytes],
) -> None:
    root = tmp_path_factory.mktemp("tree")
    with Interruption().armed():
        _unpack_if_possible(root, first)
        if _unpack_if_possible(root, second):
            assert second.items() <= _published(root).items()
            again = unpack(TreeTarget(root), sample("tree", "tools", second))
            assert again.written_files == 0


def _unpack_if_possible(root: Path, files: dict[str, bytes]) -> bool:
    """Unpack, unless a file is where a directory has to be, or the reverse."""
    item: Sample = sample("tree", "tools", files)
    try:
        unpack(TreeTarget(root), item)
    except TargetError:
        assert any(
            (root / path).is_dir()
            or any(p.is_file() for p in (root / path).parents if p != root)
            for path in files
        )
        return False
    return True


def test_what_was_published_is_known_without_its_recipe(tmp_path: Path) -> None:
    assert not TreeTarget(tmp_path / "new").holds(TREE.artifact)
    unpack(TreeTarget(tmp_path), sample("tree", "tools", {**FILES, "old": b"old"}))
    unpack(TreeTarget(tmp_path), TREE)
    (tmp_path / "old").unlink()
    assert TreeTarget(tmp_path).holds(TREE.artifact)
    (tmp_path / "read me").write_bytes(b"other")
    assert not TreeTarget(tmp_path).holds(TREE.artifact)
    (tmp_path / "read me").unlink()
    assert not TreeTarget(tmp_path).holds(TREE.artifact)
