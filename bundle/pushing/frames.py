"""Which frames of a bundle hold what the far side lacks, and their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bundle.format.columns import RECORD_SIZE
from bundle.format.index import VolumeIndex
from bundle.format.volume import parse_volume_tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from bundle.medium.files import ShardedFile


@dataclass(frozen=True, slots=True)
class Span:
    """One frame: where it begins in which volume, and its bytes."""

    volume: ShardedFile
    offset: int
    size: int

    def read(self) -> memoryview:
        """Return the frame, checked as every read of a medium is.

        Raises:
            IntegrityError: it is not what was signed.
            StoreError: the medium cannot be read.
        """
        return self.volume.read(self.offset, self.size)


def lacking_frames(
    volumes: Sequence[ShardedFile], wanted: NDArray[np.uint8]
) -> list[Span]:
    """Return the frames that have one of the ids in ``wanted`` (n, 32), in order.

    Raises:
        FormatError, IntegrityError: an index is damaged.
        StoreError: the medium cannot be read.
    """
    return [span for volume in volumes for span in _of(volume, wanted)]


def bodies(spans: Sequence[Span], size: int) -> Iterator[list[Span]]:
    """Yield the spans in groups of about ``size`` bytes, at least one in each."""
    group: list[Span] = []
    held = 0
    for span in spans:
        if group and held + span.size > size:
            yield group
            group, held = [], 0
        group.append(span)
        held += span.size
    if group:
        yield group


def _of(volume: ShardedFile, wanted: NDArray[np.uint8]) -> Iterator[Span]:
    data = volume.read(volume.size - RECORD_SIZE, RECORD_SIZE)
    tail = parse_volume_tail(data, volume.size)
    raw = volume.read(tail.index_offset, tail.index_size)
    tail.check_index(raw)
    index = VolumeIndex.parse(raw)
    rows = index.lookup(wanted)
    starts = np.unique(index.frame_offsets)
    # Frames follow one another up to the index (rule 5.5.1), so each ends where
    # the next one begins.
    ends = np.append(starts[1:], tail.index_offset)
    asked = np.unique(index.frame_offsets[rows[rows >= 0]])
    for number in np.searchsorted(starts, asked):
        start = int(starts[number])
        yield Span(volume, start, int(ends[number]) - start)
