"""Where one file is cut: regions, each with one rule (spec §11.1).

``plan`` looks at a file's structure through a bounded reader and returns the
regions that cover it; ``cut_region`` then cuts the bytes of one region as they
come by. No content can make either fail: what looks odd is cut by content.

>>> content = b"plain text, " * 2000
>>> whole = plan(lambda offset, size: content[offset : offset + size], 24000, "a")
>>> [(region.start, region.end, region.rule.name) for region in whole.regions()]
[(0, 24000, 'FASTCDC')]
>>> cut_region(Rule.FASTCDC, memoryview(content), final=True).sum()
np.int64(24000)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import numpy as np

from bundle.codec.encoding import DENSE, TEXT, UNKNOWN, Kind
from bundle.cut import compressed, fastcdc, gguf, safetensors, tar, zipped
from bundle.cut.region import Plan, PlanBuilder, Region, Rule
from bundle.limits import KIB, MAX_CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from bundle.cut.region import Read

__all__ = ["Plan", "Region", "Rule", "cut_region", "plan"]

_HEAD: Final = 4 * KIB
_SMALL: Final = fastcdc.MIN_SIZE
_ODD: Final = (
    ValueError,
    LookupError,
    OverflowError,
    RecursionError,
    struct.error,
    msgspec.MsgspecError,
)
_Describe: TypeAlias = "Callable[[Read, int, bytes, PlanBuilder], bool]"
_PARSERS: Final[tuple[_Describe, ...]] = (
    gguf.describe,
    zipped.describe,
    safetensors.describe,
)
"""What a file may be, and so may a member of a tar."""


def plan(read: Read, size: int, name: str) -> Plan:
    """Return the regions of a file of ``size`` bytes.

    ``read(offset, size)`` returns that part of the file, or less at its end; its
    exceptions pass through. ``name`` is a hint where content has no mark.
    """
    return _plan(read, size, name, (*_PARSERS, _archive))


def _archive(read: Read, size: int, head: bytes, builder: PlanBuilder) -> bool:
    """Add the regions of a tar, whose members are what a file may be but no tar."""
    return tar.describe(read, size, head, builder, inside=_member)


def _member(read: Read, size: int) -> Plan:
    return _plan(read, size, "", _PARSERS)


def _plan(read: Read, size: int, name: str, parsers: Iterable[_Describe]) -> Plan:
    if not size:
        return PlanBuilder(0).finish()
    head = read(0, min(size, _HEAD))
    kind = TEXT if 0 not in head else UNKNOWN
    if size <= _SMALL:
        return _whole(size, Rule.FASTCDC, kind)
    for describe in parsers:
        builder = PlanBuilder(size)
        try:
            if describe(read, size, head, builder):
                return builder.finish()
        except _ODD:
            return _whole(size, Rule.FASTCDC, kind)
    if compressed.recognised(head, name):
        return _whole(size, Rule.FIXED, DENSE)
    return _whole(size, Rule.FASTCDC, kind)


def _whole(size: int, rule: Rule, kind: Kind) -> Plan:
    builder = PlanBuilder(size)
    builder.add(0, rule, kind)
    return builder.finish()


def cut_region(rule: Rule, data: memoryview, *, final: bool) -> npt.NDArray[np.int64]:
    """Return the lengths of the chunks at the start of ``data``.

    ``data`` starts at a region's start or where a chunk of it ended. With
    ``final`` it reaches to the region's end and the lengths sum to its size;
    without, the last piece is left out unless it is known to be a chunk, and is
    to be given again with more after it: at most ``MAX_CHUNK`` bytes are left.

    Raises:
        ValueError: an atom is over ``MAX_CHUNK``.
        BundleError: the compiled FastCDC is not installed.
    """
    size = len(data)
    if rule is Rule.FASTCDC:
        ends = np.array(fastcdc.boundaries(data, final=final), np.int64)
        ends[1:] -= ends[:-1].copy()
        return ends
    if rule is Rule.ATOM:
        if size > MAX_CHUNK:
            raise ValueError(f"an atom of {size} bytes")
        return np.full(1 if final and size else 0, size, np.int64)
    full, rest = divmod(size, MAX_CHUNK)
    lengths = np.full(full + (1 if final and rest else 0), MAX_CHUNK, np.int64)
    if final and rest:
        lengths[-1] = rest
    return lengths
