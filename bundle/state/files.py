"""Small files of our own: read whole, up to a bound; made at most once."""

from __future__ import annotations

import errno
import os
import secrets
from typing import TYPE_CHECKING, Final

from bundle.durable import flush_directory, make_directory, target_errors, write_file
from bundle.errors import ExistsError, LimitError, MissingError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_DIRECTORY: Final = 0o700
PRIVATE_FILE: Final = 0o600

_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK})


def read_bounded(path: Path, limit: int, *, rule: str) -> bytes:
    """Return what is in a file of at most ``limit`` bytes.

    Raises:
        MissingError: there is no such file.
        LimitError: it is larger; names ``rule``.
        TargetError: the system would not let it be read.
    """
    with target_errors(path):
        try:
            with path.open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            raise MissingError(f"{path}: there is no such file") from None
    if len(data) > limit:
        raise LimitError(f"{path}: over {limit} bytes", rule=rule)
    return data


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory, sorted; none where there is no directory.

    Raises:
        TargetError: the system would not let it be read.
    """
    with target_errors(directory):
        try:
            return sorted(path.name for path in directory.iterdir())
        except FileNotFoundError:
            return []


def create_file(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Put ``data`` at ``path`` where nothing is yet; whole and durable on return.

    Of several that try at once, one succeeds.

    Raises:
        ExistsError: something is there; it is as it was.
        TargetError: it could not be written.
    """
    make_directory(path.parent, mode=PRIVATE_DIRECTORY)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    write_file(temporary, data, mode=mode)
    with target_errors(path):
        try:
            _link(temporary, path, data, mode)
        except FileExistsError:
            raise ExistsError(f"{path}: is there already") from None
        finally:
            temporary.unlink()
        flush_directory(path.parent)


def _link(temporary: Path, path: Path, data: bytes, mode: int) -> None:
    """Give a flushed file its name, unless the name is taken."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # FAT: a power cut may leave the file short, but never written twice.
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb"
        ) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def remove_files(directory: Path, names: list[str]) -> None:
    """Drop files that nothing refers to any more; those that are gone are fine."""
    for name in names:
        with target_errors(directory / name):
            (directory / name).unlink(missing_ok=True)
