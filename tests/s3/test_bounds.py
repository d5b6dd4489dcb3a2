"""Bounds of what a bucket may say, each exceeded by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.errors import TargetError
from bundle.flow.pace import Pace
from bundle.s3.address import parse_address
from bundle.s3.client import S3Client
from bundle.s3.options import Connection
from bundle.s3.parts import plan_parts
from bundle.source.s3_mirror import Mirror
from bundle.target.ledger import Ledger
from bundle.target.s3_inventory import Inventory
from bundle.target.s3_papers import LEDGER, PAPERS, Marker, Papers
from bundle.target.workspace import Workspace
from tests.target.test_s3 import FIRST, Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.objects import Bucket

STREAM = "5" * 32


@pytest.fixture
async def client(bucket: Bucket) -> AsyncIterator[S3Client]:
    connection = Connection(
        endpoint_url=bucket.endpoint.url, environment=bucket.endpoint.environment
    )
    async with S3Client(bucket.name, connection, Pace(1)) as opened:
        yield opened


@pytest.fixture
async def papers(bucket: Bucket, client: S3Client) -> Papers:
    return Papers(client, Inventory(client, parse_address(f"s3://{bucket.name}/p")))


async def test_pages_of_a_listing(
    bucket: Bucket, client: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "1")
    for key in ("a", "b", "c"):
        bucket.put(key, b"")
    monkeypatch.setattr("bundle.s3.client.MAX_OBJECT_PAGES", 3)
    assert len([one async for one in client.list("")]) == 3
    monkeypatch.setattr("bundle.s3.client.MAX_OBJECT_PAGES", 2)
    with pytest.raises(TargetError, match="has no end"):
        _ = [one async for one in client.list("")]


async def test_bytes_of_a_marker(
    bucket: Bucket, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = Marker("blake3:x", STREAM, "models", 1, "flat", ())
    await papers.mark("", marker)
    size = len(marker.serialize())
    monkeypatch.setattr("bundle.target.s3_papers.MAX_MARKER", size)
    assert await papers.marker("", STREAM) == marker
    monkeypatch.setattr("bundle.target.s3_papers.MAX_MARKER", size - 1)
    with pytest.raises(TargetError, match=f"over {size - 1} bytes"):
        await papers.marker("", STREAM)
    bucket.put(f"p/.bundle/releases/{STREAM}.json", b"no marker")
    assert await papers.marker("", STREAM) is None


async def test_bytes_of_a_ledger(
    bucket: Bucket, client: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b'{"id":"' + b"7" * 32 + b'"}'
    bucket.put(f"p/{LEDGER}", data)
    ledger = Ledger(Workspace(tmp_path))
    for bound, known in ((len(data) - 1, False), (len(data), True)):
        monkeypatch.setattr("bundle.target.s3_papers.MAX_LEDGER", bound)
        inventory = Inventory(client, parse_address(f"s3://{bucket.name}/p"))
        await inventory.look(PAPERS)
        await Papers(client, inventory).fetch_ledger(ledger)
        assert (ledger.identity() is not None) is known


async def test_bytes_of_notes_on_a_copy(
    bucket: Bucket, client: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("one", b"one")
    await Mirror(client, tmp_path).fetch({"one": "one"})
    size = (tmp_path / "objects.json").stat().st_size
    for bound, again in ((size, False), (size - 1, True)):
        monkeypatch.setattr("bundle.source.s3_mirror.MAX_MIRROR_NOTES", bound)
        inode = (tmp_path / "one").stat().st_ino
        await Mirror(client, tmp_path).fetch({"one": "one"})
        assert ((tmp_path / "one").stat().st_ino != inode) is again


def test_parts_of_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 10 * 10 * 1024 * 1024
    monkeypatch.setattr("bundle.s3.parts.MAX_PARTS", 10)
    assert len(plan_parts(size)) == 10
    assert len(plan_parts(size + 1)) == 6


async def test_bytes_of_a_recipe_that_is_kept(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(FIRST.recipe.data)
    for bound, kept in ((size - 1, 0), (size, 1)):
        monkeypatch.setattr("bundle.target.s3_papers.MAX_KEPT_RECIPE", bound)
        rest = f"{kept}?layout=hf-snapshots"
        await Site(bucket, tmp_path / f"{kept}").publish(FIRST, rest=rest)
        assert len(bucket.keys(f"{kept}/.bundle/recipes/")) == kept
