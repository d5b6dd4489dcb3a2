"""Releases of huggingface_hub from 0.25 on write caches here and read them there.

Each release lives in an environment of its own, which ``make interop`` makes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.caches import (
    Content,
    Layout,
    Repository,
    commit_of,
    read,
    real_model,
    repository,
    small_model,
    write_cache,
)
from tests.cli.shell import Shell
from tests.clients import HubClient, contents
from tests.hub import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

ROOT: Final = Path(__file__).parents[2]
OLDER: Final = ("0.25", "0.36", "1.0")
PYTHONS: Final = {
    "2.4": Path(sys.executable),
    **{release: ROOT / f".venv-hub-{release}/bin/python" for release in OLDER},
}

OLD, NEW = small_model("of the older commit"), small_model()
MODEL: Final = repository(NEW, older=[OLD], refs={"refs/pr/1": commit_of(OLD)})
DATASET: Final = repository(
    {"data/train.parquet": bytes(5000), "README.md": b"rows\n"},
    name="rows",
    kind="hf-dataset",
)


def expected(files: Mapping[str, Content]) -> dict[str, bytes]:
    return {path: read(content) for path, content in files.items()}


class Gap:
    """A sender, a receiver that trusts it, and the volume that clients mount."""

    def __init__(self, root: Path) -> None:
        self.cache = root / "outside/hf-home"
        self.cache.mkdir(parents=True)
        self.volume = root / "volume"
        self._out = root / "out"
        self._sender = Shell(root / "outside")
        self._receiver = Shell(root / "inside")
        self._sender.ok("key", "init", root / "outside/keys")
        self._receiver.ok("trust", "enrol", root / "outside/keys/1.root.json")
        self._key = root / "outside/keys"
        self._releases = 0

    def cross(self, *options: str) -> None:
        """Pack the cache, verify the bundle and unpack it into the volume."""
        self._releases += 1
        source = f"hf-cache:{self.cache}"
        where = ("--out", self._out, "--stream", "models", "--key", self._key)
        self._sender.ok("pack", source, *where)
        bundle = self._out / f"models-{self._releases:06}"
        self._receiver.ok("verify", bundle)
        self._receiver.ok("unpack", bundle, "--to", f"hf-home:{self.volume}", *options)


@pytest.fixture
def gap(tmp_path: Path) -> Gap:
    return Gap(tmp_path)


@pytest.fixture(params=PYTHONS)
def release(request: pytest.FixtureRequest) -> str:
    """A release that reads; it is the one that its environment is named after."""
    name = str(request.param)
    python = PYTHONS[name]
    assert python.exists(), f"{python} is not there; `make interop` makes it"
    return name


@pytest.fixture(scope="module", params=[*Layout, "copies"], ids=str)
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A volume with the real model, from a cache of each layout, and without links."""
    gap = Gap(tmp_path_factory.mktemp("published"))
    copies = request.param == "copies"
    layout = Layout.CLASSIC if copies else request.param
    write_cache(gap.cache / "hub", repository(real_model()), layout)
    gap.cross(*(["--copy"] if copies else []))
    return gap.volume


def test_the_real_model_loads(release: str, published: Path) -> None:
    files = real_model()
    with HubClient(home=published, python=PYTHONS[release]) as client:
        assert client.version().startswith(f"{release}.")
        assert contents(client.snapshot("org/model")) == expected(files)
        for path in files:
            assert client.file("org/model", path).read_bytes() == read(files[path])
        assert not client.scan().warnings


@pytest.fixture(params=PYTHONS)
def writer(request: pytest.FixtureRequest, gap: Gap) -> Iterator[HubClient]:
    """A client of each release that downloads into the sender's cache."""
    with serving([MODEL, DATASET]) as hub:
        online = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        python = PYTHONS[request.param]
        with HubClient(home=gap.cache, python=python, environment=online) as client:
            yield client


def test_what_any_release_downloaded_every_release_loads(
    writer: HubClient, gap: Gap
) -> None:
    download(writer, MODEL, "main", "refs/pr/1")
    download(writer, DATASET, "main")
    gap.cross()
    for release, python in PYTHONS.items():
        with HubClient(home=gap.volume, python=python) as client:
            assert contents(client.snapshot("org/model")) == expected(NEW), release
            asked = client.snapshot("org/model", revision="refs/pr/1")
            assert contents(asked) == expected(OLD), release
            rows = client.snapshot("rows", repo_type="dataset")
            assert contents(rows) == expected(DATASET.commits[DATASET.refs["main"]])
            assert not client.scan().warnings, release


def download(client: HubClient, repo: Repository, *revisions: str) -> None:
    for revision in revisions:
        kind = repo.kind.removeprefix("hf-")
        client.snapshot(repo.name, repo_type=kind, revision=revision)


def test_a_running_client_sees_the_next_release(release: str, gap: Gap) -> None:
    write_cache(gap.cache / "hub", repository(OLD))
    gap.cross()
    with HubClient(home=gap.volume, python=PYTHONS[release]) as client:
        before = client.snapshot("org/model")
        write_cache(gap.cache / "hub", repository(NEW))
        gap.cross()
        assert contents(before) == expected(OLD)
        assert contents(client.snapshot("org/model")) == expected(NEW)
        asked = client.snapshot("org/model", revision=commit_of(OLD))
        assert contents(asked) == expected(OLD)
        assert not client.scan().warnings
