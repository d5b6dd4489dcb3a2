"""What counts as a bundle, and when."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.medium.files import read_whole
from syncd import survey as module
from syncd.survey import Survey

if TYPE_CHECKING:
    import pytest


def bundle(path: Path, content: bytes = b"{}") -> str:
    path.mkdir(parents=True)
    (path / "bundle.json").write_bytes(content)
    return str(path)


def look(root: Path, now: float = 0.0, **changes: object) -> list[str]:
    survey = Survey((str(root),), **{"depth": 2, "settle": 0.0, **changes})  # type: ignore[arg-type]
    return sorted(survey.look(now)[0])


def test_a_directory_with_a_bundle_json_is_one(tmp_path: Path) -> None:
    found = [bundle(tmp_path / "stick/a"), bundle(tmp_path / "b")]
    (tmp_path / "c").mkdir()
    assert look(tmp_path) == sorted(found)
    assert look(Path(found[0])) == [found[0]]


def test_what_is_too_deep_or_hidden_is_not_looked_at(tmp_path: Path) -> None:
    bundle(tmp_path / "1/2/3")
    bundle(tmp_path / ".Trash/b")
    assert look(tmp_path) == []
    assert look(tmp_path, depth=3) == [str(tmp_path / "1/2/3")]


def test_links_are_not_followed(tmp_path: Path) -> None:
    bundle(tmp_path / "elsewhere/b")
    (tmp_path / "media").mkdir()
    (tmp_path / "media/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "media/c").mkdir()
    (tmp_path / "media/c/bundle.json").symlink_to(tmp_path / "elsewhere/b/bundle.json")
    assert look(tmp_path / "media") == []


def test_a_bundle_json_that_is_a_pipe_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b/bundle.json")
    assert look(tmp_path) == []


def test_what_is_not_there_has_no_bundles(tmp_path: Path) -> None:
    assert look(tmp_path / "nothing") == []


def test_what_changes_is_told_once_it_has_settled(tmp_path: Path) -> None:
    survey = Survey((str(tmp_path),), 2, settle=5)
    place = bundle(tmp_path / "b")
    assert survey.look(0) == ({}, 5)
    (tmp_path / "b/vol-00001.bdv").write_bytes(b"half")
    assert survey.look(4) == ({}, 9)
    assert survey.look(8) == ({}, 9)
    found, again = survey.look(9)
    assert (list(found), again) == ([place], None)
    (tmp_path / "b/vol-00001.bdv").write_bytes(b"half and half")
    assert survey.look(10) == ({}, 15)
    stamp = survey.look(15)[0][place].stamp
    assert stamp != found[place].stamp


def test_new_signatures_are_a_change(tmp_path: Path) -> None:
    survey = Survey((str(tmp_path),), 2, settle=0)
    place = bundle(tmp_path / "b")
    before = survey.look(0)[0][place]
    (tmp_path / "b/sig").mkdir()
    (tmp_path / "b/sig/1.json").write_bytes(b"{}")
    after = survey.look(1)[0][place]
    assert (after.bundle, after.stamp == before.stamp) == (before.bundle, False)


def test_a_bundle_json_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle(tmp_path / "b")
    reads: list[Path] = []

    def counted(path: Path, limit: int) -> bytes:
        reads.append(path)
        return read_whole(path, limit)

    monkeypatch.setattr(module, "read_whole", counted)
    survey = Survey((str(tmp_path),), 2, settle=0)
    for now in range(5):
        survey.look(now)
    assert len(reads) == 1
    shutil.rmtree(tmp_path / "b")
    assert survey.look(9) == ({}, None)


def test_more_bundles_than_are_looked_at_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUNDLES", 2)
    found = [bundle(tmp_path / name) for name in "abc"]
    assert look(tmp_path) == found[:2]
