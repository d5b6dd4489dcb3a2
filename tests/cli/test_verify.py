from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.shell import Shell


def test_it_says_who_signed_and_what_was_checked(receiver: Shell, packed: Path) -> None:
    ran = receiver.ok("verify", packed)
    assert ran.lines[0] == "kind name revision files size state"
    assert ran.lines[1].startswith("tree manuals 4 ")
    assert ran.lines[1].endswith(" verified")
    assert ran.lines[2].startswith("release 1 of docs, blake3:")
    assert ran.lines[3].startswith("signed by ")
    assert ran.lines[4].startswith("checked: every signature, digest and size; 4 files")
    assert ran.err == ""


def test_a_program_gets_artifacts_and_a_result(receiver: Shell, packed: Path) -> None:
    ran = receiver.ok("verify", packed, "--json")
    assert [artifact["state"] for artifact in ran.of("artifact")] == ["verified"]
    assert len(ran.result["signers"]) == 1
    assert ran.result["left"] == []


def test_quiet_says_nothing_but_the_exit_code(receiver: Shell, packed: Path) -> None:
    ran = receiver.ok("verify", packed, "--quiet")
    assert (ran.out, ran.err) == ("", "")


def test_nothing_is_written(receiver: Shell, packed: Path) -> None:
    def state() -> dict[Path, int]:
        paths = [*receiver.home.rglob("*"), *packed.rglob("*")]
        return {path: path.stat().st_mtime_ns for path in paths}

    before = state()
    receiver.ok("verify", packed)
    assert state() == before


def test_a_run_without_memory_says_so(sender: Shell, packed: Path) -> None:
    ran = sender.ok("verify", packed, "--trust", sender.home / "keys/1.root.json")
    assert "bundle: warning: revocation and roll-back not checked" in ran.err


@pytest.mark.parametrize("where", ["typed", "set"])
def test_trust_is(sender: Shell, packed: Path, where: str) -> None:
    root = str(sender.home / "keys/1.root.json")
    if where == "typed":
        sender.ok("verify", packed, "--trust", root)
    else:
        sender.ok("verify", packed, BUNDLE_TRUST=root)


def test_without_trust_it_is_refused_with_the_way_to_enrol(
    sender: Shell, packed: Path
) -> None:
    ran = sender("verify", packed)
    assert ran.code == 12
    assert "bundle trust enrol ROOT.json" in ran.err.splitlines()[1]


def test_what_another_bundle_holds_is_listed(sender: Shell, receiver: Shell) -> None:
    more = sender.home / "more"
    more.mkdir()
    (more / "x").write_text("x")
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    sender.ok("pack", f"tree:{more}", "--add")
    ran = receiver.ok("verify", sender.home / "out/docs-000002")
    assert ran.lines[-2] == "not in this bundle: 1 artifact"
    assert "manuals" in ran.lines[-1]


def change_a_byte(bundle: Path) -> None:
    volume = bundle / "vol-00001.bdv"
    data = bytearray(volume.read_bytes())
    data[len(data) // 2] ^= 1
    volume.write_bytes(data)


DAMAGE: dict[str, tuple[Callable[[Path], object], int]] = {
    "a byte of a volume is another": (change_a_byte, 11),
    "a volume is missing": (lambda bundle: (bundle / "vol-00001.bdv").unlink(), 13),
    "the bundle is unfinished": (lambda bundle: (bundle / "bundle.json").unlink(), 13),
    "the release is no envelope": (
        lambda bundle: (bundle / "release.json").write_text("[]"),
        10,
    ),
    "the signature is gone": (
        lambda bundle: (bundle / "release.json").write_text(
            '{"payload":"","payloadType":"x","signatures":[]}'
        ),
        12,
    ),
    "a volume has a byte more": (
        lambda bundle: os.truncate(
            bundle / "vol-00001.bdv", (bundle / "vol-00001.bdv").stat().st_size + 1
        ),
        11,
    ),
}


@pytest.mark.parametrize(("damage", "code"), DAMAGE.values(), ids=DAMAGE.keys())
def test_is_refused_with_one_line(
    receiver: Shell, packed: Path, damage: Callable[[Path], object], code: int
) -> None:
    damage(packed)
    ran = receiver("verify", packed)
    assert ran.code == code, ran.err
    assert ran.err.startswith("bundle: ")
    assert len(ran.err.splitlines()) <= 2
    assert ran.out == ""
    assert receiver("verify", packed, "--json").error["exitCode"] == code


def test_a_directory_that_is_no_bundle_is_refused(receiver: Shell) -> None:
    assert receiver("verify", receiver.home).code == 13
    assert receiver("verify", receiver.home / "nothing").code == 13


def test_for_another_site_is_refused(sender: Shell, receiver: Shell) -> None:
    sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--audience", "north")
    bundle = sender.home / "out/docs-000001"
    assert receiver("verify", bundle).code == 12
    assert receiver("verify", bundle, "--site", "south").code == 12
    receiver.ok("verify", bundle, "--site", "north")
    receiver.ok("verify", bundle, BUNDLE_SITE="north")
