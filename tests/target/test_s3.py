"""What a bucket is given, and what it costs, looked at past our own code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from bundle.digest import digest_of
from bundle.errors import TargetError, TransientError, UsageError
from bundle.flow.pace import Pace
from bundle.format.descriptor import RECIPE, Descriptor
from bundle.format.recipe import Mode, Recipe
from bundle.format.recipe_builder import ChunkRun, RecipeBuilder
from bundle.limits import MIB
from bundle.s3.bucket import Bucket as Requests
from bundle.s3.client import SHA256
from bundle.s3.failures import UnsupportedError
from bundle.target.ledger import Applied, Given
from bundle.target.locate import parse_target
from bundle.target.options import TargetOptions
from bundle.target.s3 import S3Target
from tests.target.sample import ONE, TWO, Sample, repository, sample, stage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.objects import Bucket

WEIGHTS = hashlib.shake_128(b"weights").digest(4000)
FILES = {"config.json": b"{}\n", "sub/model.safetensors": WEIGHTS, "empty": b""}
FIRST = repository({ONE: FILES}, {"main": ONE}, no_exist=["x"])
SECOND = repository({TWO: {**FILES, "README.md": b"# new\n"}}, {"main": TWO})
STREAM = "5" * 32


class Site:
    """A machine that publishes into one bucket."""

    def __init__(self, bucket: Bucket, staging: Path, **options: Any) -> None:  # noqa: ANN401
        self.bucket = bucket
        self.options = TargetOptions(
            staging=staging,
            s3=bucket.endpoint.connection,
            pace=Pace(attempts=2, first=0),
            **options,
        )
        self.missing: list[list[str]] = []

    def target(self, rest: str = "p?layout=hf-snapshots") -> S3Target:
        target = parse_target(f"s3://{self.bucket.name}/{rest}", self.options)
        assert isinstance(target, S3Target)
        return target

    async def publish(
        self, *samples: Sample, rest: str = "p?layout=hf-snapshots", seq: int = 1
    ) -> S3Target:
        """Do what an unpacker does, in its order."""
        async with self.target(rest) as target:
            lacking = [
                await target.missing(one.artifact, one.recipe) for one in samples
            ]
            self.missing = [
                [one.recipe.path(i) for i in indices]
                for one, indices in zip(samples, lacking, strict=True)
            ]
            await target.begin()
            try:
                for one, indices in zip(samples, lacking, strict=True):
                    staged = {
                        i: stage(target.staging, one.content[one.recipe.path(i)])
                        for i in indices
                    }
                    digest = one.artifact.recipe.digest
                    target.ledger.keep(digest, one.recipe)
                    await target.publish(one.artifact, one.recipe, staged.get)
                applied = release(seq, *samples)
                target.ledger.note(applied, changed=True)
                await target.finish(applied.digest)
            finally:
                await target.abandon()
        return target


def release(seq: int, *samples: Sample) -> Applied:
    given = tuple(
        Given(one.artifact.kind, one.artifact.name, one.artifact.recipe.digest)
        for one in samples
    )
    return Applied(STREAM, "models", seq, str(digest_of(b"%d" % seq)), given)


@pytest.fixture
def site(bucket: Bucket, tmp_path: Path) -> Site:
    return Site(bucket, tmp_path / "staging")


class Asked:
    """What is asked of a server; ``fail`` says what fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, str]] = []
        self.fail: dict[str, Exception] = {}
        real = Requests.once

        async def once(bucket: Requests, operation: str, key: str, **more: Any) -> Any:  # noqa: ANN401
            self.seen.append((operation, key))
            if operation in self.fail:
                raise self.fail[operation]
            return await real(bucket, operation, key, **more)

        monkeypatch.setattr(Requests, "once", once)

    def keys(self, operation: str) -> list[str]:
        return [key for name, key in self.seen if name == operation]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def published(item: Sample, commit: str, home: str) -> dict[str, bytes]:
    start = f"snapshots/{commit}/"
    return {
        f"{home}{path.removeprefix(start)}": data
        for path, data in item.content.items()
        if path.startswith(start)
    }


async def test_snapshots_and_refs_and_nothing_else(site: Site, asked: Asked) -> None:
    await site.publish(FIRST)
    found = site.bucket.objects("p/models--org--model/")
    home = "p/models--org--model/"
    assert found == {
        **published(FIRST, ONE, f"{home}snapshots/{ONE}/"),
        f"{home}refs/main": ONE.encode(),
    }
    marker = json.loads(site.bucket.read(f"p/.bundle/releases/{STREAM}.json"))
    assert marker["release"] == str(digest_of(b"1"))
    assert (marker["format"], marker["layout"]) == (1, "hf-snapshots")
    [listed] = marker["artifacts"]
    assert listed["home"] == "models--org--model/"
    put = asked.keys("PutObject")
    files = [put.index(key) for key in found if "/snapshots/" in key]
    assert max(files) < put.index(f"{home}refs/main")
    assert put[-1] == f"p/.bundle/releases/{STREAM}.json"


async def test_flat_names_and_revisions(site: Site) -> None:
    data = replace(repository({ONE: {"a.txt": b"a"}}, {}, kind="hf-dataset"))
    tree = sample("tree", "tools", {"bin/x": b"run\n"}, executable=["bin/x"])
    await site.publish(FIRST, data, tree, rest="?layout=flat")
    keys = [key for key in site.bucket.keys("") if not key.startswith(".bundle/")]
    assert keys == [
        f"datasets/org/model/{ONE}/a.txt",
        f"org/model/{ONE}/config.json",
        f"org/model/{ONE}/empty",
        f"org/model/{ONE}/sub/model.safetensors",
        "tools/bin/x",
    ]
    assert site.bucket.read(".bundle/refs/models--org--model/main") == ONE.encode()
    facts = site.bucket.client.head_object(Bucket=site.bucket.name, Key="tools/bin/x")
    assert facts["Metadata"] == {
        SHA256: hashlib.sha256(b"run\n").hexdigest(),
        "bundle-executable": "yes",
    }


async def test_what_is_there_is_not_sent_again(site: Site, asked: Asked) -> None:
    await site.publish(FIRST)
    before = site.bucket.objects()
    asked.seen.clear()
    target = await site.publish(FIRST)
    assert site.missing == [[]]
    assert asked.keys("PutObject") == []
    assert asked.keys("CopyObject") == []
    assert site.bucket.objects() == before
    assert target.transfer is not None
    assert (target.transfer.sent, target.transfer.copied) == (0, 0)
    assert target.transfer.skipped > len(WEIGHTS)


async def test_a_new_revision_copies_what_did_not_change(
    site: Site, asked: Asked
) -> None:
    await site.publish(FIRST)
    asked.seen.clear()
    target = await site.publish(SECOND, seq=2)
    assert site.missing == [
        ["refs/main", f"snapshots/{TWO}/README.md", f"trees/{TWO}.json"]
    ]
    assert target.transfer is not None
    assert target.transfer.copied == len(WEIGHTS) + 3
    home = f"p/models--org--model/snapshots/{TWO}/"
    assert site.bucket.objects(home) == published(SECOND, TWO, home)
    assert site.bucket.read("p/models--org--model/refs/main") == TWO.encode()
    # The old revision stays.
    assert site.bucket.objects(f"p/models--org--model/snapshots/{ONE}/")


async def test_a_server_that_copies_nothing_is_sent_everything(
    site: Site, asked: Asked
) -> None:
    await site.publish(FIRST)
    asked.fail["CopyObject"] = UnsupportedError("501")
    target = await site.publish(SECOND, seq=2)
    assert target.transfer is not None
    assert target.transfer.copied == 0
    home = f"p/models--org--model/snapshots/{TWO}/"
    assert site.bucket.objects(home) == published(SECOND, TWO, home)


async def test_neither_etag_nor_time_decide(site: Site) -> None:
    await site.publish(FIRST)
    key = f"p/models--org--model/snapshots/{ONE}/config.json"
    # The same bytes by somebody else, and other bytes that say they are the same.
    site.bucket.put(key, b"{}\n")
    lie = f"p/models--org--model/snapshots/{ONE}/sub/model.safetensors"
    site.bucket.put(lie, WEIGHTS[:-1], **{SHA256: hashlib.sha256(WEIGHTS).hexdigest()})
    await site.publish(FIRST)
    assert sorted(site.missing[0]) == [
        f"snapshots/{ONE}/config.json",
        f"snapshots/{ONE}/sub/model.safetensors",
    ]
    assert site.bucket.read(lie) == WEIGHTS


async def test_a_generation_is_a_place_of_its_own(site: Site) -> None:
    await site.publish(FIRST, rest="p?layout=hf-snapshots&generation=one")
    target = await site.publish(
        SECOND, rest="p?layout=hf-snapshots&generation=two", seq=2
    )
    assert target.transfer is not None
    assert target.transfer.copied == len(WEIGHTS) + 3
    home = f"p/two/models--org--model/snapshots/{TWO}/"
    assert site.bucket.objects(home) == published(SECOND, TWO, home)
    assert site.bucket.keys(f"p/two/models--org--model/snapshots/{ONE}/") == []
    assert site.bucket.keys("p/two/.bundle/releases/") == [
        f"p/two/.bundle/releases/{STREAM}.json"
    ]
    assert site.bucket.keys("p/.bundle/generations/") == [
        "p/.bundle/generations/one",
        "p/.bundle/generations/two",
    ]


async def test_prune_removes_the_old_revision_and_only_what_was_ours(
    site: Site, tmp_path: Path, asked: Asked
) -> None:
    await site.publish(FIRST)
    other = f"p/models--org--model/snapshots/{ONE}/theirs"
    site.bucket.put(other, b"x")
    pruning = Site(site.bucket, tmp_path / "staging", prune=True, keep=1)
    asked.seen.clear()
    await pruning.publish(SECOND, seq=2)
    assert site.bucket.keys(f"p/models--org--model/snapshots/{ONE}/") == [other]
    names = [name for name, key in asked.seen if "probe" not in key]
    marked = asked.seen.index(("PutObject", f"p/.bundle/releases/{STREAM}.json"))
    first = asked.seen.index(
        ("DeleteObject", f"p/models--org--model/snapshots/{ONE}/config.json")
    )
    assert marked < first
    assert "DeleteObject" in names
    async with pruning.target() as target:
        assert [one.seq for one in target.ledger.releases()] == [2]


async def held(target: S3Target, recipe: Recipe) -> bool:
    store = target.store()
    for row in recipe.chunk_ids:
        data = await store.read(row.tobytes())
        assert digest_of(data).raw == row.tobytes()
    return bool((await store.has_many(recipe.chunk_ids)).all())


async def test_deltas_find_everything_that_was_published(site: Site) -> None:
    await site.publish(FIRST)
    async with site.target() as target:
        # Listings of the hub too, which no reader of the bucket asks for.
        assert await held(target, FIRST.recipe)
        [whole] = await target.store().releases()
        assert whole.seq == 1


async def test_a_new_machine_knows_what_the_bucket_knows(
    site: Site, tmp_path: Path
) -> None:
    first = await site.publish(FIRST)
    other = Site(site.bucket, tmp_path / "another")
    async with other.target() as target:
        assert target.ledger.identity() == first.ledger.identity()
        assert await held(target, FIRST.recipe)
    await other.publish(SECOND, seq=2)
    assert len(other.missing[0]) == 3
    async with site.target() as target:
        assert [one.seq for one in target.ledger.releases()] == [1, 2]


@pytest.mark.parametrize("damage", [b"no json", b'{"id":"x","format":9}'])
async def test_what_the_bucket_says_may_be_wrong(
    site: Site, tmp_path: Path, damage: bytes
) -> None:
    await site.publish(FIRST)
    site.bucket.put("p/.bundle/store.json", damage)
    for key in site.bucket.keys("p/.bundle/recipes/"):
        site.bucket.put(key, damage)
    other = Site(site.bucket, tmp_path / "another")
    async with other.target() as target:
        assert target.ledger.identity() is None
    await other.publish(FIRST)
    assert other.missing == [[]]


async def test_large_files_are_put_together_from_what_did_not_change(
    site: Site, asked: Asked
) -> None:
    old = hashlib.shake_128(b"large").digest(24 << 20)
    new = old[: 12 << 20] + bytes(1 << 20) + old[13 << 20 :]
    first = chunked("big", {"w.bin": old})
    await site.publish(first, rest="p?layout=flat")
    target = await site.publish(chunked("big", {"w.bin": new}), rest="p?layout=flat")
    assert site.bucket.read("p/big/w.bin") == new
    assert target.transfer is not None
    assert target.transfer.copied == len(new) - (5 << 20)
    assert (5 << 20) < target.transfer.sent < (6 << 20)
    assert asked.keys("UploadPartCopy")
    assert site.bucket.uploads() == []


async def test_without_part_copies_large_files_are_sent_whole(
    site: Site, asked: Asked
) -> None:
    old = hashlib.shake_128(b"large").digest(12 << 20)
    await site.publish(chunked("big", {"w.bin": old}), rest="p?layout=flat")
    asked.fail["UploadPartCopy"] = UnsupportedError("501")
    new = old[: 6 << 20] + b"!" + old[6 << 20 :]
    target = await site.publish(chunked("big", {"w.bin": new}), rest="p?layout=flat")
    assert site.bucket.read("p/big/w.bin") == new
    assert target.transfer is not None
    assert target.transfer.copied == 0


def chunked(name: str, content: dict[str, bytes]) -> Sample:
    """Return a tree whose files are cut into chunks of 1 MiB."""
    builder = RecipeBuilder()
    for path, data in content.items():
        pieces = [data[at : at + MIB] for at in range(0, len(data), MIB)]
        ids = np.frombuffer(b"".join(digest_of(one).raw for one in pieces), np.uint8)
        lengths = np.array([len(one) for one in pieces], np.uint32)
        run = ChunkRun(ids.reshape(-1, 32), lengths)
        sha256 = hashlib.sha256(data).digest()
        builder.add(path, Mode.FILE, len(data), sha256, None, [run])
    built = builder.finish()
    plain = sample("tree", name, {})
    artifact = msgspec.structs.replace(
        plain.artifact, recipe=Descriptor.of(RECIPE, built)
    )
    return Sample(artifact, Recipe.parse(built), content)


async def test_a_failed_run_leaves_no_marker_and_the_next_one_ends_it(
    site: Site, asked: Asked
) -> None:
    asked.fail["CopyObject"] = TransientError("cut")
    twice = repository({ONE: FILES, TWO: FILES}, {"main": TWO})
    with pytest.raises(TransientError):
        await site.publish(twice)
    assert site.bucket.keys("p/.bundle/releases/") == []
    assert site.bucket.keys("p/models--org--model/refs/") == []
    asked.fail.clear()
    await site.publish(twice)
    for commit in (ONE, TWO):
        home = f"p/models--org--model/snapshots/{commit}/"
        assert site.bucket.objects(home) == published(twice, commit, home)


async def test_two_artifacts_never_share_a_key(site: Site) -> None:
    tree = sample("tree", "org", {f"model/{ONE}/config.json": b"x"})
    with pytest.raises(TargetError, match="both have the path"):
        await site.publish(FIRST, tree, rest="?layout=flat")
    tree = sample("tree", "org", {"model": b"x"})
    with pytest.raises(TargetError, match="both have the path"):
        await site.publish(tree, FIRST, rest="?layout=flat")
    with pytest.raises(TargetError, match="calls its own"):
        await site.publish(
            sample("tree", ".Bundle/x", {"a": b"x"}), rest="?layout=flat"
        )


@pytest.mark.parametrize(
    ("text", "message"),
    {
        "s3://bucket/p": "which layout",
        "s3://bucket/p?layout=cache": "which layout",
        "s3://bucket/p?layout=flat&generation=.x": "a generation is called",
        "s3://bucket/p?layuot=flat": "there is no layuot=",
        "s3:bucket": "does not name a target",
    }.items(),
)
def test_what_names_no_place_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_target(text)


def test_a_layout_takes_its_kinds() -> None:
    flat = parse_target("s3://bucket?layout=flat")
    cache = parse_target("s3://bucket?layout=hf-snapshots")
    assert flat.takes("tree")
    assert not cache.takes("tree")
    assert all(one.takes("hf-model") for one in (flat, cache))
    assert not any(one.takes("oci-image") for one in (flat, cache))
