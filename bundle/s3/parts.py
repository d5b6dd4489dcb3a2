"""Which parts an object is put together from: pieces of a file, runs of other objects.

S3 takes at most 10,000 parts of 5 MiB to 5 GiB, the last as small as it likes.
A run of bytes that another object has already is worth a part when it is as long
as that; what lies between two runs and is shorter takes from its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence  # noqa: TC003 - an alias is read at run time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

from bundle.limits import MAX_PARTS, MIB, MIN_PART

SEND_PART: Final = 2 * MIN_PART
"""Bytes of a part that is sent, and of the largest object that is sent in one.

Half of it is still a part, so that equal pieces always are."""

COPY_PART: Final = 256 * MIB
"""Bytes of a part that is copied: a server answers for it within a minute."""


@dataclass(frozen=True, slots=True)
class Send:
    """A part that is read from the file; ``offset`` is where, in it and the object."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A part that is a run of the object ``key``, from ``source`` on."""

    offset: int
    size: int
    key: str
    source: int


Part: TypeAlias = Send | Copy


def plan_parts(size: int, runs: Sequence[Copy] = ()) -> list[Part]:
    """Return the parts of an object of ``size`` bytes, in order.

    ``runs`` are what other objects have of it already, in order and apart from
    each other. Where they are too short to be parts there are none.
    """
    scale = 1
    while True:
        kept = _settle([run for run in runs if run.size >= MIN_PART * scale])
        parts = list(_cut(size, kept, scale))
        if len(parts) <= MAX_PARTS:
            return parts
        scale *= 2


def _settle(runs: Sequence[Copy]) -> list[Copy]:
    """Return the runs, shortened or dropped so that no gap is too small for a part."""
    kept: list[Copy] = []
    for run in runs:
        while not _place(kept, run) and kept and kept[-1].size < run.size:
            # A longer run is worth more than a shorter one before it.
            kept.pop()
    return kept


def _place(kept: list[Copy], run: Copy) -> bool:
    """Put a run after those there are, if the gap between can be made a part."""
    end = kept[-1].offset + kept[-1].size if kept else 0
    lacking = MIN_PART - (run.offset - end)
    if run.offset == end or lacking <= 0:
        kept.append(run)
    elif run.size - lacking >= MIN_PART:
        kept.append(_without_head(run, lacking))
    elif kept and kept[-1].size - lacking >= MIN_PART:
        kept[-1] = replace(kept[-1], size=kept[-1].size - lacking)
        kept.append(run)
    else:
        return False
    return True


def _without_head(run: Copy, size: int) -> Copy:
    return Copy(run.offset + size, run.size - size, run.key, run.source + size)


def _cut(size: int, runs: Sequence[Copy], scale: int) -> Iterator[Part]:
    """Yield the parts: runs and the gaps around them, cut into equal pieces."""
    offset = 0
    for run in runs:
        yield from _sent(offset, run.offset, scale)
        for start, end in _pieces(0, run.size, COPY_PART * scale):
            yield Copy(run.offset + start, end - start, run.key, run.source + start)
        offset = run.offset + run.size
    yield from _sent(offset, size, scale)


def _sent(start: int, end: int, scale: int) -> Iterator[Part]:
    for first, last in _pieces(start, end, SEND_PART * scale):
        yield Send(first, last - first)


def _pieces(start: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield equal pieces of at most ``most`` bytes, none of them below half of it."""
    if start == end:
        return
    count = -(-(end - start) // most)
    marks = [start + (end - start) * number // count for number in range(count + 1)]
    yield from pairwise(marks)
