r"""The licence that a model card states.

A card is ``README.md`` with front matter between two lines of ``---``. Only
the top-level members ``license`` and ``license_name`` are read, as plain
scalars or lists of them; whatever else YAML can do stays uninterpreted.

>>> parse_licence("---\nlicense: apache-2.0\ntags:\n- x\n---\n# Model")
'apache-2.0'
>>> parse_licence("---\nlicense: other\nlicense_name: my-terms\n---\n")
'other (my-terms)'
>>> parse_licence("---\nlicense:\n- mit\n- 'apache-2.0'\n---\n")
'mit, apache-2.0'
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.limits import KIB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.source.base import SourceFile

MAX_FRONT_MATTER: Final = 256 * KIB
"""Bytes of a card that are read."""

MAX_LICENCE: Final = 200
"""Characters of a licence that are kept."""

_MEMBER: Final = re.compile(r"(license|license_name)[ \t]*:(?:[ \t]+(.*))?")
_ITEM: Final = re.compile(r"[ \t]*-[ \t]+(.*)")
_COMMENT: Final = re.compile(r"(?:^|[ \t])#.*$")


def licence_of(files: Iterable[SourceFile]) -> str | None:
    """Return what the cards among ``files`` state, or None where none does."""
    found: dict[str, None] = {}
    for file in files:
        if file.path.endswith("/README.md") and file.path.count("/") == 2:
            licence = parse_licence(_head(file))
            if licence:
                found[licence] = None
    return "; ".join(found) or None


def parse_licence(card: str) -> str | None:
    """Return the licence in a card's front matter, or None."""
    members = _members(card)
    licences = members.get("license", [])
    names = members.get("license_name", [])
    if licences == ["other"] and names:
        return f"other ({names[0]})"
    return ", ".join(licences)[:MAX_LICENCE] or None


def _members(card: str) -> dict[str, list[str]]:
    """Return the values of the members of interest, as lists of plain text."""
    lines = card.removeprefix("\ufeff").splitlines()
    members: dict[str, list[str]] = {}
    if not lines or lines[0].rstrip() != "---":
        return members
    values: list[str] | None = None
    for line in lines[1:]:
        if line.rstrip() in ("---", "..."):
            return members
        item = _ITEM.fullmatch(line)
        if item is not None and values is not None:
            values.extend(_scalars(item[1]))
            continue
        if line.strip():
            member = _MEMBER.fullmatch(line)
            values = None
            if member is not None:
                values = members.setdefault(member[1], [])
                values.extend(_scalars(member[2] or ""))
    return {}


def _scalars(text: str) -> list[str]:
    """Return the plain text of a scalar, or of a list in brackets."""
    text = text.strip()
    if text.startswith("["):
        inner = text[1:].partition("]")[0]
        return [one for part in inner.split(",") for one in _scalars(part)]
    if text[:1] in ("'", '"'):
        text = text[1:].partition(text[0])[0]
    else:
        text = _COMMENT.sub("", text).strip()
    printable = "".join(char for char in text if char.isprintable())
    return [] if printable in ("", "~", "null") else [printable[:MAX_LICENCE]]


def _head(file: SourceFile) -> str:
    """Return the start of a file, enough for its front matter."""
    data = b""
    if isinstance(file.content, bytes):
        data = file.content[:MAX_FRONT_MATTER]
    elif isinstance(file.content, Path):
        with contextlib.suppress(OSError), file.content.open("rb") as stream:
            data = stream.read(MAX_FRONT_MATTER)
    return data.decode("utf-8", "replace")
