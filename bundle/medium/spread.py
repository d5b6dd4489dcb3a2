"""A bundle spread over several media: which volumes go where, and what is not here.

How many media there are is only told by the names of their directories: it is for
people, and nothing else is made of it (spec §4.10).
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

from bundle.errors import MissingError, TargetError, UsageError
from bundle.format.approval import size_text
from bundle.format.layout import volume_name
from bundle.limits import KIB, MAX_VOLUME, MIN_VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bundle.format.manifest import Volume

_SHOWN: Final = 8
"""Runs of volumes that are named."""

_NAMED: Final = re.compile(r".*-([0-9]{1,5})-of-([0-9]{1,5})", re.ASCII | re.DOTALL)

_CLUSTER: Final = 128 * KIB
"""What a file is rounded up to on a medium: the default of exFAT."""


def medium_path(directory: Path, number: int, count: int) -> Path:
    """Return where part ``number`` of ``count`` of a bundle goes (rule 4.10.4)."""
    return directory.with_name(f"{directory.name}-{number}-of-{count}")


def check_sizes(volume_size: int, media_size: int | None) -> None:
    """Refuse sizes that no bundle has, before anything is written.

    Raises:
        UsageError: volumes are too small or too large, or larger than a medium.
    """
    if not MIN_VOLUME <= volume_size <= MAX_VOLUME:
        raise UsageError(
            f"a volume has {MIN_VOLUME} to {MAX_VOLUME} bytes, not {volume_size}"
        )
    if media_size is not None and media_size < volume_size:
        raise UsageError(
            "a volume does not fit on a medium",
            advice="choose a larger --media-size or a smaller --volume-size",
        )


def share_out(
    files: Iterable[int], volumes: Sequence[int], media_size: int
) -> list[range]:
    """Return which volumes go on each medium, in order, counted from 0.

    ``files`` are the sizes of what every medium holds, ``volumes`` those of the
    volumes, ``media_size`` the bytes that one medium takes.

    Raises:
        TargetError: a medium cannot hold a volume beside the files.
    """
    room = media_size - sum(map(_on_medium, files))
    starts, left = [0], room
    for number, size in enumerate(map(_on_medium, volumes)):
        if size > room:
            raise TargetError(
                f"media of {size_text(media_size)} are too small: a volume takes "
                f"{size_text(size)}, what goes on each medium takes "
                f"{size_text(media_size - room)}",
                advice="choose a larger --media-size or a smaller --volume-size",
            )
        if size > left:
            starts.append(number)
            left = room
        left -= size
    return [
        range(start, end)
        for start, end in zip(starts, [*starts[1:], len(volumes)], strict=True)
    ]


def _on_medium(size: int) -> int:
    """Return what a file takes of a medium."""
    return -(-size // _CLUSTER) * _CLUSTER


def missing_volumes(
    directories: Sequence[Path], missing: Sequence[Volume]
) -> MissingError:
    """Return what to raise when these volumes are in none of the directories.

    Its message says what was seen, what is needed, and how much that is.
    """
    runs = [*_runs([int(one.name[4:9]) for one in missing])]
    named = ", ".join(runs[:_SHOWN]) + (" …" if len(runs) > _SHOWN else "")
    size = size_text(sum(one.size for one in missing))
    return MissingError(
        f"{_seen(directories)}; need {named} ({size})",
        advice="name the directories that have them too, all in one command; "
        "where there are none, copy the bundle again",
    )


def _seen(directories: Sequence[Path]) -> str:
    """Say how many media there are here, and of how many where their names tell."""
    named = [_NAMED.fullmatch(path.resolve().name) for path in directories]
    found = {(int(one[1]), int(one[2])) for one in named if one is not None}
    totals = {total for _, total in found}
    if None not in named and len(totals) == 1:
        return f"{len(found)} of {totals.pop()} media seen"
    count = len(directories)
    return f"{count} {'medium' if count == 1 else 'media'} seen"


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    """Name volumes, ascending, with neighbours as the first and the last of them."""
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        first, *rest = [volume_name(number).partition(".")[0] for _, number in run]
        yield f"{first}…{rest[-1]}" if rest else first
