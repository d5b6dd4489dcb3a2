from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bundle.errors import ExistsError, TargetError
from bundle.flow.turnstile import Halted
from bundle.format import layout
from bundle.limits import MIN_VOLUME
from bundle.medium.writer import BundleWriter, clear_unfinished
from tests.bundles import Site, snapshot, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEFTOVERS = {
    "release.json": b"{}",
    "recipes.bdr": b"half",
    "vol-00001.bdv": b"half a vol",
    "vol-00002.bdv": b"",
    "trust/1.root.json": b"{}",
    "trust/anything": b"ours to clear",
    "sig/x.json": b"",
    "copy/bundle.json": b"{}",
    ".bundle.json.0a1b2c3d.tmp": b"{",
}


def _writer(path: Path) -> BundleWriter:
    return BundleWriter(path, MIN_VOLUME)


def test_a_place_is_made_where_there_is_one_directory_above(tmp_path: Path) -> None:
    writer = _writer(tmp_path / "out" / "prod-000001")
    assert writer.directory.is_dir()
    assert not list(writer.directory.iterdir())
    writer.abandon()


def test_a_place_far_from_anything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TargetError, match="the directory above does not exist"
    ) as caught:
        _writer(tmp_path / "no" / "out" / "prod-000001")
    assert "mkdir -p" in caught.value.advice
    assert not list(tmp_path.iterdir())


def test_what_an_interrupted_pack_left_is_cleared(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "prod-000001", LEFTOVERS)
    writer = _writer(path)
    assert not list(path.iterdir())
    writer.abandon()
    assert not path.exists()


@pytest.mark.parametrize(
    "foreign", ["notes.txt", "vol-1.bdv", "BUNDLE.JSON", "photos/1.jpg"]
)
def test_a_file_of_somebody_is_not_cleared_and_nothing_else_is(
    tmp_path: Path, foreign: str
) -> None:
    path = write_tree(tmp_path / "prod-000001", {**LEFTOVERS, foreign: b"mine"})
    before = snapshot(path)
    with pytest.raises(ExistsError, match="is in the way") as caught:
        _writer(path)
    assert caught.value.exit_code == 14
    assert foreign.partition("/")[0] in str(caught.value)
    assert snapshot(path) == before


@pytest.mark.parametrize("finished", ["file", "directory"])
def test_a_finished_bundle_is_left_alone(tmp_path: Path, finished: str) -> None:
    path = write_tree(tmp_path / "prod-000001", LEFTOVERS)
    if finished == "file":
        (path / layout.MANIFEST).write_bytes(b"{}")
    else:
        (path / layout.MANIFEST).mkdir()
    before = snapshot(path)
    with pytest.raises(ExistsError, match="a finished bundle is there already"):
        _writer(path)
    assert snapshot(path) == before


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prod-000001").write_bytes(b"mine")
    with pytest.raises(TargetError, match="prod-000001"):
        _writer(tmp_path / "prod-000001")
    assert (tmp_path / "prod-000001").read_bytes() == b"mine"


def test_a_link_among_the_leftovers_is_removed_and_not_followed(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "prod-000001", {"recipes.bdr": b"half"})
    away = write_tree(tmp_path / "away", {"file": b"mine"})
    (path / "trust").symlink_to(away)
    (path / "vol-00001.bdv").symlink_to(away / "file")
    _writer(path).abandon()
    assert (away / "file").read_bytes() == b"mine"
    assert not path.exists()


def test_two_packs_do_not_write_to_one_place(tmp_path: Path) -> None:
    """They would have cleared each other's volumes away while they were written."""
    path = tmp_path / "prod-000001"
    first = _writer(path)
    (path / "vol-00001.bdv").write_bytes(b"at work")
    with pytest.raises(ExistsError, match="another pack is writing here"):
        _writer(path)
    assert (path / "vol-00001.bdv").read_bytes() == b"at work"
    first.abandon()
    _writer(path).abandon()


def test_abandoning_twice_takes_nothing_of_the_next(tmp_path: Path) -> None:
    path = tmp_path / "prod-000001"
    first = _writer(path)
    first.abandon()
    handle = os.open(tmp_path, os.O_RDONLY)
    first.abandon()
    os.fstat(handle)
    os.close(handle)


def test_a_bundle_is_its_owners_alone_to_finish(tmp_path: Path) -> None:
    """The files are written in an order in which each names only what is there."""
    site = Site(tmp_path)
    order: list[str] = []
    rename = os.rename
    path = type(tmp_path)

    def renaming(source: Path, to: Path) -> Path:
        order.append(to.relative_to(site.out / "models-prod-000001").as_posix())
        rename(source, to)
        return to

    with pytest.MonkeyPatch.context() as patch:
        site.key_directory.is_dir()
        patch.setattr(
            path,
            "rename",
            lambda source, to: (
                renaming(source, to)
                if str(to).startswith(str(site.out))
                else source.replace(to)
            ),
        )
        site.packed()
    assert order[-1] == layout.MANIFEST
    assert sorted(order) == [
        "approval.md",
        "bundle.json",
        "copy/bundle.json",
        "copy/release.json",
        "recipes.bdr",
        "release.json",
        "shards.bds",
        "trust/1.roles.json",
        "trust/1.root.json",
    ]


def test_a_stopped_commit_writes_no_further_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path)
    write = BundleWriter._write

    def stopping(self: BundleWriter, name: str, data: bytes) -> None:
        write(self, name, data)
        if name == layout.APPROVAL:
            self.stop()

    monkeypatch.setattr(BundleWriter, "_write", stopping)
    with pytest.raises(Halted):
        site.packed()
    assert not list(site.out.iterdir())


def test_what_a_killed_pack_left_is_removed_with_its_directory(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "prod-000001", LEFTOVERS)
    clear_unfinished(path)
    assert not path.exists()
    clear_unfinished(path)


def _finished(path: Path) -> Path:
    return write_tree(path, {**LEFTOVERS, "bundle.json": b"{}"})


def _foreign(path: Path) -> Path:
    return write_tree(path, {**LEFTOVERS, "notes.txt": b"mine"})


def _linked(path: Path) -> Path:
    path.symlink_to(write_tree(path.with_name("elsewhere"), LEFTOVERS))
    return path


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(_finished, id="a finished bundle"),
        pytest.param(_foreign, id="one with a file that is not ours"),
        pytest.param(_linked, id="a link to one"),
    ],
)
def test_what_is_not_surely_left_over_stays(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path / "prod-000001")
    before = snapshot(tmp_path)
    clear_unfinished(path)
    assert snapshot(tmp_path) == before


def test_what_another_pack_is_writing_stays(tmp_path: Path) -> None:
    writer = _writer(tmp_path / "prod-000001")
    clear_unfinished(writer.directory)
    assert writer.directory.is_dir()
    writer.abandon()
