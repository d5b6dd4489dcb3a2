"""Large objects: sent in parts, put together from others, gone on with."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import TargetError, TransientError
from bundle.flow.pace import Pace
from bundle.limits import MIB, MIN_PART
from bundle.s3.bucket import Bucket as Requests
from bundle.s3.client import S3Client
from bundle.s3.failures import NoUploadError, UnsupportedError
from bundle.s3.parts import Copy, Send, plan_parts
from bundle.s3.upload import Content, Uploads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.objects import Bucket

SIZE = 2 * MIN_PART + 77


@pytest.fixture
async def client(bucket: Bucket) -> AsyncIterator[S3Client]:
    pace = Pace(attempts=2, first=0)
    async with S3Client(bucket.name, bucket.endpoint.connection, pace) as opened:
        yield opened


@pytest.fixture
def content(tmp_path: Path) -> Content:
    data = hashlib.shake_128(b"weights").digest(SIZE)
    path = tmp_path / "content"
    path.write_bytes(data)
    return Content(path, len(data), hashlib.sha256(data).digest())


class Asked:
    """What is asked of a server, and what fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operations: list[tuple[str, dict[str, Any]]] = []
        self.fail: Callable[[str, dict[str, Any]], Exception | None] = lambda _, __: (
            None
        )
        real = Requests.once

        async def once(bucket: Requests, operation: str, key: str, **more: Any) -> Any:  # noqa: ANN401
            self.operations.append((operation, more))
            error = self.fail(operation, more)
            if error is not None:
                raise error
            return await real(bucket, operation, key, **more)

        monkeypatch.setattr(Requests, "once", once)

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.operations)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


async def test_a_large_file_is_sent_in_parts(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path, asked: Asked
) -> None:
    uploads = Uploads(client, tmp_path / "journals")
    await uploads.send("key", content, {"name": "x"})
    assert bucket.read("key") == content.path.read_bytes()
    facts = await client.head("key")
    assert facts is not None
    assert (facts.sha256, facts.metadata["name"]) == (content.sha256, "x")
    assert asked.count("UploadPart") == 2
    assert client.traffic.sent == SIZE
    assert list((tmp_path / "journals").iterdir()) == []


async def test_an_upload_goes_on_where_it_stopped(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path, asked: Asked
) -> None:
    def second_part(operation: str, more: dict[str, Any]) -> Exception | None:
        cut = operation == "UploadPart" and more["PartNumber"] == 2
        return TransientError("cut") if cut else None

    uploads = Uploads(client, tmp_path / "journals")
    asked.fail = second_part
    with pytest.raises(TransientError):
        await uploads.send("key", content)
    assert bucket.keys() == []
    asked.fail = lambda _, __: None
    # What is not cut off may have been cancelled: send what is left, once.
    left = 2 - sum(
        len(path.read_bytes().splitlines()) - 1
        for path in (tmp_path / "journals").iterdir()
    )
    asked.operations.clear()
    await Uploads(client, tmp_path / "journals").send("key", content)
    assert asked.count("UploadPart") == left
    assert asked.count("CreateMultipartUpload") == 0
    assert bucket.read("key") == content.path.read_bytes()
    assert bucket.uploads() == []


async def test_notes_that_lie_cost_a_part(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path, asked: Asked
) -> None:
    asked.fail = lambda operation, _: (
        TransientError("cut") if operation == "CompleteMultipartUpload" else None
    )
    uploads = Uploads(client, tmp_path / "journals")
    with pytest.raises(TransientError):
        await uploads.send("key", content)
    [notes] = (tmp_path / "journals").iterdir()
    head, *parts = notes.read_bytes().splitlines()
    first, _ = sorted(parts)
    notes.write_bytes(b"\n".join([head, first, b'[2,"another"]', b"[9", b'[7,"x"]']))
    asked.fail = lambda _, __: None
    asked.operations.clear()
    await uploads.send("key", content)
    assert asked.count("UploadPart") == 1
    assert bucket.read("key") == content.path.read_bytes()


async def test_another_file_is_another_upload(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path, asked: Asked
) -> None:
    asked.fail = lambda operation, _: (
        TransientError("cut") if operation == "CompleteMultipartUpload" else None
    )
    uploads = Uploads(client, tmp_path / "journals")
    with pytest.raises(TransientError):
        await uploads.send("key", content)
    assert bucket.uploads() == ["key"]
    asked.fail = lambda _, __: None
    data = bytes(SIZE)
    content.path.write_bytes(data)
    await uploads.send("key", replace(content, sha256=hashlib.sha256(data).digest()))
    assert bucket.read("key") == data
    assert bucket.uploads() == []


async def test_an_upload_that_is_gone_begins_anew(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path, asked: Asked
) -> None:
    def abort_first(operation: str, more: dict[str, Any]) -> Exception | None:
        if operation == "CompleteMultipartUpload" and asked.count(operation) == 1:
            bucket.client.abort_multipart_upload(
                Bucket=bucket.name, Key="key", UploadId=more["UploadId"]
            )
            return NoUploadError("gone")
        return None

    asked.fail = abort_first
    await Uploads(client, tmp_path / "journals").send("key", content)
    assert asked.count("CreateMultipartUpload") == 2
    assert bucket.read("key") == content.path.read_bytes()


async def test_an_answer_that_was_lost_is_looked_up(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path, asked: Asked
) -> None:
    def lose_first(operation: str, more: dict[str, Any]) -> Exception | None:
        if operation != "CompleteMultipartUpload" or asked.count(operation) > 1:
            return None
        bucket.client.complete_multipart_upload(
            Bucket=bucket.name,
            Key="key",
            UploadId=more["UploadId"],
            MultipartUpload=more["MultipartUpload"],
        )
        return TransientError("the answer was lost")

    asked.fail = lose_first
    await Uploads(client, tmp_path / "journals").send("key", content)
    assert asked.count("CompleteMultipartUpload") == 2
    assert asked.count("CreateMultipartUpload") == 1
    assert bucket.read("key") == content.path.read_bytes()


async def test_what_another_object_has_is_copied_there(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path
) -> None:
    old = content.path.read_bytes() * 2
    bucket.put("old", old)
    new = old[: MIN_PART + 5] + b"changed" * 9 + old[MIN_PART + 5 :]
    content.path.write_bytes(new)
    changed = Content(content.path, len(new), hashlib.sha256(new).digest())
    runs = [
        Copy(0, MIN_PART + 5, "old", 0),
        Copy(MIN_PART + 5 + 63, len(old) - MIN_PART - 5, "old", MIN_PART + 5),
    ]
    parts = plan_parts(len(new), runs)
    assert sum(part.size for part in parts if isinstance(part, Send)) == MIN_PART
    await Uploads(client, tmp_path / "journals").compose("new", changed, parts)
    assert bucket.read("new") == new
    traffic = client.traffic
    assert (traffic.sent, traffic.copied) == (MIN_PART, len(new) - MIN_PART)


async def test_a_server_that_cannot_copy_says_so_and_keeps_nothing(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path, asked: Asked
) -> None:
    bucket.put("old", content.path.read_bytes())
    asked.fail = lambda operation, _: (
        UnsupportedError("501") if operation == "UploadPartCopy" else None
    )
    uploads = Uploads(client, tmp_path / "journals")
    with pytest.raises(UnsupportedError):
        await uploads.compose("new", content, [Copy(0, SIZE, "old", 0)])
    assert bucket.uploads() == []
    assert list((tmp_path / "journals").iterdir()) == []


async def test_a_file_that_shrinks_is_not_sent(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path
) -> None:
    content.path.write_bytes(b"short")
    with pytest.raises(TargetError, match="changed while it was sent"):
        await Uploads(client, tmp_path / "journals").send("key", content)
    assert bucket.keys() == []
    assert bucket.uploads() == []


async def test_stale_uploads_are_ended_but_for_ours(
    bucket: Bucket, client: S3Client, content: Content, tmp_path: Path, asked: Asked
) -> None:
    for key in ("p/left", "q/left"):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
    asked.fail = lambda operation, _: (
        TransientError("cut") if operation == "CompleteMultipartUpload" else None
    )
    uploads = Uploads(client, tmp_path / "journals")
    with pytest.raises(TransientError):
        await uploads.send("p/mine", content)
    asked.fail = lambda _, __: None
    assert await uploads.abort_stale("p/", before=0) == 0
    assert await uploads.abort_stale("p/", before=4e9) == 1
    assert sorted(bucket.uploads()) == ["p/mine", "q/left"]


def test_part_sizes_are_what_the_tests_think() -> None:
    assert MIN_PART == 5 * MIB
