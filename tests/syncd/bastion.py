"""A bastion for tests: one sender, its media, and a daemon with its targets."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from bundle.state.receiver import enrol
from syncd.assembly import assembled
from syncd.config import Config, MediaSettings, StoreSettings, TargetSettings
from tests.bundles import Site, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from syncd.daemon import Daemon
    from syncd.plan import Arrival


@dataclass
class Bastion:
    """Everything behind the gap, below ``path``; media are directories of ``media``."""

    path: Path
    targets: Sequence[TargetSettings] = ()
    changes: dict[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def media(self) -> Path:
        return self.path / "media"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def receipts(self) -> Path:
        return self.state / "receipts"

    @property
    def tree(self) -> Path:
        """What the default target publishes."""
        return self.path / "tree"

    @property
    def config(self) -> Config:
        fields: dict[str, Any] = {
            "state": str(self.state),
            "store": StoreSettings(str(self.path / "store")),
            "media": MediaSettings((str(self.media),), settle_seconds=0),
            "target": tuple(self.targets) or (self.target("tree"),),
        }
        return Config(**{**fields, **self.changes})

    def target(self, name: str, **changes: Any) -> TargetSettings:  # noqa: ANN401 - fields of settings
        return TargetSettings(name, f"tree:{self.path / name}", **changes)

    def plug(self, bundle: Path, label: str = "stick") -> Path:
        """Put a copy of a bundle on a medium; return its directory there."""
        place = self.media / label / bundle.name
        shutil.copytree(bundle, place)
        return place

    def unplug(self, label: str = "stick") -> None:
        shutil.rmtree(self.media / label)

    @contextlib.contextmanager
    def daemon(self, site: Site) -> Iterator[Daemon]:
        """Give a daemon that trusts the sender of ``site`` and has its clock."""
        self.media.mkdir(parents=True, exist_ok=True)
        if not (self.state / "trust").is_dir():
            enrol(self.state, site.keys["1.root.json"])
        with assembled(
            self.config, self.environment, lambda: site.now, lambda: site.now
        ) as daemon:
            yield daemon

    def settle(self, site: Site) -> tuple[Arrival, ...]:
        """Run a daemon until nothing is left to do; return what it knows of bundles."""
        with self.daemon(site) as daemon:
            asyncio.run(daemon.settle())
            return daemon.journal.arrivals()

    def history(self, site: Site, kind: str) -> list[dict[str, Any]]:
        """Return what was told of one kind, the newest first."""
        with self.daemon(site) as daemon:
            return [one for one in daemon.journal.history() if one["kind"] == kind]

    def published(self, name: str = "tree") -> dict[str, tuple[object, ...]]:
        """Return what a target has, without what is its own."""
        return {
            path: entry
            for path, entry in snapshot(self.path / name).items()
            if path.partition("/")[0] != ".bundle"
        }


def replaced(settings: Any, **changes: Any) -> Any:  # noqa: ANN401 - any settings
    """Return settings with other fields."""
    return msgspec.structs.replace(settings, **changes)
