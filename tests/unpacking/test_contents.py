from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bundle.errors import IntegrityError
from bundle.format.empty_files import check_empty_files
from bundle.format.recipe import Mode, Recipe
from bundle.format.recipe_builder import Literal, RecipeBuilder
from bundle.unpacking.contents import Contents
from tests.attacks.forgery import chunks, recipe
from tests.format.samples import ids_of
from tests.target.sample import git_sha1

if TYPE_CHECKING:
    from bundle.format.recipe_builder import Part

ONE, TWO, THREE = b"1" * 10, b"2" * 20, b"3" * 30


def _contents(data: bytes) -> tuple[Contents, Recipe]:
    found, contents = Recipe.parse(data), Contents()
    for index in range(found.files):
        contents.add(found, index)
    contents.settle()
    return contents, found


def test_rows_say_where_each_chunk_goes() -> None:
    contents, _ = _contents(
        recipe(
            {
                "a": [chunks(ONE, TWO), Literal(b"--"), chunks(THREE, ONE)],
                "b": [Literal(b"few")],
                "c": [chunks(TWO)],
            },
            plain={"a": ONE + TWO + b"--" + THREE + ONE, "b": b"few", "c": TWO},
        )
    )
    assert contents.lengths.tolist() == [10, 20, 30, 10, 20]
    assert contents.offsets.tolist() == [0, 10, 32, 62, 0]
    assert contents.owners.tolist() == [0, 0, 0, 0, 2]
    assert contents.rows_of(ids_of(TWO, ONE, b"none", THREE)) == [
        [1, 4],
        [0, 3],
        [],
        [2],
    ]
    assert [list(one.steps()) for one in contents.all] == [
        [0, 1, b"--", 2, 3],
        [b"few"],
        [4],
    ]
    assert [one.size for one in contents.all] == [72, 3, 20]


def test_equal_files_are_one_content() -> None:
    same = {path: [chunks(ONE, TWO)] for path in ("a", "b", "c")}
    contents, found = _contents(recipe(same, plain=dict.fromkeys(same, ONE + TWO)))
    assert len(contents.all) == 1
    assert contents.all[0].sha256 == hashlib.sha256(ONE + TWO).digest()
    assert found.files == 3


DIFFERENT: dict[str, tuple[list[Part], bytes]] = {
    "other chunks": ([chunks(ONE + TWO)], ONE + TWO),
    "a literal": ([Literal(ONE + TWO)], ONE + TWO),
    "another order": ([chunks(TWO, ONE)], ONE + TWO),
    "another size": ([chunks(ONE)], ONE + TWO),
    "another digest": ([chunks(ONE, TWO)], b"other"),
}


@pytest.mark.parametrize("other", DIFFERENT)
def test_files_that_are_not_made_alike_are_checked_each(other: str) -> None:
    parts, plain = DIFFERENT[other]
    contents, _ = _contents(
        recipe(
            {"a": [chunks(ONE, TWO)], "b": parts}, plain={"a": ONE + TWO, "b": plain}
        )
    )
    assert len(contents.all) == 2


def test_a_git_digest_is_part_of_what_a_content_is() -> None:
    builder = RecipeBuilder()
    digest = hashlib.sha256(ONE).digest()
    for path, git in (("a", None), ("b", git_sha1(ONE)), ("c", git_sha1(ONE))):
        builder.add(path, Mode.FILE, 10, digest, git, [chunks(ONE)])
    contents, _ = _contents(builder.finish())
    assert [one.git_sha1 for one in contents.all] == [bytes(20), git_sha1(ONE)]


def test_nothing_wants_nothing() -> None:
    contents = Contents()
    contents.settle()
    assert contents.rows_of(ids_of(ONE)) == [[]]
    assert contents.rows_of(np.zeros((0, 32), np.uint8)) == []


@settings(max_examples=60, deadline=None)
@given(
    files=st.lists(
        st.lists(st.sampled_from([ONE, TWO, THREE, b"4", b"5" * 50]), min_size=1),
        max_size=6,
    )
)
def test_each_chunk_finds_all_that_want_it(files: list[list[bytes]]) -> None:
    named = {f"{number}": parts for number, parts in enumerate(files)}
    contents, _ = _contents(
        recipe(
            {path: [chunks(*parts)] for path, parts in named.items()},
            plain={path: b"".join(parts) for path, parts in named.items()},
        )
    )
    made = [bytearray(one.size) for one in contents.all]
    for chunk in (ONE, TWO, THREE, b"4", b"5" * 50):
        [rows] = contents.rows_of(ids_of(chunk))
        for row in rows:
            offset = int(contents.offsets[row])
            made[contents.owners[row]][offset : offset + len(chunk)] = chunk
    expected = {b"".join(parts) for parts in files}
    assert {bytes(one) for one in made} == expected


EMPTY = {
    "right": (hashlib.sha256(b"").digest(), None, None),
    "right for git too": (hashlib.sha256(b"").digest(), git_sha1(b""), None),
    "the digest of another": (hashlib.sha256(b"x").digest(), None, "6.7.1"),
    "no digest": (bytes(32), None, "6.7.1"),
    "another's for git": (hashlib.sha256(b"").digest(), git_sha1(b"x"), "6.7.2"),
}


@pytest.mark.parametrize(("sha256", "git", "rule"), EMPTY.values(), ids=EMPTY)
def test_the_digests_of_an_empty_file(
    sha256: bytes, git: bytes | None, rule: str | None
) -> None:
    builder = RecipeBuilder()
    builder.add("full", Mode.FILE, 10, bytes(32), None, [chunks(ONE)])
    builder.add("empty", Mode.FILE, 0, sha256, git, [])
    builder.add_directory("void")
    found = Recipe.parse(builder.finish())
    if rule is None:
        check_empty_files(found)
        return
    with pytest.raises(IntegrityError, match=rf"^empty: .*rule {rule}"):
        check_empty_files(found)
