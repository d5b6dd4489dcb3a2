"""Every layout of a cache crosses, and every generation of the client loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bundles import no_flushing
from tests.caches import (
    Layout,
    Repository,
    commit_of,
    real_model,
    repository,
    small_model,
)
from tests.clients import HubClient
from tests.crossing.gap import fill, open_gap
from tests.crossing.generations import GENERATIONS, client_of
from tests.crossing.loading import check_loads, check_nothing_private, check_scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KERNELS_SINCE = (1, 12)
"""The first release that is known to keep kernels in its cache."""

SMALL, OLD, REVIEWED = small_model(), small_model("of old"), small_model("under review")
MODEL = repository(
    SMALL,
    older=[OLD, REVIEWED],
    refs={"v1.0": commit_of(OLD), "refs/pr/1": commit_of(REVIEWED)},
    absent=("adapter_config.json", "sub/dir/absent.json"),
)
REPOSITORIES = [
    MODEL,
    repository(SMALL, name="gpt2", refs={"refs/convert/parquet": commit_of(SMALL)}),
    repository({"data/train.parquet": b"PAR1" * 99}, kind="hf-dataset", name="org/set"),
    repository({"app.py": b"print()"}, kind="hf-space", name="org/space"),
    repository({"build/k.py": b"pass"}, kind="hf-kernel", name="org/kernel"),
]
REAL = repository(
    real_model(),
    name="sentence-transformers/all-MiniLM-L6-v2",
    older=[OLD],
    refs={"refs/pr/1": commit_of(OLD)},
    absent=("adapter_config.json",),
)

COPIES = pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
LAYOUTS = pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
SCHEMES = pytest.mark.parametrize("scheme", ["hf-home", "hf-cache"])


def known_to(client: HubClient) -> list[Repository]:
    """Return the repositories of a kind that the client knows."""
    version = tuple(map(int, client.version().split(".")[:2]))
    return [
        repo
        for repo in REPOSITORIES
        if repo.kind != "hf-kernel" or version >= KERNELS_SINCE
    ]


@pytest.fixture(scope="module", params=GENERATIONS)
def client(request: pytest.FixtureRequest) -> Iterator[HubClient]:
    """A client that is told each time which cache it has."""
    with client_of(request.param) as client:
        assert client.version().startswith(f"{request.param}.")
        yield client


@LAYOUTS
@SCHEMES
@COPIES
def test_a_cache_crosses_and_loads(
    tmp_path: Path, client: HubClient, layout: Layout, scheme: str, *, copy: bool
) -> None:
    gap = open_gap(tmp_path)
    known = known_to(client)
    fill(gap, known, layout)
    pvc = gap.inside.home / "pvc"
    with no_flushing():
        result = gap.unpack(gap.pack(), f"{scheme}:{pvc}", copy=copy)
    assert result["left"] == []
    hub = pvc / "hub" if scheme == "hf-home" else pvc
    for repo in known:
        check_loads(client, repo, hub)
    check_scan(client.scan(hub), *known)
    check_nothing_private(pvc)
    assert not copy or not [path for path in pvc.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize(
    ("layout", "scheme", "copy"),
    [
        pytest.param(Layout.CLASSIC, "hf-home", False, id="blobs to HF_HOME"),
        pytest.param(Layout.SHARED, "hf-cache", False, id="two hops to HF_HUB_CACHE"),
        pytest.param(Layout.PLAIN, "hf-home", True, id="files to copies in HF_HOME"),
    ],
)
def test_the_real_model_crosses_and_loads(
    tmp_path: Path, layout: Layout, scheme: str, *, copy: bool
) -> None:
    gap = open_gap(tmp_path)
    fill(gap, [REAL], layout)
    pvc = gap.inside.home / "pvc"
    gap.unpack(gap.pack(), f"{scheme}:{pvc}", copy=copy)
    home, cache = (pvc, None) if scheme == "hf-home" else (None, pvc)
    with HubClient(home=home, cache=cache) as client:
        check_loads(client, REAL)
        check_scan(client.scan(), REAL)
    check_nothing_private(pvc)
