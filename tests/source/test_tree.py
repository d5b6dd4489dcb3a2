"""A tree carries files and directories, follows links inside, refuses the rest."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from bundle.errors import SourceError
from bundle.source.filter import ListOptions
from bundle.source.tree import TreeSource, tree_name
from tests.source.unprivileged import as_nobody, open_directory

if TYPE_CHECKING:
    from bundle.source.base import SourceArtifact

KEEP_GOING = ListOptions(keep_going=True)


async def listed(root: Path, options: ListOptions | None = None) -> SourceArtifact:
    [artifact] = await TreeSource(root, options=options or ListOptions()).artifacts()
    return artifact


def contents(artifact: SourceArtifact) -> dict[str, bytes]:
    return {
        file.path: file.content.read_bytes()
        for file in artifact.files
        if isinstance(file.content, Path)
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "My Models"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "b.txt").write_bytes(b"b")
    (root / "sub" / "a.txt").write_bytes(b"aa")
    (root / "sub" / "deep" / "c.txt").write_bytes(b"")
    return root


async def test_files_come_with_size_and_path_in_order(root: Path) -> None:
    artifact = await listed(root)
    assert artifact.kind == "tree"
    assert artifact.name == "my-models"
    assert artifact.revision == ""
    assert [(file.path, file.size) for file in artifact.files] == [
        ("b.txt", 1),
        ("sub/a.txt", 2),
        ("sub/deep/c.txt", 0),
    ]
    assert contents(artifact)["sub/a.txt"] == b"aa"


async def test_only_empty_directories_are_listed(root: Path) -> None:
    (root / "sub" / "empty").mkdir()
    assert (await listed(root)).directories == ("sub/empty",)


async def test_an_empty_tree_is_an_artifact(tmp_path: Path) -> None:
    artifact = await listed(tmp_path)
    assert not artifact.files
    assert not artifact.directories


async def test_the_owners_right_to_execute_is_kept(root: Path) -> None:
    (root / "b.txt").chmod(0o744)
    (root / "sub" / "a.txt").chmod(0o655)
    modes = {file.path: file.executable for file in (await listed(root)).files}
    assert modes == {"b.txt": True, "sub/a.txt": False, "sub/deep/c.txt": False}


async def test_links_inside_are_carried_as_what_they_lead_to(root: Path) -> None:
    (root / "link").symlink_to("sub/a.txt")
    (root / "door").symlink_to("sub/deep")
    artifact = await listed(root)
    assert contents(artifact)["link"] == b"aa"
    assert "door/c.txt" in contents(artifact)
    assert not any(
        file.content.is_symlink()
        for file in artifact.files
        if isinstance(file.content, Path)
    )


async def test_a_link_to_the_tree_from_outside_is_one_tree(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert (await listed(tmp_path / "alias")).name == "my-models"


def leave(root: Path) -> None:
    (root / "bad").symlink_to("../elsewhere")


def dangle(root: Path) -> None:
    (root / "bad").symlink_to("nothing")


def circle(root: Path) -> None:
    (root / "bad").symlink_to("bad")


def door_to_itself(root: Path) -> None:
    (root / "bad").symlink_to(".")


def pipe(root: Path) -> None:
    os.mkfifo(root / "bad")


def plug(root: Path) -> None:
    here = Path.cwd()
    os.chdir(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("bad")
    os.chdir(here)


def colon(root: Path) -> None:
    (root / "bad:name").write_bytes(b"")


def no_text(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/bad\xff")).write_bytes(b"")


def one_name_in_two_cases(root: Path) -> None:
    (root / "bad").write_bytes(b"")
    (root / "BAD").write_bytes(b"")


def file_and_directory(root: Path) -> None:
    (root / "SUB").write_bytes(b"bad")


def directories_in_two_cases(root: Path) -> None:
    (root / "Sub").mkdir()
    (root / "Sub" / "bad").write_bytes(b"")


BAD = {
    "a link that leaves": (leave, "bad: leads to .*elsewhere, outside"),
    "a dangling link": (dangle, "bad: a dangling link"),
    "a link to itself": (circle, "bad: its links run in a circle"),
    "a link to a directory above it": (door_to_itself, "circle"),
    "a pipe": (pipe, "bad: neither a regular file nor a directory"),
    "a socket": (plug, "bad: neither a regular file nor a directory"),
    "a name that Windows cannot keep": (colon, r"bad:name: cannot be carried.*2\.3"),
    "a name that is not Unicode": (no_text, r"bad\\udcff: cannot be carried.*2\.3"),
    "names that differ in case": (one_name_in_two_cases, r"'bad' and 'BAD'.*2\.4"),
    "a file called like a directory": (file_and_directory, r"'SUB'.*2\.4"),
    "directories that differ in case": (directories_in_two_cases, r"'Sub.*2\.4"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD.keys())
async def test_what_cannot_be_carried_is_refused_by_name(
    root: Path, spoil: object, message: str
) -> None:
    assert callable(spoil)
    spoil(root)
    with pytest.raises(SourceError, match=message) as caught:
        await listed(root)
    assert caught.value.exit_code == 15
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD.keys())
async def test_with_keep_going_it_is_left_out_and_named(
    root: Path, spoil: object, message: str
) -> None:
    assert callable(spoil)
    spoil(root)
    artifact = await listed(root, KEEP_GOING)
    assert artifact.problems
    assert all(problem.isprintable() for problem in artifact.problems)
    assert any(re.search(message, problem) for problem in artifact.problems)
    assert len(artifact.files) >= 2


async def test_what_is_excluded_is_no_problem(root: Path) -> None:
    colon(root)
    pipe(root)
    artifact = await listed(root, ListOptions(exclude=("my-models/bad*",)))
    assert len(artifact.files) == 3


async def test_no_directory_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "gone", Path(__file__)):
        with pytest.raises(SourceError, match="not a directory"):
            await listed(path)


async def test_a_tree_deeper_than_paths_may_be_is_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 66)
    deep.mkdir(parents=True)
    with pytest.raises(SourceError, match="directories deep"):
        await listed(tmp_path)


async def test_the_state_of_this_tool_is_left_out_and_said(root: Path) -> None:
    (root / ".bundle").mkdir()
    (root / ".bundle" / "record.json").write_bytes(b"{}")
    (root / "sub" / ".bundle").mkdir()
    (root / "sub" / ".bundle" / "kept").write_bytes(b"")
    artifact = await listed(root)
    assert len(artifact.files) == 4
    assert any(".bundle at the top" in warning for warning in artifact.warnings)


async def test_pickles_are_warned_of(root: Path) -> None:
    (root / "model.PKL").write_bytes(b"x")
    assert any("model.PKL" in warning for warning in (await listed(root)).warnings)


def test_an_unreadable_file_or_directory_is_named() -> None:
    with open_directory() as root:
        (root / "secret").write_bytes(b"x")
        (root / "secret").chmod(0)
        (root / "locked").mkdir(mode=0)
        (root / "open").write_bytes(b"x")

        def look() -> list[list[str]]:
            artifact = TreeSource(root, options=KEEP_GOING)._list()
            return [[file.path for file in artifact.files], list(artifact.problems)]

        files, problems = as_nobody(look)
    assert files == ["open"]
    assert [line.partition(";")[0].rpartition("/")[2] for line in problems] == [
        "locked: permission denied",
        "secret: permission denied",
    ]


NAMES = {
    "/srv/models": "models",
    "/srv/My Models (2026)": "my-models-2026",
    "/srv/a--b__c..d": "a-b-c..d",
    "/": "tree",
    "/srv/...": "tree",
    "/srv/con": "tree-con",
    "/srv/NUL.txt": "tree-nul.txt",
    "/srv/" + "x" * 100: "x" * 64,
    "/srv/" + "x" * 63 + "-y": "x" * 63,
    "/srv/模型": "tree",
}


@pytest.mark.parametrize(("path", "name"), NAMES.items(), ids=NAMES.keys())
def test_the_name_is_a_slug_of_the_last_component(path: str, name: str) -> None:
    assert tree_name(path) == name


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8
).filter(lambda name: name not in (".", "..") and "/" not in name)
trees = st.recursive(
    st.binary(max_size=8), lambda one: st.dictionaries(names, one, max_size=4)
)


@settings(deadline=None, max_examples=60)
@given(tree=st.dictionaries(names, trees, max_size=4))
def test_every_file_is_either_listed_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]
) -> None:
    root = tmp_path_factory.mktemp("any")
    wanted: set[str] = set()

    def build(path: Path, node: dict[str, object], inside: str) -> None:
        for name, one in node.items():
            if isinstance(one, dict):
                (path / name).mkdir(exist_ok=True)
                build(path / name, one, f"{inside}{name}/")
            elif isinstance(one, bytes):
                (path / name).write_bytes(one)
                wanted.add(inside + name)

    build(root, tree, "")
    wanted = {path for path in wanted if not path.startswith(".bundle/")}
    wanted.discard(".bundle")
    artifact = TreeSource(root, options=KEEP_GOING)._list()
    found = contents(artifact)
    assert found.keys() <= wanted
    assert len(artifact.problems) >= len(wanted - found.keys())
    for path, data in found.items():
        assert data == (root / path).read_bytes()
