from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import contents
from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """An empty medium."""
    path = tmp_path / "medium"
    path.mkdir()
    return path


def test_a_copy_is_the_same_and_may_be_removed(
    receiver: Shell, packed: Path, medium: Path
) -> None:
    ran = receiver.ok("copy", packed, medium)
    assert ran.lines[-1].startswith("read back from the medium: safe to remove")
    assert contents(medium / packed.name) == contents(packed)
    receiver.ok("verify", medium / packed.name)


def test_a_second_copy_keeps_what_is_there(
    receiver: Shell, packed: Path, medium: Path
) -> None:
    receiver.ok("copy", packed, medium)
    volume = medium / packed.name / "vol-00001.bdv"
    before = volume.stat()
    result = receiver.ok("copy", packed, medium, "--json").result
    assert (result["copiedBytes"], volume.stat().st_ino) == (0, before.st_ino)


def test_an_interrupted_copy_goes_on_and_bad_parts_are_written_again(
    receiver: Shell, packed: Path, medium: Path
) -> None:
    receiver.ok("copy", packed, medium)
    copy = medium / packed.name
    (copy / "bundle.json").unlink()
    (copy / "shards.bds").unlink()
    volume = copy / "vol-00001.bdv"
    with volume.open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\0\0\0")
    recipes = (copy / "recipes.bdr").stat()
    result = receiver.ok("copy", packed, medium, "--json").result
    assert result["copiedBytes"] == volume.stat().st_size
    assert (copy / "recipes.bdr").stat().st_ino == recipes.st_ino
    assert contents(copy) == contents(packed)


def test_what_is_damaged_is_not_copied(
    receiver: Shell, packed: Path, medium: Path
) -> None:
    with (packed / "vol-00001.bdv").open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\0\0\0")
    ran = receiver("copy", packed, medium)
    assert ran.code == 11
    assert "vol-00001.bdv" in ran.err
    assert not (medium / packed.name / "bundle.json").exists()
    assert not (medium / packed.name / "vol-00001.bdv").exists()


def test_another_bundle_of_that_name_is_not_overwritten(
    receiver: Shell, sender: Shell, packed: Path, medium: Path
) -> None:
    receiver.ok("copy", packed, medium)
    (sender.home / "manuals/new.md").write_text("another line")
    other = sender.home / "other"
    sender.ok(
        "pack", f"tree:{sender.home / 'manuals'}", "--stream", "docs2", "--out", other
    )
    (other / "docs2-000001").rename(other / "docs-000001")
    (medium / "docs2-000001").mkdir()
    copy = medium / "docs2-000001/bundle.json"
    copy.write_bytes((packed / "bundle.json").read_bytes())
    ran = receiver("copy", other / "docs-000001", medium)
    assert ran.code == 14
    assert "another bundle of that name is there" in ran.err


def test_nobody_copies_for_a_stranger(
    tmp_path: Path, packed: Path, medium: Path
) -> None:
    home = tmp_path / "stranger"
    home.mkdir()
    ran = Shell(home)("copy", packed, medium)
    assert ran.code == 12
    assert not any(medium.iterdir())
