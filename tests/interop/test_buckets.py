"""A real Ceph gateway, over http and https: models land there, stores live there."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from bundle.limits import MIB
from bundle.s3.address import parse_address
from bundle.s3.options import Connection
from bundle.store.s3 import S3Store
from bundle.store.s3_place import S3Place
from tests.caches import commit_of, real_model, repository, small_model
from tests.clients import HubClient
from tests.crossing.gap import fill, open_gap
from tests.crossing.loading import check_loads, check_scan
from tests.faults import proxying
from tests.objects import Bucket, Endpoint
from tests.store.suite import StoreSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bundle.store.base import Store
    from tests.crossing.gap import Gap
    from tests.gateway import Gateway

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

NAME = "sentence-transformers/all-MiniLM-L6-v2"
MODEL = real_model()
EDITED = {**MODEL, "README.md": b"---\nlicense: apache-2.0\n---\n# another text\n"}
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Road:
    """One way to reach the gateway, and a bucket that is looked at past our code."""

    gateway: Gateway
    url: str
    bucket: Bucket

    @property
    def connection(self) -> Connection:
        return Connection(
            endpoint_url=self.url,
            ca=self.gateway.authority,
            environment=self.gateway.environment,
        )

    @property
    def variables(self) -> dict[str, str]:
        return {
            **self.gateway.environment,
            "BUNDLE_ENDPOINT_URL": self.url,
            "BUNDLE_CA": str(self.gateway.authority),
        }

    def place(self, rest: str) -> str:
        return f"s3://{self.bucket.name}/{rest}"

    def download(self, prefix: str, to: Path) -> None:
        """Bring everything below a prefix here, as any reader of buckets does."""
        for key in self.bucket.keys(f"{prefix}/"):
            path = to / key.removeprefix(f"{prefix}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.bucket.read(key))


@pytest.fixture(params=["http", "https"])
def road(request: pytest.FixtureRequest, gateway: Gateway) -> Road:
    """An empty bucket of this test's own."""
    endpoint = Endpoint(gateway.http, gateway.environment)
    name = f"{request.param}-{next(_NUMBERS)}"
    endpoint.client.create_bucket(Bucket=name)
    url = gateway.http if request.param == "http" else gateway.https
    return Road(gateway, url, Bucket(endpoint, name, endpoint.client))


@pytest.fixture
def gap(tmp_path: Path, road: Road) -> Gap:
    """Two sides, the inner one of which publishes into the gateway."""
    made = open_gap(tmp_path)
    made.inside.variables |= road.variables
    return made


def test_a_cache_of_two_revisions_loads_after_a_plain_download(
    gap: Gap, road: Road, tmp_path: Path
) -> None:
    older, newer = small_model("older"), small_model("newer")
    model = repository(newer, older=[older], refs={"refs/pr/1": commit_of(older)})
    fill(gap, [model])
    bundle = gap.pack()
    place = road.place("weights?layout=hf-snapshots")
    gap.unpack(bundle, place)
    before = road.bucket.objects()
    road.download("weights", tmp_path / "home/hub")
    with HubClient(home=tmp_path / "home") as client:
        check_loads(client, model)
        # Readers fetch by repository; what is ours is a name that a scan passes over.
        shutil.rmtree(tmp_path / "home/hub/.bundle")
        check_scan(client.scan(), model)
    again = gap.unpack(bundle, place)
    assert again["writtenFiles"] == 0
    assert road.bucket.objects() == before


def test_an_edited_model_card_moves_next_to_nothing(
    gap: Gap, road: Road, tmp_path: Path
) -> None:
    place = road.place("weights?layout=hf-snapshots")
    fill(gap, [repository(MODEL, name=NAME)])
    gap.unpack(gap.pack(), place)
    edited = repository(EDITED, older=[MODEL], name=NAME)
    fill(gap, [edited])
    bundle = gap.pack()
    if road.url.startswith("https:"):
        gap.unpack(bundle, place)
    else:
        with proxying(road.url) as proxy:
            gap.inside.variables["BUNDLE_ENDPOINT_URL"] = proxy.url
            gap.unpack(bundle, place)
            assert proxy.sent + proxy.received < MIB
    road.download("weights", tmp_path / "home/hub")
    with HubClient(home=tmp_path / "home") as client:
        check_loads(client, edited)


def test_a_large_object_is_sent_where_it_changed(gap: Gap, road: Road) -> None:
    size, changed = 256 * MIB, 256 * MIB // 100
    tree = gap.outside.home / "tree"
    tree.mkdir()
    weights = tree / "weights.bin"
    weights.write_bytes(np.random.default_rng(1).bytes(size))
    place = road.place("files?layout=flat")
    gap.unpack(gap.pack(f"tree:{tree}"), place)
    with weights.open("r+b") as file:
        file.seek(100 * MIB + 12_345)
        file.write(np.random.default_rng(2).bytes(changed))
    bundle = gap.pack(f"tree:{tree}")
    with proxying(road.gateway.http) as proxy:
        if road.url.startswith("http:"):
            gap.inside.variables["BUNDLE_ENDPOINT_URL"] = proxy.url
        command = [sys.executable, "-m", "bundle", "unpack", str(bundle), "--to", place]
        figure = measured(command, gap)
        assert figure < 300 * MIB
        if road.url.startswith("http:"):
            assert changed < proxy.sent < size // 20
    (key,) = [one for one in road.bucket.keys("files/") if one.endswith("weights.bin")]
    assert road.bucket.read(key) == weights.read_bytes()


PEAK: Final = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command from a process that is small: a child counts what its parent had."""


def measured(command: list[str], gap: Gap) -> int:
    """Run a command inside; return its peak of memory in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *command],
        env=gap.inside.environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return int(done.stdout) * 1024


@pytest.mark.skipif(not shutil.which("aws"), reason="there is no awscli here")
def test_other_tools_read_what_we_put(gap: Gap, road: Road, tmp_path: Path) -> None:
    model = repository(small_model())
    fill(gap, [model])
    gap.unpack(gap.pack(), road.place("weights?layout=hf-snapshots"))
    shelf = tmp_path / "home/hub"
    subprocess.run(
        [
            *("aws", "--endpoint-url", road.url, "s3", "sync", "--only-show-errors"),
            *(road.place("weights"), str(shelf)),
        ],
        env={
            "PATH": os.defpath,
            "HOME": str(tmp_path),
            "AWS_CA_BUNDLE": str(road.gateway.authority),
            **road.gateway.environment,
        },
        check=True,
    )
    with HubClient(home=tmp_path / "home") as client:
        check_loads(client, model)


@pytest.mark.parametrize("road", ["https"], indirect=True)
class TestStoreOnCeph(StoreSuite):
    """A store in a bucket of a real gateway does what every store does."""

    @pytest.fixture
    async def store(self, road: Road, tmp_path: Path) -> AsyncIterator[Store]:
        address = parse_address(road.place("estate"))
        async with S3Store(S3Place(address, road.connection), tmp_path) as store:
            await store.make()
            yield store

    def make(self, path: Path) -> Store:
        raise NotImplementedError


def test_a_store_in_the_gateway_lends_what_a_delta_builds_on(
    gap: Gap, road: Road
) -> None:
    store = road.place("estate")
    fill(gap, [repository(MODEL, name=NAME)])
    first = gap.pack()
    gap.inside.ok("store", "add", first, store)
    fill(gap, [repository(EDITED, name=NAME)])
    update = gap.outside.ok("pack", f"hf-cache:{gap.hub}", "--base", first, "--quiet")
    bundle = gap.carry(update.out.strip())
    volume = gap.inside.home / "volume"
    ran = gap.inside.ok(
        *("unpack", bundle, "--to", f"hf-home:{volume}", "--store", store, "--json")
    )
    assert ran.result["reusedBytes"] > 50 * MIB
    with HubClient(home=volume) as client:
        check_loads(client, repository(EDITED, name=NAME))
    checked: dict[str, Any] = gap.inside.ok("store", "check", store, "--json").result
    assert (checked["problems"], checked["lost"]) == ([], 0)
