"""Where images are now, in the words of each engine."""

from __future__ import annotations

import tomllib

import jsonschema
import pytest
import yaml

from bundle.format.descriptor import RECIPE, Descriptor
from bundle.format.release import Artifact
from bundle.oci.mapping import NameMap
from bundle.rendering.mirrors import mirror_files, moved
from bundle.target.registry_place import RegistryPlace
from tests.rendering.schemas import mirror_set

DIGEST = "sha256:" + "ab" * 32


def artifact(name: str, kind: str = "oci-image") -> Artifact:
    recipe = Descriptor.of(RECIPE, b"")
    return Artifact(kind, name, "", DIGEST, recipe, 0, 0, 0, None, ())


NAMES = (
    "ghcr.io/superlinked/sie-server:v0.3.1",
    "ghcr.io/superlinked/sie-server:v0.3.0",
    "ghcr.io/superlinked/sie-gateway:v0.3.1",
    f"docker.io/library/redis@{DIGEST}",
    "quay.io/prometheus/prometheus:v3.1.0",
    "local:v1",
)


def rendered(registry: str = "private.example.com/ai", *rules: str) -> dict[str, str]:
    place = RegistryPlace.parse(registry, NameMap.parse(rules))
    chart = artifact("ghcr.io/superlinked/charts/sie:0.3.1", "helm-chart")
    return dict(mirror_files(moved([*map(artifact, NAMES), chart], place)))


@pytest.mark.parametrize(
    ("path", "kind", "member"),
    [
        ("openshift/idms.yaml", "ImageDigestMirrorSet", "imageDigestMirrors"),
        ("openshift/itms.yaml", "ImageTagMirrorSet", "imageTagMirrors"),
    ],
)
def test_a_mirror_set_is_what_openshift_takes(
    path: str, kind: str, member: str
) -> None:
    document = yaml.safe_load(rendered()[path])
    jsonschema.validate(document, mirror_set(kind, member))
    rules = {one["source"]: one["mirrors"] for one in document["spec"][member]}
    assert rules == {
        "docker.io/library/redis": ["private.example.com/ai/library/redis"],
        "ghcr.io/superlinked/sie-gateway": [
            "private.example.com/ai/superlinked/sie-gateway"
        ],
        "ghcr.io/superlinked/sie-server": [
            "private.example.com/ai/superlinked/sie-server"
        ],
        "quay.io/prometheus/prometheus": [
            "private.example.com/ai/prometheus/prometheus"
        ],
    }


def test_names_of_sets_stay() -> None:
    names = {
        yaml.safe_load(text)["metadata"]["name"]
        for path, text in (rendered() | rendered("other.example.com")).items()
        if path.startswith("openshift/")
    }
    assert names == {"idms-bundle-0", "itms-bundle-0"}


def test_podman_is_told_the_same() -> None:
    found = tomllib.loads(rendered()["podman/50-bundle.conf"])["registry"]
    assert {"prefix", "location"} == {*found[0]}
    assert found[1]["prefix"] == "ghcr.io/superlinked/sie-gateway"
    assert found[1]["location"] == "private.example.com/ai/superlinked/sie-gateway"


def test_containerd_puts_a_path_before_names() -> None:
    files = rendered()
    hosts = tomllib.loads(files["containerd/ghcr.io/hosts.toml"])
    assert hosts == {
        "server": "https://ghcr.io",
        "host": {
            "https://private.example.com/v2/ai": {
                "capabilities": ["pull", "resolve"],
                "override_path": True,
            }
        },
    }
    hub = tomllib.loads(files["containerd/docker.io/hosts.toml"])
    assert hub["server"] == "https://registry-1.docker.io"


def test_what_containerd_cannot_rename_is_named() -> None:
    text = rendered("private.example.com", "ghcr.io/superlinked=sie")[
        "containerd/ghcr.io/hosts.toml"
    ]
    assert tomllib.loads(text) == {"server": "https://ghcr.io"}
    assert "# containerd cannot rename ghcr.io/superlinked/sie-server: " in text


def test_without_images_from_elsewhere_there_is_nothing_to_say() -> None:
    place = RegistryPlace.parse("private.example.com", NameMap())
    assert not [*mirror_files(moved([artifact("local:v1")], place))]
