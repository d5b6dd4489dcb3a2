"""A cheap look at bytes, to tell what is worth encoding and how.

The estimates are of order 0: bits per byte if each byte were coded alone. They
come from samples, so they err by a few hundredths of a bit.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.codec.encoding import DENSE, TEXT, Kind, elements
from bundle.codec.planes import Bytes, Words, words_of
from bundle.limits import KIB

if TYPE_CHECKING:
    import numpy.typing as npt
    import zstandard

INCOMPRESSIBLE: Final = 7.9
"""Bits per byte from which coding bytes is a waste of time."""

_RUNS: Final = 16
_SAMPLE: Final = 16 * KIB
_CANDIDATES: Final = (
    # How much better than whole bytes, and than the planes before, they must
    # look: a sample of wide elements is short and looks better than it is.
    (elements(2), 0.1, 0.01),
    (elements(2, 1), 0.1, 0.01),
    (elements(4, 1), 0.25, 0.15),
    (elements(8, 1), 0.4, 0.3),
)


def entropy(data: Bytes) -> float:
    """Return bits per byte of ``data``, a sample, corrected for its shortness."""
    counts = np.bincount(data, minlength=256)
    different = int(np.count_nonzero(counts))
    if different <= 1:
        return 0.0
    size = data.size
    bits = math.log2(size) - float(_logs()[counts].sum()) / size
    return bits + (different - 1) / (2 * size * math.log(2))


@functools.cache
def _logs() -> npt.NDArray[np.float64]:
    """Return n log2 n for every n that may be counted in a sample."""
    numbers = np.arange(1, _SAMPLE + 1)
    return np.concatenate([[0.0], numbers * np.log2(numbers)])


def sample(words: Words, size: int = _SAMPLE) -> Words:
    """Return about ``size`` bytes of ``words`` from all over it."""
    count = size // words.itemsize
    if words.size <= count:
        return words
    step = words.size // _RUNS
    runs = words[: _RUNS * step].reshape(_RUNS, step)
    return runs[:, : count // _RUNS].ravel()


def plane_entropies(words: Words, rotate: int) -> list[float]:
    """Return bits per byte of each plane of ``words``, a sample, from plane 0 on."""
    width = words.itemsize
    if rotate:
        words = (words << 1 | words >> (8 * width - 1)).astype(words.dtype)
    planes = np.ascontiguousarray(words).view(np.uint8).reshape(-1, width)
    return [entropy(planes[:, plane]) for plane in range(width)]


def guess(data: Bytes, compressor: zstandard.ZstdCompressor) -> Kind:
    """Return the kind that seems to suit bytes of which nothing is known."""
    best, bits = DENSE, INCOMPRESSIBLE
    taken = sample(data)
    plain = entropy(taken)
    if plain < bits:
        best, bits = elements(1), plain
    matched = 8 * len(compressor.compress(taken.data)) / max(taken.size, 1)
    if matched < bits:
        best, bits = TEXT, matched
    flat = bits
    for kind, over_bytes, over_planes in _CANDIDATES:
        whole = data[: data.size // kind.width * kind.width]
        words = sample(words_of(whole, kind.width))
        found = sum(plane_entropies(words, kind.rotate)) / kind.width
        if found < min(flat - over_bytes, bits - over_planes):
            best, bits = kind, found
    return best
