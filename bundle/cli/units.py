"""Sizes and numbers as people read and type them.

>>> size_text(90_868_376)
'86.7 MiB'
>>> parse_size("1GiB")
1073741824
>>> count_text(1, "volume"), count_text(1200, "file")
('1 volume', '1,200 files')
"""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
_SIZE: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))? ?([A-Za-z]*)", re.ASCII)
_STEPS: Final = ("KiB", "MiB", "GiB", "TiB")


def parse_size(text: str) -> int:
    """Return the bytes that a size such as ``1GiB``, ``500MB`` or ``4096`` names.

    Raises:
        ValueError: it is not a size, or its unit is not known.
    """
    match = _SIZE.fullmatch(text)
    if match is None or match[3] not in _UNITS:
        raise ValueError(f"{text!r} is not a size such as 1GiB, 500MB or 4096")
    whole, fraction, unit = match[1], match[2] or "", _UNITS[match[3]]
    return int(whole) * unit + int(f"{fraction:0<3}") * unit // 1000


def size_text(size: int) -> str:
    """Return a number of bytes in the smallest binary unit that takes three digits."""
    if size < 1000:
        return f"{size} B"
    unit = next((unit for unit in _STEPS if size < 999.95 * _UNITS[unit]), _STEPS[-1])
    return f"{size / _UNITS[unit]:.1f} {unit}"


def duration_text(seconds: int) -> str:
    """Return a number of seconds in the two largest units that it takes.

    >>> duration_text(9), duration_text(330), duration_text(7260)
    ('9 s', '5 min 30 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def count_text(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, in the plural where it takes one."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def revision_text(revision: str) -> str:
    """Return the start of a revision, and how many more there are beside it.

    >>> revision_text("8b3219a92973c328a8e22fadcfa821b5dc75636a,f0a1")
    '8b3219a92973 +1'
    >>> revision_text("sha256:8b3219a92973c328a8e22fadcfa821b5dc75636a")
    'sha256:8b3219a92973'
    """
    first, *others = revision.split(",")
    algorithm, colon, digits = first.rpartition(":")
    shown = f"{algorithm}{colon}{digits[:12]}"
    return f"{shown} +{len(others)}" if others else shown
