"""``bundle copy``: a bundle onto a medium, and back off it, before it may be removed.

Every shard is checked as it is read, flushed as it is written, and read again
from the medium itself, not from memory, before anyone says *safe to remove*.
What an interrupted copy left is checked and kept; ``bundle.json`` comes last, so
that half a copy does not look like a bundle (spec §30.2).
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.durable import (
    flush_directory,
    make_directory,
    move,
    target_errors,
    write_all,
    write_file,
)
from bundle.errors import BundleError, ExistsError, IntegrityError, SpaceError
from bundle.format import layout
from bundle.format.shards import shard_starts
from bundle.limits import MAX_APPROVAL, MAX_ENVELOPE, MAX_SHARDS_FILE, SHARD
from bundle.medium.files import ShardedFile, is_there, names_on, read_whole
from bundle.medium.parity_copy import copy_parity, parity_size
from bundle.medium.reader import OpenBundle, open_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice

_DIRECTORIES = (layout.TRUST, layout.SIGNATURES, layout.COPY)
_LAST = layout.MANIFEST


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What was copied; ``kept_bytes`` were there already and are right."""

    bundle: Path
    stream: str
    seq: int
    release: str
    files: int
    copied_bytes: int
    kept_bytes: int


@dataclass(frozen=True, slots=True)
class _Payload:
    """A file that shards cover: its size and the number of its first shard."""

    name: str
    size: int
    first: int


async def copy(
    bundle: Path, out: Path, trust: TrustChoice, reporter: Reporter, clock: float
) -> CopyReport:
    """Copy a bundle to ``out``/its name, read it back, and say what was done.

    Raises:
        FormatError, IntegrityError: the bundle, or the copy of it, is damaged.
        TrustError: it is not signed by whom this machine trusts.
        TargetError: the medium is full, refuses, or holds another bundle there.
    """
    opened = await asyncio.to_thread(open_bundle, bundle, trust, clock, keep=False)
    name = layout.directory_name(opened.release.stream.name, opened.release.seq)
    directory = out / name
    payload = list(_payload(opened))
    total = sum(one.size for one in payload)
    beside = await asyncio.to_thread(parity_size, bundle)
    await asyncio.to_thread(_prepare, opened, directory, total + beside)
    reporter.started("copy", 2 * (total + beside))
    copied = await asyncio.to_thread(_copy_all, opened, directory, payload, reporter)
    await asyncio.to_thread(read_back, opened, directory, reporter)
    await asyncio.to_thread(copy_parity, bundle, directory, reporter, _forget)
    await asyncio.to_thread(_commit, opened, directory)
    reporter.finished()
    return CopyReport(
        bundle=directory,
        stream=opened.release.stream.name,
        seq=opened.release.seq,
        release=str(opened.digest),
        files=len(payload) + len(list(_others(opened.path))) + 1,
        copied_bytes=copied,
        kept_bytes=total - copied,
    )


def read_back(opened: OpenBundle, directory: Path, reporter: Reporter) -> None:
    """Read every payload file in ``directory`` again, from the medium itself.

    Raises:
        IntegrityError: what lies there is not what was written.
        StoreError: the medium cannot be read.
    """
    buffer = memoryview(bytearray(SHARD))
    for one in _payload(opened):
        path = directory / one.name
        _forget(path)
        file = ShardedFile(path, one.size, opened.shards, one.first)
        try:
            for number in range(-(-one.size // SHARD)):
                reporter.advanced(file.read_shard(number, buffer))
        finally:
            file.close()


def _payload(opened: OpenBundle) -> Iterator[_Payload]:
    manifest = opened.manifest
    sizes = [manifest.recipes.size, *(volume.size for volume in manifest.volumes)]
    names = [layout.RECIPES, *(volume.name for volume in manifest.volumes)]
    for name, size, first in zip(names, sizes, shard_starts(sizes), strict=False):
        yield _Payload(name, size, first)


def _others(directory: Path) -> Iterator[tuple[str, int]]:
    """Yield the small files of a bundle but ``bundle.json``, and their bounds."""
    yield layout.RELEASE, MAX_ENVELOPE
    yield layout.SHARDS, MAX_SHARDS_FILE
    yield layout.APPROVAL, MAX_APPROVAL
    for folder in _DIRECTORIES:
        for name in sorted(names_on(directory / folder)):
            yield f"{folder}/{name}", MAX_ENVELOPE


def _prepare(opened: OpenBundle, directory: Path, total: int) -> None:
    """Make the directory, unless another bundle or too little room is there."""
    manifest = directory / _LAST
    if is_there(manifest):
        same = read_whole(manifest, MAX_ENVELOPE) == read_whole(
            opened.path / _LAST, MAX_ENVELOPE
        )
        if not same:
            raise ExistsError(
                f"{directory}: another bundle of that name is there",
                advice="it is never overwritten: remove it, or name another place",
            )
    make_directory(directory, mode=0o755)
    with target_errors(directory):
        free = shutil.disk_usage(directory).free
        there = sum(
            path.stat().st_size for path in directory.iterdir() if path.is_file()
        )
    if total > free + there:
        raise SpaceError(
            f"{directory}: {total} bytes are needed, {free + there} are free",
            advice="use a larger medium",
        )


def _copy_all(
    opened: OpenBundle, directory: Path, payload: list[_Payload], reporter: Reporter
) -> int:
    """Copy what is not there yet; return the bytes that were written."""
    copied = 0
    for one in payload:
        if _is_right(opened, directory / one.name, one):
            reporter.advanced(one.size)
            continue
        _copy_payload(opened, directory / one.name, one, reporter)
        copied += one.size
    for name, limit in _others(opened.path):
        data = read_whole(opened.path / name, limit)
        make_directory((directory / name).parent, mode=0o755)
        write_file(directory / name, data)
        _forget(directory / name)
        if read_whole(directory / name, limit) != data:
            raise IntegrityError(
                f"{name} reads back as something else",
                rule="3.2.4",
                advice="the medium is bad: use another",
            )
    return copied


def _is_right(opened: OpenBundle, path: Path, one: _Payload) -> bool:
    """Say whether an earlier copy of the file is whole."""
    buffer = memoryview(bytearray(SHARD))
    try:
        file = ShardedFile(path, one.size, opened.shards, one.first)
    except BundleError:
        return False
    try:
        for number in range(-(-one.size // SHARD)):
            file.read_shard(number, buffer)
    except BundleError:
        return False
    finally:
        file.close()
    return True


def _copy_payload(
    opened: OpenBundle, path: Path, one: _Payload, reporter: Reporter
) -> None:
    """Copy one file, each shard checked in the buffer it is written from."""
    buffer = memoryview(bytearray(SHARD))
    temporary = path.with_name(f"{one.name}.part")
    source = ShardedFile(opened.path / one.name, one.size, opened.shards, one.first)
    try:
        with target_errors(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            target = os.open(temporary, flags, 0o644)
            try:
                for number in range(-(-one.size // SHARD)):
                    size = source.read_shard(number, buffer)
                    write_all(target, buffer[:size], number * SHARD)
                    reporter.advanced(size)
                os.fsync(target)
            finally:
                os.close(target)
        move(temporary, path)
    finally:
        source.close()


def _commit(opened: OpenBundle, directory: Path) -> None:
    """Write ``bundle.json``, the commit point, and read it back."""
    data = read_whole(opened.path / _LAST, MAX_ENVELOPE)
    with target_errors(directory):
        flush_directory(directory.parent)
    write_file(directory / _LAST, data)
    _forget(directory / _LAST)
    if read_whole(directory / _LAST, MAX_ENVELOPE) != data:
        raise IntegrityError(
            f"{_LAST} reads back as something else",
            rule="3.2.4",
            advice="the medium is bad: use another",
        )


def _forget(path: Path) -> None:
    """Drop the file from memory, so that the next read comes from the medium."""
    with target_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
