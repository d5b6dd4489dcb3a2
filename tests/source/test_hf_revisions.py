"""Revisions and what they are called; what is wrong elsewhere is only remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError
from bundle.source.hf_directory import RepositoryDirectory
from bundle.source.hf_revisions import Revisions
from bundle.source.links import Boundary
from tests.source.unprivileged import as_nobody, open_directory

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, GONE = "1" * 40, "2" * 40, "3" * 40


def repository(root: Path) -> Path:
    for commit in (ONE, TWO):
        (root / "snapshots" / commit / "sub").mkdir(parents=True)
        (root / "snapshots" / commit / "sub" / "file").touch()
    (root / "snapshots" / "stray").mkdir()
    (root / "refs" / "refs" / "pr").mkdir(parents=True)
    (root / "refs" / "main").write_text(ONE)
    (root / "refs" / "gone").write_text(GONE)
    (root / "refs" / "bad").write_text(ONE[:-1])
    (root / "refs" / "refs" / "pr" / "1").write_text(f"{ONE}\n")
    return root


def look_at(root: Path) -> Revisions:
    return Revisions(RepositoryDirectory(str(root), Boundary(str(root.parent))))


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    return look_at(repository(tmp_path / "models--x"))


def test_commits_with_files_count(revisions: Revisions) -> None:
    assert revisions.commits == [ONE, TWO]
    assert revisions.every() == {ONE, TWO, GONE}


def test_refs_nest_and_lose_their_line_end(revisions: Revisions) -> None:
    assert revisions.refs == {"main": ONE, "gone": GONE, "refs/pr/1": ONE}
    assert revisions.refs_to(ONE) == ["main", "refs/pr/1"]


def test_faults_are_remembered_by_place(revisions: Revisions) -> None:
    assert revisions.faults.keys() == {"refs/bad", "snapshots/stray"}


@pytest.mark.parametrize(
    ("name", "commit"),
    [("main", ONE), ("refs/pr/1", ONE), ("gone", GONE), (TWO, TWO), (TWO[:7], TWO)],
)
def test_a_revision_has_several_names(
    revisions: Revisions, name: str, commit: str
) -> None:
    assert revisions.named(name) == commit


@pytest.mark.parametrize("name", ["bad", "none", ONE[:6], GONE, ONE + "1"])
def test_other_names_are_refused(revisions: Revisions, name: str) -> None:
    with pytest.raises(SourceError):
        revisions.named(name)


def test_an_empty_repository_says_that_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        look_at(tmp_path).named("main")
    assert caught.value.advice == "here are: none"


def test_a_commit_without_files_is_named_by_its_refs(revisions: Revisions) -> None:
    assert f"refs/gone names {GONE}" in str(revisions.absent(GONE))


def test_what_may_not_be_read_is_a_fault() -> None:
    with open_directory() as top:
        root = repository(top / "models--x")
        (root / "refs" / "main").chmod(0)
        (root / "snapshots" / ONE).chmod(0)

        def look() -> list[str]:
            found = look_at(root)
            return [*found.faults, str(found.absent(ONE)), *found.commits]

        faults = as_nobody(look)
        (root / "snapshots" / ONE).chmod(0o755)
        (root / "snapshots").chmod(0)
        whole = as_nobody(look)
        (root / "snapshots").chmod(0o755)
    snapshot = f"{root}/snapshots/{ONE}: permission denied"
    places = [f"snapshots/{ONE}", "snapshots/stray", "refs/bad", "refs/main"]
    assert faults == [*places, snapshot, TWO]
    assert whole[0] == "snapshots"
