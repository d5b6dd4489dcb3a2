"""Shards of one bundle from wherever they are still good.

A repair may be given several directories that hold the same bundle: two copies
that are damaged in different places, or the media of one that was spread. A file is
at home in the first directory that has it. A shard is taken from the first
directory where it has its signed digest; a file that is not there, ends early or
cannot be read is damage like any other.
"""

from __future__ import annotations

import bisect
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blake3 import blake3

from bundle.errors import BundleError, IntegrityError
from bundle.format import layout
from bundle.format.shards import shard_starts
from bundle.limits import SHARD
from bundle.medium.files import fill, open_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundle.format.manifest import Manifest
    from bundle.format.shards import Shards


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A file that shards.bds describes, and the position of its first shard."""

    name: str
    size: int
    first: int


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of one file; ``str`` names them as messages do."""

    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.name}, bytes {self.offset} to {self.offset + self.size}"


def payload_files(manifest: Manifest) -> tuple[PayloadFile, ...]:
    """Return recipes.bdr and the volumes in the order of shards.bds."""
    named = [(layout.RECIPES, manifest.recipes.size)]
    named += [(volume.name, volume.size) for volume in manifest.volumes]
    starts = shard_starts(size for _, size in named)
    return tuple(
        PayloadFile(name, size, first)
        for (name, size), first in zip(named, starts, strict=False)
    )


class Payload:
    """The shards of a bundle, read from any of its directories."""

    def __init__(
        self, directories: Sequence[Path], manifest: Manifest, shards: Shards
    ) -> None:
        self.directories = directories
        self.files = payload_files(manifest)
        self._shards = shards
        self._starts = [file.first for file in self.files]

    def __len__(self) -> int:
        return len(self._shards)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def home(self, name: str) -> Path:
        """Return the first directory that has a file, or the first of all."""
        having = (one for one in self.directories if (one / name).is_file())
        return next(having, self.directories[0])

    def locate(self, number: int) -> Span:
        """Return the file of a shard and its bytes there."""
        file = self.files[bisect.bisect_right(self._starts, number) - 1]
        offset = (number - file.first) * SHARD
        return Span(file.name, offset, min(SHARD, file.size - offset))

    def read(
        self, number: int, buffer: memoryview, *, directory: Path | None = None
    ) -> bool:
        """Put a shard into ``buffer``, which is a shard long, and zeros after it.

        Returns whether it is good anywhere, or in that directory.
        """
        span = self.locate(number)
        buffer[span.size :] = bytes(len(buffer) - span.size)
        return any(
            read_at(place / span.name, span.offset, buffer[: span.size])
            and self.is_good(number, buffer)
            for place in ([directory] if directory else self.directories)
        )

    def is_good(self, number: int, buffer: memoryview) -> bool:
        """Say whether ``buffer`` begins with this shard."""
        data = buffer[: self.locate(number).size]
        digest: bytes = self._shards.digests[number].tobytes()
        return blake3(data).digest() == digest

    def require(self, number: int, buffer: memoryview) -> None:
        """Put a shard into ``buffer`` as ``read`` does.

        Raises:
            IntegrityError: it is nowhere good.
        """
        if not self.read(number, buffer):
            raise IntegrityError(
                f"{self.locate(number)}: missing or damaged", rule="3.3.11"
            )


def read_at(path: Path, offset: int, buffer: memoryview) -> bool:
    """Fill ``buffer`` from a file that may be damaged; say whether that worked."""
    try:
        descriptor, _ = open_regular(path)
    except BundleError:
        return False
    try:
        fill(descriptor, buffer, offset, path)
    except BundleError:
        return False
    finally:
        os.close(descriptor)
    return True


def spans(payload: Payload, numbers: Sequence[int]) -> tuple[Span, ...]:
    """Return the bytes of some shards, ascending, with neighbours made one."""
    found: list[Span] = []
    for number in numbers:
        span = payload.locate(number)
        last = found[-1] if found else None
        if last and (last.name, last.offset + last.size) == (span.name, span.offset):
            found[-1] = Span(last.name, last.offset, last.size + span.size)
        else:
            found.append(span)
    return tuple(found)
