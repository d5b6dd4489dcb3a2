"""Parity files taken along when a bundle is copied.

They are unsigned and may be damaged; a copy is the same bytes, damaged or not. It is
read back from the medium like everything else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from blake3 import blake3

from bundle.durable import move, target_errors, write_all
from bundle.errors import BundleError, IntegrityError
from bundle.limits import SHARD
from bundle.medium.files import fill, open_regular
from bundle.medium.parity_files import parity_paths
from bundle.medium.readback import BAD_MEDIUM, forget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from bundle.progress import Reporter


def parity_size(directories: Iterable[Path]) -> int:
    """Return the bytes of all parity files in some directories."""
    return sum(path.stat().st_size for path in parity_paths(directories))


def copy_parity(sources: Iterable[Path], directory: Path, reporter: Reporter) -> None:
    """Copy the parity files in ``sources`` that ``directory`` has not yet.

    Raises:
        IntegrityError: what lies there is not what was written.
        StoreError: a medium cannot be read.
        TargetError: the medium is full or refuses.
    """
    for path in parity_paths(sources):
        copy = directory / path.name
        digest = _digest(path)
        if not _has(copy, digest):
            temporary = copy.with_name(f"{copy.name}.part")
            _write(path, temporary)
            move(temporary, copy)
        forget(copy)
        if not _has(copy, digest):
            raise IntegrityError(
                f"{copy.name} reads back as something else",
                rule="3.2.4",
                advice=BAD_MEDIUM,
            )
        reporter.advanced(2 * path.stat().st_size)


def _has(path: Path, digest: bytes) -> bool:
    try:
        return _digest(path) == digest
    except BundleError:
        return False


def _digest(path: Path) -> bytes:
    hasher = blake3()
    _walk(path, lambda data, _: hasher.update(data))
    return hasher.digest()


def _write(path: Path, temporary: Path) -> None:
    with target_errors(temporary):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        target = os.open(temporary, flags, 0o644)
        try:
            _walk(path, lambda data, offset: write_all(target, data, offset))
            os.fsync(target)
        finally:
            os.close(target)


def _walk(path: Path, take: Callable[[memoryview, int], object]) -> None:
    """Read a file from its first byte to its last, a shard at a time."""
    buffer = memoryview(bytearray(SHARD))
    descriptor, size = open_regular(path)
    try:
        for offset in range(0, size, SHARD):
            data = buffer[: min(SHARD, size - offset)]
            fill(descriptor, data, offset, path)
            take(data, offset)
    finally:
        os.close(descriptor)
