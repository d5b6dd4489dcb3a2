"""What is published where: buckets too, and what left the stream leaves the target."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from bundle.errors import UsageError
from bundle.target.options import OnExisting, TargetOptions
from syncd.config import TargetSettings, read_config
from syncd.publishing import options_of
from tests.bundles import Site, no_flushing, snapshot, write_tree
from tests.syncd.bastion import Bastion
from tests.syncd.test_config import LEAST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.objects import Bucket

FILES = {"noise": random.Random(3).randbytes(40_000), "text": b"a line\n" * 900}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path / "sender")


def test_a_bucket_is_a_target(site: Site, bucket: Bucket, tmp_path: Path) -> None:
    target = TargetSettings(
        "bucket",
        f"s3://{bucket.name}/p?layout=flat",
        endpoint_url=bucket.endpoint.url,
        region="us-east-1",
        addressing="path",
    )
    bastion = Bastion(
        tmp_path / "bastion", [target], environment=bucket.endpoint.environment
    )
    bastion.plug(site.packed(FILES))
    bastion.settle(site)
    assert bastion.history(site, "published")
    objects = bucket.objects()
    contents = {
        key.rpartition("/")[2]: data
        for key, data in objects.items()
        if "/.bundle/" not in key
    }
    assert contents == FILES


@pytest.mark.parametrize("prune", [True, False])
def test_what_left_a_tree_leaves_the_target(
    site: Site, tmp_path: Path, *, prune: bool
) -> None:
    bastion = Bastion(tmp_path / "bastion")
    bastion.targets = (bastion.target("tree", prune=prune),)
    bastion.plug(site.packed(FILES))
    bastion.settle(site)
    tree = write_tree(site.path / "tree", {"more": b"news " * 1_000})
    (tree / "text").unlink()
    bastion.plug(site.bundle(tree), "next")
    bastion.settle(site)
    assert (bastion.tree / "more").exists()
    assert (bastion.tree / "text").exists() is not prune
    told = bastion.history(site, "pruned")
    assert [one["files"] for one in told] == ([1] if prune else [])
    if prune:
        assert bastion.published() == snapshot(tree)


def test_the_last_artifact_of_a_target_leaves_it(site: Site, tmp_path: Path) -> None:
    bastion = Bastion(tmp_path / "bastion")
    bastion.targets = (
        bastion.target("tree", artifacts=("tree:tree",), keep=1),
        bastion.target("other", artifacts=("tree:other",)),
    )
    bastion.plug(site.packed(FILES))
    bastion.settle(site)
    assert set(bastion.published()) >= set(FILES)
    bastion.plug(site.bundle(write_tree(site.path / "other", {"x": b"y"})), "next")
    bastion.settle(site)
    assert not set(bastion.published()) & set(FILES)
    assert "x" in bastion.published("other")


def test_every_field_reaches_the_target(tmp_path: Path) -> None:
    settings = TargetSettings(
        "images",
        "docker://registry.example/p",
        keep=3,
        prune=False,
        endpoint_url="https://s3.example",
        region="here",
        addressing="virtual",
        ca="/etc/ca.pem",
        plain_http=True,
        auth_file="/etc/auth.json",
        map=("ghcr.io/a=b",),
        on_existing_tag="fail",
    )
    options = options_of(settings, tmp_path, {"A": "b"}, float)
    assert (options.prune, options.keep, options.copy) == (False, 3, False)
    assert (options.s3.endpoint_url, options.s3.region) == (
        "https://s3.example",
        "here",
    )
    assert options.s3.addressing == "virtual"
    assert str(options.s3.ca) == str(options.registry.ca) == "/etc/ca.pem"
    assert options.registry.plain_http
    assert str(options.registry.auth_file) == "/etc/auth.json"
    assert options.existing is OnExisting.FAIL
    assert options.environment == options.s3.environment == {"A": "b"}
    plain = options_of(TargetSettings("t", "tree:/x"), tmp_path, {}, float)
    assert plain.s3.endpoint_url is None
    assert plain.registry.auth_file is None
    assert plain.names == TargetOptions().names


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keep = 0", "keep"),
        ("keep = 16", "keep"),
        ('ca = "ca.pem"', "ca: 'ca.pem' is no absolute path"),
        ('auth_file = "a"', "auth_file: 'a' is no absolute path"),
        ('scan = ["clamscan", "{}"]', "scan: 'clamscan' is no absolute path"),
        ('scan = ["/bin/clamscan"]', "no word has {}"),
        ("scan_seconds = 0", "scan_seconds"),
        ('addressing = "host"', "addressing"),
        ('on_existing_tag = "ask"', "on_existing_tag"),
    ],
)
def test_what_is_out_of_bounds_is_refused(line: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_config(f"{LEAST}{line}\n".encode(), "syncd.toml")
    assert said in str(caught.value)
