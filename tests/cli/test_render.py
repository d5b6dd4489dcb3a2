"""What a cluster needs, written out of a bundle."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.caches import repository, write_cache
from tests.images import Layout, tar

if TYPE_CHECKING:
    from tests.cli.shell import Shell

CHART = {
    "sie/Chart.yaml": b"name: sie\nversion: 1.0.0\n",
    "sie/values.yaml": b"image: {repository: ghcr.io/acme/app, tag: v1}\n",
}


@pytest.fixture
def bundle(sender: Shell) -> Path:
    """A bundle of an image, a chart that runs it, and a model."""
    layout = Layout()
    layout.image("ghcr.io/acme/app:v1", 1)
    layout.write(sender.home / "images")
    (sender.home / "sie.tgz").write_bytes(gzip.compress(tar(CHART)))
    write_cache(sender.home / "hub", repository({"config.json": b"{}"}))
    sender.ok(
        *("pack", f"oci-layout:{sender.home / 'images'}"),
        *(f"chart:{sender.home / 'sie.tgz'}", f"hf-cache:{sender.home / 'hub'}"),
    )
    return sender.home / "out/docs-000001"


def test_everything_is_written(sender: Shell, receiver: Shell, bundle: Path) -> None:
    to = sender.home / "cluster"
    words = ("--registry", "r.example.com/ai", "--to", to, "--json")
    ran = receiver.ok("render", bundle, *words)
    written = {event["path"] for event in ran.of("rendered")}
    assert written == {
        str(to / name)
        for name in (
            "openshift/idms.yaml",
            "openshift/itms.yaml",
            "podman/50-bundle.conf",
            "containerd/ghcr.io/hosts.toml",
            "helm/values-offline.yaml",
            "helm/sie/values-offline.yaml",
            "kubernetes/models-volume.yaml",
            "kubernetes/models-upload.yaml",
            "kubernetes/deployment-patch.yaml",
        )
    }
    assert (ran.result["images"], ran.result["files"]) == (2, len(written))
    values = yaml.safe_load((to / "helm/sie/values-offline.yaml").read_bytes())
    image = {"repository": "r.example.com/ai/acme/app", "tag": "v1"}
    assert values == {"image": image}
    before = {path: path.read_bytes() for path in to.rglob("*.yaml")}
    receiver.ok("render", bundle, *words)
    assert {path: path.read_bytes() for path in to.rglob("*.yaml")} == before


def test_rules_of_names_hold(sender: Shell, receiver: Shell, bundle: Path) -> None:
    to = sender.home / "cluster"
    receiver.ok(
        *("render", bundle, "--registry", "r.example.com", "--to", to),
        *("--map", "ghcr.io/acme=ours", "--namespace", "ai"),
    )
    document = yaml.safe_load((to / "openshift/itms.yaml").read_bytes())
    (rule,) = document["spec"]["imageTagMirrors"]
    assert rule["mirrors"] == ["r.example.com/ours/app"]


def test_a_registry_has_to_be_one(sender: Shell, receiver: Shell, bundle: Path) -> None:
    ran = receiver("render", bundle, "--registry", "a b", "--to", sender.home / "x")
    assert ran.code == 2


def test_a_bundle_of_trees_has_nothing_to_render(
    sender: Shell, receiver: Shell, packed: Path
) -> None:
    to = sender.home / "x"
    ran = receiver("render", packed, "--registry", "r.example.com", "--to", to)
    assert (ran.code, "nothing to render" in ran.err) == (2, True)
    assert not to.exists()


def pack_chart(sender: Shell, values: bytes, *more: object) -> Path:
    chart = {**CHART, "sie/values.yaml": values}
    (sender.home / "sie.tgz").write_bytes(gzip.compress(tar(chart)))
    ran = sender.ok("pack", f"chart:{sender.home / 'sie.tgz'}", *more, "--json")
    return Path(ran.result["bundle"])


VALUES = {
    "no image of the release": (b"image: quay.io/a/b:v1\n", "name no image"),
    "no YAML": (b"a: [1", "is not YAML"),
}


@pytest.mark.parametrize(("values", "said"), VALUES.values(), ids=VALUES.keys())
def test_a_chart_without_values_for_it_is_said(
    sender: Shell, receiver: Shell, values: bytes, said: str
) -> None:
    bundle = pack_chart(sender, values)
    to = sender.home / "cluster"
    ran = receiver("render", bundle, "--registry", "r.example.com", "--to", to)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_a_chart_that_an_earlier_bundle_carried_is_said(
    sender: Shell, receiver: Shell
) -> None:
    pack_chart(sender, b"image: {repository: ghcr.io/acme/app, tag: v1}")
    layout = Layout()
    layout.image("ghcr.io/acme/app:v1", 1)
    layout.write(sender.home / "images")
    ran = sender.ok("pack", f"oci-layout:{sender.home / 'images'}", "--add", "--json")
    to = sender.home / "cluster"
    words = ("--registry", "r.example.com", "--to", to)
    ran = receiver.ok("render", ran.result["bundle"], *words)
    assert "sie:1.0.0: no values for it: the chart is not carried here" in ran.err
    assert (to / "helm/values-offline.yaml").is_file()
