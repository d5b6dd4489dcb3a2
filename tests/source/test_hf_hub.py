"""The real library downloads from a local hub, and what it wrote is listed."""

from __future__ import annotations

import builtins
import logging
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import SourceError, TargetError, TransientError, UsageError
from bundle.source.base import Extent
from bundle.source.filter import ListOptions
from bundle.source.locate import parse_source
from bundle.source.options import SourceOptions
from tests.caches import commit_of, read, repository, small_model, tree_list
from tests.hub import Hub, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.source.base import SourceArtifact

FILES, OLD = small_model(), small_model("of an older commit")
COMMIT = commit_of(FILES)
ONE_FILE = {"config.json": b"{}"}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    older = {"refs/pr/1": commit_of(OLD), "v1": commit_of(OLD)}
    repositories = [
        repository(FILES, older=[OLD], refs=older),
        *(
            repository(ONE_FILE, name="org/data", kind=kind)
            for kind in ("hf-dataset", "hf-space", "hf-kernel")
        ),
        repository(ONE_FILE, name="gpt2"),
        repository(ONE_FILE, name="org/private", private=True),
        repository(ONE_FILE, name="org/gated", gated=True),
        repository(ONE_FILE, name="org/disabled", disabled=True),
    ]
    with serving(repositories) as hub:
        yield hub


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "huggingface_hub")


class Downloads:
    """Downloads into a cache of its own."""

    def __init__(self, hub: Hub, cache: Path) -> None:
        self.environment = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache)}
        self.hub = hub

    async def __call__(self, text: str, **options: Any) -> SourceArtifact:  # noqa: ANN401
        listing = ListOptions(**options)
        source = parse_source(
            text, SourceOptions(listing=listing, environment=self.environment)
        )
        [artifact] = await source.artifacts()
        return artifact


@pytest.fixture
def download(hub: Hub, tmp_path: Path) -> Iterator[Downloads]:
    yield Downloads(hub, tmp_path / "cache")
    hub.refusing = None
    hub.listen = lambda _: None
    hub.requests.clear()


def contents(artifact: SourceArtifact) -> dict[str, bytes]:
    held = {file.path: file.content for file in artifact.files}
    return {
        path: read(content)
        for path, content in held.items()
        if not isinstance(content, Extent)
    }


async def test_a_repository_comes_whole_with_its_ref(download: Downloads) -> None:
    artifact = await download("hf://org/model")
    assert (artifact.kind, artifact.name) == ("hf-model", "org/model")
    assert artifact.source == "hf://org/model"
    assert artifact.revision == COMMIT
    assert artifact.licence == "apache-2.0"
    assert contents(artifact) == {
        **{f"snapshots/{COMMIT}/{path}": read(FILES[path]) for path in FILES},
        f"trees/{COMMIT}.json": tree_list(FILES),
        "refs/main": COMMIT.encode(),
    }


@pytest.mark.parametrize("revision", ["refs/pr/1", "v1", commit_of(OLD)])
async def test_a_revision_comes_alone(download: Downloads, revision: str) -> None:
    await download("hf://org/model")
    artifact = await download(f"hf://org/model@{revision}")
    assert artifact.revision == commit_of(OLD)
    refs = [file.path for file in artifact.files if file.path.startswith("refs/")]
    assert refs == ([] if revision == commit_of(OLD) else [f"refs/{revision}"])


@pytest.mark.parametrize(
    "name",
    ["datasets/org/data", "spaces/org/data", "kernels/org/data", "gpt2", "models/gpt2"],
)
async def test_every_kind_of_repository_is_downloaded(
    download: Downloads, name: str
) -> None:
    artifact = await download(f"hf://{name}")
    prefix = name.partition("/")[0] if "/" in name else "models"
    assert f"{artifact.kind}s" == f"hf-{prefix}"
    assert f"snapshots/{commit_of(ONE_FILE)}/config.json" in contents(artifact)


async def test_only_what_is_wanted_is_downloaded(download: Downloads) -> None:
    artifact = await download(
        "hf://org/model",
        include=("*.json", "*.safetensors"),
        exclude=("*/1_Pooling/*",),
    )
    assert contents(artifact).keys() == {
        "refs/main",
        f"snapshots/{COMMIT}/config.json",
        f"snapshots/{COMMIT}/model.safetensors",
    }
    assert not any("onnx" in request for request in download.hub.requests)


async def test_a_second_run_downloads_no_content(download: Downloads) -> None:
    first = await download("hf://org/model")
    download.hub.requests.clear()
    assert await download("hf://org/model") == first
    assert not any("/resolve/" in request for request in download.hub.requests)


@pytest.mark.parametrize("name", ["org/private", "org/gated"])
async def test_a_token_opens_what_is_closed(download: Downloads, name: str) -> None:
    download.environment["HF_TOKEN"] = download.hub.token
    assert (await download(f"hf://{name}")).name == name


async def test_the_home_is_where_the_cache_is_by_default(
    download: Downloads, tmp_path: Path
) -> None:
    del download.environment["HF_HUB_CACHE"]
    download.environment["HF_HOME"] = str(tmp_path / "home")
    await download("hf://gpt2")
    assert (tmp_path / "home" / "hub" / "models--gpt2").is_dir()


REFUSED = {
    "no such repository": ("org/absent", "no such repository", "check the name"),
    "a private one": ("org/private", "no such repository, or a private", "HF_TOKEN"),
    "a gated one": ("org/gated", "granted on request", "ask for access"),
    "a disabled one": ("org/disabled", "disabled", ""),
    "no such revision": ("org/model@v9", "no such revision", "a branch"),
}


@pytest.mark.parametrize(
    ("name", "message", "advice"), REFUSED.values(), ids=REFUSED.keys()
)
async def test_what_the_hub_does_not_give_is_an_error_of_the_source(
    download: Downloads, name: str, message: str, advice: str
) -> None:
    with pytest.raises(SourceError, match=f"hf://{name}: .*{message}") as caught:
        await download(f"hf://{name}")
    assert advice in caught.value.advice


async def test_patterns_that_leave_nothing_are_said(download: Downloads) -> None:
    with pytest.raises(SourceError, match="no file of it is wanted"):
        await download("hf://org/model", include=("*.gguf",))


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_hub_out_of_order_is_worth_trying_again(
    download: Downloads, status: int
) -> None:
    await download("hf://gpt2")
    download.hub.refusing = status
    with pytest.raises(TransientError, match=f"busy \\({status}\\)"):
        await download("hf://gpt2")


async def test_no_hub_at_all_is_worth_trying_again(download: Downloads) -> None:
    await download("hf://gpt2")
    download.environment["HF_ENDPOINT"] = "http://127.0.0.1:1"
    with pytest.raises(TransientError, match="cannot be reached") as caught:
        await download("hf://gpt2")
    assert caught.value.exit_code == 16
    assert "HF_ENDPOINT" in caught.value.advice


async def test_a_cache_that_cannot_be_written_is_an_error_of_the_target(
    download: Downloads, tmp_path: Path
) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(TargetError) as caught:
        await download("hf://gpt2")
    assert "HF_HUB_CACHE" in caught.value.advice


async def test_a_snapshot_that_lost_a_file_is_fetched_again(
    download: Downloads, tmp_path: Path
) -> None:
    await download("hf://org/model")
    root = tmp_path / "cache" / "models--org--model" / "snapshots" / COMMIT
    (root / "vocab.txt").unlink()
    artifact = await download("hf://org/model")
    assert f"snapshots/{COMMIT}/vocab.txt" in contents(artifact)


async def test_a_branch_that_moves_meanwhile_is_worth_trying_again(
    download: Downloads,
) -> None:
    before, after = (
        repository(files, name="org/moving", older=[older])
        for files, older in ((FILES, OLD), (OLD, FILES))
    )
    hub = download.hub

    def move(request: str) -> None:
        if "/tree/" in request:
            hub.repositories["hf-model", "org/moving"] = after

    hub.repositories["hf-model", "org/moving"] = before
    hub.listen = move
    with pytest.raises(TransientError, match="changed while it was downloaded"):
        await download("hf://org/moving")
    assert (await download("hf://org/moving")).revision == commit_of(OLD)


async def test_without_the_library_the_extra_is_named(
    download: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:  # noqa: ANN401 - as the real one
        if name.startswith("huggingface_hub"):
            raise ImportError("No module named 'huggingface_hub'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError, match="huggingface_hub") as caught:
        await download("hf://gpt2")
    assert "[hf]" in caught.value.advice


async def test_what_is_current_is_known_without_a_download(
    download: Downloads, tmp_path: Path
) -> None:
    artifact = await download("hf://gpt2")
    environment = {**download.environment, "HF_HUB_CACHE": str(tmp_path / "other")}
    source = parse_source("hf://gpt2", SourceOptions(environment=environment))
    (found,) = await source.resolve()
    assert (found.kind, found.name) == ("hf-model", "gpt2")
    assert found.revision == artifact.revision
    assert not (tmp_path / "other").exists()


async def test_what_is_not_there_is_not_current(download: Downloads) -> None:
    options = SourceOptions(environment=download.environment)
    with pytest.raises(SourceError, match="no such repository"):
        await parse_source("hf://org/absent", options).resolve()
