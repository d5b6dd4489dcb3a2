import hashlib
import os
from pathlib import Path

import pytest

from bundle.target import record as record_module
from bundle.target.folder import Folder
from bundle.target.record import Record
from bundle.target.workspace import Workspace
from tests.target.sample import listing_of, sample

DATA = b"content"
SHA256 = hashlib.sha256(DATA).digest()
ARTIFACT = sample("tree", "tools", {"file": DATA}).artifact


def _record(root: Path) -> Record:
    return Record(Workspace(root), ARTIFACT)


def _hashes(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    calls: list[object] = []
    digest = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        calls.append(file)
        return digest(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return calls


def test_content_is_hashed_once_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _hashes(monkeypatch)
    (tmp_path / "file").write_bytes(DATA)
    with Folder.open(tmp_path) as folder:
        first = _record(tmp_path)
        assert first.holds("file", folder, "file", SHA256)
        assert first.holds("file", folder, "file", SHA256)
        first.save()
        assert _record(tmp_path).holds("file", folder, "file", SHA256)
    assert len(calls) == 1


def test_a_file_that_is_known_to_be_another_is_not_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _hashes(monkeypatch)
    path = tmp_path / "file"
    path.write_bytes(DATA)
    record = _record(tmp_path)
    other = hashlib.sha256(b"other").digest()
    with Folder.open(tmp_path) as folder:
        assert record.holds("file", folder, "file", SHA256)
        assert not record.holds("file", folder, "file", other)
        assert len(calls) == 1
        os.utime(path, ns=(0, 0))
        assert not record.holds("file", folder, "file", other)
        assert len(calls) == 2
        assert not record.holds("file", folder, "file", other)
        assert record.holds("file", folder, "file", SHA256)
    assert len(calls) == 2


def test_a_file_that_was_touched_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    record = _record(tmp_path)
    with Folder.open(tmp_path) as folder:
        assert record.holds("file", folder, "file", SHA256)
        before = path.stat()
        path.write_bytes(b"CONTENT")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        assert not record.holds("file", folder, "file", SHA256)
        path.unlink()
        assert not record.holds("file", folder, "file", SHA256)


def test_another_inode_is_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    record = _record(tmp_path)
    with Folder.open(tmp_path) as folder:
        assert record.holds("file", folder, "file", SHA256)
        before = path.stat()
        (tmp_path / "other").write_bytes(b"CONTENT")
        os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
        (tmp_path / "other").rename(path)
        calls = _hashes(monkeypatch)
        assert not record.holds("file", folder, "file", SHA256)
        assert len(calls) == 1


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"format":1,"files":', id="cut off"),
        pytest.param(b"[1]", id="of another type"),
        pytest.param(b'{"format":2}', id="of a later format"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"files":{"file":["x",7,1e400,2]}}', id="with absurd numbers"),
    ],
)
def test_a_record_that_cannot_be_used_costs_a_hash_and_no_more(
    tmp_path: Path, damage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(DATA)
    record = _record(tmp_path)
    with Folder.open(tmp_path) as folder:
        assert record.holds("file", folder, "file", SHA256)
        record.save()
        (path,) = (tmp_path / ".bundle" / "records").iterdir()
        path.write_bytes(damage)
        calls = _hashes(monkeypatch)
        again = _record(tmp_path)
        assert again.holds("file", folder, "file", SHA256)
        assert len(calls) == 1
        again.save()
    assert b"file" in path.read_bytes()


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    _record(tmp_path).save()
    assert not (tmp_path / ".bundle").exists()
    with Folder.open(tmp_path) as folder:
        record = _record(tmp_path)
        assert record.holds("file", folder, "file", SHA256)
        record.save()
        before = listing_of(tmp_path)
        again = _record(tmp_path)
        assert again.holds("file", folder, "file", SHA256)
        again.save()
    assert listing_of(tmp_path) == before


def test_files_beyond_the_bound_are_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "MAX_RECORDED", 1)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(DATA)
    calls = _hashes(monkeypatch)
    record = _record(tmp_path)
    with Folder.open(tmp_path) as folder:
        for name in ("a", "b", "a", "b"):
            assert record.holds(name, folder, name, SHA256)
    assert len(calls) == 3


def test_what_was_left_out_is_known_for_that_recipe_only(tmp_path: Path) -> None:
    record = _record(tmp_path)
    record.omitted("trees/x.json", "blake3:1")
    record.save()
    again = _record(tmp_path)
    assert again.was_omitted("trees/x.json", "blake3:1")
    assert not again.was_omitted("trees/x.json", "blake3:2")
    (tmp_path / "file").write_bytes(DATA)
    again.published("trees/x.json", (tmp_path / "file").stat(), SHA256)
    assert not again.was_omitted("trees/x.json", "blake3:1")
    with Folder.open(tmp_path) as folder:
        assert again.remembers("trees/x.json", folder, "file", SHA256)
        assert not again.remembers("trees/x.json", folder, "file", bytes(32))
        assert not again.remembers("trees/x.json", folder, "absent", SHA256)
