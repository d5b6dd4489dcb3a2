"""What endpoints do wrong, and the one line that is said of it."""

from __future__ import annotations

import contextlib
import hashlib
import io
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web

from bundle.errors import (
    BundleError,
    ExistsError,
    SpaceError,
    StoreError,
    TargetError,
    TransientError,
)
from bundle.flow.pace import Pace
from bundle.limits import MIN_PART
from bundle.s3.client import S3Client
from bundle.s3.failures import SmallPartError, UnsupportedError
from bundle.s3.options import Connection
from bundle.s3.probe import Probe
from bundle.s3.upload import Content, Uploads
from tests.faults import Fault, Schedule, proxying
from tests.objects import KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.objects import Bucket

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    """Run a server that answers everything with ``handler``."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def client_of(url: str, attempts: int = 1, **environment: str) -> S3Client:
    connection = Connection(endpoint_url=url, environment={**KEYS, **environment})
    return S3Client("bucket", connection, Pace(attempts, first=0))


def refusal(code: str, message: str = "", more: str = "") -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


REFUSALS: dict[str, tuple[int, str, type[BundleError], str, str]] = {
    "no bucket": (404, refusal("NoSuchBucket"), TargetError, "NoSuchBucket", "name"),
    "no right": (403, refusal("AccessDenied"), TargetError, "AccessDenied", "PROFILE"),
    "no such key": (
        403,
        refusal("InvalidAccessKeyId"),
        TargetError,
        "InvalidAccessKeyId",
        "AWS_ACCESS_KEY_ID",
    ),
    "a wrong secret": (
        403,
        refusal("SignatureDoesNotMatch"),
        TargetError,
        "SignatureDoesNotMatch",
        "AWS_SECRET_ACCESS_KEY",
    ),
    "a wrong clock": (
        403,
        refusal("RequestTimeTooSkewed", "The difference is too large."),
        TargetError,
        "403 RequestTimeTooSkewed The difference is too large.",
        "clock",
    ),
    "an old token": (400, refusal("ExpiredToken"), TargetError, "Expired", "token"),
    "another region": (
        400,
        refusal("AuthorizationHeaderMalformed", "", "<Region>eu-west-1</Region>"),
        TargetError,
        "AuthorizationHeaderMalformed",
        "--region eu-west-1",
    ),
    "another endpoint": (
        301,
        refusal("PermanentRedirect"),
        TargetError,
        "PermanentRedirect",
        "another region",
    ),
    "no room": (403, refusal("QuotaExceeded"), SpaceError, "QuotaExceeded", "quota"),
    "no such operation": (
        501,
        refusal("NotImplemented"),
        UnsupportedError,
        "501 NotImplemented",
        "does not know",
    ),
    "parts that are too small": (
        400,
        refusal("EntityTooSmall"),
        SmallPartError,
        "EntityTooSmall",
        "whole",
    ),
    "something there": (
        412,
        refusal("PreconditionFailed"),
        ExistsError,
        "PreconditionFailed",
        "there already",
    ),
    "too much at once": (503, refusal("SlowDown"), TransientError, "SlowDown", "again"),
    "an error inside": (500, refusal("InternalError"), TransientError, "500", "again"),
    "damage on the way": (400, refusal("BadDigest"), TransientError, "Bad", "again"),
    "too many requests": (429, refusal("Busy"), TransientError, "429 Busy", "again"),
}


@pytest.mark.parametrize(
    ("status", "body", "kind", "said", "advice"), REFUSALS.values(), ids=REFUSALS.keys()
)
async def test_a_refusal_is_one_line(
    status: int, body: str, kind: type[BundleError], said: str, advice: str
) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type="application/xml")

    async with answering(refuse) as url, client_of(url) as client:
        with pytest.raises(kind) as caught:
            await client.put_object("a/key", b"body")
    text = str(caught.value)
    assert text.startswith("s3://bucket/a/key: PutObject: ")
    assert said in text
    assert "\n" not in text
    assert advice in caught.value.advice
    # A retry helps, or it does not.
    assert caught.value.exit_code == (16 if issubclass(kind, StoreError) else 14)


async def test_a_page_is_no_answer_of_s3() -> None:
    status = [200]

    async def page(_: web.Request) -> web.Response:
        text = "<!DOCTYPE html><html><body><h1>Console<br></h1></body></html>"
        return web.Response(status=status[0], text=text, content_type="text/html")

    async with answering(page) as url, client_of(url) as client:
        for status[0] in (200, 403, 404):
            with pytest.raises(TargetError, match="ListObjectsV2") as caught:
                _ = [one async for one in client.list("p")]
            assert "--endpoint-url" in caught.value.advice
        status[0] = 502
        with pytest.raises(TransientError, match="502"):
            _ = [one async for one in client.list("p")]


async def test_a_page_that_is_xml_is_none_either() -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html><body/></html>", content_type="text/html")

    async with answering(page) as url, client_of(url) as client:
        with pytest.raises(TargetError, match="none of S3's"):
            _ = [one async for one in client.list("p")]


async def test_a_head_says_no_more_than_a_number() -> None:
    status = 403

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with answering(refuse) as url, client_of(url) as client:
        with pytest.raises(TargetError, match="403") as caught:
            await client.head("key")
        assert "clock" in caught.value.advice
        status = 400
        with pytest.raises(TargetError, match="400") as caught:
            await client.head("key")
        assert "token" in caught.value.advice
        status = 404
        assert await client.head("key") is None


async def test_a_listing_without_an_end_is_left() -> None:
    body = (
        "<ListBucketResult><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>same</NextContinuationToken></ListBucketResult>"
    )

    async def again(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/xml")

    async with answering(again) as url, client_of(url) as client:
        with pytest.raises(TargetError, match="has no end"):
            _ = [one async for one in client.list("p")]


async def test_whole_objects_in_place_of_parts_are_refused() -> None:
    async def whole(_: web.Request) -> web.Response:
        return web.Response(body=b"0123456789")

    async with answering(whole) as url, client_of(url) as client:
        assert await client.get_range("key", 0, 4) == b"0123"
        with pytest.raises(UnsupportedError, match="does not send parts"):
            await client.get_range("key", 4, 4)


async def test_an_answer_that_stops_is_asked_for_again() -> None:
    asked = 0

    async def stop(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        answer = web.StreamResponse()
        answer.content_length = 10
        await answer.prepare(request)
        await answer.write(b"01234" if asked < 3 else b"0123456789")
        if asked < 3 and request.transport is not None:
            request.transport.close()
        return answer

    async with answering(stop) as url, client_of(url, 3) as client:
        assert await client.get("key", 10) == b"0123456789"


async def test_what_is_there_after_a_put_is_looked_at() -> None:
    async def lie(request: web.Request) -> web.Response:
        headers = {"x-amz-meta-bundle-sha256": "0" * 64}
        return web.Response(headers=headers if request.method == "HEAD" else {})

    async with answering(lie) as url, client_of(url) as client:
        with pytest.raises(TransientError, match="is not what was put"):
            await client.put_object("key", b"")


async def test_a_server_that_nobody_runs_may_be_there_later() -> None:
    async with client_of("http://127.0.0.1:1") as client:
        with pytest.raises(TransientError, match="HeadObject"):
            await client.head("key")


async def test_without_credentials_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (*KEYS, "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    connection = Connection(endpoint_url="http://127.0.0.1:1")
    async with S3Client("bucket", connection, Pace(1)) as client:
        with pytest.raises(TargetError, match="no credentials") as caught:
            await client.head("key")
    assert "AWS_PROFILE" in caught.value.advice


async def test_a_profile_that_is_not_there_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    environment = {"AWS_PROFILE": "nobody"}
    connection = Connection(endpoint_url="http://127.0.0.1:1", environment=environment)
    with pytest.raises(TargetError, match="nobody"):
        async with S3Client("bucket", connection, Pace(1)):
            pass


@pytest.fixture
def content(tmp_path: Path) -> Content:
    data = hashlib.shake_128(b"content").digest(2 * MIN_PART + 1)
    (tmp_path / "content").write_bytes(data)
    return Content(tmp_path / "content", len(data), hashlib.sha256(data).digest())


class Once(Schedule):
    """Spoils each of the first requests in the same way."""

    def __init__(self, fault: Fault, most: int) -> None:
        super().__init__(seed=1, most=most, delay=0)
        self._fault = fault

    def next(self) -> Fault:
        self.most -= 1
        return self._fault if self.most >= 0 and self.most % 2 else Fault.NONE


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.NONE])
async def test_a_connection_may_break_in_every_phase(
    bucket: Bucket, content: Content, tmp_path: Path, fault: Fault
) -> None:
    with proxying(bucket.endpoint.url, Once(fault, 12)) as proxy:
        connection = Connection(endpoint_url=proxy.url, environment=KEYS)
        client = S3Client(bucket.name, connection, Pace(8, first=0))
        async with client:
            await client.put_object("small", b"small")
            await Uploads(client, tmp_path / "journals").send("large", content)
            assert await client.get("small", 5) == b"small"
            assert [one.key async for one in client.list("")] == ["large", "small"]
            await client.delete("small")
            # What was begun, and never heard of, is ended when it is old.
            await Uploads(client, tmp_path / "journals").abort_stale("", before=4e9)
        assert len(proxy.faults) >= 5
    assert bucket.objects() == {"large": content.path.read_bytes()}
    assert bucket.uploads() == []


async def test_an_empty_etag_at_the_end_means_nothing(
    bucket: Bucket, content: Content, tmp_path: Path
) -> None:
    async def pass_on(request: web.Request) -> web.Response:
        async with (
            ClientSession() as session,
            session.request(
                request.method,
                f"{bucket.endpoint.url}{request.raw_path}",
                headers=request.headers,
                data=io.BytesIO(await request.read()),
            ) as answer,
        ):
            body = await answer.read()
            if request.method == "POST" and "uploadId" in request.query:
                head, _, rest = body.partition(b"<ETag>")
                body = head + b"<ETag>" + rest[rest.index(b"</ETag>") :]
            headers = {
                name: value
                for name, value in answer.headers.items()
                if name.lower().startswith(("x-amz", "etag", "last"))
            }
            if request.method == "HEAD":
                headers["Content-Length"] = answer.headers["Content-Length"]
            return web.Response(status=answer.status, body=body, headers=headers)

    async with answering(pass_on) as url:
        connection = Connection(endpoint_url=url, environment=KEYS)
        async with S3Client(bucket.name, connection, Pace(2, first=0)) as client:
            await Uploads(client, tmp_path / "journals").send("key", content)
    assert bucket.read("key") == content.path.read_bytes()


async def test_an_endpoint_that_ignores_conditions_is_found_out(
    bucket: Bucket,
) -> None:
    """A server that overwrites, whatever it is asked, and copies no parts."""

    async def deaf(request: web.Request) -> web.Response:
        if "x-amz-copy-source" in request.headers:
            text = refusal("NotImplemented")
            return web.Response(status=501, text=text, content_type="application/xml")
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() != "if-none-match"
        }
        async with (
            ClientSession() as session,
            session.request(
                request.method,
                f"{bucket.endpoint.url}{request.raw_path}",
                headers=headers,
                data=io.BytesIO(await request.read()),
            ) as answer,
        ):
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower().startswith(("x-amz", "etag", "content-length"))
            }
            body = await answer.read()
            return web.Response(status=answer.status, body=body, headers=kept)

    async with answering(deaf) as url:
        connection = Connection(endpoint_url=url, environment=KEYS)
        async with S3Client(bucket.name, connection, Pace(2, first=0)) as client:
            truth = await Probe(client, "probe-").truth()
            assert not truth.conditional_put
            assert not truth.part_copy
            await client.put_object("key", b"one")
            await client.put_object("key", b"two", only_new=True)
    assert bucket.objects() == {"key": b"two"}
    assert bucket.uploads() == []
