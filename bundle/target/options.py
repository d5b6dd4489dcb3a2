"""What a person may say about targets beside their names."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - dataclass fields are read at run time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from blake3 import blake3

_NAME_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What targets of any scheme take; each reads what it knows of.

    ``copy`` publishes real files where a Hugging Face cache has links. Remote
    targets keep what they need of this machine below ``staging``.
    ``environment`` is where the libraries of remote targets find credentials.
    """

    copy: bool = False
    staging: Path = Path(".bundle/targets")
    environment: Mapping[str, str] = field(default_factory=dict)

    def working_directory(self, location: str) -> Path:
        """Return the directory on this machine of one remote target."""
        name = blake3(location.encode()).hexdigest(length=_NAME_BYTES)
        return self.staging / name


DEFAULT: Final = TargetOptions()
