"""What a target remembers of the files it published.

Hashing a terabyte to find that nothing changed takes most of an hour, so a file
that is still the one that was put there (same size, same modification time, same
inode) is taken at its word. The record is a cache and nothing else: without it,
or with a broken one, everything is hashed again.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from bundle.format.release import Artifact
    from bundle.target.folder import Folder
    from bundle.target.ledger import Given
    from bundle.target.workspace import Workspace

MAX_RECORD: Final = 128 * MIB
"""Bytes of one record: about 700,000 files of usual names."""

MAX_RECORDED: Final = 500_000
"""Files of one artifact that are remembered; the others are hashed each time."""


RECORDS: Final = "records"
"""The directory of records, below ``.bundle``."""


def record_name(kind: str, name: str) -> str:
    """Return what the file is called that holds the record of an artifact."""
    digest = hashlib.sha256(f"{kind}\0{name}".encode()).hexdigest()
    return f"{digest[:32]}.json"


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was when its content was known."""

    sha256: str
    """Of the content in the recipe, in hexadecimal."""

    size: int
    mtime: int
    """Nanoseconds since 1970."""

    inode: int

    def is_of(self, other: Seen) -> bool:
        """Return whether both are one file that nobody wrote to between them."""
        return self == msgspec.structs.replace(other, sha256=self.sha256)


class _Document(msgspec.Struct):
    format: int = 1
    recipe: str = ""
    files: dict[str, Seen] = {}
    names: dict[str, int] = {}
    left_out: dict[str, str] = {}


class Record:
    """What one artifact's last publication left at a target.

    ``files`` is keyed by the path below the place that the artifact is published
    to. ``names`` says how many names there are at least below a directory, for
    those that are links. ``left_out`` holds paths that were not published on
    purpose, each with the digest of the recipe for which that was decided.
    ``recipe`` is the one that was published last, whole.
    """

    def __init__(self, workspace: Workspace, artifact: Artifact | Given) -> None:
        self._workspace = workspace
        self._parts = (RECORDS, record_name(artifact.kind, artifact.name))
        self._document = self._load()
        self._others: dict[str, Seen] = {}
        self._changed = False

    def _load(self) -> _Document:
        data = self._workspace.read(self._parts, MAX_RECORD)
        if data is None:
            return _Document()
        try:
            document = msgspec.json.decode(data, type=_Document)
        except (msgspec.DecodeError, RecursionError, ValueError):
            return _Document()
        return document if document.format == 1 else _Document()

    def holds(self, key: str, folder: Folder, name: str, sha256: bytes) -> bool:
        """Return whether the file ``name`` has the content with this SHA-256.

        The file is opened without following a link and hashed unless it is the
        one that was hashed or published before, with this content or another.
        """
        descriptor = folder.open_file(name)
        if descriptor is None:
            return False
        return self.holds_open(key, descriptor, sha256)

    def holds_open(self, key: str, descriptor: int, sha256: bytes) -> bool:
        """Like ``holds`` for an open file, which is closed."""
        expected = sha256.hex()
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            seen = _seen(os.fstat(file.fileno()), expected)
            for known in (self._document.files.get(key), self._others.get(key)):
                if known is not None and known.is_of(seen):
                    return known == seen
            try:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                return False
            if _seen(os.fstat(file.fileno()), expected) != seen:
                return False
        if found != expected:
            if len(self._others) < MAX_RECORDED:
                self._others[key] = msgspec.structs.replace(seen, sha256=found)
            return False
        self._note(key, seen)
        return True

    def remembers(self, key: str, folder: Folder, name: str, sha256: bytes) -> bool:
        """Return whether ``name`` is the file remembered for this content.

        For files that are published in a form of their own, whose bytes are not
        those of the recipe.
        """
        descriptor = folder.open_file(name)
        if descriptor is None:
            return False
        status = os.fstat(descriptor)
        os.close(descriptor)
        return self._document.files.get(key) == _seen(status, sha256.hex())

    def published(self, key: str, status: os.stat_result, sha256: bytes) -> None:
        """Remember the file that was just put in place."""
        self._note(key, _seen(status, sha256.hex()))
        if self._document.left_out.pop(key, None) is not None:
            self._changed = True

    def omitted(self, key: str, recipe: str) -> None:
        """Remember that ``key`` was left out on purpose for this recipe."""
        if self._document.left_out.get(key) != recipe:
            self._document.left_out[key] = recipe
            self._changed = True

    def was_omitted(self, key: str, recipe: str) -> bool:
        """Return whether ``key`` was left out when this recipe was published."""
        return self._document.left_out.get(key) == recipe

    def completed(
        self, recipe: str, keys: AbstractSet[str], names: dict[str, int]
    ) -> None:
        """Remember that this recipe is here, whole; forget files it does not have."""
        document = self._document
        stale = [key for key in document.files if key not in keys]
        for key in stale:
            del document.files[key]
        if stale or (document.recipe, document.names) != (recipe, names):
            document.recipe, document.names = recipe, names
            self._changed = True

    def is_complete(self, recipe: str, place: Folder) -> bool:
        """Return whether ``recipe`` was published last and is still in ``place``."""
        document = self._document
        return (
            document.recipe == recipe
            and all(_is_there(place, key, seen) for key, seen in document.files.items())
            and all(
                _count(place, directory, least)
                for directory, least in document.names.items()
            )
        )

    def save(self) -> None:
        """Write what changed, durably; nothing when nothing did.

        Raises:
            TargetError: it could not be written; the old record is still there.
        """
        if not self._changed:
            return
        data = msgspec.json.encode(self._document, order="deterministic")
        if len(data) <= MAX_RECORD:
            self._workspace.write(self._parts, data)
        self._changed = False

    def _note(self, key: str, seen: Seen) -> None:
        files = self._document.files
        if files.get(key) == seen or (key not in files and len(files) >= MAX_RECORDED):
            return
        files[key] = seen
        self._changed = True


def _is_there(place: Folder, key: str, seen: Seen) -> bool:
    """Return whether a file, or what a link leads to, is the one remembered."""
    try:
        status = os.stat(key, dir_fd=place.descriptor)
    except (OSError, ValueError):
        return False
    return _seen(status, seen.sha256) == seen


def _count(place: Folder, directory: str, least: int) -> bool:
    """Return whether there are at least so many names below a directory."""
    found = 0
    for _, _, names in os.walk(place.path / directory):
        found += len(names)
    return found >= least


def _seen(status: os.stat_result, sha256: str) -> Seen:
    return Seen(sha256, status.st_size, status.st_mtime_ns, status.st_ino)
