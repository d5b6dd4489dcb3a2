"""Parity files on a medium, found by their names and read with suspicion (spec §70).

Nothing of them is signed, and any part of them may be damaged: a file is used as
far as it can be read, and what it gives is for others to check.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.errors import BundleError, FormatError
from bundle.format import layout
from bundle.format.columns import RECORD_SIZE
from bundle.format.parity import (
    ParityHead,
    ParityHeader,
    parse_parity_head,
    parse_parity_header,
)
from bundle.limits import SHARD
from bundle.medium.files import fill, names_on, open_regular
from bundle.medium.scattered import read_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ParityFile:
    """A parity file whose head could be read; ``intact`` if at both ends."""

    path: Path
    header: ParityHeader
    head: ParityHead
    intact: bool

    def read(self, position: int, buffer: memoryview) -> bool:
        """Put the shard at ``position`` of all into ``buffer``; say if it is good."""
        number = position - self.header.first
        return (
            0 <= number < self.header.count
            and read_at(self.path, self.header.front_size + number * SHARD, buffer)
            and self.head.check(number, buffer)
        )


def find_parity(
    directories: Iterable[Path], shards: bytes
) -> tuple[list[ParityFile], tuple[str, ...]]:
    """Return the parity files that were made with this digest of shards.bds.

    Those that are of no use, and why, come second, one line each. All that are
    returned have the same stripes: those of the first one.
    """
    found: list[ParityFile] = []
    problems: list[str] = []
    for path in parity_paths(directories):
        try:
            file = read_parity_file(path)
        except BundleError as error:
            problems.append(f"{path.name} cannot be used: {error.args[0]}")
            continue
        if file.head.shards != shards:
            problems.append(f"{path.name} belongs to another bundle")
        elif found and file.header.stripes != found[0].header.stripes:
            problems.append(f"{path.name} belongs to other parity files")
        else:
            found.append(file)
    return found, tuple(problems)


def check_parity(directories: Sequence[Path], shards: bytes) -> tuple[str, ...]:
    """Read every parity shard; return what is wrong, one line for each file."""
    files, problems = find_parity(directories, shards)
    found = list(problems)
    buffer = memoryview(bytearray(SHARD))
    for file in files:
        first, count = file.header.first, file.header.count
        bad = sum(not file.read(first + one, buffer) for one in range(count))
        if bad:
            found.append(f"{file.path.name}: {bad} of {count} parity shards damaged")
        elif not file.intact:
            found.append(f"{file.path.name} is damaged at one of its ends")
    return tuple(found)


def parity_paths(directories: Iterable[Path]) -> list[Path]:
    """Return the parity files in some directories, whatever they hold."""
    return [
        directory / name
        for directory in directories
        for name in names_on(directory.resolve())
        if layout.is_parity(name)
    ]


def read_parity_file(path: Path) -> ParityFile:
    """Return what a parity file says of itself, at its front or else at its back.

    Raises:
        FormatError, IntegrityError: it is damaged at both.
        MissingError, StoreError: it is not there, or cannot be read.
    """
    descriptor, size = open_regular(path)
    try:
        ends: list[tuple[ParityHeader, ParityHead]] = []
        errors: list[BundleError] = []
        for at_back in (False, True):
            try:
                ends.append(_read_end(path, descriptor, size, at_back=at_back))
            except BundleError as error:
                errors.append(error)
    finally:
        os.close(descriptor)
    if not ends:
        raise errors[0]
    header, head = ends[0]
    intact = len(ends) == 2 and ends[0] == ends[1] and size == header.file_size()
    return ParityFile(path, header, head, intact)


def _read_end(
    path: Path, descriptor: int, size: int, *, at_back: bool
) -> tuple[ParityHeader, ParityHead]:
    record = memoryview(bytearray(RECORD_SIZE))
    fill(descriptor, record, max(size - RECORD_SIZE, 0) if at_back else 0, path)
    header = parse_parity_header(record)
    if header.front_size > size:
        raise FormatError(f"{path.name} is torn", rule="70.4.8", offset=size)
    head = memoryview(bytearray(header.head_size))
    fill(descriptor, head, size - header.front_size if at_back else RECORD_SIZE, path)
    return header, parse_parity_head(header, head)


class ParityShards:
    """The parity shards of a bundle, from any file that has them."""

    def __init__(self, files: Sequence[ParityFile]) -> None:
        self.files = files
        self.stripes = files[0].header.stripes if files else None

    def read(self, position: int, buffer: memoryview) -> bool:
        """Put a parity shard into ``buffer``; say whether it is good anywhere."""
        return any(file.read(position, buffer) for file in self.files)
