"""``trees/<commit>.json``: a client's own note of what a commit holds.

A client of version 2 finds ``xet_hash`` there and asks for a token at a path
that no mirror serves, so it is taken out. A client also refuses a snapshot that
lacks a file of the listing, so the listing of a pack that was filtered is left
out: without it the snapshot is taken as it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from bundle.errors import FormatError, LimitError
from bundle.limits import MIB
from bundle.wire import parse_json

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

MAX_LISTING: Final = 64 * MIB
"""Bytes of one listing: about 300,000 files. A larger one is left out."""

_XET: Final = "xet_hash"
_VERSION: Final = 1


def listing_for(data: bytes, files: AbstractSet[str]) -> bytes | None:
    """Return a listing as it is to be published, or None to leave it out.

    ``files`` are the paths that the recipe holds for the commit. A listing
    without anything to take out comes back byte for byte.
    """
    try:
        document = parse_json(data, limit=MAX_LISTING, rule="2.5")
    except (FormatError, LimitError):
        return None
    entries = _entries(document)
    if entries is None or not entries.keys() <= files:
        return None
    if not any(_XET in entry for entry in entries.values()):
        return data
    for entry in entries.values():
        entry.pop(_XET, None)
    return json.dumps(document, indent=1).encode()


def mentions_xet(data: bytes) -> bool:
    """Return whether a listing may hold what has to be taken out."""
    return _XET.encode() in data


def listed_sizes(data: bytes) -> dict[str, int] | None:
    """Return the size of each path of a listing, or None if clients ignore it."""
    try:
        entries = _entries(parse_json(data, limit=MAX_LISTING, rule="2.5"))
    except (FormatError, LimitError):
        return None
    if entries is None or not all(
        isinstance(entry.get("size"), int) for entry in entries.values()
    ):
        return None
    return {path: entry["size"] for path, entry in entries.items()}


def _entries(document: Any) -> dict[str, dict[str, Any]] | None:  # noqa: ANN401 - JSON
    """Return the files of a listing if it has the form that clients read."""
    if not isinstance(document, dict) or document.get("format_version") != _VERSION:
        return None
    files = document.get("files")
    if not isinstance(files, dict):
        return None
    for entry in files.values():
        if not isinstance(entry, dict):
            return None
    return files
