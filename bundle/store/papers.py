"""What came with a release and is not in it (spec §50.4): for whoever sends it on.

``approval.md``, the detached signatures of approvers and the trust files lie under
the names that they have in a bundle, in a directory for each release. They are no
content: a release without them is as whole as before.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

from bundle.digest import Digest
from bundle.durable import flush_directory, make_directory, target_errors, write_file
from bundle.errors import FormatError, StoreError
from bundle.limits import MAX_APPROVAL, MAX_DETACHED_SIGNATURE, MAX_TRUST_FILE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

_LIMITS: Final = (
    (re.compile(r"approval\.md", re.ASCII), MAX_APPROVAL),
    (re.compile(r"sig/[0-9a-f]{64}\.json", re.ASCII), MAX_DETACHED_SIGNATURE),
    (
        re.compile(r"trust/[1-9][0-9]{0,15}\.(root|roles)\.json", re.ASCII),
        MAX_TRUST_FILE,
    ),
)


class Papers:
    """The papers of all releases, in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, digest: str, files: Mapping[str, bytes]) -> None:
        """Keep what came with a release, beside what came before; durable on return.

        A file that is there already stays as it is (rule 50.4.4).

        Raises:
            ValueError: a name that no paper has.
            TargetError: it could not be written.
        """
        own = self._of(digest)
        for name, data in files.items():
            if limit_of(name) is None:
                raise ValueError(f"{name!r} is not kept with a release")
            path = own / name
            with target_errors(path):
                there = path.is_file()
            if there:
                continue
            make_directory(path.parent)
            write_file(path, data)

    def load(self, digest: str) -> dict[str, bytes]:
        """Return what came with a release, by name; nobody has verified it since.

        Raises:
            FormatError: a file of it is larger than it may be.
            StoreError: it cannot be read.
        """
        own = self._of(digest)
        try:
            return dict(_read(own))
        except OSError as error:
            raise StoreError(f"{own}: {error.strerror}") from error

    def trim(self, kept: Collection[str]) -> None:
        """Drop the papers of all releases but those with the digests ``kept``.

        Raises:
            TargetError: the file system refuses.
        """
        names = {self._of(digest).name for digest in kept}
        with target_errors(self._directory):
            if not self._directory.is_dir():
                return
            for path in sorted(self._directory.iterdir()):
                if path.name not in names and path.is_dir():
                    shutil.rmtree(path)
            flush_directory(self._directory)

    def _of(self, digest: str) -> Path:
        return self._directory / Digest.parse(digest).raw.hex()


def _read(own: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(own.rglob("*")) if own.is_dir() else ():
        name = path.relative_to(own).as_posix()
        limit = limit_of(name)
        if limit is None or path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise FormatError(f"{path}: over {limit} bytes", rule="50.4.4")
        yield name, data


def limit_of(name: str) -> int | None:
    """Return the bytes that a paper of this name may have, None where none has it."""
    return next((limit for one, limit in _LIMITS if one.fullmatch(name)), None)
