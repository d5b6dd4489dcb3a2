from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.errors import UsageError
from bundle.packing import naming
from bundle.packing.naming import spare_directory

if TYPE_CHECKING:
    from pathlib import Path


def finished(path: Path) -> Path:
    """Make a directory look like a finished bundle."""
    path.mkdir()
    (path / "bundle.json").touch()
    return path


def test_the_first_has_number_one(tmp_path: Path) -> None:
    assert spare_directory(tmp_path / "none", "docs", 7, "fill").name == (
        "docs-000007-fill-1"
    )


def test_one_that_is_unfinished_is_taken_again(tmp_path: Path) -> None:
    (tmp_path / "docs-000007-relay-1").mkdir()
    found = spare_directory(tmp_path, "docs", 7, "relay")
    assert found == tmp_path / "docs-000007-relay-1"


def test_a_finished_one_is_not(tmp_path: Path) -> None:
    finished(tmp_path / "docs-000007-relay-1")
    finished(tmp_path / "docs-000007-relay-2-1-of-3")
    found = spare_directory(tmp_path, "docs", 7, "relay")
    assert found == tmp_path / "docs-000007-relay-3"


def test_there_is_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "_MOST", 2)
    for number in (1, 2):
        finished(tmp_path / f"docs-000007-fill-{number}")
    with pytest.raises(UsageError, match="there are 2 of docs-000007-fill"):
        spare_directory(tmp_path, "docs", 7, "fill")
