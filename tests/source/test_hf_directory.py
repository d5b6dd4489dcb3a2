"""Files of a repository are found in order, and nothing else is."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError
from bundle.source.hf_directory import RepositoryDirectory
from bundle.source.links import Boundary

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> RepositoryDirectory:
    root = tmp_path / "models--x"
    for path in ("refs/refs/pr/1", "refs/main", "refs/a-b", "refs/.DS_Store"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return RepositoryDirectory(str(root), Boundary(str(tmp_path)))


def files(directory: RepositoryDirectory, inside: str) -> list[str]:
    failures: list[str] = []
    found = [
        name
        for name, path in directory.files(
            inside, lambda error, path: failures.append(f"{path}: {error.strerror}")
        )
        if path == f"{directory.path}/{inside}/{name}"
    ]
    return found + failures


def test_nested_files_come_in_order(directory: RepositoryDirectory) -> None:
    assert files(directory, "refs") == ["a-b", "main", "refs/pr/1"]
    assert directory.names("refs") == ["a-b", "main", "refs"]


def test_a_directory_that_is_not_there_is_empty(directory: RepositoryDirectory) -> None:
    assert files(directory, "trees") == []
    assert directory.names("trees") == []


def test_a_directory_that_cannot_be_read_is_handed_over(
    directory: RepositoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("/pr"):
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    *found, failure = files(directory, "refs")
    assert found == ["a-b", "main"]
    assert failure == f"{directory.path}/refs/refs/pr: Input/output error"


def test_unfinished_downloads_are_skipped_but_not_links_to_them(
    directory: RepositoryDirectory, tmp_path: Path
) -> None:
    root = tmp_path / "models--x"
    (root / "refs" / "z.incomplete").touch()
    (root / "refs" / "link.incomplete").symlink_to("main")
    assert "z.incomplete" not in files(directory, "refs")
    assert "link.incomplete" in files(directory, "refs")
    (root / "refs" / "to").symlink_to("z.incomplete")
    with pytest.raises(SourceError, match="did not finish"):
        directory.regular(f"{root}/refs/to")


def test_links_may_lead_into_other_repositories_of_the_cache(
    directory: RepositoryDirectory, tmp_path: Path
) -> None:
    (tmp_path / "models--y").mkdir()
    (tmp_path / "models--y" / "blob").touch()
    (tmp_path / "models--x" / "link").symlink_to("../models--y/blob")
    place = directory.regular(f"{directory.path}/link").end
    assert place == f"{tmp_path}/models--y/blob"
