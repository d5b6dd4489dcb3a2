"""Letting a registry know what a manifest is about (spec §91.3).

A registry of OCI 1.1 finds it out by itself and says so. For the others an index
under a tag of the digest lists what is about it; clients look there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.errors import FormatError, NotFoundError
from bundle.oci import layouts, manifests
from bundle.oci.descriptors import Descriptor
from bundle.oci.media_types import OCI_INDEX
from bundle.oci.riders import fallback_tag
from bundle.registry import documents
from bundle.registry.pace import UnavailableError

if TYPE_CHECKING:
    from bundle.oci.digests import BlobDigest
    from bundle.oci.manifests import Document
    from bundle.registry.repository import Repository


async def refer(
    repository: Repository, subject: BlobDigest, one: Descriptor, document: Document
) -> None:
    """Have a manifest listed as being about ``subject``, by the tag (rule 91.3.6).

    Others may add theirs at the same time, and registries have no conditions: it
    is read again, and added again where it is gone.

    Raises:
        StoreError: the registry does not take it.
    """
    if await documents.has_referrers(repository, subject):
        return
    listed = _described(one, document)

    async def once() -> None:
        known = await _tagged(repository, subject)
        if any(each.digest == one.digest for each in known):
            return
        data = layouts.serialize_index((*known, listed))
        index = Descriptor.of(OCI_INDEX, data)
        await documents.put(repository, fallback_tag(subject), index, data)
        known = await _tagged(repository, subject)
        if all(each.digest != one.digest for each in known):
            raise UnavailableError(
                f"{repository.where(fallback_tag(subject))}: it was replaced meanwhile",
                advice="run the same command again",
            )

    await repository.registry.pace.keep_trying(once)


async def _tagged(
    repository: Repository, subject: BlobDigest
) -> tuple[Descriptor, ...]:
    """Return what the index under the tag lists; one that is none is replaced."""
    try:
        one, data = await documents.fetch(repository, fallback_tag(subject))
        return manifests.parse(data, one.media_type).children
    except (NotFoundError, FormatError):
        return ()


def _described(one: Descriptor, document: Document) -> Descriptor:
    """Return how the index describes a manifest: its type and its annotations."""
    kind = document.artifact_type
    if kind is None and isinstance(document, manifests.Manifest):
        kind = document.config.media_type
    return Descriptor(
        one.media_type,
        one.digest,
        one.size,
        annotations=document.annotations or None,
        artifact_type=kind,
    )
