"""The scalars of release.json and bundle.json, each with one way to write it.

Text is shown to people who decide by it, so nothing in it may move the cursor
or turn the direction of writing (spec §2.5).
"""

from __future__ import annotations

import unicodedata
from typing import Final

from bundle.errors import FormatError, LimitError
from bundle.limits import MAX_INTEGER, MAX_TEXT

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


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
