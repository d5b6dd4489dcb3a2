from __future__ import annotations

import random
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


@pytest.fixture
def parts(sender: Shell) -> list[Path]:
    """A bundle spread over two media, with parity on a third."""
    for number in range(2):
        data = random.Random(number).randbytes(10 << 20)
        (sender.home / f"manuals/{number}.bin").write_bytes(data)
    source = f"tree:{sender.home / 'manuals'}"
    sender.ok("pack", source, "--media-size", "18MiB", "--parity", "5")
    return sorted((sender.home / "out").iterdir())


def test_all_parts_of_a_bundle_become_one(
    receiver: Shell, parts: list[Path], medium: Path
) -> None:
    assert [one.name for one in parts] == [
        "docs-000001-1-of-2",
        "docs-000001-2-of-2",
        "docs-000001-parity",
    ]
    ran = receiver.ok("copy", *reversed(parts), medium, "--json")
    copy = medium / "docs-000001"
    assert (ran.result["bundle"], ran.result["parts"]) == (str(copy), 0)
    wanted = {name for part in parts for name in contents(part)}
    assert {*contents(copy)} == wanted
    receiver.ok("verify", copy)
    (copy / "vol-00001.bdv").write_bytes((copy / "vol-00001.bdv").read_bytes()[:-9])
    receiver.ok("repair", copy, "--in-place")


def test_one_part_is_copied_as_it_is(
    receiver: Shell, parts: list[Path], tmp_path: Path
) -> None:
    sticks = [tmp_path / "stick-1", tmp_path / "stick-2"]
    for part, stick in zip(parts, sticks, strict=False):
        stick.mkdir()
        ran = receiver.ok("copy", part, stick)
        assert "one of the 2 media that this bundle is spread over" in ran.lines
        assert contents(stick / part.name) == contents(part)
    copies = [stick / part.name for part, stick in zip(parts, sticks, strict=False)]
    receiver.ok("verify", *copies)


def test_parts_that_are_not_all_there_are_no_copy(
    receiver: Shell, parts: list[Path], medium: Path, tmp_path: Path
) -> None:
    ran = receiver("copy", parts[1], parts[2], medium)
    assert ran.code == 0
    alone = parts[0].rename(tmp_path / "renamed")
    ran = receiver("copy", alone, medium)
    assert ran.code == 13
    assert "need vol-0000" in ran.err
    assert not (medium / "docs-000001").exists()


def test_a_fill_keeps_its_name_beside_the_bundle(
    receiver: Shell, packed: Path, medium: Path
) -> None:
    receiver.ok("copy", packed, medium)
    fill = packed.rename(packed.with_name("docs-000001-fill-1"))
    receiver.ok("copy", fill, medium)
    other = fill.rename(fill.with_name("downloads"))
    receiver.ok("copy", other, medium)
    assert sorted(one.name for one in medium.iterdir()) == [
        "docs-000001",
        "docs-000001-fill-1",
    ]


def test_what_is_for_others_is_copied_too(sender: Shell, medium: Path) -> None:
    sender.ok("trust", "enrol", sender.home / "keys/1.root.json")
    source = f"tree:{sender.home / 'manuals'}"
    sender.ok("pack", source, "--audience", "plant-3")
    sender.ok("copy", sender.home / "out/docs-000001", medium)
