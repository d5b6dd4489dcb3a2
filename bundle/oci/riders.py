"""What travels with an image because it is about it (spec §90.5).

cosign keeps signatures, attestations and lists of parts under tags made from
the image's digest. OCI 1.1 has a manifest name its ``subject``; a registry
lists those, and where it cannot, an index under a tag of the digest does.

>>> digest = BlobDigest.parse("sha256:" + "ab" * 32)
>>> cosign_tags(digest)[0]
'sha256-abababababababababababababababababababababababababababababababab.sig'
>>> subject_of(fallback_tag(digest)) == digest
True
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bundle.oci.digests import BlobDigest

if TYPE_CHECKING:
    from bundle.oci.descriptors import Descriptor

SUFFIXES: Final = ("sig", "att", "sbom")
"""What cosign's tags end in: signature, attestations, software bill of materials."""

SIGNATURE: Final = "sig"

COSIGN_TYPES: Final = (
    "application/vnd.dev.cosign.",
    "application/vnd.dev.sigstore.",
    "application/vnd.cncf.notary.signature",
)
"""How the types of manifests begin that are signatures or attestations."""

_TAG: Final = re.compile(r"sha256-([0-9a-f]{64})(?:\.(sig|att|sbom))?", re.ASCII)


def cosign_tags(digest: BlobDigest) -> tuple[str, ...]:
    """Return the tags under which cosign keeps what is about ``digest``."""
    return tuple(f"{fallback_tag(digest)}.{suffix}" for suffix in SUFFIXES)


def fallback_tag(digest: BlobDigest) -> str:
    """Return the tag of the index of what refers to ``digest``.

    Of a SHA-512 it has the first 64 digits, as OCI 1.1 says.
    """
    return f"{digest.algorithm}-{digest.hex[:64]}"


def subject_of(tag: str) -> BlobDigest | None:
    """Return what a tag of either form is about, or None for other tags.

    A tag that was made from a SHA-512 does not say all of it: None too.
    """
    match = _TAG.fullmatch(tag)
    if match is None:
        return None
    return BlobDigest("sha256", match[1])


def is_fallback(tag: str) -> bool:
    """Return whether ``tag`` is that of an index of what refers to a digest."""
    return subject_of(tag) is not None and "." not in tag


def role_of(tag: str | None, one: Descriptor, about: str) -> str:
    """Return in a word what a rider is: ``signature``, ``attestation`` and so on.

    ``about`` is the type that its manifest gives itself.
    """
    suffix = (tag or "").rpartition(".")[2] if tag and "." in tag else ""
    known = {"sig": "signature", "att": "attestation", "sbom": "bill of materials"}
    if suffix in known:
        return known[suffix]
    kind = about or one.artifact_type or ""
    if kind.startswith(COSIGN_TYPES):
        return "signature"
    if "spdx" in kind or "cyclonedx" in kind or "sbom" in kind:
        return "bill of materials"
    return "in-toto attestation" if "in-toto" in kind else kind or "referrer"
