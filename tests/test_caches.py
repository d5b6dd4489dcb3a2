"""The caches that tests make are those that a real client makes and reads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.caches import (
    Layout,
    Repository,
    commit_of,
    identity,
    is_large,
    read,
    real_model,
    repository,
    small_model,
    write_cache,
)
from tests.clients import ClientError, HubClient, contents
from tests.hub import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL, OLD = small_model(), small_model("of an older commit")
MODEL = repository(
    SMALL,
    older=[OLD],
    refs={"refs/pr/1": commit_of(OLD)},
    absent=("adapter_config.json", "sub/absent.json"),
)


@pytest.fixture(scope="module")
def client() -> Iterator[HubClient]:
    with HubClient() as client:
        yield client


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
def test_a_client_reads_every_layout(
    tmp_path: Path, client: HubClient, layout: Layout
) -> None:
    write_cache(tmp_path / "hub", MODEL, layout)
    cache = str(tmp_path / "hub")
    for revision, files in (("main", SMALL), ("refs/pr/1", OLD)):
        found = client.snapshot("org/model", revision=revision, cache_dir=cache)
        assert contents(found) == {path: read(files[path]) for path in files}
    absent = client.cached("org/model", "sub/absent.json", cache_dir=cache)
    assert absent == "no such file"


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
def test_a_client_finds_nothing_wrong(
    tmp_path: Path, client: HubClient, layout: Layout
) -> None:
    hub = tmp_path / "hub"
    for kind in ("hf-model", "hf-dataset", "hf-space", "hf-kernel"):
        write_cache(hub, repository(SMALL, kind=kind), layout, litter=False)
    write_cache(hub, repository(SMALL, name="gpt2"), layout, litter=False)
    scan = client.scan(hub)
    assert not scan.warnings
    assert sorted(scan.repositories) == [
        "dataset/org/model",
        "kernel/org/model",
        "model/gpt2",
        "model/org/model",
        "space/org/model",
    ]


def test_a_client_misses_what_is_missing(tmp_path: Path, client: HubClient) -> None:
    root = write_cache(tmp_path / "hub", MODEL)
    (root / "snapshots" / commit_of(SMALL) / "vocab.txt").unlink()
    with pytest.raises(ClientError, match="IncompleteSnapshotError"):
        client.snapshot("org/model", cache_dir=str(tmp_path / "hub"))


def listing(hub: Path) -> dict[str, str | bytes]:
    """Return every file of a cache, with the text of a link in place of content."""
    return {
        path.relative_to(hub).as_posix(): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes()
        )
        for path in sorted(hub.rglob("*"))
        if (path.is_symlink() or path.is_file())
        and ".locks" not in path.parts
        and path.name != "CACHEDIR.TAG"
    }


def downloaded(cache: Path, repo: Repository, layout: Layout) -> None:
    """Let a real client make the cache."""
    plain = layout is Layout.PLAIN
    with (
        serving([repo]) as hub,
        HubClient(
            cache=cache,
            environment={
                "HF_HUB_OFFLINE": "0",
                "HF_ENDPOINT": hub.url,
                "HF_HUB_DISABLE_SYMLINKS": "1" if plain else "0",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "HF_HOME": str(cache.parent / "home"),
            },
        ) as client,
    ):
        for ref, commit in repo.refs.items():
            client.snapshot(repo.name, revision=ref)
            for path in repo.absent:
                with pytest.raises(ClientError, match="EntryNotFoundError"):
                    client.file(repo.name, path, revision=commit)


@pytest.mark.parametrize("layout", [Layout.CLASSIC, Layout.PLAIN])
def test_a_client_writes_the_same_cache(tmp_path: Path, layout: Layout) -> None:
    downloaded(tmp_path / "real", MODEL, layout)
    write_cache(tmp_path / "made", MODEL, layout, litter=False)
    assert listing(tmp_path / "made") == listing(tmp_path / "real")


def test_the_real_model_is_downloaded_as_it_is_made(tmp_path: Path) -> None:
    model = repository(real_model(), name="sentence-transformers/all-MiniLM-L6-v2")
    downloaded(tmp_path / "real", model, Layout.CLASSIC)
    write_cache(tmp_path / "made", model, litter=False)
    assert listing(tmp_path / "made") == listing(tmp_path / "real")


PUBLISH = """
import json, sys
from huggingface_hub.utils import _shared_blobs
for arguments in json.load(sys.stdin):
    assert _shared_blobs.publish_blob_to_shared_store(**arguments)
"""


def test_a_client_shares_blobs_in_the_same_way(tmp_path: Path) -> None:
    """The library makes the store by itself: no server here speaks its protocol."""
    made = write_cache(tmp_path / "made", MODEL, Layout.SHARED, litter=False)
    real = write_cache(tmp_path / "real", MODEL, litter=False)
    large = {
        content
        for files in (SMALL, OLD)
        for path, content in files.items()
        if is_large(path)
    }
    arguments = [
        {
            "blob_path": str(real / "blobs" / identity(content).sha256),
            "xet_hash": identity(content).xet,
            "cache_dir": str(real.parent),
            "expected_size": identity(content).size,
        }
        for content in sorted(large, key=str)
    ]
    subprocess.run(
        [sys.executable, "-I", "-c", PUBLISH],
        input=json.dumps(arguments),
        text=True,
        check=True,
    )
    for root in (made, real):
        shutil.rmtree(root / "trees")
    assert listing(made.parent) == listing(real.parent)
