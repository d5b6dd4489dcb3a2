"""Releases of huggingface_hub from 0.25 on write caches here and read them there.

The older ones live in environments of their own, which ``make interop`` makes.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest

from tests.caches import Layout, commit_of, real_model, repository, small_model
from tests.clients import contents
from tests.crossing.gap import fill, open_gap
from tests.crossing.generations import NEWEST, OLDER, client_of
from tests.crossing.loading import check_loads, check_scan
from tests.hub import serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

RELEASES: Final = (NEWEST, *OLDER)
OLD, NEW = small_model("of the older commit"), small_model()
MODEL: Final = repository(NEW, older=[OLD], refs={"refs/pr/1": commit_of(OLD)})
DATASET: Final = repository(
    {"data/train.parquet": bytes(5000), "README.md": b"rows\n"},
    name="rows",
    kind="hf-dataset",
)
REAL: Final = repository(real_model(), name="sentence-transformers/all-MiniLM-L6-v2")


@pytest.fixture(scope="module", params=[*Layout, "copies"], ids=str)
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A volume with the real model, from a cache of each layout, and without links."""
    gap = open_gap(tmp_path_factory.mktemp("published"))
    copies = request.param == "copies"
    fill(gap, [REAL], Layout.CLASSIC if copies else request.param)
    volume = gap.inside.home / "volume"
    gap.unpack(gap.pack(), f"hf-home:{volume}", copy=copies)
    return volume


@pytest.mark.parametrize("release", RELEASES)
def test_the_real_model_loads(release: str, published: Path) -> None:
    with client_of(release, home=published) as client:
        assert client.version().startswith(f"{release}.")
        check_loads(client, REAL)
        check_scan(client.scan(), REAL)


@pytest.mark.parametrize("writer", RELEASES)
def test_what_any_release_downloaded_every_release_loads(
    writer: str, tmp_path: Path
) -> None:
    gap = open_gap(tmp_path)
    volume = gap.inside.home / "volume"
    with serving([MODEL, DATASET]) as hub:
        online = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        with client_of(writer, cache=gap.hub, environment=online) as client:
            for revision in MODEL.refs:
                client.snapshot(MODEL.name, revision=revision)
            client.snapshot(DATASET.name, repo_type="dataset")
    gap.unpack(gap.pack(), f"hf-home:{volume}")
    for reader in RELEASES:
        with client_of(reader, home=volume) as client:
            check_loads(client, MODEL)
            check_loads(client, DATASET)
            check_scan(client.scan(), MODEL, DATASET)


@pytest.mark.parametrize("release", RELEASES)
def test_a_running_client_sees_the_next_revision(release: str, tmp_path: Path) -> None:
    gap = open_gap(tmp_path)
    volume = gap.inside.home / "volume"
    fill(gap, [repository(OLD)])
    gap.unpack(gap.pack(), f"hf-home:{volume}")
    with client_of(release, home=volume) as client:
        before = client.snapshot("org/model")
        seen = contents(before)
        shutil.rmtree(gap.hub)
        fill(gap, [repository(NEW, older=[OLD])])
        gap.unpack(gap.pack(), f"hf-home:{volume}")
        assert contents(before) == seen
        check_loads(client, repository(NEW, older=[OLD]))
