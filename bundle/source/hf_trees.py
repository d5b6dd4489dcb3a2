"""``trees/<commit>.json``: what one revision of a repository holds.

Clients from 1.24 on keep this list to know, without a network, whether a
snapshot is complete. Here it also names content where a cache has no links:
Git SHA-1 for ordinary files, SHA-256 for large ones. What it says about the
remote chunk store (``xet_hash``) is taken out: a client that finds it asks a
server that does not exist behind the gap.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from bundle.errors import FormatError, SourceError
from bundle.limits import MIB
from bundle.wire import parse_json

MAX_TREE_LIST: Final = 256 * MIB
"""Bytes of one list: about a million files."""

_GIT_SHA1: Final = re.compile(r"[0-9a-f]{40}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """How a repository names the content of one file."""

    sha256: bytes | None = None
    git_sha1: bytes | None = None

    def __bool__(self) -> bool:
        return self.sha256 is not None or self.git_sha1 is not None

    @classmethod
    def of_name(cls, name: str) -> Identity:
        """Read the name of a blob: SHA-256, Git SHA-1, or something unknown."""
        if _SHA256.fullmatch(name):
            return cls(sha256=bytes.fromhex(name))
        if _GIT_SHA1.fullmatch(name):
            return cls(git_sha1=bytes.fromhex(name))
        return cls()


@dataclass(frozen=True, slots=True)
class TreeList:
    """One parsed list: ``data`` as it is to be carried, and the content of files."""

    data: bytes
    identities: dict[str, Identity]


def read_tree_list(path: str, shown: str) -> bytes:
    """Return the bytes of a list.

    Raises:
        SourceError: it is larger than any list; ``shown`` names it.
        OSError: the system refused to read it.
    """
    with open(path, "rb") as file:  # noqa: PTH123
        data = file.read(MAX_TREE_LIST + 1)
    if len(data) > MAX_TREE_LIST:
        raise SourceError(f"{shown}: over {MAX_TREE_LIST} bytes")
    return data


def parse_tree_list(data: bytes, shown: str) -> TreeList:
    """Read a list and take out what must not cross.

    ``data`` stays as it is, byte for byte, when there is nothing to take out.

    Raises:
        SourceError: it is not such a list; ``shown`` names it.
    """
    try:
        document = parse_json(data, limit=MAX_TREE_LIST, rule="2.5")
        files = _files(document)
    except FormatError as error:
        raise SourceError(
            f"{shown}: not a list of files: {error}",
            advice="remove it; the client makes it again",
        ) from None
    identities = {path: _identity(entry) for path, entry in files.items()}
    if any("xet_hash" in entry for entry in files.values()):
        for entry in files.values():
            entry.pop("xet_hash", None)
        data = json.dumps(document, indent=1).encode()
    return TreeList(data, identities)


def _files(document: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(document, dict) and document.get("format_version") == 1:
        files = document.get("files")
        if isinstance(files, dict) and all(
            isinstance(entry, dict) for entry in files.values()
        ):
            return files
    raise FormatError("not a list of format 1", rule="2.5")


def _identity(entry: dict[str, Any]) -> Identity:
    large = entry.get("lfs_sha256")
    if large is not None:
        return Identity(sha256=Identity.of_name(str(large)).sha256)
    return Identity(git_sha1=Identity.of_name(str(entry.get("blob_id"))).git_sha1)
