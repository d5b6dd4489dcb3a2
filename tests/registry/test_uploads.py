"""Writing blobs to a registry that forgets, refuses, or sends uploads elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from aiohttp import web

from bundle.errors import IntegrityError, StoreError, TargetError, TransientError
from bundle.limits import MIB
from bundle.oci.descriptors import Descriptor
from bundle.registry import uploads
from bundle.registry.connection import Registry
from bundle.registry.failures import DeniedError, RefusedError
from bundle.registry.repository import Repository
from bundle.registry.uploads import SMALL, Sent, push
from tests.layouts import noise
from tests.registry.fake import problem, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.registry.fake import Answer, Fake, Hook

NAME = "team/app"
KIND = "application/octet-stream"
LARGE = noise(SMALL + 3 * MIB + 5)
LITTLE = noise(2000)


@pytest.fixture(autouse=True)
def small_pieces() -> Iterator[None]:
    with mock.patch.object(uploads, "PIECE", MIB):
        yield


def pushed(
    fake: Fake,
    tmp_path: Path,
    data: bytes = LARGE,
    *,
    also: tuple[str, ...] = (),
    content: bytes | None = None,
) -> Sent:
    """Push a blob from a file that has ``content``, or the blob's own."""
    path = tmp_path / "content"
    path.write_bytes(data if content is None else content)

    async def run() -> Sent:
        async with Registry(fake.host, fake.options(tmp_path)) as registry:
            repository = Repository(registry, NAME, push=True, also=also)
            return await push(repository, Descriptor.of(KIND, data), path)

    return asyncio.run(run())


def held(fake: Fake, data: bytes) -> bool:
    return fake.blobs.get((NAME, Descriptor.of(KIND, data).digest)) == data


def on(method: str, *answers: Hook) -> Hook:
    """Give each hook one request of a method to an upload, then the registry."""
    waiting = list(answers)

    async def hook(request: web.Request) -> Answer:
        if not waiting or "/uploads/" not in request.path or request.method != method:
            return None
        return await waiting.pop(0)(request)

    return hook


def status(code: int, name: str = "UNKNOWN") -> Hook:
    async def hook(_: web.Request) -> Answer:
        return problem(code, name)

    return hook


@pytest.mark.parametrize("data", [b"x", LITTLE, noise(SMALL), noise(SMALL + 1), LARGE])
def test_a_blob_is_sent(fake: Fake, tmp_path: Path, data: bytes) -> None:
    assert pushed(fake, tmp_path, data) is Sent.SENT
    assert held(fake, data)
    assert not fake.uploads


def test_a_small_blob_takes_two_requests_and_no_post_has_a_body(
    fake: Fake, tmp_path: Path
) -> None:
    pushed(fake, tmp_path, LITTLE)
    wanted = [("HEAD", 0), ("POST", 0), ("PUT", len(LITTLE))]
    assert [(one.method, one.size) for one in fake.asked] == wanted


def test_a_large_blob_is_sent_in_pieces_each_where_the_last_answer_says(
    fake: Fake, tmp_path: Path
) -> None:
    pushed(fake, tmp_path)
    pieces = [one for one in fake.asked if one.method == "PATCH"]
    assert [one.size for one in pieces] == [MIB, MIB, MIB, MIB, 5]
    starts = [one.headers["Content-Range"].partition("-")[0] for one in pieces]
    assert starts == [str(number * MIB) for number in range(5)]
    assert [one.query for one in pieces] == [f"_state={start}" for start in starts]
    assert fake.asked[-1].query.startswith(f"_state={len(LARGE)}&digest=sha256:")


def test_what_is_there_is_not_sent(fake: Fake, tmp_path: Path) -> None:
    fake.add(NAME, LARGE)
    assert pushed(fake, tmp_path) is Sent.HELD
    assert fake.sent == 0


def test_what_another_repository_has_is_mounted(fake: Fake, tmp_path: Path) -> None:
    fake.add("other/place", LARGE)
    assert pushed(fake, tmp_path, also=("other/place",)) is Sent.MOUNTED
    assert held(fake, LARGE)
    assert fake.sent == 0


def test_what_cannot_be_mounted_is_sent(fake: Fake, tmp_path: Path) -> None:
    assert pushed(fake, tmp_path, also=("other/place",)) is Sent.SENT
    assert held(fake, LARGE)
    assert not fake.uploads


def part_arrives(fake: Fake, share: int) -> Hook:
    """Keep some of a piece, and then be as if the machine had gone."""

    async def hook(request: web.Request) -> Answer:
        body = await request.read()
        fake.uploads[request.path.rpartition("/")[2]] += body[:share]
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return hook


@pytest.mark.parametrize("share", [0, 1000, MIB])
def test_a_piece_that_broke_off_goes_on_where_the_registry_says(
    fake: Fake, tmp_path: Path, share: int
) -> None:
    fake.hook = on("PATCH", part_arrives(fake, share))
    assert pushed(fake, tmp_path) is Sent.SENT
    assert held(fake, LARGE)
    assert fake.count("GET", "/uploads/") == 1


def test_one_byte_that_arrived_looks_like_none_and_the_upload_begins_again(
    fake: Fake, tmp_path: Path
) -> None:
    fake.hook = on("PATCH", part_arrives(fake, 1))
    assert pushed(fake, tmp_path) is Sent.SENT
    assert held(fake, LARGE)
    assert fake.count("POST") == 2


def test_an_upload_that_the_registry_forgot_begins_again(
    fake: Fake, tmp_path: Path
) -> None:
    async def passes(_: web.Request) -> Answer:
        return None

    async def forgets(_: web.Request) -> Answer:
        fake.uploads.clear()
        return None

    fake.hook = on("PATCH", passes, passes, forgets)
    assert pushed(fake, tmp_path) is Sent.SENT
    assert held(fake, LARGE)
    assert fake.count("POST") == 2


def test_a_blob_whose_last_answer_was_lost_is_found_to_be_there(
    fake: Fake, tmp_path: Path
) -> None:
    async def lost(request: web.Request) -> Answer:
        fake.add(NAME, LARGE)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    fake.hook = on("PUT", lost)
    assert pushed(fake, tmp_path) is Sent.SENT
    assert fake.count("POST") == 1


@pytest.mark.parametrize("data", [LITTLE, LARGE])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(
    fake: Fake, tmp_path: Path, method: str, code: int, data: bytes
) -> None:
    fake.hook = on(method, status(code), status(code))
    assert pushed(fake, tmp_path, data) is Sent.SENT
    assert held(fake, data)


def test_a_server_that_stays_broken_is_given_up_and_the_upload_is_cancelled(
    fake: Fake, tmp_path: Path
) -> None:
    fake.hook = on("PATCH", *[status(500)] * 50)
    with pytest.raises(TransientError, match="answers 500"):
        pushed(fake, tmp_path)
    assert not fake.uploads
    assert fake.count("DELETE") == 1
    assert not fake.blobs


def test_a_digest_that_the_registry_disputes_is_not_sent_for_ever(
    fake: Fake, tmp_path: Path
) -> None:
    fake.hook = on("PUT", *[status(400, "DIGEST_INVALID")] * 50)
    with pytest.raises(TransientError, match="DIGEST_INVALID"):
        pushed(fake, tmp_path, LITTLE)
    assert not fake.blobs


def test_content_that_is_not_the_blob_is_not_kept_there_whatever_the_registry_says(
    fake: Fake, tmp_path: Path
) -> None:
    async def believes(_: web.Request) -> Answer:
        return web.Response(status=201)

    fake.hook = on("PUT", believes)
    for data in (LARGE, LITTLE):
        spoilt = data[:-1] + b"!" if data[-1:] != b"!" else data[:-1] + b"?"
        with pytest.raises(IntegrityError, match="another digest") as caught:
            pushed(fake, tmp_path, data, content=spoilt)
        assert Descriptor.of(KIND, data).digest in str(caught.value)
    assert fake.count("PUT") == 0
    assert not fake.uploads


def test_content_of_another_size_is_not_sent(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="bytes, not"):
        pushed(fake, tmp_path, LITTLE, content=b"short")
    assert fake.sent == 0


def test_an_upload_at_another_origin_is_refused_and_nothing_is_sent_there(
    fake: Fake, tmp_path: Path
) -> None:
    visits: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        visits.append(request.path)
        return web.Response(status=202)

    with serving(elsewhere) as url:

        async def away(_: web.Request) -> Answer:
            return web.Response(status=202, headers={"Location": f"{url}/upload"})

        for method in ("POST", "PATCH"):
            fake.hook = on(method, away)
            with pytest.raises(StoreError, match="not its own address") as caught:
                pushed(fake, tmp_path)
            assert "by which scheme, host and port" in caught.value.advice
    assert not visits
    assert not fake.blobs


@pytest.mark.parametrize(
    "location",
    ["", "https://{host}/v2/x", "//elsewhere.example/x", "http://u@{host}/"],
)
def test_an_upload_nowhere_is_refused(
    fake: Fake, tmp_path: Path, location: str
) -> None:
    async def odd(_: web.Request) -> Answer:
        where = location.format(host=fake.host)
        return web.Response(status=202, headers={"Location": where})

    fake.hook = on("POST", odd)
    with pytest.raises(StoreError, match="not its own address"):
        pushed(fake, tmp_path)


def test_a_redirect_of_an_upload_is_not_followed(fake: Fake, tmp_path: Path) -> None:
    async def redirect(_: web.Request) -> Answer:
        return web.Response(status=307, headers={"Location": "/v2/elsewhere"})

    fake.hook = on("PATCH", redirect)
    with pytest.raises(RefusedError, match="307"):
        pushed(fake, tmp_path)


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (403, DeniedError, "ask for the right"),
        (413, RefusedError, "a proxy before the registry bounds requests"),
        (405, RefusedError, "read-only"),
    ],
)
def test_a_refusal_says_what_to_do(
    fake: Fake, tmp_path: Path, code: int, kind: type[StoreError], advice: str
) -> None:
    fake.hook = on("PATCH", status(code))
    with pytest.raises(kind) as caught:
        pushed(fake, tmp_path)
    assert str(caught.value).startswith(f"{fake.host}/{NAME}@sha256:")
    assert advice in caught.value.advice
    assert not fake.uploads
