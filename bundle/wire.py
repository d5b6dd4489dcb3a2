"""JSON as this format allows it: one strict reader, one writer.

Whatever is read was written by a stranger. The reader takes bytes of bounded
size and refuses duplicate member names, floats, big integers, deep nesting, a
byte-order mark, text that is not UTF-8 and everything after the document, and
only then lets msgspec check the types (spec §2.5). Members that a type does not
name are ignored: what must be understood is named in ``features.required``.

>>> class Point(msgspec.Struct):
...     x: int
>>> read_json(b'{"x": 1}', Point, limit=100, rule="2.5")
Point(x=1)
>>> read_json(b'{"x": 1, "x": 2}', Point, limit=100, rule="2.5")
Traceback (most recent call last):
bundle.errors.FormatError: the member 'x' is there twice (rule 2.5)
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final, Never, TypeVar

import msgspec

from bundle.errors import FormatError, LimitError
from bundle.limits import MAX_DEPTH, MAX_INTEGER

_T = TypeVar("_T")
# A string that never ends is one token too, and nothing is tried twice: a
# hostile document costs one pass.
_OUTSIDE_STRINGS: Final = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL
)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_INTEGER_DIGITS: Final = len(str(MAX_INTEGER)) + 1
_SHOWN: Final = 400


def read_json(data: bytes, type_: type[_T], *, limit: int, rule: str) -> _T:
    """Return the document in ``data`` as a ``type_``.

    Raises:
        LimitError: over ``limit`` bytes, too deep, or an integer too large.
        FormatError: not the JSON that this format allows, or not a ``type_``.
    """
    return convert(parse_json(data, limit=limit, rule=rule), type_, rule=rule)


def convert(document: object, type_: type[_T], *, rule: str) -> _T:
    """Return what ``parse_json`` returned, or a part of it, as a ``type_``.

    Raises:
        FormatError: it is not a ``type_``; names the member.
    """
    try:
        return msgspec.convert(document, type_)
    except msgspec.ValidationError as error:
        raise FormatError(shown(str(error)), rule=rule) from None


def shown(text: str) -> str:
    r"""Return text of a stranger as a message may have it: one line, and not long.

    >>> shown("a\tb")
    'a\\tb'
    """
    if len(text) > _SHOWN:
        text = f"{text[:_SHOWN]}…"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def parse_json(data: bytes, *, limit: int, rule: str) -> Any:  # noqa: ANN401 - any JSON
    """Return the document in ``data`` as plain dicts, lists and scalars.

    Raises:
        LimitError: over ``limit`` bytes, too deep, or an integer too large.
        FormatError: not the JSON that this format allows.
    """
    if len(data) > limit:
        raise LimitError(f"{len(data)} bytes of JSON, over {limit}", rule=rule)
    _check_depth(data, rule)

    def member_names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise FormatError(f"the member {twice[:80]!r} is there twice", rule=rule)
        return members

    def no_float(text: str) -> Never:
        raise FormatError(f"the number {text[:20]} is not an integer", rule=rule)

    def bounded(text: str) -> int:
        if len(text) > _INTEGER_DIGITS or abs(int(text)) > MAX_INTEGER:
            raise LimitError(f"the integer {text[:20]}… is too large", rule=rule)
        return int(text)

    try:
        document = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=member_names_once,
            parse_float=no_float,
            parse_constant=no_float,
            parse_int=bounded,
        )
    except UnicodeDecodeError as error:
        raise FormatError("not UTF-8", rule=rule, offset=error.start) from None
    except json.JSONDecodeError as error:
        raise FormatError(
            f"not JSON: {error.msg}", rule=rule, offset=error.pos
        ) from None
    _check_surrogates(data, document, rule)
    return document


def _check_depth(data: bytes, rule: str) -> None:
    """Refuse nesting before a recursive parser sees it."""
    depth = 0
    for token in _OUTSIDE_STRINGS.finditer(data):
        first = token[0][0]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise LimitError(
                    f"nested over {MAX_DEPTH} levels", rule=rule, offset=token.start()
                )
        elif first in b"]}":
            depth -= 1


def _check_surrogates(data: bytes, document: object, rule: str) -> None:
    """Refuse strings that no encoder would take."""
    if _SURROGATE.search(data):
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise FormatError("half of a surrogate pair", rule=rule) from None


def write_json(value: object) -> bytes:
    """Return ``value`` as compact JSON; the same value always gives the same bytes."""
    return msgspec.json.encode(value, order="deterministic")


def read_moment(text: str, *, rule: str) -> int:
    """Return the seconds since 1970 meant by text like ``2026-01-31T12:00:00Z``.

    Raises:
        FormatError: it is not RFC 3339 in UTC with whole seconds, or no such date.
    """
    seconds = -1
    if _MOMENT.fullmatch(text):
        with contextlib.suppress(ValueError):
            seconds = int(datetime.fromisoformat(text).timestamp())
    if seconds < 0 or write_moment(seconds) != text:
        raise FormatError(f"not a date and time in UTC: {text[:40]!r}", rule=rule)
    return seconds


def write_moment(seconds: float) -> str:
    """Return seconds since 1970 as text for ``read_moment``; fractions are cut off."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
