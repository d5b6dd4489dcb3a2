"""What a registry asks for before it answers: RFC 9110 §11.6.1, RFC 6750 §3.

>>> challenges('Bearer realm="https://auth.example/token",service="r"')["bearer"]
{'realm': 'https://auth.example/token', 'service': 'r'}
"""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(rf'({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_SCHEME: Final = re.compile(rf"({_WORD})(?:\s+|$)")
_BETWEEN: Final = re.compile(r"[\s,]*")


def challenges(header: str) -> dict[str, dict[str, str]]:
    """Return the parameters of each challenge in a header, by lower-case scheme.

    What cannot be read ends the list: a challenge that nobody understands is
    one that nobody answers.
    """
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    position = _skip(header, 0)
    while position < len(header):
        parameter = _PARAMETER.match(header, position)
        if parameter is not None:
            name, quoted, bare = parameter.groups()
            value = re.sub(r"\\(.)", r"\1", quoted) if bare is None else bare
            current.setdefault(name.lower(), value)
            position = _skip(header, parameter.end())
            continue
        scheme = _SCHEME.match(header, position)
        if scheme is None:
            break
        current = found.setdefault(scheme[1].lower(), {})
        position = _skip(header, scheme.end())
    return found


def _skip(header: str, position: int) -> int:
    match = _BETWEEN.match(header, position)
    return position if match is None else match.end()
