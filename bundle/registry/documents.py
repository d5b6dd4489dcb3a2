"""Manifests and tags: read, written, listed by what they are about (spec §91.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from yarl import URL

from bundle.errors import FormatError, IntegrityError, NotFoundError
from bundle.limits import MAX_OCI_MANIFEST, MAX_REFERRER_PAGES
from bundle.oci import manifests
from bundle.oci.descriptors import Descriptor
from bundle.oci.digests import BlobDigest
from bundle.oci.media_types import ACCEPTED, OCI_INDEX
from bundle.oci.riders import fallback_tag
from bundle.registry.failures import RefusedError
from bundle.wire import parse_json

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from bundle.registry.repository import Repository

_ACCEPT: Final = {"Accept": ", ".join((*ACCEPTED, "*/*"))}
_NO_REFERRERS: Final = (400, 405, 406, 501)


async def fetch(
    repository: Repository, reference: str, expected: Descriptor | None = None
) -> tuple[Descriptor, bytes]:
    """Return a manifest by tag or digest, and what it is, verified.

    ``expected`` is what refers to it, where something does.

    Raises:
        NotFoundError: there is none.
        IntegrityError: it is not what its digest or its descriptor says.
        FormatError: it is too large, or no manifest that is read here.
        StoreError: the registry does not send it.
    """
    request = repository.request(
        "GET", repository.url(f"manifests/{reference}"), reference, _ACCEPT
    )

    async def once() -> tuple[bytes, ClientResponse]:
        return await repository.registry.body(request, MAX_OCI_MANIFEST)

    data, response = await repository.registry.pace.keep_trying(once)
    if expected is not None:
        expected.check(data)
        return expected, data
    one = Descriptor.of(_type_of(data, response), data)
    for named in (reference, response.headers.get("Docker-Content-Digest", "")):
        _check_digest(request.where, named, data)
    manifests.parse(data, one.media_type)
    return one, data


async def find(repository: Repository, reference: str) -> str | None:
    """Return the digest that a tag or a digest has at a repository, or None.

    Raises:
        StoreError: the registry does not answer.
    """
    request = repository.request(
        "HEAD", repository.url(f"manifests/{reference}"), reference, _ACCEPT
    )

    async def once() -> str | None:
        try:
            async with repository.registry.exchange(request) as response:
                return response.headers.get("Docker-Content-Digest", "")
        except NotFoundError:
            return None

    digest = await repository.registry.pace.keep_trying(once)
    if digest == "" and ":" not in reference:
        one, _ = await fetch(repository, reference)
        return one.digest
    return reference if digest == "" else digest


async def put(
    repository: Repository, reference: str, one: Descriptor, data: bytes
) -> bool:
    """Write a manifest under a digest or a tag; everything it names is there.

    Returns whether the registry took note of what the manifest is about, so
    that no tag has to (rule 91.3.5).

    Raises:
        IntegrityError: the registry calls it something else.
        StoreError: the registry does not take it.
    """
    one.check(data)
    request = repository.request(
        "PUT",
        repository.url(f"manifests/{reference}"),
        reference,
        {"Content-Type": one.media_type},
        lambda: data,
    )

    async def once() -> bool:
        async with repository.registry.exchange(request) as response:
            named = response.headers.get("Docker-Content-Digest", "")
            if named and named != one.digest:
                raise IntegrityError(
                    f"{request.where}: the registry calls {one.digest} {named[:100]}",
                    rule="91.3.4",
                )
            return "OCI-Subject" in response.headers

    return await repository.registry.pace.keep_trying(once)


async def referrers(
    repository: Repository, digest: BlobDigest
) -> tuple[Descriptor, ...]:
    """Return what is about a manifest, by the API and by the tag (rule 91.3.3).

    Raises:
        FormatError: the list is none.
        StoreError: the registry does not answer.
    """
    found = await _listed(repository, digest)
    if found is None:
        found = []
    try:
        one, data = await fetch(repository, fallback_tag(digest))
    except NotFoundError:
        tagged: tuple[Descriptor, ...] = ()
    else:
        tagged = manifests.parse(data, one.media_type).children
    return tuple(manifests.named((*found, *tagged)))


async def has_referrers(repository: Repository, digest: BlobDigest) -> bool:
    """Return whether the registry has the referrers API.

    Raises:
        StoreError: the registry does not answer.
    """
    return await _listed(repository, digest) is not None


async def _listed(
    repository: Repository, digest: BlobDigest
) -> list[Descriptor] | None:
    """Return what the referrers API lists, None where there is no such API."""
    url: URL | None = repository.url(f"referrers/{digest}")
    found: list[Descriptor] = []
    for _ in range(MAX_REFERRER_PAGES):
        if url is None or not repository.registry.is_own(url):
            break
        request = repository.request("GET", url, str(digest), {"Accept": OCI_INDEX})

        async def once() -> tuple[bytes, ClientResponse]:
            return await repository.registry.body(request, MAX_OCI_MANIFEST)  # noqa: B023

        try:
            data, response = await repository.registry.pace.keep_trying(once)
        except NotFoundError:
            return None
        except RefusedError as error:
            if error.status in _NO_REFERRERS:
                return None
            raise
        if response.content_type != OCI_INDEX:
            return None
        found += manifests.parse(data, OCI_INDEX).children
        link = response.links.get("next")
        following = None if link is None else link.get("url")
        url = URL(str(following)) if following else None
    return found


def _type_of(data: bytes, response: ClientResponse) -> str:
    """Return the media type: what the registry says, or the manifest where it is vague.

    Raises:
        FormatError: neither says one.
    """
    said = response.content_type
    if manifests.is_document(said):
        return said
    document = parse_json(data, limit=MAX_OCI_MANIFEST, rule="90.3.1")
    own = document.get("mediaType") if isinstance(document, dict) else None
    return own if isinstance(own, str) else said


def _check_digest(where: str, named: str, data: bytes) -> None:
    """Refuse a manifest that has not the digest by which it is called."""
    if ":" not in named:
        return
    try:
        fine = BlobDigest.parse(named).matches(data)
    except FormatError:
        fine = False
    if not fine:
        raise IntegrityError(
            f"{where}: the registry sends another manifest than it says",
            rule="91.3.2",
            advice="the manifest is damaged there: have the image pushed again",
        )
