from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path


def test_keys_are_made_and_the_fingerprint_is_in_groups(tmp_path: Path) -> None:
    ran = Shell(tmp_path).ok("key", "init", tmp_path / "keys", "--name", "library")
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        "1.roles.json",
        "1.root.json",
        "packer.pem",
        "root.pem",
    ]
    assert re.fullmatch("fingerprint( [0-9a-f]{4}){16}", ran.lines[-1])
    assert "bundle trust enrol 1.root.json --fingerprint" in ran.err


def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    Shell(tmp_path).ok("key", "init", tmp_path / "keys")
    for secret in (tmp_path / "keys").glob("*.pem"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.ok("key", "init", tmp_path / "keys")
    before = {path: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    assert shell("key", "init", tmp_path / "keys").code == 14
    assert {path: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == before


def test_a_label_that_is_no_slug_is_a_usage_error(tmp_path: Path) -> None:
    ran = Shell(tmp_path)("key", "init", tmp_path / "keys", "--name", "Our Keys")
    assert ran.code == 2
    assert not (tmp_path / "keys").exists()


def test_quiet_leaves_the_fingerprint(tmp_path: Path) -> None:
    ran = Shell(tmp_path).ok("key", "init", tmp_path / "keys", "--quiet")
    assert re.fullmatch("fingerprint( [0-9a-f]{4}){16}\n", ran.out)
    assert ran.err == ""


def test_a_program_gets_one_result(tmp_path: Path) -> None:
    ran = Shell(tmp_path).ok("key", "init", tmp_path / "keys", "--json")
    assert ran.result["directory"] == str(tmp_path / "keys")
    assert ran.result["name"] is None
