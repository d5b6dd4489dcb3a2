"""``bundle copy``: a bundle onto a medium, and back off it, before it may be removed.

Every shard is checked as it is read, flushed as it is written, and read again
from the medium itself, not from memory, before anyone says *safe to remove*.
What an interrupted copy left is checked and kept; ``bundle.json`` comes last, so
that half a copy does not look like a bundle (spec §30.2). A bundle that is spread
becomes one directory, or one of its directories is copied as it is.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
from bundle.limits import MAX_APPROVAL, MAX_ENVELOPE, MAX_SHARDS_FILE, SHARD
from bundle.medium.files import ShardedFile, is_there, names_on, read_whole
from bundle.medium.parity_copy import copy_parity, parity_size
from bundle.medium.readback import (
    BAD_MEDIUM,
    PayloadFile,
    forget,
    payload_of,
    read_back,
)
from bundle.medium.reader import open_bundle
from bundle.medium.spread import missing_volumes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundle.medium.reader import OpenBundle
    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice

_DIRECTORIES = (layout.TRUST, layout.SIGNATURES, layout.COPY)
_LAST = layout.MANIFEST
_PART: Final = re.compile(r".*-[0-9]+-of-([0-9]{1,5})", re.ASCII | re.DOTALL)
_WITHOUT_PART: Final = re.compile(r"-[0-9]+-of-[0-9]+$", re.ASCII)


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What was copied; ``kept_bytes`` were there already and are right.

    ``parts`` is over how many directories the bundle was spread, where this is one
    of them, and 0 where the copy is whole.
    """

    bundle: Path
    stream: str
    seq: int
    release: str
    files: int
    copied_bytes: int
    kept_bytes: int
    parts: int = 0


@dataclass(frozen=True, slots=True)
class _Copy:
    """What is copied: payload files, and where each of them lies.

    ``parts`` are how many directories the bundle was spread over, where this is one
    of them; 0 where all of the bundle is copied.
    """

    opened: OpenBundle
    directory: Path
    payload: tuple[tuple[PayloadFile, Path], ...]
    parts: int

    @property
    def size(self) -> int:
        """The bytes of all payload files."""
        return sum(one.size for one, _ in self.payload)

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [one.name for one, _ in self.payload]


async def copy(
    bundle: Path,
    out: Path,
    trust: TrustChoice,
    reporter: Reporter,
    clock: float,
    beside: tuple[Path, ...] = (),
) -> CopyReport:
    """Copy a bundle to ``out``/its name, read it back, and say what was done.

    ``beside`` are the other directories that it was spread over, and those of its
    parity; then the copy is one directory. Without them, one of several directories
    is copied as it is. The bundle may be for others: nothing is published.

    Raises:
        FormatError, IntegrityError: the bundle, or the copy of it, is damaged.
        MissingError: a volume is in none of the directories.
        TrustError: it is not signed by whom this machine trusts.
        TargetError: the medium is full, refuses, or holds another bundle there.
    """
    directories = [*dict.fromkeys((bundle, *beside))]
    whole = [one for one in directories if not _is_parity_alone(one)] or [bundle]
    opened = await asyncio.to_thread(
        lambda: open_bundle(
            whole[0], trust, clock, keep=False, judged=False, beside=whole[1:]
        )
    )
    work = await asyncio.to_thread(_plan, opened, out, whole)
    parity = await asyncio.to_thread(parity_size, directories)
    await asyncio.to_thread(_prepare, work, work.size + parity)
    reporter.started("copy", 2 * (work.size + parity))
    copied = await asyncio.to_thread(_copy_all, work, reporter)
    await asyncio.to_thread(read_back, opened, work.directory, reporter, work.names)
    await asyncio.to_thread(copy_parity, directories, work.directory, reporter)
    await asyncio.to_thread(_commit, opened, work.directory)
    reporter.finished()
    return CopyReport(
        bundle=work.directory,
        stream=opened.release.stream.name,
        seq=opened.release.seq,
        release=str(opened.digest),
        files=len(work.payload) + len(list(_others(opened.path))) + 1,
        copied_bytes=copied,
        kept_bytes=work.size - copied,
        parts=work.parts,
    )


def _is_parity_alone(directory: Path) -> bool:
    """Say whether a directory has parity files and no bundle."""
    there = is_there(directory / layout.MANIFEST)
    return not there and any(map(layout.is_parity, names_on(directory.resolve())))


def _plan(opened: OpenBundle, out: Path, given: Sequence[Path]) -> _Copy:
    """Find every payload file; of one directory out of several, those that it has.

    Raises:
        MissingError: a volume is not here.
        IntegrityError: a volume has not its signed size anywhere.
    """
    recipes, *volumes = payload_of(opened)
    found = [(recipes, opened.path / recipes.name)]
    missing = []
    for one, volume in zip(volumes, opened.manifest.volumes, strict=True):
        file = opened.find_volume(volume, one.first)
        if file is None:
            missing.append(volume)
        else:
            file.close()
            found.append((one, file.path))
    name = given[0].resolve().name
    part = _PART.fullmatch(name) if len(given) == 1 else None
    if missing and part is None:
        raise missing_volumes(given, missing)
    release = opened.release
    own = layout.directory_name(release.stream.name, release.seq)
    if not missing:
        # What tells a fill or a relayed bundle from the first of its release stays.
        name = _WITHOUT_PART.sub("", name)
        name = name if name.startswith(own) else own
    parts = int(part[1]) if missing and part is not None else 0
    return _Copy(opened, out / name, tuple(found), parts)


def _others(directory: Path) -> Iterator[tuple[str, int]]:
    """Yield the small files of a bundle but ``bundle.json``, and their bounds."""
    yield layout.RELEASE, MAX_ENVELOPE
    yield layout.SHARDS, MAX_SHARDS_FILE
    yield layout.APPROVAL, MAX_APPROVAL
    for folder in _DIRECTORIES:
        for name in sorted(names_on(directory / folder)):
            yield f"{folder}/{name}", MAX_ENVELOPE


def _prepare(work: _Copy, total: int) -> None:
    """Make the directory, unless another bundle or too little room is there."""
    directory = work.directory
    manifest = directory / _LAST
    if is_there(manifest):
        same = read_whole(manifest, MAX_ENVELOPE) == read_whole(
            work.opened.path / _LAST, MAX_ENVELOPE
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


def _copy_all(work: _Copy, reporter: Reporter) -> int:
    """Copy what is not there yet; return the bytes that were written."""
    copied, opened, directory = 0, work.opened, work.directory
    for one, source in work.payload:
        if _is_right(opened, directory / one.name, one):
            reporter.advanced(one.size)
            continue
        _copy_payload(opened, source, directory / one.name, one, reporter)
        copied += one.size
    for name, limit in _others(opened.path):
        data = read_whole(opened.path / name, limit)
        make_directory((directory / name).parent, mode=0o755)
        write_file(directory / name, data)
        forget(directory / name)
        if read_whole(directory / name, limit) != data:
            raise IntegrityError(
                f"{name} reads back as something else",
                rule="3.2.4",
                advice=BAD_MEDIUM,
            )
    return copied


def _is_right(opened: OpenBundle, path: Path, one: PayloadFile) -> bool:
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
    opened: OpenBundle, origin: Path, path: Path, one: PayloadFile, reporter: Reporter
) -> None:
    """Copy one file, each shard checked in the buffer it is written from."""
    buffer = memoryview(bytearray(SHARD))
    temporary = path.with_name(f"{one.name}.part")
    source = ShardedFile(origin, one.size, opened.shards, one.first)
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
    forget(directory / _LAST)
    if read_whole(directory / _LAST, MAX_ENVELOPE) != data:
        raise IntegrityError(
            f"{_LAST} reads back as something else",
            rule="3.2.4",
            advice=BAD_MEDIUM,
        )
