r"""The one escaper between untrusted text and a person's screen.

Names of artifacts, files, licences and signers were written by strangers. A
terminal obeys control characters, and a reader's eye obeys bidirectional and
zero-width ones, so neither ever reaches the screen: they are written out.

>>> print(escape("config\x1b[2J.json"))
config\x1b[2J.json
>>> print(escape("safe\u202etxt.exe"))
safe\u202etxt.exe
"""

from __future__ import annotations

from typing import Final

MAX_SHOWN: Final = 2000
"""Characters of one text that are shown; longer ones end in an ellipsis."""


def escape(text: object) -> str:
    """Return ``str(text)`` with every character that does not print written out."""
    shown = str(text)
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[:MAX_SHOWN]}…"
    if shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else _written_out(char) for char in shown)


def escape_lines(text: str) -> str:
    """Return ``text`` with its line ends and tabs kept and the rest as ``escape``."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else _written_out(char)
        for char in text
    )


def _written_out(char: str) -> str:
    """Return one character the way a Python literal writes it."""
    return char.encode("unicode_escape").decode("ascii")
