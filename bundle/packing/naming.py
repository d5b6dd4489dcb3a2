"""Where a bundle goes whose release may have other bundles there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.errors import UsageError
from bundle.format.layout import MANIFEST, directory_name
from bundle.medium.files import is_there, names_on

if TYPE_CHECKING:
    from pathlib import Path

_MOST: Final = 999
"""Bundles of one sort and one release in one directory."""


def spare_directory(out: Path, stream: str, seq: int, word: str) -> Path:
    """Return the first directory for a ``word`` of a release with no bundle in it.

    One that an interrupted run left unfinished is taken; one that was spread over
    several media counts as there.

    Raises:
        UsageError: there are too many.
        StoreError: the medium cannot be read.
    """
    base = f"{directory_name(stream, seq)}-{word}"
    names = names_on(out)
    for number in range(1, _MOST + 1):
        name = f"{base}-{number}"
        spread = [one for one in names if one.startswith(f"{name}-")]
        if not any(is_there(out / one / MANIFEST) for one in (name, *spread)):
            return out / name
    raise UsageError(f"{out}: there are {_MOST} of {base} already")
