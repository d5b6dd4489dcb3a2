"""Bundles that come over a network: their small files, laid out as on a medium.

The daemon reads such a directory as it reads any other. Its volumes are never here:
their frames go into the store as they come, and then nothing of the bundle lacks.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.durable import make_directory, write_file
from bundle.errors import LimitError, TargetError, UsageError
from bundle.format import layout
from bundle.limits import (
    GIB,
    MAX_APPROVAL,
    MAX_DETACHED_SIGNATURE,
    MAX_ENVELOPE,
    MAX_SHARDS_FILE,
    MAX_TRUST_FILE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PUSHED: Final = 64
"""Bundles in the inbox at once."""

MAX_PUSHED_RECIPES: Final = 4 * GIB
"""Bytes of recipes.bdr that are taken over a network: 100 million chunks."""

_BUNDLE: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LIMITS: Final[Mapping[str, int]] = {
    layout.RELEASE: MAX_ENVELOPE,
    layout.MANIFEST: MAX_ENVELOPE,
    layout.RECIPES: MAX_PUSHED_RECIPES,
    layout.SHARDS: MAX_SHARDS_FILE,
    layout.APPROVAL: MAX_APPROVAL,
}
_BESIDE: Final = (
    (
        re.compile(r"trust/[1-9][0-9]{0,8}\.(root|roles)\.json", re.ASCII),
        MAX_TRUST_FILE,
    ),
    (re.compile(r"sig/[0-9a-f]{64}\.json", re.ASCII), MAX_DETACHED_SIGNATURE),
)


@dataclass(frozen=True, slots=True)
class Inbox:
    """The directory of what is being pushed, below the daemon's state."""

    root: Path

    @classmethod
    def below(cls, state: Path) -> Inbox:
        """Return the inbox of a state directory."""
        return cls(state / "inbox")

    def place(self, bundle: str) -> Path:
        """Return the directory of a bundle, by the 64 digits of its digest.

        Raises:
            UsageError: these are no such digits.
        """
        if _BUNDLE.fullmatch(bundle) is None:
            raise UsageError("a bundle is named by 64 hexadecimal digits")
        return self.root / bundle

    def has(self, directory: str) -> bool:
        """Return whether a directory is one of these."""
        return Path(directory).parent == self.root

    def put(self, bundle: str, name: str, data: bytes) -> Path:
        """Keep one small file of a bundle; return its directory.

        Raises:
            UsageError: a bundle has no such file.
            LimitError: it is too large.
            TargetError: there are too many bundles, or it cannot be written.
        """
        place = self.place(bundle)
        if len(data) > size_limit(name):
            raise LimitError(f"{name} of {len(data)} bytes is too large", rule="95.2.3")
        if not place.is_dir():
            self._make_room()
        path = place / name
        make_directory(path.parent, mode=0o700)
        write_file(path, data)
        return place

    def remove(self, directory: str) -> None:
        """Remove a bundle that the store has, or never will."""
        if self.has(directory):
            shutil.rmtree(directory, ignore_errors=True)

    def _make_room(self) -> None:
        here = [*self.root.iterdir()] if self.root.is_dir() else []
        if len(here) >= MAX_PUSHED:
            raise TargetError(
                f"{len(here)} bundles are being pushed already",
                advice=f"remove what nobody goes on with below {self.root}",
            )


def size_limit(name: str) -> int:
    """Return how many bytes a small file of a bundle may have.

    Raises:
        UsageError: a bundle has no file of that name, or it is a volume.
    """
    if name in _LIMITS:
        return _LIMITS[name]
    for pattern, limit in _BESIDE:
        if pattern.fullmatch(name):
            return limit
    raise UsageError(f"a bundle that is pushed has no file {name[:80]!r}")
