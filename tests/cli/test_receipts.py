"""Receipts and wants on the command line: the words that people go by."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Ran, Shell


def unpack(receiver: Shell, bundle: Path, *more: object) -> Ran:
    return receiver("unpack", bundle, "--to", f"tree:{receiver.home / 'srv'}", *more)


@pytest.fixture
def delta(sender: Shell, receiver: Shell, packed: Path) -> Path:
    """A second release for whoever has the first; that one is applied."""
    receipts = receiver.home / "receipts"
    ran = unpack(receiver, packed, "--receipt-to", receipts, "--site", "lab-1")
    assert ran.code == 0, ran.err
    (receipt,) = receipts.iterdir()
    (sender.home / "manuals/new.md").write_text("turn it back\n" * 20)
    sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--have", receipt)
    return sender.home / "out/docs-000002"


def test_unpack_names_the_receipt_it_wrote(receiver: Shell, packed: Path) -> None:
    receipts = receiver.home / "receipts"
    ran = unpack(receiver, packed, "--receipt-to", receipts, "--site", "lab-1")
    (path,) = receipts.iterdir()
    assert re.fullmatch(r"receipt-lab-1-[0-9a-f]{8}-1\.json", path.name)
    assert ran.lines[-1] == f"receipt for the sender: {path}"
    ran = unpack(receiver, packed, "--receipt-to", receipts, "--json")
    assert ran.code == 0
    assert "receipt-default-" in ran.result["receipt"]
    assert ran.result["stays"] == []


def test_a_delta_says_what_was_here_already(receiver: Shell, delta: Path) -> None:
    ran = unpack(receiver, delta)
    assert ran.code == 0, ran.err
    assert "release 2 of docs: 1 file written" in ran.out
    assert (receiver.home / "srv/new.md").exists()


def test_verify_says_what_the_delta_alone_cannot_show(
    receiver: Shell, delta: Path
) -> None:
    ran = receiver.ok("verify", delta)
    assert "not in this bundle: 1 artifact" in ran.lines
    assert "tree manuals: incomplete" in ran.lines
    assert [
        one["state"] for one in receiver.ok("verify", delta, "--json").of("artifact")
    ] == ["incomplete"]


def test_a_reset_store_says_what_to_carry_back(
    sender: Shell, receiver: Shell, delta: Path
) -> None:
    shutil.rmtree(receiver.home / "srv")
    ran = unpack(receiver, delta)
    assert ran.code == 13
    assert "chunks that this bundle builds on are neither in it nor here" in ran.err
    assert "--want-to DIR" in ran.err
    wants = receiver.home / "wants"
    ran = unpack(receiver, delta, "--want-to", wants, "--site", "lab-1")
    assert ran.code == 13
    want = wants / "want-lab-1-docs-000002.bdw"
    assert f"carry {want} to the sender and run: bundle pack --fill" in ran.err
    assert not (receiver.home / "srv").exists()
    ran = unpack(receiver, delta, "--receipt-to", receiver.home / "back", "--json")
    assert ran.error["exitCode"] == 13
    assert [one.name for one in (receiver.home / "back").iterdir()] == [
        "want-default-docs-000002.bdw"
    ]
    sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--fill", want)
    fill = sender.home / "out/docs-000002-fill-1"
    assert unpack(receiver, delta, "--store", fill).code == 0
    assert contents(receiver.home / "srv") == contents(sender.home / "manuals")


def test_a_bundle_or_a_store_lends_what_lacks(
    receiver: Shell, packed: Path, delta: Path
) -> None:
    shutil.rmtree(receiver.home / "srv")
    ran = unpack(receiver, delta, "--store", receiver.home / "nothing")
    assert ran.code == 13
    assert unpack(receiver, delta, "--store", packed).code == 0


def test_the_key_of_a_site_is_printed_for_its_role(receiver: Shell) -> None:
    ran = receiver.ok("trust", "site-key", "--site", "lab-1")
    assert ran.lines[0] == "site lab-1: the key of the role site:lab-1"
    key = ran.lines[1]
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert receiver.ok("trust", "site-key", "--quiet", BUNDLE_SITE="lab-1").out == (
        f"{key}\n"
    )
    result = receiver.ok("trust", "site-key", "--json").result
    assert result["site"] == "default"
    assert result["public"] != key
