"""One bucket, looked at past our own code."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from bundle.errors import ExistsError, NotFoundError, TargetError
from bundle.s3.client import SHA256, S3Client
from bundle.s3.probe import Probe, Truth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.objects import Bucket


@pytest.fixture
async def client(bucket: Bucket) -> AsyncIterator[S3Client]:
    async with S3Client(bucket.name, bucket.endpoint.connection) as opened:
        yield opened


async def test_what_is_put_says_what_it_is(bucket: Bucket, client: S3Client) -> None:
    await client.put_object("a/ü b", b"content", metadata={"more": "x"})
    assert bucket.objects() == {"a/ü b": b"content"}
    facts = await client.head("a/ü b")
    assert facts is not None
    assert (facts.size, facts.sha256) == (7, hashlib.sha256(b"content").digest())
    assert facts.metadata["more"] == "x"
    assert client.traffic.sent == 7
    assert await client.head("a") is None


async def test_what_others_put_has_no_digest(bucket: Bucket, client: S3Client) -> None:
    bucket.put("plain", b"x")
    bucket.put("lie", b"x", **{SHA256: "not hexadecimal"})
    for key in ("plain", "lie"):
        facts = await client.head(key)
        assert facts is not None
        assert facts.sha256 is None


async def test_parts_of_objects_are_read(bucket: Bucket, client: S3Client) -> None:
    bucket.put("key", b"0123456789")
    assert await client.get_range("key", 0, 4) == b"0123"
    assert await client.get_range("key", 8, 4) == b"89"
    assert await client.get_range("key", 3, 0) == b""
    assert await client.get("key", 10) == b"0123456789"
    with pytest.raises(TargetError, match="over 9 bytes"):
        await client.get("key", 9)
    with pytest.raises(NotFoundError, match=r"/gone: GetObject"):
        await client.get("gone", 9)


async def test_a_part_of_another_object_is_refused(
    bucket: Bucket, client: S3Client
) -> None:
    bucket.put("key", b"0123456789")
    facts = await client.head("key")
    assert facts is not None
    assert await client.get_range("key", 1, 2, facts.etag) == b"12"
    bucket.put("key", b"abcdefghij")
    with pytest.raises(ExistsError):
        await client.get_range("key", 1, 2, facts.etag)


async def test_a_listing_goes_on_to_its_end(
    bucket: Bucket, client: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    names = [f"p/{number:04}" for number in range(10)]
    for name in names:
        bucket.put(name, b"")
    bucket.put("p/a/b", b"x")
    bucket.put("q", b"")
    assert [one.key async for one in client.list("p/")] == [*names, "p/a/b"]
    short = [(one.key, one.size) async for one in client.list("p/a", "/")]
    assert short == [("p/a/", -1)]


async def test_removing_twice_is_removing(bucket: Bucket, client: S3Client) -> None:
    bucket.put("key", b"")
    await client.delete("key")
    await client.delete("key")
    assert bucket.keys() == []


async def test_only_new_objects_are_refused_where_one_is(client: S3Client) -> None:
    await client.put_object("key", b"one", only_new=True)
    # The same content: it may have been an attempt of our own.
    await client.put_object("key", b"one", only_new=True)
    with pytest.raises(ExistsError):
        await client.put_object("key", b"two", only_new=True)
    assert await client.get("key", 3) == b"one"


async def test_an_object_is_copied_with_metadata_of_its_own(client: S3Client) -> None:
    await client.put_object("one", b"content", metadata={"name": "one"})
    facts = await client.head("one")
    assert facts is not None
    held = {SHA256: facts.metadata[SHA256], "name": "two"}
    await client.copy("one", "two", 7, held)
    copied = await client.head("two")
    assert copied is not None
    assert copied.metadata == held
    assert (client.traffic.sent, client.traffic.copied) == (7, 7)


async def test_the_probe_leaves_nothing_behind(
    bucket: Bucket, client: S3Client
) -> None:
    probe = Probe(client, "p/.bundle/probe-")
    truth = await probe.truth()
    # What moto does; a Content-MD5 that is wrong is none of it.
    assert truth == Truth(
        conditional_put=True, checks_content=False, part_copy=True, small_parts=False
    )
    asked = client.traffic.requests
    assert await probe.truth() is truth
    assert client.traffic.requests == asked
    assert bucket.keys() == []
    assert bucket.uploads() == []
