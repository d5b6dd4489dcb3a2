"""What differs between bundles, releases, receipts and targets, in words and events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import write_manuals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Ran, Shell


@pytest.fixture
def changed(sender: Shell, packed: Path) -> Path:
    """A second bundle: one file changed, one gone, one new, and another tree."""
    manuals, more = sender.home / "manuals", sender.home / "more"
    (manuals / "install/part-1.md").write_text("shorter\n")
    (manuals / "empty").unlink()
    (manuals / "new.md").write_text("new\n" * 100)
    write_manuals(more)
    sources = (f"tree:{manuals}", f"tree:{more}", "--exclude", "more/install/*")
    for name in ("empty", "figure.png"):
        (more / name).rename(more / f"more-{name}")
    sender.ok("pack", *sources, "--base", packed)
    return sender.home / "out/docs-000002"


def diff(sender: Shell, *words: object) -> Ran:
    """Compare, trusting the sender's own root."""
    return sender.ok("diff", *words, "--trust", sender.home / "keys/1.root.json")


def test_two_bundles_in_words(sender: Shell, packed: Path, changed: Path) -> None:
    ran = diff(sender, packed, changed)
    assert ran.lines == [
        "from docs-000001, release 1 of docs",
        "to docs-000002, release 2 of docs",
        "kind name revision added removed changed",
        "changed tree manuals +1 (400 B) -1 (0 B) ~1 (8 B)",
        "added tree more +2 (195.3 KiB) -0 (0 B) ~0 (0 B)",
        "2 artifacts differ: +3 (195.7 KiB), -1 (0 B), ~1 (8 B)",
        "400 B of chunks that only the newer one has",
    ]


def test_two_bundles_for_a_program(sender: Shell, packed: Path, changed: Path) -> None:
    ran = diff(sender, packed, changed, "--json")
    states = {event["name"]: event["state"] for event in ran.of("difference")}
    assert states == {"manuals": "changed", "more": "added"}
    files = {
        event["path"]: (event["state"], event["before"], event["after"])
        for event in ran.of("change")
        if event["name"] == "manuals"
    }
    assert files == {
        "empty": ("removed", 0, None),
        "install/part-1.md": ("changed", 103890, 8),
        "new.md": ("added", None, 400),
    }
    assert ran.result["artifacts"] == {
        "added": 1,
        "removed": 0,
        "changed": 1,
        "same": 0,
    }
    assert ran.result["newBytes"] == 400
    assert ran.result["after"]["seq"] == 2


def test_every_file_is_listed_on_demand(
    sender: Shell, packed: Path, changed: Path
) -> None:
    ran = diff(sender, packed, changed, "--long")
    assert "added - 400 manuals/new.md" in ran.lines
    assert "removed 0 - manuals/empty" in ran.lines
    assert "changed 103,890 8 manuals/install/part-1.md" in ran.lines


def test_a_bundle_and_itself(sender: Shell, packed: Path) -> None:
    assert diff(sender, packed, packed).lines[-1] == "no difference"


def test_the_other_way_round(sender: Shell, packed: Path, changed: Path) -> None:
    ran = diff(sender, changed, packed, "--json")
    states = {event["name"]: event["state"] for event in ran.of("difference")}
    assert states == {"manuals": "changed", "more": "removed"}


def test_a_release_alone_is_known_where_it_was_packed(
    sender: Shell, packed: Path, changed: Path
) -> None:
    bundles = diff(sender, packed, changed, "--json")
    alone = diff(sender, packed / "release.json", changed / "release.json", "--json")
    assert alone.of("change") == bundles.of("change")


def test_a_release_alone_is_told_by_artifact_elsewhere(
    receiver: Shell, packed: Path, changed: Path
) -> None:
    words = ("diff", packed / "release.json", changed / "release.json")
    ran = receiver.ok(*words, "--json")
    counts = {event["name"]: event["addedFiles"] for event in ran.of("difference")}
    assert counts == {"manuals": None, "more": 2}
    assert ran.result["newBytes"] is None
    assert "files not known here" in receiver.ok(*words).out


def test_an_older_bundle_than_the_newest_read_is_compared(
    receiver: Shell, packed: Path, changed: Path
) -> None:
    """Comparing is not applying: an old release is no roll-back here."""
    target = f"tree:{receiver.home / 'srv'}"
    for bundle in (packed, changed):
        receiver.ok("unpack", bundle, "--to", target)
    assert receiver.ok("diff", packed, changed, "--json").result["newBytes"] == 400


def test_a_target_and_what_is_to_be_applied(
    receiver: Shell, packed: Path, changed: Path
) -> None:
    target = f"tree:{receiver.home / 'srv'}"
    receiver.ok("unpack", packed, "--to", target)
    ran = receiver.ok("diff", target, changed, "--json")
    assert ran.result["before"]["seq"] == 1
    assert {one["path"] for one in ran.of("change") if one["name"] == "manuals"} == {
        "empty",
        "install/part-1.md",
        "new.md",
    }
    assert receiver.ok("diff", target, packed).lines[-1] == "no difference"


def test_a_target_that_holds_nothing(receiver: Shell, packed: Path) -> None:
    ran = receiver.ok("diff", f"tree:{receiver.home / 'srv'}", packed, "--json")
    assert ran.result["artifacts"]["added"] == 1
    assert ran.result["before"]["release"] is None


def test_a_receipt_and_what_is_packed_next(
    sender: Shell, receiver: Shell, packed: Path, changed: Path
) -> None:
    back = receiver.home / "back"
    words = ("unpack", packed, "--to", f"tree:{receiver.home / 'srv'}")
    receiver.ok(*words, "--receipt-to", back)
    [receipt] = back.iterdir()
    ran = diff(sender, receipt, changed, "--json")
    assert ran.result["before"]["seq"] == 1
    assert ran.result["newBytes"] == 400
    told = receiver("diff", receipt, changed)
    assert told.code == 13
    assert "was not packed here" in told.err


def test_what_is_refused(sender: Shell, packed: Path) -> None:
    root = ("--trust", sender.home / "keys/1.root.json")
    assert sender("diff", packed, sender.home / "nothing", *root).code == 13
    assert sender("diff", packed, sender.home / "manuals", *root).code == 13
    assert sender("diff", packed, packed / "approval.md", *root).code == 10
    assert sender("diff", packed, "s3:x", *root).code == 13
    assert sender("diff", packed, packed).code == 12
    assert sender("diff", packed).code == 2
