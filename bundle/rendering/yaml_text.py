r"""Values as YAML, in the part of it that everybody reads alike.

Text that is not plainly a word is quoted as JSON quotes it, which YAML allows.

>>> print(to_yaml({"a": {"b": [1, "x y: z"]}, "c": []}), end="")
a:
  b:
    - 1
    - "x y: z"
c: []
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*[A-Za-z0-9]|[A-Za-z]", re.ASCII)
_OTHER: Final = re.compile(r"[^\x20-\x7e]")
_BASIC: Final = 0xFFFF
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def to_yaml(value: Mapping[str, Any], *, heading: str = "") -> str:
    """Return a document; each line of ``heading`` becomes a comment above it."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in heading.splitlines())
    return comment + "".join(f"{line}\n" for line in _mapping(value))


def documents(*values: Mapping[str, Any], heading: str = "") -> str:
    """Return several documents in one file."""
    texts = [to_yaml(one) for one in values]
    return to_yaml({}, heading=heading).removesuffix("{}\n") + "---\n".join(texts)


def _mapping(value: Mapping[str, Any]) -> Iterator[str]:
    if not value:
        yield "{}"
    for key, member in value.items():
        if isinstance(member, (dict, list)) and member:
            yield f"{_scalar(key)}:"
            yield from (f"  {line}" for line in _lines(member))
        else:
            yield f"{_scalar(key)}: {_scalar(member)}"


def _lines(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever YAML has
    if isinstance(value, dict):
        yield from _mapping(value)
        return
    for member in value:
        if isinstance(member, (dict, list)) and member:
            first, *rest = _lines(member)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
        else:
            yield f"- {_scalar(member)}"


def _scalar(value: Any) -> str:  # noqa: ANN401 - whatever YAML has
    if isinstance(value, str) and (
        _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    ):
        return value
    return _OTHER.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    """Return a character as YAML escapes it, which has no surrogate pairs."""
    code = ord(match[0])
    return f"\\u{code:04x}" if code <= _BASIC else f"\\U{code:08x}"
