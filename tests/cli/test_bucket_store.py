"""``bundle store`` with ``s3://``: the same verbs, and a store that many share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import contents
from tests.cli.test_store import again

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell
    from tests.objects import Bucket


@pytest.fixture
def store(receiver: Shell, packed: Path, bucket: Bucket) -> str:
    """A store in a bucket, with the first release of the manuals."""
    receiver.variables |= bucket.endpoint.environment
    receiver.variables["BUNDLE_ENDPOINT_URL"] = bucket.endpoint.url
    place = f"s3://{bucket.name}/estate"
    receiver.ok("store", "add", packed, place)
    return place


def test_the_same_bundle_again_changes_nothing(
    receiver: Shell, packed: Path, store: str, bucket: Bucket
) -> None:
    before = bucket.objects()
    ran = receiver.ok("store", "add", packed, store, "--json")
    assert (ran.result["volumes"], ran.result["kept"]) == (0, 1)
    assert bucket.objects() == before


def test_stat_and_check_say_what_is_there(receiver: Shell, store: str) -> None:
    ran = receiver.ok("store", "stat", store, "--json")
    (held,) = ran.of("held")
    assert (held["name"], held["seq"], held["artifacts"]) == ("docs", 1, 1)
    assert (ran.result["generation"], ran.result["packs"]) == (1, 1)
    for quick in ([], ["--quick"]):
        checked = receiver.ok("store", "check", store, *quick, "--json").result
        assert (checked["problems"], checked["lost"]) == ([], 0)
        assert checked["chunks"] == ran.result["chunks"]


def test_unpack_takes_from_it_what_a_delta_builds_on(
    receiver: Shell, sender: Shell, packed: Path, store: str
) -> None:
    (sender.home / "manuals/new.md").write_text("a page more\n" * 90)
    update = sender.home / "out/docs-000002"
    sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--base", packed)
    target = f"tree:{receiver.home / 'shelf'}"
    refused = receiver("unpack", update, "--to", target)
    assert refused.code == 13
    receiver.ok("unpack", update, "--to", target, "--store", store)
    assert contents(receiver.home / "shelf")["new.md"].startswith(b"a page more")
    assert len(contents(receiver.home / "shelf")) == 5


def test_gc_drops_the_oldest_release(
    receiver: Shell, sender: Shell, store: str, bucket: Bucket
) -> None:
    receiver.ok("store", "add", again(sender, "another text\n"), store)
    dry = receiver.ok("store", "gc", store, "--keep", "1", "--dry-run", "--json")
    assert dry.result["releases"] == 1
    before = bucket.keys("estate/commits/")
    assert len(before) == 2
    ran = receiver.ok("store", "gc", store, "--keep", "1", "--json")
    assert ran.result["chunks"] == dry.result["chunks"]
    assert ran.result["generation"] == 2
    assert bucket.keys("estate/commits/") == before[1:]
    assert receiver.ok("store", "check", store, "--json").result["problems"] == []


def test_a_damaged_pack_is_named_and_put_right(
    receiver: Shell, packed: Path, store: str, bucket: Bucket
) -> None:
    (pack,) = bucket.keys("estate/packs/")
    data = bytearray(bucket.read(pack))
    data[len(data) // 2] ^= 1
    bucket.put(pack, bytes(data))
    ran = receiver("store", "check", store, "--json")
    assert ran.code == 11
    assert "the frame at byte" in ran.result["problems"][0]
    assert receiver("store", "check", store, "--rebuild").code == 11
    assert receiver.ok("store", "stat", store, "--json").result["releases"] == 0
    receiver.ok("store", "add", packed, store)
    assert receiver.ok("store", "check", store, "--json").result["problems"] == []
    assert receiver.ok("store", "stat", store, "--json").result["releases"] == 1


def test_what_is_no_store_is_said(receiver: Shell, bucket: Bucket) -> None:
    bucket.put("mine/letter", b"dear reader")
    options = ("--endpoint-url", bucket.endpoint.url)
    receiver.variables |= bucket.endpoint.environment
    ran = receiver("store", "stat", f"s3://{bucket.name}/mine", *options)
    assert ran.code == 13
    assert "there is no store here" in ran.err


def test_a_prefix_of_somebody_else_is_not_made_a_store(
    receiver: Shell, packed: Path, bucket: Bucket
) -> None:
    bucket.put("mine/letter", b"dear reader")
    options = ("--endpoint-url", bucket.endpoint.url)
    receiver.variables |= bucket.endpoint.environment
    ran = receiver("store", "add", packed, f"s3://{bucket.name}/mine", *options)
    assert ran.code == 14
    assert "not empty, and not a store: letter" in ran.err
    assert bucket.objects() == {"mine/letter": b"dear reader"}


def test_a_bucket_that_is_not_there_is_said(receiver: Shell, bucket: Bucket) -> None:
    options = ("--endpoint-url", bucket.endpoint.url)
    receiver.variables |= bucket.endpoint.environment
    ran = receiver("store", "stat", "s3://nobody-made-this/estate", *options)
    assert ran.code == 14
    assert "NoSuchBucket" in ran.err
    assert "check the name of the bucket" in ran.err
