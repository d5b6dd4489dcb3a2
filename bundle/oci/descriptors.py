"""How OCI says which bytes are meant: media type, digest, size (spec §90.2)."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from bundle.errors import FormatError
from bundle.limits import MAX_INTEGER
from bundle.oci.digests import BlobDigest
from bundle.oci.platforms import Platform  # noqa: TC001 - msgspec reads the fields

REF_NAME: Final = "org.opencontainers.image.ref.name"
"""The annotation that names an entry of an image layout."""

CONTAINERD_NAME: Final = "io.containerd.image.name"
"""The annotation in which containerd's tools keep the whole name."""

REFERENCE_DIGEST: Final = "vnd.docker.reference.digest"
"""The annotation by which an attestation in an index names its image."""

_MEDIA_TYPE: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
    r"(?: *;.*)?",
    re.ASCII,
)


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A blob as something else refers to it; checked when it is made.

    ``annotations``, ``platform``, ``artifact_type`` and ``urls`` are what the
    one who refers says; members that are not named here are not kept.
    """

    media_type: str
    digest: str
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] | None = None
    artifact_type: str | None = None
    platform: Platform | None = None

    def __post_init__(self) -> None:
        BlobDigest.parse(self.digest)
        if not 0 <= self.size <= MAX_INTEGER:
            raise FormatError(f"{self.size} is not a size", rule="90.2.2")
        if _MEDIA_TYPE.fullmatch(self.media_type) is None:
            raise FormatError(
                f"not a media type: {self.media_type[:80]!r}", rule="90.2.2"
            )

    @classmethod
    def of(cls, media_type: str, data: bytes) -> Descriptor:
        """Return the descriptor of ``data``."""
        return cls(media_type, str(BlobDigest.of(data)), len(data))

    @property
    def blob(self) -> BlobDigest:
        """The digest, checked."""
        return BlobDigest.parse(self.digest)

    def annotation(self, key: str) -> str | None:
        """Return one annotation, or None."""
        return (self.annotations or {}).get(key)

    def check(self, data: bytes | memoryview) -> None:
        """Refuse ``data`` unless these are the bytes described.

        Raises:
            IntegrityError: the size or the digest is another (rule 90.2.3).
        """
        self.blob.check(data, self.size, self.digest)
