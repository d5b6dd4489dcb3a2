"""What follows the frames of a volume: index and tail, and no choice (rule 5.5.2).

The frames decide every byte of it, so a writer makes it from what it wrote and
a reader makes it again from what it read, and compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bundle.digest import digest_of
from bundle.errors import FormatError
from bundle.format.columns import RECORD_SIZE
from bundle.format.index import serialize_index
from bundle.format.volume import (
    VolumeTail,
    serialize_volume_tail,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundle.format.volume import FrameHeader


def serialize_ending(frames: Sequence[tuple[int, FrameHeader]], end: int) -> bytes:
    """Return index and tail for ``frames``, each with its offset, which end at ``end``.

    Raises:
        FormatError: there is no frame, or a chunk is there twice.
    """
    if not frames:
        raise FormatError("a volume without frames", rule="5.4.4", offset=RECORD_SIZE)
    headers = [header for _, header in frames]
    counts = [len(header.lengths) for header in headers]
    starts = [
        np.cumsum(header.lengths, dtype=np.uint32) - header.lengths
        for header in headers
    ]
    index = serialize_index(
        np.concatenate([header.ids for header in headers]),
        np.repeat(np.array([offset for offset, _ in frames], np.uint32), counts),
        np.concatenate(starts),
        np.concatenate([header.lengths for header in headers]),
    )
    tail = VolumeTail(
        index_offset=end,
        frames=len(frames),
        chunks=sum(counts),
        index_digest=digest_of(index),
    )
    return index + serialize_volume_tail(tail)
