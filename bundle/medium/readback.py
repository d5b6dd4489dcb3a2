"""What was written, read again from the medium itself and not from memory.

Only then may anyone say *safe to remove*: a page that the system still holds says
nothing about the stick.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.durable import target_errors
from bundle.errors import IntegrityError, MissingError
from bundle.format import layout
from bundle.format.shards import shard_starts
from bundle.limits import SHARD
from bundle.medium.files import ShardedFile, names_on
from bundle.medium.parity_files import check_parity
from bundle.medium.reader import open_bundle
from bundle.medium.spread import missing_volumes
from bundle.medium.surroundings import check_surroundings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from bundle.medium.reader import OpenBundle
    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice

BAD_MEDIUM = "the medium is bad: use another"


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A file that shards cover: its size and the number of its first shard."""

    name: str
    size: int
    first: int


def payload_of(opened: OpenBundle) -> list[PayloadFile]:
    """Return what shards cover: recipes.bdr, then every volume."""
    manifest = opened.manifest
    sizes = [manifest.recipes.size, *(volume.size for volume in manifest.volumes)]
    names = [layout.RECIPES, *(volume.name for volume in manifest.volumes)]
    numbers = shard_starts(sizes)
    return [PayloadFile(*each) for each in zip(names, sizes, numbers, strict=False)]


def forget(path: Path) -> None:
    """Drop a file from memory, so that the next read comes from the medium.

    Raises:
        TargetError: it cannot be flushed.
    """
    with target_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def read_back(
    opened: OpenBundle, directory: Path, reporter: Reporter, names: Collection[str]
) -> None:
    """Read the payload files ``names`` in ``directory`` again.

    Raises:
        IntegrityError: what lies there is not what was written.
        StoreError: the medium cannot be read.
    """
    buffer = memoryview(bytearray(SHARD))
    for one in payload_of(opened):
        if one.name not in names:
            continue
        path = directory / one.name
        forget(path)
        file = ShardedFile(path, one.size, opened.shards, one.first)
        try:
            for number in range(-(-one.size // SHARD)):
                reporter.advanced(file.read_shard(number, buffer))
        finally:
            file.close()


def verify_media(
    media: Sequence[Path],
    parity: Path | None,
    choice: TrustChoice,
    clock: float,
    reporter: Reporter,
) -> None:
    """Read a finished bundle again, every file in every one of its directories.

    ``parity`` is where its parity files are; None where it has none.

    Raises:
        IntegrityError, FormatError, TrustError: a file is not what was written.
        MissingError: a volume is in none of the directories.
        StoreError: a medium cannot be read.
    """
    places = [*dict.fromkeys((*media, *(() if parity is None else (parity,))))]
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.is_file() and not path.is_symlink():
                forget(path)
    opened = [
        open_bundle(one, choice, clock, keep=False, judged=False) for one in media
    ]
    first = opened[0]
    reporter.started("verify media", sum(one.size for one in payload_of(first)[1:]))
    seen = {layout.RECIPES}
    for one in opened:
        check_surroundings(one)
        here = {name for name in names_on(one.path) if name not in seen}
        read_back(one, one.path, reporter, here)
        seen |= here
    missing = [one for one in first.manifest.volumes if one.name not in seen]
    if missing:
        raise missing_volumes(media, missing)
    if parity is not None:
        _check_parity(places, first)
    reporter.finished()


def _check_parity(places: Sequence[Path], opened: OpenBundle) -> None:
    for problem in check_parity(places, opened.manifest.shards.raw):
        raise IntegrityError(problem, rule="70.4.14", advice=BAD_MEDIUM)
    if not any(layout.is_parity(name) for one in places for name in names_on(one)):
        raise MissingError("the parity files are not here any more")
