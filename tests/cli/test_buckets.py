"""Bundles into a bucket, and what people are told of it."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.caches import Repository, repository, write_cache
from tests.clients import HubClient
from tests.crossing.loading import check_loads
from tests.objects import KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.caches import Content
    from tests.cli.shell import Shell
    from tests.objects import Bucket

WEIGHTS = random.Random(5).randbytes(3_000_000)
FILES: dict[str, Content] = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": WEIGHTS,
    "README.md": b"# first\n",
}
CHANGED = {**FILES, "README.md": b"# second\n"}


@pytest.fixture
def uploader(receiver: Shell, bucket: Bucket) -> Shell:
    """The receiver, who may write into a bucket."""
    receiver.variables |= {**KEYS, "BUNDLE_ENDPOINT_URL": bucket.endpoint.url}
    return receiver


def pack(sender: Shell, repo: Repository, *more: object) -> Path:
    """Pack a cache that holds a repository and nothing else."""
    shutil.rmtree(sender.home / "hub", ignore_errors=True)
    write_cache(sender.home / "hub", repo)
    ran = sender.ok("pack", f"hf-cache:{sender.home / 'hub'}", "--json", *more)
    return sender.home / "out" / str(ran.result["bundle"]).rpartition("/")[2]


def download(bucket: Bucket, prefix: str, to: Path) -> Path:
    """Copy what is below a prefix, as any tool does."""
    for key, data in bucket.objects(prefix).items():
        path = to / key.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return to


def test_two_revisions_load_offline_after_a_plain_download(
    sender: Shell, uploader: Shell, bucket: Bucket
) -> None:
    target = f"s3://{bucket.name}/weights?layout=hf-snapshots"
    repo = repository(CHANGED, older=[FILES])
    ran = uploader.ok("unpack", pack(sender, repo), "--to", target, "--json")
    [transfer] = ran.of("transferred")
    assert transfer["target"] == target
    # The weights of the second revision are copied there.
    assert len(WEIGHTS) < transfer["sentBytes"] < len(WEIGHTS) + 20_000
    assert transfer["copiedBytes"] == len(WEIGHTS) + 22
    assert ran.result["sentBytes"] == transfer["sentBytes"]
    hub = download(bucket, "weights/", uploader.home / "hf/hub")
    with HubClient(home=uploader.home / "hf") as client:
        check_loads(client, repo, hub)


def test_a_changed_card_costs_a_few_kilobytes(
    sender: Shell, uploader: Shell, bucket: Bucket
) -> None:
    target = f"s3://{bucket.name}/weights?layout=flat"
    receipts = uploader.home / "receipts"
    arguments = ("--to", target, "--receipt-to", receipts, "--json")
    first = pack(sender, repository(FILES))
    uploader.ok("unpack", first, *arguments)
    [receipt] = receipts.iterdir()
    both = repository(CHANGED, older=[FILES])
    second = pack(sender, both, "--have", receipt)
    size = sum(path.stat().st_size for path in second.rglob("*"))
    assert size < 200_000
    ran = uploader.ok("unpack", second, *arguments)
    assert ran.result["sentBytes"] < 50_000
    assert ran.result["copiedBytes"] >= len(WEIGHTS)
    commit = both.refs["main"]
    assert bucket.read(f"weights/org/model/{commit}/README.md") == b"# second\n"
    assert bucket.read(f"weights/org/model/{commit}/model.safetensors") == WEIGHTS
    again = uploader.ok("unpack", second, *arguments)
    assert (again.result["writtenFiles"], again.result["sentBytes"]) == (0, 0)
    assert again.result["skippedBytes"] > 2 * len(WEIGHTS)
    person = uploader.ok("unpack", second, "--to", target)
    assert "release 2 of docs: nothing to write, all of it is there" in person.lines
    assert any(
        line.startswith(f"{target}: 0 B sent, 0 B copied there, ")
        for line in person.lines
    )
    # Nothing of the old revision goes until it is asked for.
    [old] = [one for one in both.commits if one != commit]
    assert bucket.keys(f"weights/org/model/{old}/")


def test_a_bucket_that_is_not_there_is_one_line(uploader: Shell, packed: Path) -> None:
    ran = uploader("unpack", packed, "--to", "s3://no-such-bucket/p?layout=flat")
    assert ran.code == 14
    assert ran.err.splitlines()[0].startswith(
        "bundle: s3://no-such-bucket/p/.bundle/: ListObjectsV2: 404 NoSuchBucket"
    )
    assert "check the name of the bucket" in ran.err


def test_an_endpoint_that_is_not_there_may_be_tried_again(
    uploader: Shell, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bundle.flow.pace.MAX_WAIT", 0)
    to = "s3://bucket/p?layout=flat"
    ran = uploader("unpack", packed, "--to", to, "--endpoint-url", "http://127.0.0.1:1")
    assert ran.code == 16
    assert "ListObjectsV2" in ran.err


def test_a_tree_needs_the_flat_layout(
    uploader: Shell, packed: Path, bucket: Bucket
) -> None:
    ran = uploader("unpack", packed, "--to", f"s3://{bucket.name}?layout=hf-snapshots")
    assert ran.code == 20
    assert bucket.keys() == []
    uploader.ok("unpack", packed, "--to", f"s3://{bucket.name}?layout=flat")
    assert bucket.read("manuals/empty") == b""
    assert len(bucket.read("manuals/figure.png")) == 200_000


def test_the_doctor_says_what_readers_see_and_what_the_endpoint_does(
    sender: Shell, uploader: Shell, bucket: Bucket
) -> None:
    target = f"s3://{bucket.name}/w?layout=hf-snapshots"
    ran = uploader.ok("doctor", target, "--json")
    [warning, *tried] = ran.of("finding")
    assert "has no marker" in warning["message"]
    assert [one["message"] for one in tried] == [
        "refuses to overwrite an object where it is asked to",
        "ignores Content-MD5: only reading tells damage on the way",
        "copies parts of objects: of a large file the changed parts are sent",
        "takes parts from 5 MiB on, as S3 does",
    ]
    assert bucket.keys() == []
    repo = repository(FILES)
    uploader.ok("unpack", pack(sender, repo), "--to", target)
    ran = uploader.ok("doctor", target, "--json")
    [revision] = ran.of("revision")
    assert (revision["name"], revision["refs"]) == ("org/model", ["main"])
    assert revision["commit"] == repo.refs["main"]
    assert {one["severity"] for one in ran.of("finding")} == {"note"}
    assert ran.result["variables"][1] == {
        "name": "SIE_CLUSTER_CACHE",
        "value": f"s3://{bucket.name}/w",
        "reason": "SIE copies models from there into HF_HOME/hub",
    }
    for key in bucket.keys("w/models--org--model/snapshots/"):
        bucket.client.delete_object(Bucket=bucket.name, Key=key)
    ran = uploader("doctor", target, "--json")
    assert ran.code == 14
    assert "which is not here" in ran.of("finding")[0]["message"]
    flat = f"s3://{bucket.name}/f?layout=flat"
    uploader.ok("unpack", sender.home / "out/docs-000001", "--to", flat)
    assert len(uploader.ok("doctor", flat, "--json").of("revision")) == 1
    assert uploader("doctor", f"s3://{bucket.name}").code == 2


def test_a_bucket_is_packed_again(
    sender: Shell, uploader: Shell, bucket: Bucket
) -> None:
    target = f"s3://{bucket.name}/w?layout=flat"
    uploader.ok("unpack", pack(sender, repository(FILES)), "--to", target)
    sender.variables |= uploader.variables
    out = sender.home / "again"
    ran = sender.ok("pack", target, "--json", "--stream", "again", "--out", out)
    [artifact] = ran.of("artifact")
    assert (artifact["kind"], artifact["name"]) == ("hf-model", "org/model")
    assert artifact["revision"] == repository(FILES).refs["main"]
