"""Terms, waivers, alarms, going back and the log, as an operator types them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell

WHO = ("--by", "A. Operator", "--reason", "the next medium is late")


def state_of(shell: Shell) -> Path:
    return shell.home / ".local/state/bundle"


def terms(shell: Shell, text: str) -> None:
    (state_of(shell) / "trust.toml").write_text(text)


def log(shell: Shell) -> list[dict[str, object]]:
    lines = (state_of(shell) / "audit.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def to(shell: Shell) -> str:
    return f"tree:{shell.home / 'srv'}"


@pytest.fixture
def two(sender: Shell) -> tuple[Path, Path]:
    """Two releases of one stream."""
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    (sender.home / "manuals/empty").write_text("new\n")
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    return sender.home / "out/docs-000001", sender.home / "out/docs-000002"


# -- terms ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gap = 'warn'\n", "trust.toml:1: "),
        ("\njump = 0\n", "jump is 1 to"),
        ("jump = 1\n\n[[stream]]\nid = 'x'\n", "a stream's id has 32 digits"),
        ("gaps = \n", "trust.toml:1: not TOML"),
        ("gaps = 'maybe'\n", "trust.toml:1: gaps"),
    ],
    ids=["an unknown member", "a number too small", "no id", "no TOML", "no answer"],
)
def test_terms_that_make_no_sense_refuse_everything(
    receiver: Shell, packed: Path, text: str, said: str
) -> None:
    terms(receiver, text)
    for words in (("verify", packed), ("unpack", packed, "--to", to(receiver))):
        ran = receiver(*words)
        assert ran.code == 2
        assert said in ran.err
    assert not (receiver.home / "srv").exists()


def test_terms_from_another_file(receiver: Shell, packed: Path) -> None:
    path = receiver.home / "hall.toml"
    path.write_text("audience = 'required'\n")
    assert receiver("verify", packed, "--policy", path).code == 12
    assert receiver("verify", packed, "--policy", receiver.home / "no.toml").code == 13
    root = packed / "trust/1.root.json"
    assert receiver("verify", packed, "--trust", root, "--policy", path).code == 12
    receiver.ok("verify", packed)


def test_the_name_of_the_site_is_in_the_terms(sender: Shell, receiver: Shell) -> None:
    sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--audience", "hall-7")
    bundle = sender.home / "out/docs-000001"
    assert receiver("verify", bundle).code == 12
    terms(receiver, "site = 'hall-7'\n")
    receipts = receiver.home / "receipts"
    receiver.ok("unpack", bundle, "--to", to(receiver), "--receipt-to", receipts)
    assert [path.name.startswith("receipt-hall-7-") for path in receipts.iterdir()]


# -- what is held --------------------------------------------------------------


def test_what_is_held_is_let_through_by_name(sender: Shell, receiver: Shell) -> None:
    (sender.home / "manuals/weights.bin").write_bytes(b"x" * 300)
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    bundle = sender.home / "out/docs-000001"
    terms(receiver, "pickles = 'refuse'\n")
    ran = receiver("unpack", bundle, "--to", to(receiver))
    assert ran.code == 12
    assert "bundle trust release BUNDLE" in ran.err
    released = receiver.ok("trust", "release", bundle, *WHO, "--json").result
    assert released["rules"] == ["25.2.7"]
    ran = receiver.ok("unpack", bundle, "--to", to(receiver))
    assert "let through by A. Operator: the next medium is late" in ran.err
    events = [line["event"] for line in log(receiver)]
    assert events == [
        *("enrolled", "roles", "accepted", "refused"),
        *("released", "accepted", "published"),
    ]


def test_what_is_not_held_needs_no_release(receiver: Shell, packed: Path) -> None:
    ran = receiver("trust", "release", packed, *WHO)
    assert ran.code == 2
    assert "is not held" in ran.err
    assert not (state_of(receiver) / "waivers").exists()


def test_what_cannot_be_let_through(receiver: Shell, two: tuple[Path, Path]) -> None:
    receiver.ok("unpack", two[1], "--to", to(receiver))
    ran = receiver("trust", "release", two[0], *WHO)
    assert ran.code == 12
    assert "roll-back" in ran.err
    assert not (state_of(receiver) / "waivers").exists()


def test_who_decides_is_named(receiver: Shell, packed: Path) -> None:
    ran = receiver("trust", "release", packed, "--reason", "late")
    assert (ran.code, "add --by NAME" in ran.err) == (2, True)
    ran = receiver("trust", "release", packed, "--by", "A\nB", "--reason", "late")
    assert ran.code == 2
    assert receiver("trust", "release", packed, "--by", "A").code == 2


# -- alarms --------------------------------------------------------------------


def test_a_stream_stands_still_until_somebody_lets_it_go_on(
    sender: Shell, receiver: Shell, two: tuple[Path, Path]
) -> None:
    state = sender.home / ".local/state/bundle"
    receiver.ok("unpack", two[1], "--to", to(receiver))
    shutil.rmtree(two[1])
    (record,) = state.glob("sender/*/docs/*2.release")
    record.unlink()
    (record.parent / record.name.replace("release", "burnt")).unlink()
    (sender.home / "manuals/empty").write_text("evil\n")
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    ran = receiver("unpack", two[1], "--to", to(receiver))
    assert (ran.code, "ALARM, equivocation" in ran.err) == (12, True)
    (sender.home / "manuals/empty").write_text("later\n")
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    third = sender.home / "out/docs-000003"
    ran = receiver("unpack", third, "--to", to(receiver))
    assert (ran.code, "stands still since" in ran.err) == (12, True)
    shown = receiver.ok("trust", "show", "--json")
    (stream,) = [one["id"] for one in shown.of("stream")]
    assert any("stands still" in one["message"] for one in shown.of("warning"))
    receiver.ok("trust", "release", stream, *WHO)
    assert receiver("trust", "release", stream, *WHO).code == 13
    receiver.ok("unpack", third, "--to", to(receiver))
    assert (receiver.home / "srv/empty").read_text() == "later\n"


# -- going back ----------------------------------------------------------------


def test_going_back_on_purpose_lowers_nothing(
    receiver: Shell, two: tuple[Path, Path]
) -> None:
    old, new = two
    receiver.ok("unpack", new, "--to", to(receiver))
    assert receiver("unpack", old, "--to", to(receiver)).code == 12
    why = ("--roll-back", "the new one does not load", "--by", "A. Operator")
    ran = receiver.ok("unpack", old, "--to", to(receiver), *why)
    assert "rolled back on purpose" in ran.err
    assert (receiver.home / "srv/empty").read_bytes() == b""
    assert receiver.ok("trust", "show").lines[-1].startswith("docs 2 ")
    last = log(receiver)[-1]
    assert (last["event"], last["number"], last["newest"]) == ("rolled-back", 1, 2)
    assert (last["by"], last["reason"]) == ("A. Operator", "the new one does not load")
    assert receiver("unpack", old, "--to", to(receiver)).code == 12
    receiver.ok("unpack", new, "--to", to(receiver))
    assert (receiver.home / "srv/empty").read_bytes() == b"new\n"


def test_there_is_nothing_to_go_back_to(receiver: Shell, packed: Path) -> None:
    why = ("--roll-back", "just so", "--by", "A. Operator")
    assert receiver("unpack", packed, "--to", to(receiver), *why).code == 12
    receiver.ok("unpack", packed, "--to", to(receiver))
    ran = receiver("unpack", packed, "--to", to(receiver), *why)
    assert (ran.code, "nothing to roll back" in ran.err) == (12, True)


# -- the log -------------------------------------------------------------------


def test_the_log_is_verified(receiver: Shell, packed: Path) -> None:
    receiver.ok("unpack", packed, "--to", to(receiver))
    found = receiver.ok("audit", "verify", "--json").result
    assert found["entries"] == len(log(receiver)) == 4
    assert [line["event"] for line in log(receiver)] == [
        "enrolled",
        "roles",
        "accepted",
        "published",
    ]
    receiver.ok("unpack", packed, "--to", to(receiver))
    receiver.ok("audit", "verify", "--head", found["head"])
    path = state_of(receiver) / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))
    assert receiver("audit", "verify").code == 0
    assert receiver("audit", "verify", "--head", found["head"]).code == 11
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    ran = receiver("audit", "verify")
    assert (ran.code, "line 3 does not follow" in ran.err) == (11, True)


def test_no_secret_is_ever_in_the_log(sender: Shell) -> None:
    sender.ok("trust", "role", "renew")
    path = sender.home / ".local/state/bundle/audit.jsonl"
    text = path.read_text()
    assert [json.loads(line)["event"] for line in text.splitlines()] == [
        "signed",
        "changed",
    ]
    for secret in (sender.home / "keys").glob("*.pem"):
        body = "".join(secret.read_text().splitlines()[1:-1])
        assert body not in text
        assert "PRIVATE" not in text
