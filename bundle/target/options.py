"""What a person may say about targets beside their names."""

from __future__ import annotations

from collections.abc import (  # noqa: TC003 - dataclass fields are read at run time
    Callable,
    Mapping,
)
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from blake3 import blake3

from bundle.flow.pace import Pace
from bundle.limits import MAX_RECEIPT_RELEASES
from bundle.oci.mapping import NameMap
from bundle.registry.options import RegistryOptions
from bundle.s3.options import Connection

_NAME_BYTES: Final = 8


DEFAULT_KEEP: Final = 2
"""Releases of a stream that pruning keeps: pods may have blobs of the last mapped."""

MAX_KEEP: Final = MAX_RECEIPT_RELEASES - 1
"""Releases that pruning keeps at most: one fewer than a ledger remembers."""


class OnExisting(StrEnum):
    """What happens where a tag is there already and names something else."""

    OVERWRITE = "overwrite"
    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What targets of any scheme take; each reads what it knows of.

    ``copy`` publishes real files where a Hugging Face cache has links. Remote
    targets keep what they need of this machine below ``staging``.
    ``prune`` removes what was published here of a stream and is in none of its
    newest ``keep`` releases (1 to ``MAX_KEEP``). ``s3`` says
    how object storage is reached, ``pace`` how often it is tried, and ``clock``
    gives seconds since 1970.
    ``environment`` is where the libraries of remote targets find credentials.
    ``registry`` says how registries are talked to, ``names`` which repository an
    image goes to there, and ``existing`` what becomes of its tag's old meaning.
    """

    copy: bool = False
    prune: bool = False
    keep: int = DEFAULT_KEEP
    staging: Path = Path(".bundle/targets")
    environment: Mapping[str, str] = field(default_factory=dict)
    s3: Connection = field(default_factory=Connection)
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = lambda: 0.0
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    names: NameMap = field(default_factory=NameMap)
    existing: OnExisting = OnExisting.OVERWRITE

    def working_directory(self, location: str) -> Path:
        """Return the directory on this machine of one remote target."""
        name = blake3(location.encode()).hexdigest(length=_NAME_BYTES)
        return self.staging / name


DEFAULT: Final = TargetOptions()
