"""Manifests, tags and lists of referrers from registries that are vague or wrong."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from aiohttp import web

from bundle.errors import FormatError, IntegrityError, NotFoundError, StoreError
from bundle.oci import manifests
from bundle.oci.descriptors import Descriptor
from bundle.oci.digests import BlobDigest
from bundle.oci.media_types import OCI_INDEX, OCI_MANIFEST
from bundle.registry import documents
from bundle.registry.connection import Registry
from bundle.registry.failures import RefusedError
from bundle.registry.referrers import refer
from bundle.registry.repository import Repository
from tests.registry.fake import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.registry.fake import Answer, Fake

_T = TypeVar("_T")
NAME = "team/app"
EMPTY = {"mediaType": "a/b", "digest": f"sha256:{'0' * 64}", "size": 2}
MANIFEST = json.dumps(
    {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": EMPTY, "layers": []}
).encode()
ONE = Descriptor.of(OCI_MANIFEST, MANIFEST)
SUBJECT = BlobDigest.of(b"subject")


def at(fake: Fake, home: Path, work: Callable[[Repository], Awaitable[_T]]) -> _T:
    """Return what ``work`` returns for the repository of the fake."""

    async def run() -> _T:
        async with Registry(fake.host, fake.options(home)) as registry:
            return await work(Repository(registry, NAME, push=True))

    return asyncio.run(run())


@pytest.mark.parametrize("reference", ["v1", ONE.digest])
def test_a_manifest_is_described_by_what_it_is(
    fake: Fake, tmp_path: Path, reference: str
) -> None:
    fake.put(NAME, "v1", OCI_MANIFEST, MANIFEST)
    found = at(fake, tmp_path, lambda one: documents.fetch(one, reference))
    assert found == (ONE, MANIFEST)


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/json"])
def test_a_vague_type_is_made_good_by_the_manifests_own(
    fake: Fake, tmp_path: Path, kind: str
) -> None:
    fake.put(NAME, "v1", kind, MANIFEST)
    one, _ = at(fake, tmp_path, lambda one: documents.fetch(one, "v1"))
    assert one == ONE


def test_a_type_that_is_not_the_manifests_own_is_refused(
    fake: Fake, tmp_path: Path
) -> None:
    fake.put(NAME, "v1", OCI_INDEX, MANIFEST)
    with pytest.raises(FormatError, match="calls itself"):
        at(fake, tmp_path, lambda one: documents.fetch(one, "v1"))


@pytest.mark.parametrize("digest", [f"sha256:{'1' * 64}", "sha256:../../x"])
def test_a_digest_in_the_answer_that_is_not_the_manifests_is_refused(
    fake: Fake, tmp_path: Path, digest: str
) -> None:
    async def lies(_: web.Request) -> Answer:
        headers = {"Docker-Content-Digest": digest, "Content-Type": OCI_MANIFEST}
        return web.Response(body=MANIFEST, headers=headers)

    fake.hook = lies
    with pytest.raises(IntegrityError, match="another manifest than it says"):
        at(fake, tmp_path, lambda one: documents.fetch(one, "v1"))


def test_what_a_tag_names_is_found_with_and_without_a_header(
    fake: Fake, tmp_path: Path
) -> None:
    fake.put(NAME, "v1", OCI_MANIFEST, MANIFEST)
    assert at(fake, tmp_path, lambda one: documents.find(one, "v1")) == ONE.digest
    assert at(fake, tmp_path, lambda one: documents.find(one, "v2")) is None

    async def quiet(request: web.Request) -> Answer:
        if request.method != "HEAD":
            return None
        return web.Response(headers={"Content-Type": OCI_MANIFEST})

    fake.hook = quiet
    assert at(fake, tmp_path, lambda one: documents.find(one, "v1")) == ONE.digest


def test_a_manifest_that_the_registry_calls_something_else_is_an_error(
    fake: Fake, tmp_path: Path
) -> None:
    async def renames(_: web.Request) -> Answer:
        headers = {"Docker-Content-Digest": f"sha256:{'1' * 64}"}
        return web.Response(status=201, headers=headers)

    fake.hook = renames
    with pytest.raises(IntegrityError, match="the registry calls"):
        at(fake, tmp_path, lambda to: documents.put(to, ONE.digest, ONE, MANIFEST))


def test_a_manifest_is_checked_before_it_is_sent(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        at(fake, tmp_path, lambda to: documents.put(to, "v1", ONE, MANIFEST + b" "))
    assert not fake.asked


def listing(*entries: dict[str, Any], **headers: str) -> web.Response:
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}
    return web.Response(body=json.dumps(body), content_type=OCI_INDEX, headers=headers)


def entry(number: int) -> dict[str, Any]:
    return {**EMPTY, "digest": f"sha256:{number:064x}"}


def test_referrers_are_read_page_by_page(fake: Fake, tmp_path: Path) -> None:
    async def pages(request: web.Request) -> Answer:
        if "/referrers/" not in request.path:
            return None
        page = int(request.query.get("page", "0"))
        if page == 2:
            return listing(entry(2))
        link = f'<{request.path}?page={page + 1}>; rel="next"'
        return listing(entry(page), Link=link)

    fake.hook = pages
    found = at(fake, tmp_path, lambda one: documents.referrers(one, SUBJECT))
    assert [one.digest for one in found] == [entry(n)["digest"] for n in range(3)]


def test_a_next_page_at_another_host_is_not_asked_for(
    fake: Fake, tmp_path: Path
) -> None:
    async def away(request: web.Request) -> Answer:
        if "/referrers/" not in request.path:
            return None
        return listing(entry(1), Link='<http://127.0.0.1:1/next>; rel="next"')

    fake.hook = away
    found = at(fake, tmp_path, lambda one: documents.referrers(one, SUBJECT))
    assert len(found) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: web.Response(status=404, text="no"), id="404"),
        pytest.param(lambda: problem(405, "UNSUPPORTED"), id="405"),
        pytest.param(lambda: problem(501, "UNSUPPORTED"), id="501"),
        pytest.param(lambda: web.Response(text="{}"), id="another document"),
    ],
)
def test_a_registry_without_the_list_is_asked_by_the_tag(
    fake: Fake, tmp_path: Path, answer: Callable[[], web.Response]
) -> None:
    async def none(request: web.Request) -> Answer:
        return answer() if "/referrers/" in request.path else None

    fake.hook = none
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry(7)]}
    data = json.dumps(body).encode()
    fake.put(NAME, f"sha256-{SUBJECT.hex}", OCI_INDEX, data)
    assert not at(fake, tmp_path, lambda one: documents.has_referrers(one, SUBJECT))
    found = at(fake, tmp_path, lambda one: documents.referrers(one, SUBJECT))
    assert [one.digest for one in found] == [entry(7)["digest"]]


def test_a_list_that_is_refused_for_another_reason_is_an_error(
    fake: Fake, tmp_path: Path
) -> None:
    async def refuses(_: web.Request) -> Answer:
        return problem(418, "TEAPOT")

    fake.hook = refuses
    with pytest.raises(RefusedError, match="418, TEAPOT"):
        at(fake, tmp_path, lambda one: documents.referrers(one, SUBJECT))


def test_an_entry_that_somebody_replaces_is_added_again(
    fake: Fake, tmp_path: Path
) -> None:
    document = manifests.parse(MANIFEST, OCI_MANIFEST)
    tag = f"sha256-{SUBJECT.hex}"
    fake.put(NAME, ONE.digest, OCI_MANIFEST, MANIFEST)
    replaced: list[str] = []

    async def races(request: web.Request) -> Answer:
        # Another client writes its own list right after ours was taken.
        is_read = request.method == "GET" and request.path.endswith(tag)
        if is_read and not replaced and (NAME, tag) in fake.manifests:
            body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
            fake.put(NAME, tag, OCI_INDEX, json.dumps(body).encode())
            replaced.append(tag)
        return None

    fake.hook = races
    at(fake, tmp_path, lambda to: refer(to, SUBJECT, ONE, document))
    listed = json.loads(fake.manifests[NAME, tag][1])["manifests"]
    assert [one["digest"] for one in listed] == [ONE.digest]
    assert replaced


def test_what_is_not_there_is_said(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        at(fake, tmp_path, lambda one: documents.fetch(one, "v1"))
    with pytest.raises(StoreError):
        at(fake, tmp_path, lambda to: documents.put(to, "v1", ONE, MANIFEST))
