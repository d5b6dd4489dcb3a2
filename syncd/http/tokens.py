"""Bearer tokens: who may read, push and operate; kept as hashes alone.

A token is 32 random bytes in hexadecimal after ``syncd_``, so a plain SHA-256 of it
cannot be guessed and needs no salt. The file has one token a line: its name, its
scopes and its hash.

>>> token, line = new_token("ops", [Scope.READ])
>>> identify(parse_tokens(line), token).name
'ops'
>>> identify(parse_tokens(line), token + "0") is None
True
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bundle.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_TOKEN: Final = 256
"""Characters of what a client presents; more is no token."""

_LINE: Final = re.compile(r"([a-z0-9][a-z0-9.-]{0,63})\s+([a-z,]+)\s+([0-9a-f]{64})")


class Scope(StrEnum):
    """What a token allows; each includes nothing of the others."""

    READ = "read"
    """See how things stand."""

    PUSH = "push"
    """Send bundles."""

    OPERATE = "operate"
    """Retry, roll back, reconcile."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token as it is kept."""

    name: str
    scopes: frozenset[Scope]
    sha256: str


def new_token(name: str, scopes: Iterable[Scope]) -> tuple[str, str]:
    """Return a new token and the line for the file."""
    token = f"syncd_{secrets.token_hex(32)}"
    listed = ",".join(sorted(scopes))
    return token, f"{name} {listed} {_hash(token)}\n"


def parse_tokens(text: str, name: str = "tokens") -> tuple[Token, ...]:
    """Return the tokens in the text of a file; empty lines and comments are none.

    Raises:
        UsageError: a line is no token, or two have one name; names the line.
    """
    tokens: dict[str, Token] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        scopes = found[2].split(",") if found else []
        if found is None or not set(scopes) <= set(Scope):
            raise UsageError(
                f"{name}:{number}: not a token",
                advice="'syncd token' makes such a line",
            )
        if found[1] in tokens:
            raise UsageError(f"{name}:{number}: a second token called {found[1]!r}")
        tokens[found[1]] = Token(found[1], frozenset(map(Scope, scopes)), found[3])
    return tuple(tokens.values())


def identify(tokens: Iterable[Token], presented: str) -> Token | None:
    """Return the token that was presented, None if it is none of these.

    Takes the same time whichever it is: every hash is compared.
    """
    if len(presented) > MAX_TOKEN:
        return None
    digest = _hash(presented)
    known: Token | None = None
    for token in tokens:
        if hmac.compare_digest(token.sha256, digest):
            known = token
    return known


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
