"""``s3://BUCKET/PREFIX?name=value``: a place in a bucket.

>>> parse_address("s3://models?layout=flat", frozenset({"layout"})).options["layout"]
'flat'
>>> parse_address("s3://models/weights/").key("a/b")
'weights/a/b'
>>> parse_address("s3://models").key("a/b")
'a/b'
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - dataclass fields are read at run time
from dataclasses import dataclass
from typing import Final

from bundle.errors import UsageError

_SCHEME: Final = "s3://"
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,62}")
_ADVICE: Final = "write s3://BUCKET/PREFIX"


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket, a prefix without slashes around it, and what follows the ``?``."""

    bucket: str
    prefix: str
    options: Mapping[str, str]

    def key(self, path: str) -> str:
        """Return the key of what is at ``path`` below the prefix."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.prefix}".rstrip("/")


def parse_address(text: str, allowed: frozenset[str] = frozenset()) -> Address:
    """Return what ``s3://…`` names; only options that are ``allowed`` may follow.

    Raises:
        UsageError: it names no place in a bucket.
    """
    place, mark, query = text.removeprefix(_SCHEME).partition("?")
    bucket, _, prefix = place.partition("/")
    prefix = prefix.strip("/")
    if not text.startswith(_SCHEME) or not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{text!r} names no bucket", advice=_ADVICE)
    parts = prefix.split("/") if prefix else []
    if not prefix.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise UsageError(
            f"{text!r}: a prefix has no empty parts, no dots for parts and no "
            "control characters",
            advice=_ADVICE,
        )
    options = _options(text, query) if mark else {}
    for name in options:
        if name not in allowed:
            known = ", ".join(f"{one}=" for one in sorted(allowed)) or "nothing"
            raise UsageError(
                f"{text!r}: there is no {name}=", advice=f"after '?' goes {known}"
            )
    return Address(bucket, prefix, options)


def _options(text: str, query: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in query.split("&")]
    options = {name: value for name, _, value in pairs}
    if len(options) < len(pairs) or not all(options.values()):
        raise UsageError(
            f"{text!r}: after '?' each name has one value",
            advice="write name=value, with '&' between them",
        )
    return options
