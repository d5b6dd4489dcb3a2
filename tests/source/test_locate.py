"""Sources as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.errors import UsageError
from bundle.source.chart import ChartSource
from bundle.source.docker_archive import DockerArchiveSource
from bundle.source.filter import ListOptions
from bundle.source.hf_cache import HfCacheSource
from bundle.source.hf_hub import HfHubSource
from bundle.source.locate import parse_source
from bundle.source.oci_archive import OciArchiveSource
from bundle.source.oci_layout import OciLayoutSource
from bundle.source.options import SourceOptions
from bundle.source.tree import TreeSource

GOOD = {
    "hf-cache:/srv/hub": HfCacheSource,
    "hf-cache:hub": HfCacheSource,
    "hf-cache:hub#org/name": HfCacheSource,
    "hf-cache:hub#org/name@main#datasets/org/name@refs/pr/1#gpt2": HfCacheSource,
    "hf-cache:/with:colon": HfCacheSource,
    "hf://org/name": HfHubSource,
    "hf://gpt2@v1": HfHubSource,
    "hf://datasets/org/name@main": HfHubSource,
    "tree:/srv/models": TreeSource,
    "tree:.": TreeSource,
    "tree:/srv/a#b": TreeSource,
    "oci-layout:/srv/images": OciLayoutSource,
    "oci-layout:images:v1": OciLayoutSource,
    "oci-layout:images:ghcr.io/acme/app:v1": OciLayoutSource,
    f"oci-layout:images@sha256:{'0' * 64}": OciLayoutSource,
    "oci-archive:images.tar": OciArchiveSource,
    "oci-archive:images.tar:v1": OciArchiveSource,
    "docker-archive:saved.tar": DockerArchiveSource,
    "chart:sie-1.0.0.tgz": ChartSource,
}


@pytest.mark.parametrize(("text", "kind"), GOOD.items(), ids=GOOD.keys())
def test_a_source_remembers_what_was_written(text: str, kind: type) -> None:
    options = SourceOptions(
        listing=ListOptions(keep_going=True), environment={"HF_TOKEN": "secret"}
    )
    source = parse_source(text, options)
    assert type(source) is kind
    assert source.location == text


BAD = {
    "": "does not name a source",
    "/srv/models": "does not name a source",
    "s3://bucket": "how do things lie there",
    "tree": "does not name a source",
    "tree:": "does not name a source",
    "hf-cache:": "does not name a source",
    "hf-cache:#org/name": "does not name a source",
    "hf-home:/srv": "does not name a source",
    "tree:a\0b": "does not name a source",
    "tree:~/models": "does not expand '~'",
    "hf-cache:~/hub#org/name": "does not expand '~'",
    "oci-layout:": "does not name a source",
    "oci-layout::v1": "does not name a source",
    "oci-archive:~/images.tar": "does not expand '~'",
    "docker-archive:": "does not name a source",
    "chart:": "does not name a source",
    "oci-layout:images@sha256:../x": "selects no image",
    "oci-archive:images.tar:-v1": "selects no image",
    "hf-cache:hub#": "names no repository",
    "hf-cache:hub#org/name#": "names no repository",
    "hf-cache:hub#../x": "names no repository",
    "hf://": "names no repository",
    "hf://org/name@": "no revision is called so",
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=BAD.keys())
def test_what_names_no_source_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_source(text)


async def test_a_relative_path_is_one_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    [artifact] = await parse_source("tree:tree").artifacts()
    [file] = artifact.files
    assert artifact.source == "tree:tree"
    assert isinstance(file.content, Path)
    assert file.content.read_bytes() == b"x"
