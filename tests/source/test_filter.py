"""Patterns on ``artifact/path``, and what follows when files are left out."""

from __future__ import annotations

import pytest

from bundle.source.base import HF_MODEL, TREE, SourceArtifact, SourceFile
from bundle.source.filter import (
    EVERYTHING,
    ListOptions,
    commit_of,
    filtered,
    without,
)

ONE = "1" * 40
TWO = "2" * 40


def model(*paths: str) -> SourceArtifact:
    """Return a model with two revisions, unless paths are given."""
    files = paths or (
        f".no_exist/{ONE}/adapter_config.json",
        "refs/main",
        f"snapshots/{ONE}/config.json",
        f"snapshots/{ONE}/model.bin",
        f"snapshots/{TWO}/config.json",
        f"trees/{ONE}.json",
        f"trees/{TWO}.json",
        "refs/refs/pr/1",
    )
    content = {"refs/main": ONE.encode(), "refs/refs/pr/1": TWO.encode()}
    return SourceArtifact(
        kind=HF_MODEL,
        name="org/model",
        source="hf-cache:hub",
        revision=f"{ONE},{TWO}",
        licence=None,
        warnings=(),
        files=tuple(SourceFile(path, content.get(path, b""), 0) for path in files),
    )


def tree() -> SourceArtifact:
    """Return a tree whose paths look like those of a cache."""
    paths = ("refs/notes.txt", "src/a.py", "src/b.py")
    return SourceArtifact(
        kind=TREE,
        name="code",
        source="tree:code",
        revision="",
        licence=None,
        warnings=(),
        files=tuple(SourceFile(path, b"", 0) for path in paths),
        directories=("src/empty", "refs/none"),
    )


def paths_of(artifact: SourceArtifact | None) -> list[str]:
    assert artifact is not None
    return [file.path.replace(ONE, "1").replace(TWO, "2") for file in artifact.files]


CASES = {
    "include reaches files of snapshots only": (
        ("*.json",),
        (),
        [
            ".no_exist/1/adapter_config.json",
            "refs/main",
            "snapshots/1/config.json",
            "snapshots/2/config.json",
            "refs/refs/pr/1",
        ],
    ),
    "a revision without files takes its refs and marks along": (
        ("*.bin",),
        (),
        [".no_exist/1/adapter_config.json", "refs/main", "snapshots/1/model.bin"],
    ),
    "exclude reaches refs too": (
        (),
        ("*/refs/refs/*", "*.bin"),
        [
            ".no_exist/1/adapter_config.json",
            "refs/main",
            "snapshots/1/config.json",
            "snapshots/2/config.json",
        ],
    ),
    "exclude wins over include": (
        ("*.json", "*.bin"),
        ("org/model/snapshots/1*", "other/*"),
        ["snapshots/2/config.json", "refs/refs/pr/1"],
    ),
}


@pytest.mark.parametrize(
    ("include", "exclude", "expected"), CASES.values(), ids=CASES.keys()
)
def test_a_model_keeps_what_its_files_need(
    include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    assert paths_of(filtered(model(), include, exclude)) == expected


def test_without_patterns_nothing_changes() -> None:
    assert filtered(model(), [], []) == model()


def test_the_revision_is_of_what_is_left() -> None:
    kept = filtered(model(), ["*.bin"], [])
    assert kept is not None
    assert kept.revision == ONE


def test_nothing_left_is_no_artifact() -> None:
    assert filtered(model(), ["*.onnx"], []) is None
    assert filtered(tree(), [], ["code/*"]) is None


def test_in_a_tree_no_directory_is_special() -> None:
    kept = filtered(tree(), ["code/src/*"], ["*/b.py"])
    assert paths_of(kept) == ["src/a.py"]
    assert kept is not None
    assert kept.directories == ("src/empty",)


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("*.txt", "a/b/c.txt", True),
        ("org/name/?.txt", "a.txt", True),
        ("org/name/[!a]*", "a.txt", False),
        ("*.TXT", "a.txt", False),
        ("a.txt", "a.txt", False),
    ],
)
def test_patterns_are_those_of_fnmatch_on_the_whole_path(
    pattern: str,
    path: str,
    taken: bool,  # noqa: FBT001
) -> None:
    assert ListOptions(include=(pattern,)).takes(TREE, "org/name", path) is taken
    assert ListOptions(exclude=(pattern,)).takes(TREE, "org/name", path) is not taken


def test_everything_takes_everything() -> None:
    assert EVERYTHING.takes(TREE, "any", "thing")
    assert not EVERYTHING.filters


def test_a_revision_that_lost_a_file_loses_its_list() -> None:
    kept = without(model(), {f"snapshots/{ONE}/model.bin"}, ("model.bin: damaged",))
    assert f"trees/{ONE}.json" not in [file.path for file in kept.files]
    assert f"trees/{TWO}.json" in [file.path for file in kept.files]
    assert kept.problems == ("model.bin: damaged",)
    assert kept.revision == f"{ONE},{TWO}"


def test_a_revision_that_lost_every_file_is_gone() -> None:
    kept = without(model(), {f"snapshots/{TWO}/config.json"}, ("damaged",))
    assert kept.revision == ONE
    assert "refs/refs/pr/1" not in [file.path for file in kept.files]


def test_a_tree_loses_only_the_file() -> None:
    kept = without(tree(), {"src/a.py"}, ("damaged",))
    assert paths_of(kept) == ["refs/notes.txt", "src/b.py"]


def test_commits_are_those_of_snapshots() -> None:
    assert commit_of(f"snapshots/{ONE}/a/b") == ONE
    assert commit_of(f"trees/{ONE}.json") is None
    assert commit_of("snapshots/x") is None
