"""``bundle approve``, as a second person types it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


@pytest.fixture
def approver(sender: Shell, tmp_path: Path) -> Path:
    """The directory of a key that the sender's roles let approve."""
    directory = tmp_path / "ann"
    public = sender.ok("key", "new", directory, "--role", "approver").lines[-1]
    sender.ok("trust", "role", "add", "approver", public)
    return directory


def test_a_release_is_reviewed_approved_and_taken(
    sender: Shell, receiver: Shell, approver: Path, packed: Path
) -> None:
    refused = receiver("unpack", packed, "--to", f"tree:{receiver.home / 'srv'}")
    assert (refused.code, "is not approved" in refused.err) == (12, True)
    seen = receiver.ok("approve", packed)
    assert "all of it is new" in seen.err
    assert "to approve it: --key KEY" in seen.err
    assert seen.lines[-1].endswith("the document is what the recipes say")
    assert not (packed / "sig").exists()
    done = receiver.ok("approve", packed, "--key", approver, "--json").result
    assert done["needed"] == 1
    assert done["signature"] == str(packed / f"sig/{done['keyid']}.json")
    verified = receiver.ok("verify", packed)
    assert f"approved by {done['keyid'][:16]}" in verified.lines
    events = receiver.ok("verify", packed, "--json")
    assert events.result["approvers"] == [done["keyid"]]
    receiver.ok("unpack", packed, "--to", f"tree:{receiver.home / 'srv'}")
    (sender.home / "manuals/empty").write_text("new\n")
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    second = sender.home / "out/docs-000002"
    seen = receiver.ok("approve", second, "--long")
    assert "changed 0 4 manuals/empty" in seen.lines
    events = receiver.ok("approve", second, "--json")
    assert [one["path"] for one in events.of("change")] == ["empty"]
    assert events.result["before"] == 1


def test_a_signature_goes_anywhere(
    receiver: Shell, approver: Path, packed: Path, tmp_path: Path
) -> None:
    post = tmp_path / "post"
    receiver.ok("approve", packed, "--key", approver / "approver.pem", "--to", post)
    assert receiver("verify", packed).code == 12
    receiver.ok("verify", packed, "--signatures", post)
    to = f"tree:{receiver.home / 'srv'}"
    receiver.ok("unpack", packed, "--to", to, "--signatures", post)


def test_the_document_is_written_again(
    receiver: Shell, packed: Path, tmp_path: Path
) -> None:
    receiver.ok("approve", packed, "--document", tmp_path / "approval.md")
    document = (tmp_path / "approval.md").read_bytes()
    assert document == (packed / "approval.md").read_bytes()


@pytest.mark.parametrize(
    ("key", "code"),
    [("nothing.pem", 13), ("packer.pem", 12), ("1.root.json", 12)],
    ids=["no key", "the packer's", "no key but a root"],
)
def test_another_key_approves_nothing(
    sender: Shell, receiver: Shell, packed: Path, key: str, code: int
) -> None:
    assert receiver("approve", packed, "--key", sender.home / "keys" / key).code == code
    assert not (packed / "sig").exists()
