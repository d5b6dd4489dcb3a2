"""Charts of Helm: carried as they are, in the form that registries keep."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError, UsageError
from bundle.limits import MAX_CHART, MAX_CHART_YAML
from bundle.oci import media_types
from bundle.source import chart as module
from bundle.source.locate import parse_source
from bundle.source.options import SourceOptions
from tests.images import digest, squeezed, tar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bundle.source.base import SourceArtifact

YAML = b"""apiVersion: v2
name: sie
version: 1.2.0+build.5
appVersion: "0.3"
created: 2026-01-31
dependencies:
  - {name: redis, version: 1.x, repository: "https://charts.example.com"}
"""


def write(path: Path, files: Mapping[str, bytes]) -> bytes:
    data = squeezed(tar(files))
    path.write_bytes(data)
    return data


def listed(path: Path) -> SourceArtifact:
    (artifact,) = asyncio.run(parse_source(f"chart:{path}").artifacts())
    return artifact


def blobs(artifact: SourceArtifact) -> dict[str, bytes]:
    return {
        f"sha256:{file.path.rpartition('/')[2]}": file.content
        for file in artifact.files
        if file.path.startswith("blobs/") and isinstance(file.content, bytes)
    }


def test_a_chart_is_what_helm_pushes(tmp_path: Path) -> None:
    data = write(tmp_path / "sie.tgz", {"sie/Chart.yaml": YAML})
    (tmp_path / "sie.tgz.prov").write_bytes(b"signed")
    found = listed(tmp_path / "sie.tgz")
    assert (found.kind, found.name) == ("helm-chart", "sie:1.2.0_build.5")
    held = blobs(found)
    manifest = json.loads(held[found.revision])
    types = {
        one["mediaType"]: held[one["digest"]]
        for one in (manifest["config"], *manifest["layers"])
    }
    assert types[media_types.HELM_CHART] == data
    assert types[media_types.HELM_PROVENANCE] == b"signed"
    config = json.loads(types[media_types.HELM_CONFIG])
    assert config["version"] == "1.2.0+build.5"
    assert config["created"] == "2026-01-31"
    assert all(digest(content) == name for name, content in held.items())
    assert listed(tmp_path / "sie.tgz").revision == found.revision


def test_charts_that_are_not_inside_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.tgz", {"sie/Chart.yaml": YAML})
    (warning,) = listed(tmp_path / "a.tgz").warnings
    assert warning.startswith("it depends on charts that are not inside it: redis;")
    inside = {"sie/Chart.yaml": YAML, "sie/charts/redis-1.0.0.tgz": b""}
    write(tmp_path / "b.tgz", inside)
    assert not listed(tmp_path / "b.tgz").warnings


ODD = {
    "no archive": (b"hello", "not a packed chart"),
    "half an archive": (squeezed(tar({"a/Chart.yaml": YAML}))[:90], "not a packed"),
    "no Chart.yaml": (squeezed(tar({"a/values.yaml": b""})), "no Chart.yaml"),
    "one of a chart inside": (
        squeezed(tar({"a/charts/b/Chart.yaml": YAML})),
        "no Chart.yaml",
    ),
    "no YAML": (squeezed(tar({"a/Chart.yaml": b"a: [1"})), "is not YAML"),
    "aliases": (squeezed(tar({"a/Chart.yaml": b"a: &x 1\nb: *x"})), "aliases"),
    "no version": (squeezed(tar({"a/Chart.yaml": b"name: a"})), "no chart and version"),
    "a list": (squeezed(tar({"a/Chart.yaml": b"[1]"})), "no chart and version"),
    "code": (
        squeezed(tar({"a/Chart.yaml": b"name: !!python/name:os.system"})),
        "is not YAML",
    ),
    "a name that is none": (
        squeezed(tar({"a/Chart.yaml": b"name: ../a\nversion: 1.0.0"})),
        "names no image",
    ),
    "too long": (
        squeezed(tar({"a/Chart.yaml": b"#" * (MAX_CHART_YAML + 1)})),
        "no Chart.yaml",
    ),
}


@pytest.mark.parametrize(("data", "message"), ODD.values(), ids=ODD.keys())
def test_what_is_no_chart_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.tgz").write_bytes(data)
    with pytest.raises(SourceError, match=message):
        listed(tmp_path / "a.tgz")


def test_a_chart_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        listed(tmp_path / "a.tgz")


def test_charts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "a.tgz", {"sie/Chart.yaml": YAML})
    assert MAX_CHART == 256 << 20
    monkeypatch.setattr(module, "MAX_CHART", len(data))
    listed(tmp_path / "a.tgz")
    monkeypatch.setattr(module, "MAX_CHART", len(data) - 1)
    with pytest.raises(SourceError, match="too large for a chart"):
        listed(tmp_path / "a.tgz")
    monkeypatch.setattr(module, "_MEMBERS", 0)
    monkeypatch.setattr(module, "MAX_CHART", len(data))
    with pytest.raises(SourceError, match="over 0 members"):
        listed(tmp_path / "a.tgz")


def test_a_reader_of_yaml_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    for name in ("bundle.source.chart", "bundle.source.chart_yaml"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(UsageError, match="charts need a reader of YAML"):
        parse_source("chart:a.tgz", SourceOptions())
