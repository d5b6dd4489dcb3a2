"""An interrupted run ends with 130 and leaves nothing that looks finished."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def interrupt(shell: Shell, number: signal.Signals, *arguments: object) -> list[str]:
    """Run a command as a process, stop it once its work has begun; return its lines."""
    with subprocess.Popen(
        [sys.executable, "-m", "bundle", *map(str, arguments), "--json"],
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while json.loads(lines[-1])["event"] != "started":
            lines.append(process.stdout.readline())
        process.send_signal(number)
        out, err = process.communicate(timeout=25)
    assert (process.returncode, err) == (130, "")
    return lines + out.splitlines()


def write_large(path: Path) -> None:
    """Write a file that takes a while to read and no room on the disk."""
    with path.open("wb") as file:
        file.truncate(3 << 30)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_an_interrupted_pack_starts_clean_again(
    sender: Shell, number: signal.Signals
) -> None:
    large = sender.home / "manuals/large"
    write_large(large)
    source = f"tree:{sender.home / 'manuals'}"
    lines = interrupt(sender, number, "pack", source)
    assert json.loads(lines[-1])["class"] == "Interrupted"
    assert not list((sender.home / "out").rglob("bundle.json"))
    large.unlink()
    bundle = sender.ok("pack", source, "--quiet").out.strip()
    sender.ok("verify", bundle, "--trust", sender.home / "keys/1.root.json")
    assert len(list((sender.home / "out").iterdir())) == 1


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_an_interrupted_unpack_leaves_the_target_as_it_was(
    sender: Shell, receiver: Shell, number: signal.Signals
) -> None:
    target = receiver.home / "srv"
    source = f"tree:{sender.home / 'manuals'}"
    first = sender.ok("pack", source, "--quiet").out.strip()
    receiver.ok("unpack", first, "--to", f"tree:{target}")
    before = contents(target)
    with (sender.home / "manuals/large").open("wb") as file:
        file.truncate(300 << 20)
    second = sender.ok("pack", source, "--quiet").out.strip()
    interrupt(receiver, number, "unpack", second, "--to", f"tree:{target}")
    assert contents(target) == before
    receiver.ok("unpack", second, "--to", f"tree:{target}", "--quiet")
    assert (target / "large").stat().st_size == 300 << 20
