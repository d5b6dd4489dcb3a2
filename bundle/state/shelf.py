"""Recipes that a sender keeps: what is in them is what the far side may hold.

Each is a file named by its digest, so that releases share what did not change.
A recipe that is not there, or is damaged, is one that nothing is known of: the
chunks it names are sent again.
"""

from __future__ import annotations

import mmap
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.digest import Digest, digest_of
from bundle.durable import make_directory, target_errors, write_file
from bundle.errors import FormatError
from bundle.format.recipe import Recipe
from bundle.state.files import (
    PRIVATE_DIRECTORY,
    PRIVATE_FILE,
    names_in,
    remove_files,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_NAME: Final = re.compile(r"([0-9a-f]{64})\.bdr", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The recipes in one directory, by the text of their digest."""

    directory: Path

    def put(self, data: bytes) -> str:
        """Keep a recipe, whole and durable on return; return its digest.

        Raises:
            TargetError: it could not be written.
        """
        digest = digest_of(data)
        if self._name(str(digest)) not in names_in(self.directory):
            make_directory(self.directory, mode=PRIVATE_DIRECTORY)
            path = self.directory / self._name(str(digest))
            write_file(path, data, mode=PRIVATE_FILE)
        return str(digest)

    def get(self, digest: str) -> Recipe | None:
        """Return a recipe, read in place; None where it is gone or damaged.

        Raises:
            TargetError: the system would not let it be read.
        """
        data = self._map(digest)
        if data is None or str(digest_of(data)) != digest:
            return None
        try:
            return Recipe.parse(data)
        except FormatError:
            return None

    def read(self, digest: str) -> bytes | None:
        """Return the bytes of a recipe; None where it is gone or damaged.

        Raises:
            TargetError: the system would not let it be read.
        """
        data = self._map(digest)
        if data is None or str(digest_of(data)) != digest:
            return None
        return data.tobytes()

    def trim(self, used: Collection[str]) -> None:
        """Drop every recipe whose digest is not among ``used``.

        Raises:
            TargetError: one could not be removed.
        """
        kept = {self._name(digest) for digest in used}
        names = [name for name in names_in(self.directory) if _NAME.fullmatch(name)]
        remove_files(self.directory, [name for name in names if name not in kept])

    def _map(self, digest: str) -> memoryview | None:
        path = self.directory / self._name(digest)
        with target_errors(path):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                return None
            try:
                size = os.fstat(descriptor).st_size
                if not size:
                    return None
                return memoryview(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))
            finally:
                os.close(descriptor)

    @staticmethod
    def _name(digest: str) -> str:
        return f"{Digest.parse(digest).raw.hex()}.bdr"
