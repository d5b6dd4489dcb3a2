"""What came with a release is kept beside it, and goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.errors import FormatError
from bundle.limits import MAX_APPROVAL, MAX_DETACHED_SIGNATURE, MAX_TRUST_FILE
from bundle.store.base import Retention
from bundle.store.local import LocalStore
from bundle.store.papers import Papers
from tests.store.contents import chunk, digest, recipe_of, release

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = digest(b"one"), digest(b"other")
SIGNATURE = f"sig/{'ab' * 32}.json"
FILES = {
    "approval.md": b"# models, release 1\n",
    SIGNATURE: b"{}",
    "trust/1.root.json": b"root",
    "trust/12.roles.json": b"roles",
}


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path / "papers")


def test_what_is_kept_is_given_back(papers: Papers) -> None:
    assert papers.load(ONE) == {}
    papers.keep(ONE, FILES)
    papers.keep(OTHER, {})
    assert (papers.load(ONE), papers.load(OTHER)) == (FILES, {})


def test_what_comes_later_is_added_and_replaces_nothing(papers: Papers) -> None:
    papers.keep(ONE, {"approval.md": b"first"})
    papers.keep(ONE, {"approval.md": b"second", SIGNATURE: b"{}"})
    assert papers.load(ONE) == {"approval.md": b"first", SIGNATURE: b"{}"}


@pytest.mark.parametrize(
    "name",
    ["release.json", "../id", "sig/AB.json", "trust/0.root.json", "trust/1.other.json"],
)
def test_other_names_are_refused(papers: Papers, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not kept"):
        papers.keep(ONE, {name: b""})
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("approval.md", MAX_APPROVAL),
        (SIGNATURE, MAX_DETACHED_SIGNATURE),
        ("trust/1.root.json", MAX_TRUST_FILE),
    ],
)
def test_each_has_its_bound(
    papers: Papers, tmp_path: Path, name: str, limit: int
) -> None:
    papers.keep(ONE, {name: b""})
    [path] = [one for one in tmp_path.rglob("*") if one.is_file()]
    with path.open("r+b") as file:
        file.truncate(limit)
        assert papers.load(ONE) == {name: bytes(limit)}
        file.truncate(limit + 1)
    with pytest.raises(FormatError, match=str(limit)):
        papers.load(ONE)


def test_what_is_no_paper_is_left_alone(papers: Papers, tmp_path: Path) -> None:
    papers.keep(ONE, FILES)
    own = next((tmp_path / "papers").iterdir())
    (own / "note.txt").write_text("mine")
    (own / "trust/2.root.json").symlink_to(own / "trust/1.root.json")
    assert papers.load(ONE) == FILES


async def test_they_go_with_their_release(tmp_path: Path) -> None:
    store = LocalStore.make(tmp_path / "store")
    await store.put([chunk(1)])
    recipe = recipe_of([chunk(1)])
    await store.put_recipe(recipe)
    for seq in (1, 2):
        made = release(seq, [recipe])
        papers = {"approval.md": b"%d" % seq}
        await store.commit(
            type(made)(
                made.stream, made.name, seq, made.digest, made.recipes, b"{}", papers
            )
        )
    first, second = await store.releases()
    await store.collect(Retention(keep=1))
    assert store.papers.load(first.digest) == {}
    assert store.papers.load(second.digest) == {"approval.md": b"2"}


async def test_a_release_that_comes_again_brings_what_is_new(tmp_path: Path) -> None:
    store = LocalStore.make(tmp_path / "store")
    made = release(1, [])
    await store.commit(made)
    assert store.papers.load(made.digest) == {}
    again = type(made)(made.stream, made.name, 1, made.digest, (), b"", FILES)
    await store.commit(again)
    assert store.papers.load(made.digest) == FILES


async def test_what_a_crash_left_half_written_goes(tmp_path: Path) -> None:
    store = LocalStore.make(tmp_path / "store")
    store.papers.keep(ONE, FILES)
    half = tmp_path / "store/papers" / ONE.partition(":")[2] / "sig/.x.tmp"
    half.write_bytes(b"half")
    store.close()
    await LocalStore.make(tmp_path / "store").put([chunk(1)])
    assert not half.exists()
    assert store.papers.load(ONE) == FILES
