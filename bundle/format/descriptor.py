"""A descriptor says what some bytes are, how many, and which (spec §3.2).

Everything in the format refers to everything else by descriptor. Whoever reads
the bytes checks them in this order: the size, then the digest, then what is
inside.

>>> Descriptor.of(APPROVAL, b"# None").size
6
"""

from __future__ import annotations

import re
from typing import Final, Self

import msgspec

from bundle.digest import Digest, digest_of
from bundle.errors import FormatError, IntegrityError
from bundle.limits import MAX_INTEGER

RELEASE: Final = "application/vnd.in-toto+json"
"""The payload of release.json."""

MANIFEST: Final = "application/vnd.bundle.manifest.v1+json"
"""The payload of bundle.json."""

RECIPE: Final = "application/vnd.bundle.recipe.v1"
RECIPES: Final = "application/vnd.bundle.recipes.v1"
VOLUME: Final = "application/vnd.bundle.volume.v1"
SHARDS: Final = "application/vnd.bundle.shards.v1"
APPROVAL: Final = "text/markdown"

_MEDIA_TYPE: Final = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", re.ASCII
)


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """Media type, digest in its text form, and size in bytes."""

    media_type: str
    digest: str
    size: int

    def __post_init__(self) -> None:
        if _MEDIA_TYPE.fullmatch(self.media_type) is None:
            raise FormatError(f"not a media type: {self.media_type!r}", rule="3.2.1")
        Digest.parse(self.digest)
        if not 0 <= self.size <= MAX_INTEGER:
            raise FormatError(
                f"{self.size} is not a size: 0 to {MAX_INTEGER}", rule="3.2.2"
            )

    @classmethod
    def of(cls, media_type: str, data: bytes | memoryview) -> Self:
        """Return the descriptor of ``data``."""
        return cls(media_type, str(digest_of(data)), len(data))

    @property
    def raw(self) -> bytes:
        """The 32 bytes of the digest."""
        return bytes.fromhex(self.digest.partition(":")[2])

    def check_type(self, media_type: str, *, rule: str) -> None:
        """Refuse a descriptor of something else; names ``rule``.

        Raises:
            FormatError: the media type is not ``media_type``.
        """
        if self.media_type != media_type:
            raise FormatError(
                f"a descriptor of {self.media_type!r} where {media_type!r} belongs",
                rule=rule,
            )

    def check(self, data: bytes | memoryview, name: str) -> None:
        """Refuse ``data`` unless these are the bytes described; ``name`` says which.

        Raises:
            IntegrityError: the size or the digest is another.
        """
        if len(data) != self.size:
            raise IntegrityError(
                f"{name}: {len(data)} bytes, expected {self.size}", rule="3.2.4"
            )
        found = str(digest_of(data))
        if found != self.digest:
            raise IntegrityError(
                f"{name}: the content is {found}, expected {self.digest}", rule="3.2.4"
            )
