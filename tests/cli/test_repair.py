from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from bundle.errors import SpaceError
from tests.bundles import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


@pytest.fixture
def protected(sender: Shell) -> Path:
    """A bundle of the sender's manuals with as much parity as payload."""
    sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--parity", "100")
    return sender.home / "out/docs-000001"


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_pack_says_what_its_parity_survives(sender: Shell) -> None:
    source = f"tree:{sender.home / 'manuals'}"
    ran = sender.ok("pack", source, "--parity", "100")
    assert "survives its one volume lost" in ran.lines
    assert "survives any 2 damaged MiB, wherever the damage is" in ran.lines
    assert (sender.home / "out/docs-000001/par-00001.bdp").is_file()
    ran = sender.ok("pack", source, "--parity", "50", "--json")
    assert ran.result["parity"]["shards"] == 2
    assert ran.result["parity"]["parityShards"] == 1
    assert sender.ok("pack", source, "--json").result["parity"] is None


def test_a_dry_run_writes_no_parity(sender: Shell) -> None:
    source = f"tree:{sender.home / 'manuals'}"
    ran = sender.ok("pack", source, "--parity", "10", "--dry-run", "--json")
    assert ran.result["parity"] is None


def test_a_bundle_that_is_there_gets_parity(sender: Shell, packed: Path) -> None:
    before = snapshot(packed)
    root = sender.home / "keys/1.root.json"
    ran = sender.ok("parity", "add", packed, "--trust", root, "--json")
    assert ran.result["percent"] == 10
    assert ran.result["files"] == 1
    after = snapshot(packed)
    assert after.pop("par-00001.bdp")
    assert after == before
    again = sender("parity", "add", packed, "--trust", root)
    assert again.code == 14
    assert "parity files already" in again.err


def test_parity_may_lie_on_a_medium_of_its_own(
    receiver: Shell, packed: Path, tmp_path: Path
) -> None:
    before = snapshot(packed)
    out = tmp_path / "beside"
    receiver.ok("parity", "add", packed, "--parity-out", out, "--percent", "60%")
    assert snapshot(packed) == before
    (packed / "vol-00001.bdv").unlink()
    assert receiver("repair", packed).code == 11
    mended = tmp_path / "mended"
    receiver.ok("repair", packed, out, "--out", mended)
    receiver.ok("verify", mended / packed.name)
    receiver.ok("repair", packed, out, "--in-place")
    assert snapshot(packed) == before


def test_verify_names_the_damage_and_the_repair(
    receiver: Shell, protected: Path
) -> None:
    receiver.ok("verify", protected)
    flip(protected / "vol-00001.bdv", 70)
    ran = receiver("verify", protected)
    assert ran.code == 11
    assert "vol-00001.bdv, bytes 0 to" in ran.err
    assert f"repair it: bundle repair {protected} --out DIR" in ran.err


def test_damage_is_told_before_anything_is_written(
    receiver: Shell, protected: Path
) -> None:
    flip(protected / "vol-00001.bdv", 70)
    before = snapshot(protected)
    ran = receiver.ok("repair", protected)
    assert ran.lines[0].startswith("vol-00001.bdv, bytes 0 to ")
    assert ran.lines[0].endswith(": can be made good from parity")
    assert ran.lines[-1] == "nothing was written: give --out DIR, or --in-place"
    assert snapshot(protected) == before


def test_every_correction_is_an_event(
    receiver: Shell, protected: Path, tmp_path: Path
) -> None:
    whole = snapshot(protected)
    (protected / "vol-00001.bdv").unlink()
    flip(protected / "release.json", 30)
    ran = receiver.ok("repair", protected, "--out", tmp_path / "mended", "--json")
    assert {
        (one["name"], one["source"], one["repaired"]) for one in ran.of("damage")
    } == {
        ("vol-00001.bdv", "parity", True),
        ("release.json", "copy", True),
    }
    assert ran.result["corrections"] == 2
    assert ran.result["damagedShards"] == 1
    assert snapshot(tmp_path / "mended" / protected.name) == whole


def test_a_repair_in_place_is_only_done_when_asked_for(
    receiver: Shell, protected: Path
) -> None:
    whole = snapshot(protected)
    (protected / "copy/bundle.json").unlink()
    flip(protected / "par-00001.bdp", 30)
    ran = receiver.ok("repair", protected, "--in-place")
    assert "copy/bundle.json, bytes 0 to" in ran.out
    assert str(protected) in ran.out
    assert snapshot(protected) == whole
    again = receiver.ok("repair", protected, "--in-place")
    assert "nothing is damaged in 2 MiB" in again.lines


def test_what_is_lost_for_good_is_listed(
    receiver: Shell, protected: Path, tmp_path: Path
) -> None:
    for path in protected.glob("par-*"):
        path.unlink()
    flip(protected / "vol-00001.bdv", 70)
    out = tmp_path / "mended"
    ran = receiver("repair", protected, "--out", out, "--json")
    assert ran.code == 11
    assert ran.error["class"] == "IntegrityError"
    assert ran.error["rule"] == "70.6.4"
    assert [line.partition(",")[0] for line in ran.error["left"]] == ["vol-00001.bdv"]
    assert not out.exists()
    assert "  vol-00001.bdv, bytes 0 to" in receiver("repair", protected).err


def test_two_copies_mend_one_another(
    receiver: Shell, packed: Path, tmp_path: Path
) -> None:
    whole = snapshot(packed)
    other = shutil.copytree(packed, tmp_path / "other")
    flip(packed / "vol-00001.bdv", 70)
    flip(other / "recipes.bdr", 70)
    receiver.ok("repair", packed, other, "--out", tmp_path / "mended")
    assert snapshot(tmp_path / "mended" / packed.name) == whole


def test_a_repair_goes_one_way(receiver: Shell, packed: Path, tmp_path: Path) -> None:
    ran = receiver("repair", packed, "--in-place", "--out", tmp_path)
    assert ran.code == 2
    receiver.ok("repair", packed, "--in-place", BUNDLE_OUT=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_parity_is_a_whole_number_of_percent(sender: Shell, packed: Path) -> None:
    for text in ("0", "101", "a", "1.5"):
        assert sender("parity", "add", packed, "--percent", text).code == 2


def test_verify_says_that_parity_is_damaged(receiver: Shell, protected: Path) -> None:
    path = protected / "par-00001.bdp"
    flip(path, path.stat().st_size // 2)
    assert (
        "par-00001.bdp: 1 of 2 parity shards damaged"
        in receiver.ok("verify", protected).err
    )
    flip(path, 3)
    flip(path, path.stat().st_size - 60)
    assert "par-00001.bdp cannot be used" in receiver.ok("verify", protected).err


def test_a_copy_takes_parity_along(
    receiver: Shell, protected: Path, tmp_path: Path
) -> None:
    receiver.ok("copy", protected, tmp_path)
    copied = tmp_path / protected.name
    assert snapshot(copied) == snapshot(protected)
    flip(copied / "par-00001.bdp", 99)
    receiver.ok("copy", protected, tmp_path)
    assert snapshot(copied) == snapshot(protected)


def test_a_bundle_that_is_spread_gets_parity_on_a_medium_more(
    sender: Shell, receiver: Shell, tmp_path: Path
) -> None:
    noise = random.Random(5)
    for number in range(30):
        (sender.home / f"manuals/{number}").write_bytes(noise.randbytes(1 << 20))
    ran = sender.ok(
        *("pack", f"tree:{sender.home / 'manuals'}", "--media-size", "16MiB"),
        *("--parity", "60", "--json"),
    )
    media = [tmp_path.joinpath(path) for path in ran.result["media"]]
    parity = ran.result["parity"]["directory"]
    assert parity.endswith("docs-000001-parity")
    assert "lost volumes of" in ran.result["parity"]["survives"][0]
    assert len(media) > 1
    shutil.rmtree(media[1])
    left = [media[0], *media[2:], parity]
    receiver.ok("repair", *left, "--out", tmp_path / "mended")
    receiver.ok("verify", tmp_path / "mended/docs-000001")


def test_a_pack_whose_parity_does_not_fit_leaves_the_bundle(
    sender: Shell, receiver: Shell
) -> None:
    with mock.patch("bundle.medium.parity.write_parity", side_effect=SpaceError("no")):
        ran = sender("pack", f"tree:{sender.home / 'manuals'}", "--parity", "10")
    assert ran.code == 14
    assert "the bundle itself is finished" in ran.err
    receiver.ok("verify", sender.home / "out/docs-000001")
