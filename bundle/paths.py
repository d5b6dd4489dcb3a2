"""The one grammar for every string that becomes part of a path.

A path inside an artifact is relative, uses ``/``, and is judged by POSIX and by
Windows rules at once, since nobody knows where it will be unpacked (spec §2.3).
Names of streams, sites and volumes use the narrower grammar of a *slug*, which
every file system on removable media keeps as it is (spec §2.2).

>>> check_path("snapshots/main/config.json", rule="2.3")
'snapshots/main/config.json'
>>> check_path("../etc/passwd", rule="2.3")
Traceback (most recent call last):
bundle.errors.FormatError: path '../etc/passwd': the component '..' ... (rule 2.3)
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from bundle.errors import FormatError, LimitError
from bundle.limits import MAX_NAME, MAX_PATH, MAX_PATH_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable

_SLUG: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_+@=,-][A-Za-z0-9_+@=,. -]*", re.ASCII)
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_RESERVED: Final = frozenset('<>:"|?*\\')


def check_slug(text: str, *, rule: str) -> str:
    """Return ``text`` if it is a slug: ``[a-z0-9.-]``, 1 to 64 characters.

    Raises:
        FormatError: it is not, or it is a DOS device name; names ``rule``.
    """
    if _SLUG.fullmatch(text) is None or text.partition(".")[0] in _DEVICES:
        raise FormatError(
            f"name {text!r}: only a-z, 0-9, '.' and '-', at most 64, "
            "no dot or dash at either end, no DOS device name",
            rule=rule,
        )
    return text


def check_path(path: str, *, rule: str) -> str:
    """Return ``path`` if it may name a file inside an artifact.

    Raises:
        LimitError: it is longer or deeper than ``bundle.limits`` allows.
        FormatError: a component breaks the grammar; names ``rule``.
    """
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise FormatError(f"path {path!r}: not Unicode text", rule=rule) from None
    components = path.split("/")
    if size > MAX_PATH or len(components) > MAX_PATH_DEPTH:
        raise LimitError(
            f"path {path[:60]!r}…: over {MAX_PATH} bytes or {MAX_PATH_DEPTH} levels",
            rule=rule,
        )
    for component in components:
        reason = _objection(component)
        if reason:
            raise FormatError(
                f"path {path!r}: the component {component!r} {reason}", rule=rule
            )
    return path


def _objection(component: str) -> str:
    """Say what is wrong with one component, or nothing."""
    if component in ("", ".", ".."):
        return "is not a name"
    if component[-1] in ". ":
        return "ends in a dot or a space, which Windows strips"
    if component.partition(".")[0].rstrip(" ").casefold() in _DEVICES:
        return "is a DOS device name"
    if len(component.encode()) > MAX_NAME:
        return f"is over {MAX_NAME} bytes"
    return "" if _PLAIN.fullmatch(component) else _bad_character(component)


def _bad_character(component: str) -> str:
    """Say what is wrong with the characters of one component, or nothing."""
    if not _RESERVED.isdisjoint(component):
        return "has a character that Windows reserves"
    if any(unicodedata.category(char) in _UNSEEN for char in component):
        return "has a control, formatting or surrogate character"
    return ""


def collision_key(path: str) -> str:
    """Return what two paths share that a file system may take for one (spec §2.4)."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def check_distinct(
    files: Iterable[str], directories: Iterable[str], *, rule: str
) -> None:
    """Refuse paths that some file system would take for one another.

    ``directories`` are the empty ones that are carried for their own sake. A
    file that is also a directory above another path is refused too.

    Raises:
        FormatError: two paths collide; names both and ``rule``.
    """
    leaves: dict[str, str] = {}
    for path in files:
        _claim(path, leaves, rule)
    empty: dict[str, str] = {}
    for path in directories:
        _claim(path, empty, rule)
    above: dict[str, str] = {}
    for path in itertools.chain(leaves.values(), empty.values()):
        _claim_parents(path, above, rule)
    for key, path in empty.items():
        if above.setdefault(key, path) != path:
            raise FormatError(
                f"directories {above[key]!r} and {path!r} collide", rule=rule
            )
    for key, path in leaves.items():
        if key in above:
            raise FormatError(
                f"path {path!r} is a file and a directory ({above[key]!r})", rule=rule
            )


def _claim(path: str, taken: dict[str, str], rule: str) -> None:
    """Put ``path`` into ``taken`` under its key, once."""
    key = collision_key(path)
    if key in taken:
        raise FormatError(f"paths {taken[key]!r} and {path!r} collide", rule=rule)
    taken[key] = path


def _claim_parents(path: str, above: dict[str, str], rule: str) -> None:
    """Put every directory above ``path`` into ``above``, each spelt one way."""
    parent = path
    while "/" in parent:
        parent = parent.rpartition("/")[0]
        known = above.setdefault(collision_key(parent), parent)
        if known is not parent:
            if known == parent:
                return  # so are those above it
            raise FormatError(
                f"directories {known!r} and {parent!r} collide", rule=rule
            )
