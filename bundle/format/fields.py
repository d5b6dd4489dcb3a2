"""The scalars of release.json and bundle.json, each with one way to write it.

Text is shown to people who decide by it, so nothing in it may move the cursor
or turn the direction of writing (spec §2.5).

>>> instant("1970-01-01T00:01:00Z", rule="8.5.2")
60
>>> timestamp(60)
'1970-01-01T00:01:00Z'
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

from bundle.errors import FormatError, LimitError
from bundle.limits import MAX_INTEGER, MAX_TEXT

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def instant(text: str, *, rule: str) -> int:
    """Return the seconds since 1970 that ``text`` names: RFC 3339, UTC, no fraction.

    Raises:
        FormatError: it is written differently, or there is no such time.
    """
    if _TIME.fullmatch(text):
        with contextlib.suppress(ValueError):
            return int(datetime.fromisoformat(text).timestamp())
    raise FormatError(
        f"not a time: {text[:40]!r}, write 2026-01-31T12:00:00Z", rule=rule
    )


def timestamp(seconds: int) -> str:
    """Return the text of a time given in seconds since 1970."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0")


def check_text(text: str, *, rule: str) -> None:
    """Refuse text that is too long or has characters which do not show.

    Raises:
        LimitError: over ``MAX_TEXT`` bytes.
        FormatError: a control or formatting character, or half a surrogate.
    """
    if any(unicodedata.category(char) in _INVISIBLE for char in text):
        raise FormatError(f"a control character in {text[:60]!r}", rule=rule)
    if len(text.encode()) > MAX_TEXT:
        raise LimitError(f"{text[:60]!r}… is over {MAX_TEXT} bytes", rule=rule)


def check_count(value: int, *, rule: str, least: int = 0) -> None:
    """Refuse an integer below ``least`` or above what every JSON reader holds.

    Raises:
        FormatError: it is; names ``rule``.
    """
    if not least <= value <= MAX_INTEGER:
        raise FormatError(f"{value} is not {least} to {MAX_INTEGER}", rule=rule)
