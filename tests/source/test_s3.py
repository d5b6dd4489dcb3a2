"""Buckets as sources: what this tool put there, and what others did."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import SourceError
from bundle.s3.client import SHA256
from bundle.source.filter import ListOptions
from bundle.source.locate import parse_source
from bundle.source.options import SourceOptions

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.source.base import SourceArtifact
    from tests.objects import Bucket

COMMIT = "4" * 40
FOLDER = "models--org--model"


class Reader:
    """Somebody with a cache of their own who packs a bucket."""

    def __init__(self, bucket: Bucket, cache: Path) -> None:
        self.bucket = bucket
        self.cache = cache

    async def __call__(self, rest: str, **listing: Any) -> list[SourceArtifact]:  # noqa: ANN401
        options = SourceOptions(
            listing=ListOptions(**listing),
            environment={"XDG_CACHE_HOME": str(self.cache)},
            s3=self.bucket.endpoint.connection,
        )
        return await parse_source(
            f"s3://{self.bucket.name}/{rest}", options
        ).artifacts()


@pytest.fixture
def read(bucket: Bucket, tmp_path: Path) -> Reader:
    return Reader(bucket, tmp_path / "cache")


def contents(artifact: SourceArtifact) -> dict[str, bytes]:
    return {
        one.path: one.content
        if isinstance(one.content, bytes)
        else one.content.read_bytes()  # type: ignore[union-attr]
        for one in artifact.files
    }


async def test_snapshots_are_a_model(bucket: Bucket, read: Reader) -> None:
    home = f"p/{FOLDER}"
    bucket.put(f"{home}/snapshots/{COMMIT}/config.json", b"{}")
    bucket.put(f"{home}/snapshots/{COMMIT}/sub/a.bin", b"weights")
    bucket.put(f"{home}/refs/main", COMMIT.encode())
    bucket.put("p/.bundle/releases/x.json", b"{}")
    bucket.put(f"p/.locks/{FOLDER}/x.lock", b"")
    bucket.put("p/CACHEDIR.TAG", b"x")
    [model] = await read("p?layout=hf-snapshots")
    assert (model.kind, model.name) == ("hf-model", "org/model")
    assert model.source == f"s3://{bucket.name}/p?layout=hf-snapshots"
    assert contents(model) == {
        "refs/main": COMMIT.encode(),
        f"snapshots/{COMMIT}/config.json": b"{}",
        f"snapshots/{COMMIT}/sub/a.bin": b"weights",
    }


async def test_flat_names_are_models_data_and_trees(
    bucket: Bucket, read: Reader
) -> None:
    bucket.put(f"org/model/{COMMIT}/config.json", b"{}")
    bucket.put(f"datasets/org/data/{COMMIT}/a.txt", b"a")
    bucket.put(f".bundle/refs/{FOLDER}/main", COMMIT.encode())
    bucket.put("tools/bin/x", b"run", **{"bundle-executable": "yes"})
    bucket.put("tools/", b"")
    found = await read("?layout=flat")
    assert [(one.kind, one.name) for one in found] == [
        ("hf-dataset", "org/data"),
        ("hf-model", "org/model"),
        ("tree", "tools"),
    ]
    assert "refs/main" in contents(found[1])
    [tool] = found[2].files
    assert (tool.path, tool.executable) == ("bin/x", True)


async def test_a_second_run_only_asks(bucket: Bucket, read: Reader) -> None:
    bucket.put("t/one", b"one")
    bucket.put("t/two", b"two")
    await read("?layout=flat")
    [kept] = read.cache.rglob("one")
    inode = kept.stat().st_ino
    bucket.put("t/two", b"TWO")
    bucket.client.delete_object(Bucket=bucket.name, Key="t/none")
    [tree] = await read("?layout=flat")
    assert contents(tree) == {"one": b"one", "two": b"TWO"}
    assert kept.stat().st_ino == inode
    bucket.client.delete_object(Bucket=bucket.name, Key="t/one")
    [tree] = await read("?layout=flat")
    assert contents(tree) == {"two": b"TWO"}


async def test_a_download_goes_on_where_it_stopped(
    bucket: Bucket, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = hashlib.shake_128(b"x").digest(1000)
    bucket.put("t/one", data)
    await read("?layout=flat")
    [file] = read.cache.rglob("one")
    facts = bucket.client.head_object(Bucket=bucket.name, Key="t/one")
    mark = hashlib.blake2s(facts["ETag"].encode(), digest_size=8).hexdigest()
    file.unlink()
    file.with_name(f".one.{mark}.part").write_bytes(data[:600])
    asked: list[int] = []
    from bundle.s3.client import S3Client  # noqa: PLC0415 - only here

    real = S3Client.get_range

    async def get_range(
        client: S3Client, key: str, offset: int, length: int, etag: str | None = None
    ) -> bytes:
        asked.append(offset)
        return await real(client, key, offset, length, etag)

    monkeypatch.setattr(S3Client, "get_range", get_range)
    [tree] = await read("?layout=flat")
    assert contents(tree) == {"one": data}
    assert asked == [600]


async def test_only_what_is_wanted_is_fetched(bucket: Bucket, read: Reader) -> None:
    bucket.put("t/one", b"one")
    bucket.put("t/two", b"two")
    [tree] = await read("?layout=flat", include=("t/two",))
    assert contents(tree) == {"two": b"two"}
    assert list(read.cache.rglob("one")) == []
    with pytest.raises(SourceError, match="nothing of it is wanted"):
        await read("?layout=flat", include=("none",))


async def test_an_object_that_lies_is_refused(bucket: Bucket, read: Reader) -> None:
    bucket.put("t/one", b"one", **{SHA256: hashlib.sha256(b"two").hexdigest()})
    with pytest.raises(SourceError, match="not what its metadata says"):
        await read("?layout=flat")


@pytest.mark.parametrize("key", ["t/../x", "t//x"])
async def test_keys_that_name_no_file_are_refused(
    bucket: Bucket, read: Reader, key: str
) -> None:
    bucket.put(key, b"x")
    with pytest.raises(SourceError, match=r"rule 2\.3\.1"):
        await read("?layout=flat")


async def test_a_file_is_never_a_directory(bucket: Bucket, read: Reader) -> None:
    bucket.put("t/a", b"x")
    bucket.put("t/a/b", b"x")
    with pytest.raises(SourceError):
        await read("?layout=flat")


async def test_no_bucket_is_the_sources_fault(bucket: Bucket, read: Reader) -> None:
    read.bucket = type(bucket)(bucket.endpoint, "no-such-bucket", bucket.client)
    with pytest.raises(SourceError, match="NoSuchBucket") as caught:
        await read("?layout=flat")
    assert caught.value.advice
