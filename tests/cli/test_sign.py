from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


def test_a_second_packer_signs(sender: Shell, receiver: Shell, tmp_path: Path) -> None:
    public = sender.ok("key", "new", tmp_path / "pat").lines[-1]
    sender.ok("trust", "role", "add", "packer", public)
    sender.ok("trust", "role", "threshold", "packer", "2")
    ran = sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    assert "others add theirs with 'bundle sign'" in ran.err
    bundle = sender.home / "out/docs-000001"
    assert receiver("verify", bundle).code == 12
    root = sender.home / "keys/1.root.json"
    words = ("sign", bundle, "--trust", root)
    ran = sender.ok(*words, "--json")
    assert ran.result["missing"] == 1
    ran = sender.ok(*words, "--key", tmp_path / "pat")
    assert ran.lines[-1].endswith("; complete")
    receiver.ok("verify", bundle)
    stranger = sender.home / "keys/root.pem"
    assert sender(*words, "--key", stranger).code == 12
