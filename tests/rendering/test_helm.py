"""Values that point a chart at the registry behind the gap."""

from __future__ import annotations

import gzip

import pytest
import yaml

from bundle.errors import SourceError
from bundle.oci.mapping import NameMap
from bundle.rendering.helm import offline_values, values_of
from bundle.rendering.helm_values import listed_values
from bundle.rendering.mirrors import moved
from bundle.target.registry_place import RegistryPlace
from tests.images import tar
from tests.rendering.test_mirrors import DIGEST, NAMES, artifact

PLACE = RegistryPlace.parse("r.example.com", NameMap.parse(["ghcr.io/superlinked=sie"]))
IMAGES = moved(map(artifact, NAMES), PLACE)

VALUES = """
workers:
  common:
    image: {repository: ghcr.io/superlinked/sie-server, tag: v0.3.1, pullPolicy: Always}
    replicas: 3
gateway:
  image: {registry: ghcr.io, repository: superlinked/sie-gateway, tag: v0.3.1}
old: {image: {repository: ghcr.io/superlinked/sie-server, tag: v0.2.0}}
metrics: {image: "quay.io/prometheus/prometheus:v3.1.0"}
cache: {image: {repository: redis, tag: ""}}
lists: [{image: "quay.io/prometheus/prometheus:v3.1.0"}]
words: hello
"""


def test_images_are_replaced_in_the_form_they_have() -> None:
    assert offline_values(yaml.safe_load(VALUES), IMAGES) == {
        "workers": {
            "common": {
                "image": {"repository": "r.example.com/sie/sie-server", "tag": "v0.3.1"}
            }
        },
        "gateway": {
            "image": {
                "registry": "r.example.com",
                "repository": "sie/sie-gateway",
                "tag": "v0.3.1",
            }
        },
        "metrics": {"image": "r.example.com/prometheus/prometheus:v3.1.0"},
        "cache": {
            "image": {"repository": "r.example.com/library/redis", "digest": DIGEST}
        },
    }


def test_values_are_those_of_the_chart_itself() -> None:
    inner = {"sie/charts/redis/values.yaml": b"a: 1", "sie/values.yaml": b"b: 2"}
    assert values_of(gzip.compress(tar(inner)), "sie") == {"b": 2}
    assert values_of(gzip.compress(tar({"sie/Chart.yaml": b""})), "sie") == {}


BAD = {
    "no archive": b"hello",
    "half an archive": gzip.compress(tar({"sie/values.yaml": b"a: 1" * 9999}))[:60],
    "no YAML": gzip.compress(tar({"sie/values.yaml": b"a: [1"})),
    "too large": gzip.compress(tar({"sie/values.yaml": b"#" * ((1 << 20) + 1)})),
}


@pytest.mark.parametrize("chart", BAD.values(), ids=BAD.keys())
def test_a_chart_that_is_none_is_refused(chart: bytes) -> None:
    with pytest.raises(SourceError, match="sie"):
        values_of(chart, "sie")


def test_values_with_aliases_are_left_alone() -> None:
    chart = gzip.compress(tar({"sie/values.yaml": b"a: &x 1\nb: *x"}))
    assert values_of(chart, "sie") == {}


def test_for_charts_that_are_not_here_images_are_listed() -> None:
    found = listed_values(IMAGES)["images"]["sie-gateway"]
    assert found == {
        "repository": "r.example.com/sie/sie-gateway",
        "tag": "v0.3.1",
        "digest": DIGEST,
    }
