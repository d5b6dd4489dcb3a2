"""From a hub to a client behind the gap, and a client that goes on from there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.caches import commit_of, identity, real_model, repository, small_model
from tests.cli.events import check_events
from tests.clients import HubClient
from tests.crossing.gap import fill, open_gap
from tests.crossing.generations import GENERATIONS, client_of
from tests.crossing.loading import check_loads, check_scan
from tests.hub import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crossing.gap import Gap
    from tests.hub import Hub

NAME = "sentence-transformers/all-MiniLM-L6-v2"
OLD, NEW = small_model("of old"), small_model("of now")
QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def pack_from(hub: Hub, gap: Gap, *sources: str) -> Path:
    """Pack from a hub, in a process of its own; return the bundle, carried."""
    cache = gap.outside.home / "downloads"
    done = subprocess.run(
        [sys.executable, "-m", "bundle", "pack", *sources, "--json"],
        env={
            **gap.outside.environment,
            "HF_ENDPOINT": hub.url,
            "HF_HUB_CACHE": str(cache),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return gap.carry(check_events(done.stdout)[-1]["bundle"])


def test_the_real_model_is_downloaded_carried_and_loaded(tmp_path: Path) -> None:
    gap, model = open_gap(tmp_path), repository(real_model(), name=NAME)
    with serving([model], page=100) as hub:
        bundle = pack_from(hub, gap, f"hf://{NAME}")
    pvc = gap.inside.home / "pvc"
    gap.unpack(bundle, f"hf-home:{pvc}")
    with HubClient(home=pvc) as client:
        check_loads(client, model)
        check_scan(client.scan(), model)


def test_revisions_of_several_repositories_cross_in_one_bundle(tmp_path: Path) -> None:
    gap = open_gap(tmp_path)
    model = repository(NEW, older=[OLD], refs={"refs/pr/1": commit_of(OLD)})
    data = repository({"a/b.parquet": b"PAR1"}, kind="hf-dataset", name="org/set")
    reviewed = replace(
        model, commits={commit_of(OLD): OLD}, refs={"refs/pr/1": commit_of(OLD)}
    )
    with serving([model, data]) as hub:
        bundle = pack_from(
            hub, gap, "hf://org/model@refs/pr/1", "hf://datasets/org/set"
        )
    pvc = gap.inside.home / "pvc"
    gap.unpack(bundle, f"hf-cache:{pvc}")
    with HubClient(cache=pvc) as client:
        for repo in (reviewed, data):
            check_loads(client, repo)
        check_scan(client.scan(), reviewed, data)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_client_goes_on_with_a_cache_that_was_unpacked(
    tmp_path: Path, generation: str
) -> None:
    """It downloads nothing that crossed, adds what is new, and both stay whole."""
    gap = open_gap(tmp_path)
    before = repository(OLD)
    after = repository(NEW, older=[OLD], refs={"v1": commit_of(OLD)})
    fill(gap, [before])
    bundle = gap.pack()
    pvc = gap.inside.home / "pvc"
    gap.unpack(bundle, f"hf-home:{pvc}")

    def online(hub: Hub) -> HubClient:
        where = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url, **QUIET}
        return client_of(generation, home=pvc, environment=where)

    with serving([before]) as hub, online(hub) as client:
        check_loads(client, before)
        assert not bodies(hub)
    with serving([after]) as hub, online(hub) as client:
        client.snapshot(after.name)
        client.snapshot(after.name, revision="v1")
        weights = identity(NEW["model.safetensors"]).sha256
        assert bodies(hub) == {"config.json", weights}
    again = gap.publish(bundle, f"hf-home:{pvc}").result
    assert again["keptFiles"] + again["writtenFiles"] == len(OLD) + 2
    assert again["writtenFiles"] <= 1
    with client_of(generation, home=pvc) as client:
        check_loads(client, before)
        assert client.scan().warnings == []


def bodies(hub: Hub) -> set[str]:
    """Return the last names of the files whose content was asked for."""
    return {
        request.rpartition("/")[2]
        for request in hub.requests
        if request.startswith(("GET /org/model/resolve/", "GET large/"))
    }
