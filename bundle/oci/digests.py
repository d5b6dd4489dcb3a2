"""Digests as OCI writes them: an algorithm, a colon, hexadecimal digits.

A digest becomes a path only through ``BlobDigest``, which has checked every
character of it: ``sha256:../../x`` never names a file (rule 90.2.1).

>>> BlobDigest.parse("sha256:" + "0" * 64).path
'blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000'
>>> BlobDigest.parse("sha256:../../x")
Traceback (most recent call last):
bundle.errors.FormatError: not a digest: 'sha256:../../x' (rule 90.2.1)
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from bundle.errors import FormatError, IntegrityError

if TYPE_CHECKING:
    from hashlib import _Hash

_GRAMMAR: Final = re.compile(
    r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})", re.ASCII
)
_SHOWN: Final = 100


@dataclass(frozen=True, slots=True, order=True)
class BlobDigest:
    """The SHA-256 or SHA-512 of a blob, as its name; made by ``parse`` or ``of``."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            FormatError: it is not one, or of another algorithm (rule 90.2.1).
        """
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise FormatError(f"not a digest: {text[:_SHOWN]!r}", rule="90.2.1")
        return cls(match[1] or match[3], match[2] or match[4])

    @classmethod
    def of(cls, data: bytes | memoryview) -> Self:
        """Return the SHA-256 of ``data``."""
        return cls("sha256", hashlib.sha256(data).hexdigest())

    @classmethod
    def of_path(cls, path: str) -> Self | None:
        """Return the digest whose ``path`` this is, or None."""
        head, _, rest = path.partition("/")
        algorithm, slash, digits = rest.partition("/")
        if head != "blobs" or not slash:
            return None
        try:
            return cls.parse(f"{algorithm}:{digits}")
        except FormatError:
            return None

    @property
    def path(self) -> str:
        """Where an image layout keeps the blob, below its root."""
        return f"blobs/{self.algorithm}/{self.hex}"

    @property
    def raw(self) -> bytes:
        """The bytes of the hash: 32 or 64."""
        return bytes.fromhex(self.hex)

    def hasher(self) -> _Hash:
        """Return a fresh hash of this algorithm."""
        return hashlib.new(self.algorithm)

    def matches(self, data: bytes | memoryview) -> bool:
        """Return whether this is the digest of ``data``."""
        hasher = self.hasher()
        hasher.update(data)
        return hasher.hexdigest() == self.hex

    def check(self, data: bytes | memoryview, size: int, name: str) -> None:
        """Refuse ``data`` unless it has this digest and ``size`` bytes.

        Raises:
            IntegrityError: the size or the digest is another (rule 90.2.3).
        """
        if len(data) != size:
            raise IntegrityError(
                f"{name}: {len(data)} bytes where {size} were promised", rule="90.2.3"
            )
        if not self.matches(data):
            raise IntegrityError(f"{name}: its content is not {self}", rule="90.2.3")

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
