from __future__ import annotations

import hashlib

import pytest

from bundle.errors import SourceError
from bundle.format.recipe import Mode
from bundle.packing.harvest import Harvest, harvest, merged
from bundle.packing.intake import Intake
from bundle.source.base import SourceArtifact, SourceFile
from tests.meddling import artifact
from tests.target.sample import git_sha1


def _taken(number: int, file: SourceFile, problem: str = "") -> Intake:
    """Return a file as the workers leave it, of content that fits a recipe."""
    assert isinstance(file.content, bytes)
    intake = Intake(number, file, literal=file.content)
    intake.update(file.content)
    intake.conclude()
    intake.problem = problem
    return intake


def _harvest(*artifacts: SourceArtifact, lost: tuple[str, ...] = ()) -> list[Harvest]:
    return harvest(
        artifacts,
        [
            _taken(number, file, f"{file.path}: lost" if file.path in lost else "")
            for number, one in enumerate(artifacts)
            for file in one.files
        ],
    )


def test_a_recipe_says_what_the_files_were() -> None:
    files = (
        SourceFile("b", b"2", 1, executable=True),
        SourceFile("a", b"11", 2, git_sha1_wanted=True),
    )
    given = SourceArtifact("tree", "x", "here", "r1", "MIT", ("w",), files, ("void",))
    [ready] = _harvest(given)
    recipe, entry = ready.recipe, ready.artifact
    assert list(recipe.paths()) == ["a", "b", "void"]
    assert recipe.modes.tolist() == [Mode.FILE, Mode.EXECUTABLE, Mode.DIRECTORY]
    assert recipe.sha256[0].tobytes() == hashlib.sha256(b"11").digest()
    assert recipe.git_sha1[0].tobytes() == git_sha1(b"11")
    assert recipe.git_sha1[1].tobytes() == bytes(20)
    assert (entry.bytes, entry.files, entry.chunks) == (3, 3, 0)
    assert (entry.source, entry.revision, entry.licence) == ("here", "r1", "MIT")
    assert entry.warnings == ("w",)


def test_a_file_that_was_lost_is_in_no_recipe() -> None:
    files = (SourceFile("a", b"1", 1), SourceFile("b", b"2", 1))
    [ready] = _harvest(artifact(*files), lost=("b",))
    assert list(ready.recipe.paths()) == ["a"]
    assert ready.source.problems == ("b: lost",)


def test_an_artifact_that_lost_every_file_is_dropped() -> None:
    one = artifact(SourceFile("a", b"1", 1), name="one")
    other = artifact(SourceFile("b", b"2", 1), name="other")
    assert [each.artifact.name for each in _harvest(one, other, lost=("b",))] == ["one"]


def test_paths_that_no_recipe_holds_are_the_sources_mistake() -> None:
    files = (SourceFile("a", b"1", 1), SourceFile("A", b"2", 1))
    with pytest.raises(SourceError, match=r"^given: .*collide.*") as caught:
        _harvest(artifact(*files))
    assert "--exclude" in caught.value.advice


def test_what_is_packed_again_takes_the_place_of_what_was() -> None:
    old = [
        each.artifact
        for each in _harvest(
            artifact(SourceFile("a", b"1", 1), name="kept"),
            artifact(SourceFile("a", b"1", 1), name="renewed"),
        )
    ]
    new = _harvest(
        artifact(SourceFile("a", b"2", 1), name="renewed"),
        artifact(SourceFile("a", b"3", 1), name="added"),
    )
    found = merged(old, new)
    assert [one.name for one in found] == ["added", "kept", "renewed"]
    assert found[1] == old[0]
    assert found[2] == new[0].artifact != old[1]
