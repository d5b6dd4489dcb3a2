"""What a verb imports: its own dependencies, and not those of another."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell

SLOW = frozenset(
    {
        "aiobotocore",
        "aiohttp",
        "asyncio",
        "blake3",
        "boto3",
        "botocore",
        "cryptography",
        "httpx",
        "huggingface_hub",
        "msgspec",
        "numpy",
        "pyfastcdc",
        "requests",
        "rich",
        "shtab",
        "tuf",
        "zstandard",
    }
)
"""What takes time to import: all third-party packages, and asyncio."""

SIGNED = frozenset({"blake3", "cryptography", "msgspec", "tuf"})
"""What it takes to check a signature."""

LOOK = """
import sys
from bundle.cli import main
code = main(sys.argv[1:])
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""

VERBS: dict[str, tuple[list[str], frozenset[str]]] = {
    "--help imports nothing": (["--help"], frozenset()),
    "--help of a verb imports nothing": (["pack", "--help"], frozenset()),
    "completion": (["completion", "bash"], frozenset({"shtab"})),
    "trust show": (["trust", "show", "--json"], SIGNED),
    "trust show as a person sees it": (["trust", "show"], SIGNED | {"rich"}),
    "key init": (["key", "init", "{home}/new", "--quiet"], SIGNED),
    "ls": (["ls", "{bundle}", "--json"], SIGNED | {"numpy"}),
    "diff of bundles": (
        ["diff", "{bundle}", "{bundle}", "--json"],
        SIGNED | {"numpy"},
    ),
    "inspect": (["inspect", "{bundle}", "--json"], SIGNED | {"numpy"}),
    "cat decodes": (
        ["cat", "{bundle}", "manuals", "empty"],
        SIGNED | {"numpy", "zstandard"},
    ),
    "verify decodes": (
        ["verify", "{bundle}", "--json"],
        SIGNED | {"asyncio", "numpy", "zstandard"},
    ),
    "unpack decodes": (
        ["unpack", "{bundle}", "--to", "tree:{home}/srv", "--json"],
        SIGNED | {"asyncio", "numpy", "zstandard"},
    ),
    "pack of a tree cuts and encodes": (
        ["pack", "tree:{home}/manuals", "--json"],
        SIGNED | {"asyncio", "numpy", "pyfastcdc", "zstandard"},
    ),
    "doctor checks no signature": (
        ["doctor", "tree:{home}/manuals", "--json"],
        frozenset({"asyncio", "blake3", "msgspec", "numpy"}),
    ),
}


def imported_by(shell: Shell, arguments: list[str]) -> set[str]:
    """The top-level modules that are loaded when a verb has ended well."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=shell.environment,
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(("words", "allowed"), VERBS.values(), ids=VERBS.keys())
def test_imports(
    sender: Shell, packed: Path, words: list[str], allowed: frozenset[str]
) -> None:
    sender.ok("trust", "enrol", sender.home / "keys/1.root.json")
    arguments = [word.format(home=sender.home, bundle=packed) for word in words]
    assert imported_by(sender, arguments) & SLOW <= allowed
    if not allowed:
        light = imported_by(sender, arguments)
        assert not light & {"dataclasses", "inspect", "logging", "pathlib"}
