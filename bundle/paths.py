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
_RESERVED: Final = frozenset('<>:"|?*\\')


def check_slug(text: str, *, rule: str) -> str:
    """Return ``text`` if it is a slug: ``[a-z0-9.-]``, 1 to 64 characters.

    Raises:
        FormatError: it is not, or it is a DOS device name; names ``rule``.
    """
    if _SLUG.fullmatch(text) is None or text.split(".")[0] in _DEVICES:
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
    if len(component.encode()) > MAX_NAME:
        return f"is over {MAX_NAME} bytes"
    if component[-1] in ". ":
        return "ends in a dot or a space, which Windows strips"
    if component.split(".")[0].rstrip(" ").casefold() in _DEVICES:
        return "is a DOS device name"
    if _PLAIN.fullmatch(component):
        return ""
    if not _RESERVED.isdisjoint(component):
        return "has a character that Windows reserves"
    if any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in component):
        return "has a control, formatting or surrogate character"
    return ""


def collision_key(path: str) -> str:
    """Return what two paths share if some file system takes them for one (spec §2.4)."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def check_distinct(files: Iterable[str], directories: Iterable[str], *, rule: str) -> None:
    """Refuse paths that some file system would take for one another.

    ``directories`` are the empty ones that are carried for their own sake. A
    file that is also a directory above another path is refused too.

    Raises:
        FormatError: two paths collide; names both and ``rule``.
    """
    leaves: dict[str, str] = {}
    for path in files:
        other = leaves.setdefault(collision_key(path), path)
        if other is not path:
            raise FormatError(f"paths {other!r} and {path!r} collide", rule=rule)
    above: dict[str, str] = {}
    for path in [*leaves.values(), *directories]:
        parent = path
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            key = collision_key(parent)
            known = above.get(key)
            if known == parent:
                break
            if known is not None:
                raise FormatError(
                    f"directories {known!r} and {parent!r} collide", rule=rule
                )
            above[key] = parent
    for path in directories:
        known = above.setdefault(collision_key(path), path)
        if known != path:
            raise FormatError(f"directories {known!r} and {path!r} collide", rule=rule)
    for key, path in leaves.items():
        if key in above:
            raise FormatError(
                f"path {path!r} is a file and a directory ({above[key]!r})", rule=rule
            )
