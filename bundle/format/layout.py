"""What the files of a bundle are called (spec §4).

>>> volume_name(1), directory_name("models-prod", 12)
('vol-00001.bdv', 'models-prod-000012')
>>> short("models-of-the-northern-plants-and-yards", 32)
'models-of-the-northern-99967a44'
"""

from __future__ import annotations

import re
from typing import Final

from bundle.digest import digest_of

RELEASE: Final = "release.json"
MANIFEST: Final = "bundle.json"
RECIPES: Final = "recipes.bdr"
SHARDS: Final = "shards.bds"
APPROVAL: Final = "approval.md"
SIGNATURES: Final = "sig"
TRUST: Final = "trust"
COPY: Final = "copy"

FIXED: Final = frozenset(
    {RELEASE, MANIFEST, RECIPES, SHARDS, APPROVAL, SIGNATURES, TRUST, COPY}
)
_NUMBERED: Final = re.compile(
    r"(vol-[0-9]{5}\.bdv|par-[0-9]{5}\.bdp|\.[a-z0-9.-]+\.[0-9a-f]{8}\.tmp)", re.ASCII
)

_PARITY: Final = re.compile(r"par-[0-9]{5}\.bdp", re.ASCII)
_UNFINISHED: Final = re.compile(r"\.par-[0-9]{5}\.bdp\.[0-9a-f]{8}\.tmp", re.ASCII)


def volume_name(number: int) -> str:
    """Return the name of volume ``number``, counted from 1 (rule 4.3)."""
    return f"vol-{number:05d}.bdv"


def parity_name(number: int) -> str:
    """Return the name of parity file ``number``, counted from 1 (rule 70.1.1)."""
    return f"par-{number:05d}.bdp"


def is_parity(name: str) -> bool:
    """Say whether this is the name of a parity file."""
    return _PARITY.fullmatch(name) is not None


def is_parity_in_the_making(name: str) -> bool:
    """Say whether this is the temporary name of a parity file."""
    return _UNFINISHED.fullmatch(name) is not None


def directory_name(stream: str, seq: int) -> str:
    """Return the name of the directory that carries release ``seq`` of ``stream``."""
    return f"{short(stream, 32)}-{seq:06d}"


def short(slug: str, size: int) -> str:
    """Return a slug as it stands in the name of a file, in ``size`` characters.

    One that is longer is cut, and its digest tells it from others (rule 4.11.1).
    """
    if len(slug) <= size:
        return slug
    return f"{slug[: size - 9].rstrip('.-')}-{digest_of(slug.encode()).raw.hex()[:8]}"


def is_ours(name: str) -> bool:
    """Say whether a bundle directory may hold an entry of this name (rule 4.2)."""
    return name in FIXED or _NUMBERED.fullmatch(name) is not None
