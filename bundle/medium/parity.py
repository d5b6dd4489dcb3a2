"""Parity files beside a finished bundle: written, found, read (spec §70).

They are a sidecar: no reader needs them, and a bundle without them is whole. What
they hold is computed from shards that were checked as they were read, one group of
at most ``WRITTEN_GROUP`` MiB at a time.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from blake3 import blake3

from bundle.codec.erasure import encoder_of
from bundle.digest import DIGEST_SIZE, digest_of
from bundle.durable import (
    flush_directory,
    make_directory,
    target_errors,
    write_all,
)
from bundle.errors import ExistsError
from bundle.format import layout
from bundle.format.columns import RECORD_SIZE
from bundle.format.parity import (
    ParityEnds,
    ParityHead,
    head_size,
    is_copied,
)
from bundle.format.shards import shard_count
from bundle.format.stripes import Stripes, Survival, shape_for, survival
from bundle.limits import (
    MAX_PARITY_HEAD,
    MAX_VOLUME,
    MIN_VOLUME,
    SHARD,
)
from bundle.medium.files import names_on
from bundle.medium.parity_files import parity_paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.medium.scattered import Payload
    from bundle.progress import Reporter

_AT_ONCE: Final = 128
"""Shards that an encoder holds, at most, unless one group has more."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What was written; ``bytes`` are those of all parity files."""

    stripes: Stripes
    files: int
    bytes: int
    survival: Survival


def add_parity(
    payload: Payload,
    percent: int,
    small: Mapping[str, bytes],
    directory: Path,
    reporter: Reporter,
) -> ParityReport:
    """Write ``percent`` of parity over a bundle into ``directory``.

    ``small`` are the bundle's small files by name. All is durable on return.

    Raises:
        ExistsError: there are parity files already.
        IntegrityError: the bundle is damaged.
        TargetError: the medium is full or refuses; the bundle is as it was.
    """
    for path in parity_paths((directory, *payload.directories)):
        raise ExistsError(
            f"{path}: there are parity files already",
            advice="remove par-*.bdp first to make others",
        )
    make_directory(directory, mode=0o755)
    _clear(directory)
    stripes = shape_for(len(payload), percent)
    return write_parity(payload, stripes, small, directory, reporter)


def write_parity(
    payload: Payload,
    stripes: Stripes,
    small: Mapping[str, bytes],
    directory: Path,
    reporter: Reporter,
    *,
    per_file: int = 0,
) -> ParityReport:
    """Write parity files of a given shape into ``directory``, replacing others.

    ``small`` are the bundle's small files by name. ``per_file`` is how many shards
    go into one file; 0 is as many as make it about as large as a volume.

    Raises:
        IntegrityError: the bundle is damaged.
        TargetError: the medium is full or refuses; the bundle is as it was.
    """
    copies = _fitting(small)
    per_file = per_file or _per_file(payload, copies, stripes)
    files = _Files(directory, stripes, per_file, copies)
    reporter.started("parity", payload.size)
    try:
        _encode(payload, stripes, files, reporter)
        size = files.finish(digest_of(small[layout.SHARDS]).raw)
    except BaseException:
        files.abandon()
        raise
    reporter.finished()
    return ParityReport(stripes, files.count, size, survival_of(stripes, payload))


def _clear(directory: Path) -> None:
    """Remove what an interrupted run left under temporary names."""
    for name in names_on(directory):
        if layout.is_parity_in_the_making(name):
            with target_errors(directory / name):
                (directory / name).unlink()


def survival_of(stripes: Stripes, payload: Payload) -> Survival:
    """Return what parity of this shape makes good in this bundle."""
    return survival(stripes, [shard_count(one.size) for one in payload.files[1:]])


def _fitting(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return those that are copied, as far as a head has room for them."""
    found: dict[str, bytes] = {}
    for name, data in files.items():
        fits = head_size(0, {**found, name: data}) <= MAX_PARITY_HEAD // 2
        if is_copied(name) and fits:
            found[name] = data
    return found


def _per_file(payload: Payload, copies: Mapping[str, bytes], stripes: Stripes) -> int:
    size = max([MIN_VOLUME, *(file.size for file in payload.files[1:])])
    most = (MAX_VOLUME - 2 * (RECORD_SIZE + head_size(size // SHARD, copies))) // SHARD
    return max(1, min(size // SHARD, most, stripes.total))


def _encode(
    payload: Payload, stripes: Stripes, files: _Files, reporter: Reporter
) -> None:
    """Read every group, the neighbours of as many as fit together, and encode it."""
    step = max(1, _AT_ONCE // stripes.data)
    members = np.zeros((min(step, stripes.groups), stripes.data, SHARD), np.uint8)
    encoder = encoder_of(stripes.data, stripes.parity)
    for base in range(0, stripes.groups, step):
        groups = range(base, min(base + step, stripes.groups))
        members[:, -1] = 0
        for member in range(stripes.data):
            for group in groups:
                number = group + member * stripes.groups
                if number < stripes.shards:
                    payload.require(number, members[group - base, member].data)
                    reporter.advanced(payload.locate(number).size)
        for group in groups:
            parity = encoder.encode(members[group - base])
            for position, shard in zip(stripes.positions(group), parity, strict=True):
                files.write(position, shard)


class _Files:
    """The parity files in the making, under temporary names until all is done."""

    def __init__(
        self,
        directory: Path,
        stripes: Stripes,
        per_file: int,
        copies: Mapping[str, bytes],
    ) -> None:
        self.count = -(-stripes.total // per_file)
        self._directory = directory
        self._stripes = stripes
        self._per_file = per_file
        self._copies = copies
        self._digests = np.zeros((stripes.total, DIGEST_SIZE), np.uint8)
        end = secrets.token_hex(4)
        self._paths = [
            directory / f".{layout.parity_name(number + 1)}.{end}.tmp"
            for number in range(self.count)
        ]
        self._made: list[Path] = []

    def write(self, position: int, shard: NDArray[np.uint8]) -> None:
        """Put a parity shard where it belongs."""
        self._digests[position] = np.frombuffer(blake3(shard.data).digest(), np.uint8)
        number, place = divmod(position, self._per_file)
        front = RECORD_SIZE + head_size(*self._head_of(number))
        self._put(number, shard.data, front + place * SHARD)

    def finish(self, shards: bytes) -> int:
        """Write the ends, make all durable, name them; return the bytes of all.

        ``shards`` is the digest of shards.bds.
        """
        total = 0
        for number, path in enumerate(self._paths):
            count, copies = self._head_of(number)
            first = number * self._per_file
            digests = self._digests[first : first + count].tobytes()
            head = ParityHead(shards, digests, copies)
            ends = ParityEnds.of(number + 1, self._stripes, first, head)
            self._put(number, ends.front, 0)
            self._put(number, ends.back, len(ends.front) + count * SHARD)
            with target_errors(path):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                    total += os.fstat(descriptor).st_size
                finally:
                    os.close(descriptor)
        with target_errors(self._directory):
            for number, path in enumerate(self._paths, 1):
                path.rename(self._directory / layout.parity_name(number))
            flush_directory(self._directory)
        return total

    def abandon(self) -> None:
        """Remove what was not named yet, as far as the medium lets us."""
        for path in self._made:
            with contextlib.suppress(OSError):
                path.unlink()

    def _head_of(self, number: int) -> tuple[int, Mapping[str, bytes]]:
        """Return how many shards and which copies a file has."""
        left = self._stripes.total - number * self._per_file
        # Rule 70.4.13: the first and the last, most likely on different media.
        outermost = number in (0, self.count - 1)
        return min(left, self._per_file), self._copies if outermost else {}

    def _put(self, number: int, data: bytes | memoryview, offset: int) -> None:
        path = self._paths[number]
        flags = os.O_WRONLY | os.O_NOFOLLOW
        if path not in self._made:
            flags |= os.O_CREAT | os.O_EXCL
        with target_errors(path):
            descriptor = os.open(path, flags, 0o644)
            if path not in self._made:
                self._made.append(path)
            try:
                write_all(descriptor, data, offset)
            finally:
                os.close(descriptor)
