from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path


def groups(root: Path) -> str:
    """The fingerprint of a root as a person is told it."""
    shell = Shell(root.parent)
    out = shell.ok("trust", "enrol", root, "--state", root.parent / "look").out
    return out.splitlines()[-1].removeprefix("fingerprint ")


def test_the_right_fingerprint_enrols(sender: Shell, tmp_path: Path) -> None:
    root = sender.home / "keys/1.root.json"
    receiver = Shell(tmp_path)
    ran = receiver.ok("trust", "enrol", root, "--fingerprint", groups(root))
    assert ran.lines[0].startswith("root 1 of library, expires ")
    assert ran.err == ""
    assert receiver.ok("trust", "show").out == ran.out


def test_without_a_fingerprint_a_person_is_told_to_compare(
    sender: Shell, tmp_path: Path
) -> None:
    ran = Shell(tmp_path).ok("trust", "enrol", sender.home / "keys/1.root.json")
    assert "compare it with the sender's" in ran.err


@pytest.mark.parametrize("fingerprint", ["", "0000", "f" * 64])
def test_another_fingerprint_is_refused(
    sender: Shell, tmp_path: Path, fingerprint: str
) -> None:
    root = sender.home / "keys/1.root.json"
    receiver = Shell(tmp_path)
    assert receiver("trust", "enrol", root, "--fingerprint", fingerprint).code == 12
    assert receiver("trust", "show").code == 12


def test_another_root_is_refused(receiver: Shell, tmp_path: Path) -> None:
    receiver.ok("key", "init", tmp_path / "others")
    before = receiver.ok("trust", "show").out
    assert receiver("trust", "enrol", tmp_path / "others/1.root.json").code == 12
    assert receiver.ok("trust", "show").out == before


@pytest.mark.parametrize(
    ("name", "code"),
    [("nothing.json", 13), ("packer.pem", 10), ("1.roles.json", 10)],
    ids=["no file", "a key", "roles"],
)
def test_what_is_no_root_is_refused(
    sender: Shell, tmp_path: Path, name: str, code: int
) -> None:
    assert Shell(tmp_path)("trust", "enrol", sender.home / "keys" / name).code == code


def test_showing_nothing_says_how_to_enrol(tmp_path: Path) -> None:
    ran = Shell(tmp_path)("trust", "show")
    assert ran.code == 12
    assert ran.err.splitlines()[1] == "run: bundle trust enrol ROOT.json"


def test_what_was_published_is_shown(receiver: Shell, packed: Path) -> None:
    receiver.ok("unpack", packed, "--to", f"tree:{receiver.home / 'srv'}")
    shown = receiver.ok("trust", "show")
    assert shown.lines[-2] == "stream release digest id"
    assert shown.lines[-1].startswith("docs 1 blake3:")
    events = receiver.ok("trust", "show", "--json")
    (stream,) = events.of("stream")
    assert stream["name"] == "docs"
    assert shown.lines[-1].endswith(stream["id"])


@pytest.mark.parametrize(
    "variables",
    [
        {"BUNDLE_STATE": "{home}/.local/state/bundle"},
        {"XDG_STATE_HOME": "{home}/.local/state"},
        {"XDG_STATE_HOME": "relative", "HOME": "{home}"},
    ],
    ids=["BUNDLE_STATE", "XDG_STATE_HOME", "HOME, when XDG_STATE_HOME is relative"],
)
def test_the_state_is_found_by(receiver: Shell, variables: dict[str, str]) -> None:
    variables = {
        name: value.format(home=receiver.home) for name, value in variables.items()
    }
    elsewhere = Shell(receiver.home / "elsewhere", variables)
    assert elsewhere.ok("trust", "show", "--json").result["state"] == str(
        receiver.home / ".local/state/bundle"
    )
