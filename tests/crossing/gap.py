"""The two sides of a gap: who packs outside, and who unpacks inside."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.caches import Layout, write_cache
from tests.cli.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.caches import Repository
    from tests.cli.shell import Ran

STREAM = "models-prod"


@dataclass(frozen=True)
class Gap:
    """A sender with keys, a medium that is carried, a receiver that trusts them."""

    path: Path
    outside: Shell
    inside: Shell

    @property
    def hub(self) -> Path:
        """The sender's cache."""
        return self.outside.home / "hf-home/hub"

    @property
    def root(self) -> Path:
        """The trust root, as the receiver got it."""
        return self.inside.home / "1.root.json"

    def pack(self, *sources: object, **variables: str) -> Path:
        """Pack the sender's cache, or other sources; carry and return the bundle."""
        ran = self.outside.ok(
            *("pack", *(sources or [f"hf-cache:{self.hub}"]), "--quiet"), **variables
        )
        return self.carry(ran.out.strip())

    def carry(self, bundle: str) -> Path:
        """Bring a bundle to the other side, where nothing is left of where it was."""
        before = self.outside.home / bundle
        after = self.inside.home / "medium" / before.name
        after.parent.mkdir(exist_ok=True)
        return before.rename(after)

    def unpack(self, bundle: Path, *targets: str, copy: bool = False) -> dict[str, Any]:
        """Verify and unpack a bundle; return the result that unpack reports."""
        self.inside.ok("verify", bundle)
        return self.publish(bundle, *targets, copy=copy).result

    def publish(self, bundle: Path, *targets: str, copy: bool = False) -> Ran:
        """Unpack a bundle."""
        options = ["--copy"] if copy else []
        words = [word for target in targets for word in ("--to", target)]
        return self.inside.ok("unpack", bundle, *words, *options, "--json")


def open_gap(path: Path) -> Gap:
    """Make both sides: keys outside, their root enrolled inside."""
    outside, inside = Shell(path / "outside"), Shell(path / "inside")
    inside.home.mkdir(parents=True)
    keys = outside.home / "keys"
    outside.home.mkdir()
    outside.variables |= {
        "BUNDLE_KEY": str(keys),
        "BUNDLE_OUT": str(outside.home / "out"),
        "BUNDLE_STREAM": STREAM,
    }
    made = outside.ok("key", "init", keys, "--name", "library", "--json").result
    gap = Gap(path, outside, inside)
    gap.root.write_bytes((keys / "1.root.json").read_bytes())
    inside.ok("trust", "enrol", gap.root, "--fingerprint", made["fingerprint"])
    return gap


def fill(
    gap: Gap, repositories: Iterable[Repository], layout: Layout = Layout.CLASSIC
) -> None:
    """Make the sender's cache of these repositories and of what must not be carried."""
    shutil.rmtree(gap.hub.parent, ignore_errors=True)
    for repository in repositories:
        write_cache(gap.hub, repository, layout)
