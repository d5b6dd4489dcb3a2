"""A sender with keys, a receiver that trusts them, and a bundle between them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sender(tmp_path: Path) -> Shell:
    """A machine with keys in ``keys`` and a tree in ``manuals``."""
    home = tmp_path / "sender"
    write_manuals(home / "manuals")
    shell = Shell(home, {"BUNDLE_KEY": str(home / "keys"), "BUNDLE_STREAM": "docs"})
    shell.variables["BUNDLE_OUT"] = str(home / "out")
    shell.ok("key", "init", home / "keys", "--name", "library")
    return shell


@pytest.fixture
def receiver(tmp_path: Path, sender: Shell) -> Shell:
    """A machine that trusts the sender."""
    home = tmp_path / "receiver"
    home.mkdir()
    shell = Shell(home)
    shell.ok("trust", "enrol", sender.home / "keys/1.root.json")
    return shell


@pytest.fixture
def packed(sender: Shell) -> Path:
    """A bundle of the sender's manuals."""
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    return sender.home / "out/docs-000001"


def write_manuals(root: Path) -> None:
    """Write a small tree: text, a copy of it, an empty file, what does not compress."""
    (root / "install").mkdir(parents=True)
    text = "".join(f"{number}: turn the screw\n" for number in range(5000))
    (root / "install/part-1.md").write_text(text)
    (root / "install/part-2.md").write_text(text)
    (root / "empty").touch()
    (root / "figure.png").write_bytes(random.Random(1).randbytes(200_000))


def contents(root: Path) -> dict[str, bytes]:
    """The files below a directory, but for a target's own notes."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".bundle" not in path.relative_to(root).parts
    }
