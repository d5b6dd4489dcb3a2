"""``pack hf://…`` as a process, against a hub on the loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.caches import repository
from tests.cli.events import check_events
from tests.hub import serving

if TYPE_CHECKING:
    from tests.cli.shell import Shell

MODEL = repository({"config.json": b"{}", "model.safetensors": b"w" * 4096})


def pack(sender: Shell, **variables: str) -> subprocess.CompletedProcess[str]:
    """Pack the model of a hub that the variables name."""
    environment = sender.environment | variables
    return subprocess.run(
        [sys.executable, "-m", "bundle", "pack", "hf://org/model", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_model_is_downloaded_packed_and_unpacked(
    sender: Shell, receiver: Shell
) -> None:
    with serving([MODEL]) as hub:
        cache = str(sender.home / "hub")
        done = pack(sender, HF_ENDPOINT=hub.url, HF_HUB_CACHE=cache)
    assert done.returncode == 0, done.stdout + done.stderr
    events = check_events(done.stdout)
    bundle = events[-1]["bundle"]
    target = receiver.home / "hf"
    receiver.ok("unpack", bundle, "--to", f"hf-home:{target}")
    (config,) = target.rglob("snapshots/*/config.json")
    assert config.read_bytes() == b"{}"
    receiver.ok("doctor", f"hf-home:{target}")


def test_a_hub_that_does_not_answer_is_worth_another_try(sender: Shell) -> None:
    with serving([MODEL]) as hub:
        url = hub.url
    done = pack(sender, HF_ENDPOINT=url, HF_HUB_CACHE=str(sender.home / "hub"))
    assert done.returncode == 16
    assert json.loads(done.stdout.splitlines()[-1])["class"] == "TransientError"
    assert not (sender.home / "out").exists()
