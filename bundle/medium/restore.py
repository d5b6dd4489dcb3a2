"""Writing what a repair found: into a new directory, or where the damage is.

A new directory is written in the order of every bundle, ``bundle.json`` last, and
is removed again if anything goes wrong. In place only bytes that are wrong are
written, each checked before; a crash leaves a bundle that is damaged a little less.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.durable import (
    flush_directory,
    make_directory,
    target_errors,
    write_all,
    write_file,
)
from bundle.errors import ExistsError, SpaceError
from bundle.format import layout
from bundle.limits import SHARD
from bundle.medium.parity import survival_of, write_parity
from bundle.medium.parity_files import parity_paths
from bundle.medium.repair import recovered
from bundle.medium.scattered import Payload

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.medium.repair import Survey
    from bundle.progress import Reporter


def restore_into(survey: Survey, out: Path, reporter: Reporter) -> Path:
    """Write the whole bundle into a new directory below ``out``; return it.

    Raises:
        ExistsError: something is there.
        SpaceError, TargetError: it does not fit or cannot be written.
        IntegrityError: the medium or the parity files do not give what is needed.
    """
    release = survey.salvaged.release
    directory = out / layout.directory_name(release.stream.name, release.seq)
    if directory.exists():
        raise ExistsError(
            f"{directory}: something is there already",
            advice="it is never overwritten: choose another --out, or remove it",
        )
    make_directory(out, mode=0o755)
    _require_space(survey, out)
    make_directory(directory, mode=0o755)
    try:
        _copy_payload(survey, directory, reporter)
        _write_small(survey, directory, set(survey.salvaged.files) - _LAST)
        if survey.parity.stripes:
            salvaged = survey.salvaged
            payload = Payload([directory], salvaged.manifest, salvaged.shards)
            _renew_parity(survey, payload, directory, reporter)
        _write_small(survey, directory, _LAST)
    except BaseException:
        with contextlib.suppress(OSError):
            shutil.rmtree(directory)
        raise
    return directory


_LAST = {layout.MANIFEST}


def restore_in_place(survey: Survey, reporter: Reporter) -> tuple[str, ...]:
    """Write what is wrong where it is at home; return what could not be renewed.

    Raises:
        TargetError: the medium is full, is read-only or refuses.
        IntegrityError: the medium or the parity files do not give what is needed.
    """
    files = _Files(survey)
    try:
        _mend(survey, files, reporter)
        files.finish()
    except BaseException:
        files.abandon()
        raise
    for directory, names in survey.wrong.items():
        _write_small(survey, directory, names - _LAST)
    left: tuple[str, ...] = ()
    if survey.stale:
        left = _renew_in_place(survey, reporter)
    for directory, names in survey.wrong.items():
        _write_small(survey, directory, names & _LAST)
    return left


def _renew_in_place(survey: Survey, reporter: Reporter) -> tuple[str, ...]:
    homes = {path.parent for path in parity_paths(survey.payload.directories)}
    if survey.parity.stripes is None or len(homes) != 1:
        return ("damaged parity files are left as they are: remove them and make new",)
    _renew_parity(survey, survey.payload, homes.pop(), reporter)
    return ()


def _renew_parity(
    survey: Survey, payload: Payload, directory: Path, reporter: Reporter
) -> None:
    """Write the parity files again, in the shape that they had."""
    files = survey.parity.files
    write_parity(
        payload,
        files[0].header.stripes,
        survey.salvaged.files,
        directory,
        reporter,
        per_file=max(file.header.count for file in files),
    )


def parity_sentences(survey: Survey) -> tuple[str, ...]:
    """Say what the parity files of this bundle survive, or nothing without any."""
    stripes = survey.parity.stripes
    if stripes is None:
        return ()
    return survival_of(stripes, survey.payload).sentences()


def _require_space(survey: Survey, out: Path) -> None:
    stripes = survey.parity.stripes
    needed = survey.payload.size + (stripes.total * SHARD if stripes else 0)
    needed += sum(map(len, survey.salvaged.files.values()))
    with target_errors(out):
        free = shutil.disk_usage(out).free
    if free < needed:
        raise SpaceError(
            f"{out}: {needed} bytes are needed and {free} are free",
            advice="free some space or choose another --out",
        )


def _copy_payload(survey: Survey, directory: Path, reporter: Reporter) -> None:
    payload = survey.payload
    buffer = memoryview(bytearray(SHARD))
    damaged = set(survey.damaged)
    files = _Files(survey, directory)
    reporter.started("repair", payload.size)
    for number in range(len(payload)):
        if number not in damaged:
            payload.require(number, buffer)
            size = payload.locate(number).size
            files.write(number, buffer[:size])
            reporter.advanced(size)
    for number, shard in recovered(survey):
        files.write(number, shard)
        reporter.advanced(len(shard))
    files.finish()
    reporter.finished()


def _mend(survey: Survey, files: _Files, reporter: Reporter) -> None:
    payload = survey.payload
    buffer = memoryview(bytearray(SHARD))
    numbers = (*survey.elsewhere, *survey.damaged)
    reporter.started("repair", sum(payload.locate(one).size for one in numbers))
    for number in survey.elsewhere:
        payload.require(number, buffer)
        size = payload.locate(number).size
        files.write(number, buffer[:size])
        reporter.advanced(size)
    for number, shard in recovered(survey):
        files.write(number, shard)
        reporter.advanced(len(shard))
    reporter.finished()


def _write_small(survey: Survey, directory: Path, names: set[str]) -> None:
    for name in sorted(names):
        path = directory / name
        if path.parent != directory:
            make_directory(path.parent, mode=0o755)
        write_file(path, survey.salvaged.files[name])


@dataclass(slots=True)
class _Files:
    """Payload files that are written to; one that was missing is named at the end.

    They are in ``directory``, or each at home.
    """

    survey: Survey
    directory: Path | None = None
    made: dict[str, Path] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def write(self, number: int, data: memoryview) -> None:
        """Put a shard where it belongs."""
        span = self.survey.payload.locate(number)
        path = self._path(span.name)
        with target_errors(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                write_all(descriptor, data, span.offset)
            finally:
                os.close(descriptor)

    def finish(self) -> None:
        """Give every file its size, flush it, and name those that were missing."""
        sizes = {file.name: file.size for file in self.survey.payload.files}
        longer = {one.name for one in self.survey.corrections if one.source == "length"}
        for name in sorted(self.touched | longer):
            path = self._path(name)
            with target_errors(path):
                descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
                try:
                    os.ftruncate(descriptor, sizes[name])
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        for name, path in list(self.made.items()):
            with target_errors(path):
                path.rename(path.with_name(name))
                del self.made[name]
                flush_directory(path.parent)

    def abandon(self) -> None:
        """Remove files that have no name of their own yet."""
        for path in self.made.values():
            with contextlib.suppress(OSError):
                path.unlink()

    def _path(self, name: str) -> Path:
        self.touched.add(name)
        if name in self.made:
            return self.made[name]
        path = (self.directory or self.survey.payload.home(name)) / name
        if path.exists() or path.is_symlink():
            return path
        temporary = path.with_name(f".{name}.{secrets.token_hex(4)}.tmp")
        with target_errors(temporary):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            os.close(os.open(temporary, flags, 0o644))
        self.made[name] = temporary
        return temporary
