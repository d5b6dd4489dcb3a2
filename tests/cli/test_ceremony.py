"""``bundle trust init|root|role`` and ``bundle key new``, as people type them."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def people(tmp_path: Path) -> dict[str, str]:
    """Public keys by name; the secret of NAME is in the directory NAME."""
    shell = Shell(tmp_path)
    keys = {}
    for name, role in (
        ("ada", "root"),
        ("bo", "root"),
        ("cy", "root"),
        ("pat", "packer"),
        ("ann", "approver"),
    ):
        ran = shell.ok("key", "new", tmp_path / name, "--role", role)
        keys[name] = ran.lines[-1]
    return keys


@pytest.fixture
def table(tmp_path: Path, people: dict[str, str]) -> Shell:
    """A directory ``keys`` with a first root of two of three, drawn up."""
    shell = Shell(tmp_path, {"BUNDLE_KEY": str(tmp_path / "keys")})
    roots = [word for name in ("ada", "bo", "cy") for word in ("--root", people[name])]
    packer = tmp_path / "pat/packer.pub"
    shell.ok("trust", "init", tmp_path / "keys", *roots, "--packer", packer)
    return shell


def sign(shell: Shell, name: str) -> list[str]:
    key = shell.home / name / "root.pem"
    return shell.ok("trust", "root", "sign", "--root-key", key).lines


def test_a_new_key_is_a_secret_and_a_public_file(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    ran = shell.ok("key", "new", tmp_path / "mine", "--role", "approver", "--json")
    secret, public = tmp_path / "mine/approver.pem", tmp_path / "mine/approver.pub"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert public.read_text() == ran.result["public"] + "\n"
    assert shell("key", "new", tmp_path / "mine", "--role", "approver").code == 14


def test_three_people_found_an_organisation(table: Shell) -> None:
    refused = table("trust", "root", "publish")
    assert refused.code == 12
    assert "0 of 2 needed" in refused.err
    assert sign(table, "ada")[0].startswith("signed 1.root.json as ")
    assert any("waits for 1 of" in line for line in sign(table, "ada"))
    sign(table, "cy")
    ran = table.ok("trust", "root", "publish")
    assert [line.rpartition("/")[2] for line in ran.lines[:2]] == [
        "1.root.json",
        "1.roles.json",
    ]
    shown = table.ok("trust", "show", table.home / "keys").lines
    assert re.fullmatch("packer: 1 of [0-9a-f]{16}", shown[0])
    root = table.home / "keys/1.root.json"
    fingerprint = shown[-1].removeprefix("fingerprint ")
    table.ok("trust", "enrol", root, "--fingerprint", fingerprint)


def test_one_person_needs_one_command(sender: Shell, tmp_path: Path) -> None:
    site = Shell(tmp_path).ok("trust", "site-key", "--site", "hall-7")
    key = site.lines[-1]
    words = site.err.strip().rpartition("bundle ")[2].split()
    assert words == ["trust", "role", "add", "site:hall-7", key]
    ran = sender.ok(*words, "--json")
    assert (ran.result["roles"], ran.result["published"]) == (2, ["2.roles.json"])
    shown = sender.ok("trust", "show", sender.home / "keys", "--json")
    roles = {one["role"]: one["keys"] for one in shown.of("role")}
    assert roles["site:hall-7"] == [key]
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    trust = sender.home / "out/docs-000001/trust"
    assert sorted(path.name for path in trust.iterdir()) == [
        "1.roles.json",
        "1.root.json",
        "2.roles.json",
    ]


def test_a_draft_waits_until_it_is_published(sender: Shell) -> None:
    public = sender.ok("key", "new", sender.home / "r", "--role", "relay").lines[-1]
    ran = sender.ok("trust", "role", "add", "relay", public, "--draft", "--json")
    assert (ran.result["drafts"], ran.result["published"]) == (["2.roles.json"], [])
    (draft,) = ran.of("draft")
    assert [need["missing"] for need in draft["needs"]] == [1]
    sender.ok("trust", "root", "sign")
    assert sender.ok("trust", "root", "publish", "--json").result["roles"] == 2


def test_a_root_key_more_and_a_higher_threshold(
    sender: Shell, tmp_path: Path, people: dict[str, str]
) -> None:
    added = sender.ok("trust", "root", "add-key", people["ada"], "--json")
    assert added.result["published"] == ["2.root.json"]
    asked = sender.ok("trust", "root", "threshold", "2", "--json")
    assert asked.result["drafts"] == ["3.root.json", "2.roles.json"]
    sender.ok("trust", "root", "sign", "--root-key", tmp_path / "ada/root.pem")
    done = sender.ok("trust", "root", "publish", "--json")
    assert (done.result["root"], done.result["roles"]) == (3, 2)
    back = sender("trust", "root", "remove-key", people["ada"])
    assert back.code == 2
    assert "would never meet its threshold" in back.err


def test_a_key_is_taken_back_by_its_id(sender: Shell, people: dict[str, str]) -> None:
    sender.ok("trust", "role", "add", "approver", people["ann"])
    shown = sender.ok("trust", "show", sender.home / "keys").lines[0]
    ran = sender.ok("trust", "role", "remove", "approver", shown.split()[-1][:8])
    assert "the last key of the role approver" in ran.err
    assert sender("trust", "role", "remove", "approver", "abcd").code == 2


def test_thresholds_of_roles_and_new_dates(
    sender: Shell, people: dict[str, str]
) -> None:
    sender.ok("trust", "role", "add", "packer", people["pat"])
    sender.ok("trust", "role", "threshold", "packer", "2")
    shown = sender.ok("trust", "show", sender.home / "keys").lines[0]
    assert shown.startswith("packer: 2 of ")
    sender.ok("trust", "role", "renew", "--days", "30")
    ran = sender.ok("trust", "root", "renew", "--json")
    assert ran.result["published"] == ["2.root.json", "5.roles.json"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("role", "add", "Packer", "{key}"), 10),
        (("role", "add", "packer", "00" * 32), 12),
        (("role", "add", "packer", "01" + "00" * 31), 12),
        (("role", "add", "packer", "nothing.pub"), 13),
        (("role", "threshold", "packer", "0"), 2),
        (("role", "threshold", "packer", "17"), 2),
        (("role", "threshold", "relay", "1"), 2),
        (("root", "threshold", "2"), 2),
        (("root", "sign"), 13),
        (("root", "publish"), 13),
    ],
    ids=[
        "no name of a role",
        "a key of small order",
        "another of them",
        "no file",
        "a threshold of zero",
        "a threshold over what a file can have",
        "a threshold for nobody",
        "a threshold over the root keys",
        "nothing to sign",
        "nothing to publish",
    ],
)
def test_what_is_refused_leaves_everything(
    sender: Shell, people: dict[str, str], arguments: tuple[str, ...], code: int
) -> None:
    keys = sender.home / "keys"
    before = {path.name: path.read_bytes() for path in keys.iterdir()}
    words = [word.format(key=people["pat"]) for word in arguments]
    assert sender("trust", *words).code == code
    assert {path.name: path.read_bytes() for path in keys.iterdir()} == before


def test_a_root_without_keys_is_a_usage_error(tmp_path: Path) -> None:
    assert Shell(tmp_path)("trust", "init", tmp_path / "keys").code == 2


def test_one_key_twice_is_a_usage_error(tmp_path: Path, people: dict[str, str]) -> None:
    words = ["--root", people["ada"], "--root", people["ada"]]
    ran = Shell(tmp_path)("trust", "init", tmp_path / "keys", *words)
    assert ran.code == 2
    assert "already" in ran.err


def test_a_stranger_cannot_sign(table: Shell) -> None:
    key = table.home / "pat/packer.pem"
    assert table("trust", "root", "sign", "--root-key", key).code == 12


def test_a_directory_without_a_root_says_how_to_begin(tmp_path: Path) -> None:
    ran = Shell(tmp_path)("trust", "show", tmp_path)
    assert ran.code == 13
    assert "bundle key init" in ran.err


def test_the_fingerprint_as_a_code_for_a_camera(sender: Shell) -> None:
    root = sender.home / "keys/1.root.json"
    plain = sender.ok("trust", "enrol", root).lines
    coded = sender.ok("trust", "enrol", root, "--qr").out.splitlines()
    assert " ".join(coded[1].split()) == plain[1]
    assert len(coded) == len(plain) + 19
    assert set("".join(coded[2:])) <= set(" ▀▄█")
    events = sender.ok("trust", "enrol", root, "--qr", "--json")
    taken = f"BLAKE3:{events.result['fingerprint'].removeprefix('blake3:').upper()}"
    sender.ok("trust", "enrol", root, "--fingerprint", taken)
