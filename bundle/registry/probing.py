"""What a registry is and can do, found out before anything is pushed (spec §91.7).

``ping`` and ``look`` only read. ``try_push`` opens an upload and gives it up, and
puts an index that lists nothing there is; where that is taken it is deleted again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bundle.errors import StoreError
from bundle.limits import MAX_REGISTRY_WORDS
from bundle.oci import layouts
from bundle.oci.descriptors import Descriptor
from bundle.oci.digests import BlobDigest
from bundle.oci.media_types import OCI_INDEX, OCI_MANIFEST
from bundle.registry import documents, uploads
from bundle.registry.connection import Request
from bundle.registry.failures import RefusedError

if TYPE_CHECKING:
    from bundle.registry.connection import Registry
    from bundle.registry.repository import Repository

_PROBE: Final = Descriptor.of(OCI_MANIFEST, b"what bundle doctor does not find")


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen: ``version`` is what it says that it speaks, or empty.

    ``referrers`` says whether it lists what is about a manifest.
    """

    version: str
    login: str
    referrers: bool


async def ping(registry: Registry, *, attempts: int | None = None) -> str:
    """Return what a registry says that it speaks; often nothing.

    Raises:
        DeniedError: it wants a login that is not known, or not that one.
        UnavailableError: it does not answer.
        StoreError: it is no registry.
    """
    request = Request(method="GET", url=registry.url(""), where=registry.host)

    async def once() -> str:
        _, response = await registry.body(request, MAX_REGISTRY_WORDS)
        return response.headers.get("Docker-Distribution-Api-Version", "")

    pace = registry.pace
    if attempts is not None:
        pace = replace(pace, attempts=attempts)
    return await pace.keep_trying(once)


async def look(repository: Repository) -> Look:
    """Return what can be known of a registry by reading.

    Raises:
        StoreError: it does not answer, or does not let us in.
    """
    registry = repository.registry
    version = await ping(registry)
    referrers = await documents.has_referrers(repository, _PROBE.blob)
    return Look(version, registry.authority.way, referrers)


async def try_push(repository: Repository) -> None:
    """Open an upload and give it up: nothing is left there.

    Raises:
        DeniedError: this login may not push there.
        StoreError: the registry does not take uploads.
    """
    upload = await uploads.mount(repository, _PROBE)
    await uploads.cancel(repository, _PROBE, upload)


async def takes_sparse_indexes(repository: Repository) -> bool:
    """Return whether an index may list what is not there; puts one, and deletes it.

    Raises:
        StoreError: the registry does not say.
    """
    data = layouts.serialize_index((_PROBE,))
    index = Descriptor(OCI_INDEX, str(BlobDigest.of(data)), len(data))
    try:
        await documents.put(repository, index.digest, index, data)
    except RefusedError as error:
        if error.status == 400:
            return False
        raise
    url = repository.url(f"manifests/{index.digest}")
    with contextlib.suppress(StoreError):
        async with repository.registry.exchange(
            repository.request("DELETE", url, index.digest)
        ):
            pass
    return True
