"""Settings in TOML: read once into a frozen structure, wrong ones named by line.

>>> class Disk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
...     path: str
>>> read_settings(b'path = "/srv"', Disk, "disk.toml")
Disk(path='/srv')
>>> read_settings(b"path = 7", Disk, "disk.toml")
Traceback (most recent call last):
bundle.errors.UsageError: disk.toml:1: path: Expected `str`, got `int`
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from bundle.errors import UsageError
from bundle.limits import MAX_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Key = tuple[str | int, ...]

_T = TypeVar("_T")

_WHERE: Final = re.compile(r"(?s)(.*?)(?: - at `(?:key in )?\$(.*)`)?\Z")
_FIELD: Final = re.compile(r"field `([^`]*)`")
_STEP: Final = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_ENTRY: Final = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*'|\s*\.\s*)+?)\s*=")
_NAME: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")
_LONG_QUOTES: Final = re.compile(r'"""|\'\'\'')
_NO_VALUE_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")


def read_settings(data: bytes, type_: type[_T], name: str) -> _T:
    """Return the TOML document in ``data`` as a ``type_``; ``name`` is the file's.

    What ``type_`` and the types in it refuse, unknown fields among them where they
    forbid these, is said with the line it is on.

    Raises:
        UsageError: too large, not TOML, or not a ``type_``.
    """
    if len(data) > MAX_SETTINGS:
        raise UsageError(f"{name}: {len(data)} bytes of settings, over {MAX_SETTINGS}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}:{line}: not UTF-8") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(name, str(error), text) from None
    except RecursionError:
        raise UsageError(f"{name}: nested too deep") from None
    try:
        return msgspec.convert(document, type_)
    except msgspec.ValidationError as error:
        raise _refused(name, str(error), text) from None


def _not_toml(name: str, message: str, text: str) -> UsageError:
    found = _NO_VALUE_LINE.search(message)
    line = int(found[1]) if found else text.count("\n") + 1
    reason = _NO_VALUE_LINE.sub("", message).replace("(at end of document)", "")
    return UsageError(f"{name}:{line}: not TOML: {reason.strip()}")


def _refused(name: str, message: str, text: str) -> UsageError:
    """Say where in the file it is what msgspec names by its path in the document."""
    split = _WHERE.match(message)
    reason, path = (split[1], split[2] or "") if split else (message, "")
    key: Key = tuple(
        int(number) if number else member for number, member in _STEP.findall(path)
    )
    field = _FIELD.search(reason)
    wanted = (*key, field[1]) if field else key
    lines = dict(_keys(text))
    where = next(
        (
            lines[wanted[:end]]
            for end in range(len(wanted), 0, -1)
            if wanted[:end] in lines
        ),
        1,
    )
    return UsageError(f"{name}:{where}: {path.lstrip('.') or 'settings'}: {reason}")


def _keys(text: str) -> Iterator[tuple[Key, int]]:
    """Yield the key and the line of every table and entry, as far as lines show it."""
    table: Key = ()
    counts: dict[Key, int] = {}
    quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        if not quoted:
            header, entry = _HEADER.fullmatch(line), _ENTRY.match(line)
            if header:
                table = _resolve(_names(header[2]), counts)
                if header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                yield table, number
            elif entry:
                yield (*table, *_names(entry[1])), number
        if len(_LONG_QUOTES.findall(line)) % 2:
            quoted = not quoted


def _names(text: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in _NAME.findall(text))


def _resolve(names: tuple[str, ...], counts: Mapping[Key, int]) -> Key:
    """Return the key of a table whose parents may be the last of an array."""
    key: Key = ()
    for position, name in enumerate(names):
        key = (*key, name)
        if key in counts and position + 1 < len(names):
            key = (*key, counts[key])
    return key
