"""``bundle repair``: what is damaged, what can be made good, and the making.

All of a bundle is looked at first. Where one shard is beyond what parity, copies
and other directories give back, nothing is written at all. Every byte that is
written has its signed digest, so a parity file can be wrong and never do harm.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.codec.erasure import Recovery
from bundle.errors import BundleError, IntegrityError
from bundle.format import layout
from bundle.format.shards import shard_count
from bundle.limits import MAX_ENVELOPE, SHARD
from bundle.medium.files import names_on, open_regular, read_whole
from bundle.medium.parity_files import ParityShards, find_parity, parity_paths
from bundle.medium.salvage import Salvaged, salvage
from bundle.medium.scattered import Payload, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.format.stripes import Stripes
    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice

_LISTED: Final = 1000
"""Lost spans that an error names, at most."""


@dataclass(frozen=True, slots=True)
class Correction:
    """Bytes that were wrong or missing, and what they were made good from.

    ``source`` is ``parity``, ``copy`` or ``length``: bytes that did not belong
    there were cut off.
    """

    name: str
    offset: int
    size: int
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """A bundle that was looked at whole.

    ``wrong`` names the small files that each directory has not as they have to be.
    ``damaged`` are shards that are good in no directory: parity makes them good.
    ``elsewhere`` are good in another directory than that where they are at home.
    ``corrections`` is what a repair in place would write. ``stale`` says
    that parity files are damaged or missing and are to be written again.
    """

    salvaged: Salvaged
    payload: Payload
    parity: ParityShards
    wrong: Mapping[Path, set[str]]
    damaged: tuple[int, ...]
    elsewhere: tuple[int, ...]
    corrections: tuple[Correction, ...]
    parity_damaged: int
    stale: bool
    warnings: tuple[str, ...]


def survey(
    directories: Sequence[Path], choice: TrustChoice, clock: float, reporter: Reporter
) -> Survey:
    """Look at everything of the bundle in ``directories``; write nothing.

    Raises:
        MissingError: there is no bundle here.
        IntegrityError: more is lost than can be made good; ``left`` names it.
        TrustError: it is not signed by whom this receiver trusts.
    """
    salvaged = salvage(directories, choice, clock)
    payload = Payload(directories, salvaged.manifest, salvaged.shards)
    files, problems = find_parity(directories, salvaged.manifest.shards.raw)
    parity = ParityShards(files)
    if parity.stripes and parity.stripes.shards != len(payload):
        parity, problems = ParityShards(()), (*problems, "parity of other shards")
    total = payload.size + (parity.stripes.total * SHARD if parity.stripes else 0)
    reporter.started("survey", total)
    elsewhere, damaged = _look_at_payload(payload, reporter)
    rows = _look_at_parity(parity, reporter)
    reporter.finished()
    wrong = {
        path: tuple(_small(path, salvaged))
        for path in directories
        if path == directories[0] or layout.FIXED.intersection(names_on(path))
    }
    _require_enough(payload, parity.stripes, damaged, rows)
    stale = bool(problems) or not rows.all() or not all(f.intact for f in files)
    return Survey(
        salvaged=salvaged,
        payload=payload,
        parity=parity,
        wrong={path: {one.name for one in files} for path, files in wrong.items()},
        damaged=tuple(damaged),
        elsewhere=tuple(elsewhere),
        corrections=(
            *(one for files in wrong.values() for one in files),
            *_of_shards(payload, elsewhere, "copy"),
            *_of_shards(payload, damaged, "parity"),
            *_too_long(payload),
        ),
        parity_damaged=int(np.count_nonzero(~rows)),
        stale=stale and bool(parity_paths(directories)),
        warnings=salvaged.warnings + problems,
    )


def _look_at_payload(
    payload: Payload, reporter: Reporter
) -> tuple[list[int], list[int]]:
    """Return shards that are good, but not at home, and shards that are nowhere."""
    buffer = memoryview(bytearray(SHARD))
    several = len(payload.directories) > 1
    elsewhere: list[int] = []
    damaged: list[int] = []
    for file in payload.files:
        home = payload.home(file.name)
        for number in range(file.first, file.first + shard_count(file.size)):
            if not payload.read(number, buffer, directory=home):
                good = several and payload.read(number, buffer)
                (elsewhere if good else damaged).append(number)
            reporter.advanced(payload.locate(number).size)
    return elsewhere, damaged


def _look_at_parity(parity: ParityShards, reporter: Reporter) -> NDArray[np.bool_]:
    """Return which parity shards are good."""
    total = parity.stripes.total if parity.stripes else 0
    good = np.zeros(total, np.bool_)
    buffer = memoryview(bytearray(SHARD))
    for position in range(total):
        good[position] = parity.read(position, buffer)
        reporter.advanced(SHARD)
    return good


def _require_enough(
    payload: Payload,
    stripes: Stripes | None,
    damaged: Sequence[int],
    rows: NDArray[np.bool_],
) -> None:
    """Refuse what cannot all be made good, and name what is lost for good."""
    lost = list(damaged)
    if stripes is not None:
        each = np.bincount(
            np.array(damaged, np.int64) % stripes.groups, minlength=stripes.groups
        )
        there = rows.reshape(stripes.parity, stripes.groups).sum(axis=0)
        beyond = each > there
        lost = [number for number in damaged if beyond[number % stripes.groups]]
    if not lost:
        return
    found = spans(payload, lost)
    least = "there are no parity files"
    if stripes is not None:
        least = "their groups have too few good parity shards"
    raise IntegrityError(
        f"{len(lost)} of {len(damaged)} damaged MiB cannot be made good: {least}",
        rule="70.6.4",
        advice="add a second copy of the bundle to the command, or carry it again",
        left=tuple(map(str, found[:_LISTED])),
    )


def _small(directory: Path, salvaged: Salvaged) -> Iterator[Correction]:
    for name, data in salvaged.files.items():
        try:
            right = read_whole(directory / name, max(len(data), MAX_ENVELOPE)) == data
        except BundleError:
            right = False
        if not right:
            yield Correction(name, 0, len(data), "copy")


def _of_shards(
    payload: Payload, numbers: Sequence[int], source: str
) -> Iterator[Correction]:
    for span in spans(payload, numbers):
        yield Correction(span.name, span.offset, span.size, source)


def _too_long(payload: Payload) -> Iterator[Correction]:
    for file in payload.files:
        try:
            descriptor, size = open_regular(payload.home(file.name) / file.name)
        except BundleError:
            continue
        os.close(descriptor)
        if size > file.size:
            yield Correction(file.name, file.size, size - file.size, "length")


def recovered(survey: Survey) -> Iterator[tuple[int, memoryview]]:
    """Yield each damaged shard with its bytes, checked, a group at a time.

    Raises:
        IntegrityError: what parity gives is not what was signed, or the medium
            does not give what it gave before.
    """
    stripes = survey.parity.stripes
    if stripes is None:
        return
    by_group: dict[int, list[int]] = {}
    for number in survey.damaged:
        by_group.setdefault(number % stripes.groups, []).append(number)
    for group, lost in sorted(by_group.items()):
        solved = _recover(survey, stripes, group, lost)
        for number in lost:
            shard = solved[number // stripes.groups].data
            span = survey.payload.locate(number)
            if not survey.payload.is_good(number, shard) or any(shard[span.size :]):
                raise IntegrityError(
                    f"{span}: what the parity files give is not what was signed",
                    rule="70.6.3",
                    advice="the parity files are wrong: carry the bundle again",
                )
            yield number, shard[: span.size]


def _recover(
    survey: Survey, stripes: Stripes, group: int, lost: Sequence[int]
) -> dict[int, NDArray[np.uint8]]:
    block = np.zeros(SHARD, np.uint8)
    positions = [
        position
        for position in stripes.positions(group)
        if survey.parity.read(position, block.data)
    ][: len(lost)]
    if len(positions) < len(lost):
        raise _changed("the parity files")
    recovery = Recovery(
        stripes.data,
        [number // stripes.groups for number in lost],
        [position // stripes.groups for position in positions],
        SHARD,
    )
    for position in positions:
        if not survey.parity.read(position, block.data):
            raise _changed("the parity files")
        recovery.take_parity(position // stripes.groups, block)
    for member, number in enumerate(stripes.members(group)):
        if number not in lost:
            if not survey.payload.read(number, block.data):
                raise _changed(survey.payload.locate(number))
            recovery.take_member(member, block)
    return dict(recovery.solve())


def _changed(what: object) -> IntegrityError:
    return IntegrityError(
        f"{what}: could be read before and cannot now",
        rule="70.6.3",
        advice="the medium gets worse: copy what is left of it at once",
    )
