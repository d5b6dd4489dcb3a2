"""Reading blobs from a registry that is slow, wrong, or gives up halfway."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from bundle.errors import IntegrityError, NotFoundError, StoreError, TransientError
from bundle.oci.descriptors import Descriptor
from bundle.registry.blobs import is_there, pull, read_range
from bundle.registry.cache import BlobCache
from bundle.registry.connection import Registry
from bundle.registry.failures import DeniedError
from bundle.registry.landing import BUFFER
from bundle.registry.repository import Repository
from tests.layouts import noise

if TYPE_CHECKING:
    from pathlib import Path

    from tests.registry.fake import Answer, Fake, Hook

NAME = "team/app"
KIND = "application/octet-stream"
DATA = noise(3 * BUFFER + 77)
ONE = Descriptor.of(KIND, DATA)


def pulled(fake: Fake, tmp_path: Path, one: Descriptor = ONE) -> bytes:
    """Pull a blob into a cache below ``tmp_path`` and return what came."""

    async def run() -> Path:
        async with Registry(fake.host, fake.options(tmp_path)) as registry:
            return await pull(Repository(registry, NAME), one, BlobCache(tmp_path))

    return asyncio.run(run()).read_bytes()


def once(*answers: Hook) -> Hook:
    """Give each hook one request for a blob, and then let the registry answer."""
    waiting = list(answers)

    async def hook(request: web.Request) -> Answer:
        if not waiting or "/blobs/" not in request.path or request.method != "GET":
            return None
        return await waiting.pop(0)(request)

    return hook


async def half(request: web.Request) -> web.StreamResponse:
    """Send half of what is left of the blob, and hang up."""
    start = request.http_range.start or 0
    left = DATA[start:]
    headers = {"Content-Length": str(len(left))}
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
    response = web.StreamResponse(status=206 if start else 200, headers=headers)
    await response.prepare(request)
    await response.write(left[: len(left) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


def status(code: int, text: str = "", **headers: str) -> Hook:
    async def hook(_: web.Request) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text=text, headers=named)

    return hook


def test_a_blob_is_pulled_and_kept(fake: Fake, tmp_path: Path) -> None:
    fake.add(NAME, DATA)
    assert pulled(fake, tmp_path) == DATA
    assert BlobCache(tmp_path).holds(ONE.blob, ONE.size)
    assert not list(tmp_path.rglob("*.part"))


def test_what_is_in_the_cache_is_not_pulled_again(fake: Fake, tmp_path: Path) -> None:
    fake.add(NAME, DATA)
    pulled(fake, tmp_path)
    before = len(fake.asked)
    assert pulled(fake, tmp_path) == DATA
    assert len(fake.asked) == before


def test_half_a_blob_is_gone_on_with_from_where_it_stopped(
    fake: Fake, tmp_path: Path
) -> None:
    fake.add(NAME, DATA)
    fake.hook = once(half, half)
    assert pulled(fake, tmp_path) == DATA
    ranges = [one.headers.get("Range") for one in fake.asked if one.method == "GET"]
    assert ranges[0] is None
    assert all(one and one.startswith("bytes=") for one in ranges[1:])
    assert len(ranges) == 3


def test_an_interrupted_run_is_gone_on_with_by_the_next(
    fake: Fake, tmp_path: Path
) -> None:
    fake.add(NAME, DATA)
    fake.hook = once(half, status(403))
    with pytest.raises(DeniedError):
        pulled(fake, tmp_path)
    (part,) = tmp_path.rglob("*.part")
    there = part.stat().st_size
    assert 0 < there < len(DATA)
    fake.asked.clear()
    assert pulled(fake, tmp_path) == DATA
    assert [one.headers["Range"] for one in fake.asked] == [f"bytes={there}-"]


def test_a_part_that_is_damaged_is_pulled_anew(fake: Fake, tmp_path: Path) -> None:
    fake.add(NAME, DATA)
    part = BlobCache(tmp_path).path(ONE.blob).with_suffix(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(1000))
    assert pulled(fake, tmp_path) == DATA


def test_a_part_longer_than_the_blob_is_pulled_anew(fake: Fake, tmp_path: Path) -> None:
    fake.add(NAME, DATA)
    part = BlobCache(tmp_path).path(ONE.blob).with_suffix(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA + b"more")
    assert pulled(fake, tmp_path) == DATA


def test_a_registry_without_ranges_sends_it_all_again(
    fake: Fake, tmp_path: Path
) -> None:
    fake.add(NAME, DATA)

    async def whole(_: web.Request) -> Answer:
        return web.Response(body=DATA)

    fake.hook = once(half, whole)
    assert pulled(fake, tmp_path) == DATA


def test_another_range_than_was_asked_for_is_refused(
    fake: Fake, tmp_path: Path
) -> None:
    fake.add(NAME, DATA)
    wrong = status(206, "x" * 10, Content_Range=f"bytes 5-14/{len(DATA)}")
    fake.hook = once(half, wrong)
    with pytest.raises(StoreError, match="not the range that was asked for"):
        pulled(fake, tmp_path)


def test_a_server_that_is_busy_is_asked_again(fake: Fake, tmp_path: Path) -> None:
    fake.add(NAME, DATA)
    fake.hook = once(status(500), status(429, Retry_After="3"), status(503))
    assert pulled(fake, tmp_path) == DATA


def test_a_server_that_stays_broken_is_given_up(fake: Fake, tmp_path: Path) -> None:
    fake.hook = once(*[status(500)] * 20)
    with pytest.raises(TransientError) as caught:
        pulled(fake, tmp_path)
    line = str(caught.value)
    assert line == f"{fake.host}/{NAME}@{ONE.digest}: the registry answers 500"
    assert "run the same command again" in caught.value.advice
    assert fake.count("GET", "/blobs/") == 6


def test_other_bytes_than_the_digest_names_are_refused(
    fake: Fake, tmp_path: Path
) -> None:
    fake.blobs[NAME, ONE.digest] = DATA[:-1] + b"!"
    with pytest.raises(IntegrityError, match="sends other bytes") as caught:
        pulled(fake, tmp_path)
    assert ONE.digest in str(caught.value)
    assert not BlobCache(tmp_path).holds(ONE.blob, ONE.size)


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_content_length_that_is_not_the_manifests_is_refused(
    fake: Fake, tmp_path: Path, difference: int
) -> None:
    fake.add(NAME, DATA)
    lying = Descriptor(KIND, ONE.digest, ONE.size + difference)
    with pytest.raises(IntegrityError, match="bytes at the registry") as caught:
        pulled(fake, tmp_path, lying)
    assert f"{len(DATA)} bytes at the registry, {lying.size} by" in str(caught.value)


def test_more_bytes_than_the_manifest_says_are_not_kept(
    fake: Fake, tmp_path: Path
) -> None:
    async def endless(request: web.Request) -> Answer:
        response = web.StreamResponse()  # chunked: no length is said
        await response.prepare(request)
        for _ in range(100):
            await response.write(DATA)
        return response

    fake.hook = once(endless)
    with pytest.raises(IntegrityError, match="over"):
        pulled(fake, tmp_path)
    parts = [path.stat().st_size for path in tmp_path.rglob("*.part")]
    assert sum(parts) <= len(DATA)


def test_a_web_page_is_no_blob(fake: Fake, tmp_path: Path) -> None:
    async def page(_: web.Request) -> Answer:
        return web.Response(text="<html>log in</html>", content_type="text/html")

    fake.hook = page
    with pytest.raises(StoreError, match="answers with a web page") as caught:
        pulled(fake, tmp_path)
    assert "a proxy or a page to log in" in caught.value.advice


def test_a_blob_that_is_not_there_is_said(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="404, BLOB_UNKNOWN"):
        pulled(fake, tmp_path)


def test_a_sha_512_is_verified_as_well(fake: Fake, tmp_path: Path) -> None:
    digest = f"sha512:{hashlib.sha512(DATA).hexdigest()}"
    fake.blobs[NAME, digest] = DATA
    assert pulled(fake, tmp_path, Descriptor(KIND, digest, len(DATA))) == DATA


def test_whether_a_blob_is_there_is_asked_with_its_size(
    fake: Fake, tmp_path: Path
) -> None:
    fake.add(NAME, DATA)

    async def run(one: Descriptor) -> bool:
        async with Registry(fake.host, fake.options(tmp_path)) as registry:
            return await is_there(Repository(registry, NAME), one)

    assert asyncio.run(run(ONE))
    assert not asyncio.run(run(Descriptor.of(KIND, b"other")))
    with pytest.raises(IntegrityError, match="bytes at the registry"):
        asyncio.run(run(Descriptor(KIND, ONE.digest, 5)))
    assert fake.count("GET") == 0


@pytest.mark.parametrize("ranges", [True, False])
def test_a_range_of_a_blob_is_read(fake: Fake, tmp_path: Path, ranges: bool) -> None:  # noqa: FBT001
    fake.add(NAME, DATA)

    async def whole(_: web.Request) -> Answer:
        return None if ranges else web.Response(body=DATA)

    async def run() -> list[bytes]:
        async with Registry(fake.host, fake.options(tmp_path)) as registry:
            repository = Repository(registry, NAME)
            return [
                await read_range(repository, ONE.digest, start, 1000)
                for start in (0, 5, len(DATA) - 10)
            ]

    fake.hook = whole
    expected = [DATA[:1000], DATA[5:1005], DATA[-10:]]
    assert asyncio.run(run()) == expected


def test_two_processes_that_want_one_blob_do_not_share_a_part(
    fake: Fake, tmp_path: Path
) -> None:
    fake.add(NAME, DATA)
    with BlobCache(tmp_path).part(ONE.blob) as held:
        assert pulled(fake, tmp_path) == DATA
        assert held.size == 0
