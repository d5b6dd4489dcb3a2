"""What differs between two lists of artifacts, by file and by chunk."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from bundle.digest import digest_of
from bundle.format.difference import (
    Change,
    Entry,
    FileChange,
    Tally,
    changed_files,
    compare,
    new_bytes,
)
from bundle.format.recipe import Mode, Recipe
from bundle.format.recipe_builder import ChunkRun, RecipeBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping


def recipe_of(files: Mapping[str, bytes], executable: str = "") -> bytes:
    """Return a recipe in which each file is one chunk."""
    builder = RecipeBuilder()
    for path, data in files.items():
        mode = Mode.EXECUTABLE if path == executable else Mode.FILE
        ids = np.frombuffer(blake3(data).digest(), np.uint8).reshape(1, 32)
        runs = [ChunkRun(ids, np.array([len(data)], np.uint32))] if data else []
        sha256 = hashlib.sha256(data).digest()
        builder.add(path, mode, len(data), sha256, None, runs)
    return builder.finish()


def entry(name: str, files: Mapping[str, bytes], *, known: bool = True) -> Entry:
    """Return an artifact of these files."""
    data = recipe_of(files)
    recipe = Recipe.parse(data)
    return Entry(
        kind="tree",
        name=name,
        revision="",
        digest=str(digest_of(data)),
        files=len(files),
        bytes=sum(map(len, files.values())),
        recipe=recipe if known else None,
    )


_files = st.dictionaries(
    st.sampled_from(["a", "a.b", "a-b", "b/c", "b-c", "ß", "z"]),
    st.binary(min_size=1, max_size=3),
    max_size=5,
).filter(lambda files: not {"b", "b/c"} <= files.keys())


@given(before=_files, after=_files)
def test_every_file_that_differs_is_told_once(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    found = changed_files(
        Recipe.parse(recipe_of(before)), Recipe.parse(recipe_of(after))
    )
    expected = {}
    for path in {*before, *after}:
        old, new = before.get(path), after.get(path)
        if old != new:
            state = "added" if old is None else "removed" if new is None else "changed"
            sizes = (None if one is None else len(one) for one in (old, new))
            expected[path] = FileChange(path, state, *sizes)
    assert list(found) == [expected[path] for path in sorted(expected, key=str.encode)]


@given(before=_files, after=_files)
def test_new_bytes_are_those_of_chunks_that_only_the_newer_has(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    fresh = {*after.values()} - {*before.values()}
    found = new_bytes([entry("a", before)], [entry("a", after)])
    assert found == sum(map(len, fresh))


def test_a_file_that_became_executable_has_changed() -> None:
    before, after = recipe_of({"a": b"x"}), recipe_of({"a": b"x"}, executable="a")
    changes = [*changed_files(Recipe.parse(before), Recipe.parse(after))]
    assert changes == [FileChange("a", "changed", 1, 1)]


def test_artifacts_are_paired_by_kind_and_name() -> None:
    old = [entry("goes", {"a": b"1"}), entry("same", {"a": b"2"})]
    new = [entry("same", {"a": b"2"}), entry("comes", {"a": b"3"})]
    changes = {one.entry.name: one.state for one in compare(old, new)}
    assert changes == {"goes": "removed", "same": "same", "comes": "added"}


STATES = {
    "one that came": (
        Change(None, entry("a", {"x": b"12"})),
        Tally(added_files=1, added_bytes=2),
    ),
    "one that came, its recipe unknown": (
        Change(None, entry("a", {"x": b"12"}, known=False)),
        Tally(added_files=1, added_bytes=2),
    ),
    "one that went": (
        Change(entry("a", {"x": b"12", "y": b""}), None),
        Tally(removed_files=2, removed_bytes=2),
    ),
    "one that went, its recipe unknown": (
        Change(entry("a", {"x": b"12", "y": b""}, known=False), None),
        Tally(removed_files=2, removed_bytes=2),
    ),
    "one that changed": (
        Change(entry("a", {"x": b"12", "y": b"1"}), entry("a", {"x": b"3", "z": b"4"})),
        Tally(1, 1, 1, 1, 1, 1),
    ),
    "one that changed, a recipe unknown": (
        Change(entry("a", {"x": b"1"}, known=False), entry("a", {"x": b"2"})),
        None,
    ),
    "one that is the same, both recipes unknown": (
        Change(
            entry("a", {"x": b"1"}, known=False), entry("a", {"x": b"1"}, known=False)
        ),
        Tally(),
    ),
}


@pytest.mark.parametrize(("change", "tally"), STATES.values(), ids=STATES.keys())
def test_a_tally(change: Change, tally: Tally | None) -> None:
    assert change.tally() == tally


def test_new_bytes_are_unknown_where_a_recipe_is() -> None:
    known, unknown = entry("a", {"x": b"1"}), entry("b", {"x": b"2"}, known=False)
    assert new_bytes([known], [unknown]) is None
    assert new_bytes([unknown], [known]) is None
    assert new_bytes([known, unknown], [unknown]) == 0
    assert new_bytes([], []) == 0


def test_a_change_of_nothing_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="a change of nothing"):
        _ = Change(None, None).entry
