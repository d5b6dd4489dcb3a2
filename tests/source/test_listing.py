"""A listing takes what a recipe can hold and names the rest in one line."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError
from bundle.paths import check_distinct
from bundle.source import listing as module
from bundle.source.base import TREE, SourceFile
from bundle.source.filter import ListOptions
from bundle.source.listing import Listing, check_readable, one_line, some, unreadable

if TYPE_CHECKING:
    from pathlib import Path


def listing(*, keep_going: bool = False, exclude: tuple[str, ...] = ()) -> Listing:
    return Listing(TREE, "name", ListOptions(exclude=exclude, keep_going=keep_going))


def add(one: Listing, *paths: str) -> Listing:
    for path in paths:
        one.add(SourceFile(path, b"", 0), f"/shown/{path}")
    return one


def test_files_and_directories_come_out_sorted() -> None:
    one = add(listing(), "b", "a/c", "a-b")
    one.add_directory("z", "/shown/z")
    one.add_directory("e", "/shown/e")
    assert [file.path for file in one.files] == ["a-b", "a/c", "b"]
    assert one.directories == ("e", "z")
    assert one.missing("a/", ["c", "d"]) == ["d"]


COLLISIONS = {
    "case of files": ("a/README", "a/readme"),
    "case of directories": ("a/x", "A/y"),
    "a file and a directory": ("a/x", "A"),
    "a directory and a file": ("A", "a/x"),
    "composed and decomposed": ("caf\u00e9", "cafe\u0301"),
    "a ligature": ("\ufb01le", "file"),
    "sharp s": ("stra\u00dfe", "STRASSE"),
}


@pytest.mark.parametrize("paths", COLLISIONS.values(), ids=COLLISIONS.keys())
def test_names_that_some_system_takes_for_one_are_refused(
    paths: tuple[str, str],
) -> None:
    with pytest.raises(SourceError, match=r"for one name \(rule 2\.4\)") as caught:
        add(listing(), *paths)
    assert "/shown/" + paths[1] in str(caught.value)
    kept = add(listing(keep_going=True), *paths, "z")
    assert [file.path for file in kept.files] == sorted([paths[0], "z"])
    assert len(kept.problems) == 1
    check_distinct([file.path for file in kept.files], [], rule="2.4")


def test_what_is_excluded_collides_with_nothing() -> None:
    kept = add(listing(exclude=("name/A",)), "A", "a")
    assert [file.path for file in kept.files] == ["a"]


def test_more_files_than_a_recipe_holds_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 2)
    with pytest.raises(SourceError, match="at most 2 files"):
        add(listing(), "a", "b", "c")


def fail(error: Exception) -> None:
    raise error


def test_a_guard_notes_what_goes_wrong_inside() -> None:
    one = listing(keep_going=True, exclude=("name/out",))
    with one.guard("/shown/x"):
        fail(PermissionError(errno.EACCES, "denied"))
    with one.guard("/shown/y"):
        fail(SourceError("why", advice="do this"))
    with one.guard("/shown/out", "out"):
        fail(OSError(errno.EIO, "excluded, so nobody cares"))
    denied, why = one.problems
    assert denied.startswith("/shown/x: permission denied; make it readable")
    assert why == "why; do this"


def test_without_keep_going_a_guard_lets_it_out_as_an_error_of_the_source() -> None:
    with (
        pytest.raises(SourceError, match=r"^/x: Input/output error$"),
        listing().guard("/x"),
    ):
        raise OSError(errno.EIO, "Input/output error")


def test_other_errors_are_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), listing(keep_going=True).guard("/x"):
        _ = 1 // 0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(), "/x: permission denied"),
        (FileNotFoundError(), "/x: no such file or directory"),
        (OSError(errno.ESTALE, "Stale file handle"), "/x: Stale file handle"),
        (OSError("odd"), "/x: odd"),
    ],
)
def test_what_the_system_refuses_is_said(error: OSError, message: str) -> None:
    assert str(unreadable("/x", error)) == message


def test_a_problem_is_one_line() -> None:
    assert one_line(SourceError("a\n b", advice="c\td")) == "a b; c d"


def test_only_some_names_are_shown() -> None:
    assert some(["b", "a"]) == "a, b"
    assert some(range(9)) == "0, 1, 2, 3, 4, …"


def test_a_file_that_everyone_may_read_is_not_asked_about(tmp_path: Path) -> None:
    check_readable(str(tmp_path / "gone"), 0o644, "gone")
    with pytest.raises(SourceError, match="permission denied"):
        check_readable(str(tmp_path / "gone"), 0o600, "gone")
