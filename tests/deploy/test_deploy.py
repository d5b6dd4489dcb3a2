"""What is deployed is what the product takes, and what clusters and systemd take."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
import yaml

from syncd.config import (
    Config,
    HttpSettings,
    MediaSettings,
    StoreSettings,
    TargetSettings,
    read_config,
)

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
MOST_EXPOSED = 2.0
"""What `systemd-analyze security` may say at most: 0 is safe, 10 is open."""


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


@pytest.mark.parametrize("path", [DEPLOY / "syncd.toml", KUBERNETES / "syncd.toml"])
def test_an_example_is_a_configuration(path: Path) -> None:
    assert read_config(path.read_bytes(), path.name).target


def test_the_example_shows_every_field_with_its_default() -> None:
    text = (DEPLOY / "syncd.toml").read_text()
    config = read_config(text.encode(), "syncd.toml")
    shown = set(re.findall(r"^(\w+) =", text, re.MULTILINE))
    sections = (Config, StoreSettings, MediaSettings, TargetSettings, HttpSettings)
    fields = {one.name for each in sections for one in msgspec.structs.fields(each)}
    assert fields - shown == {"store", "media", "target", "http", "trust"}
    assert config.http == HttpSettings()
    assert config.store == StoreSettings("/var/lib/syncd/store")


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(KUBERNETES.glob("*.yaml"))
        if path.name not in ("kustomization.yaml", "service-monitor.yaml")
    ],
    ids=lambda path: path.stem,
)
def test_a_cluster_takes_the_manifests(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, "1.30", strict=True)


def test_the_kustomization_names_what_is_there() -> None:
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    (generator,) = kustomization["configMapGenerator"]
    named = {*kustomization["resources"], *generator["files"]}
    there = {path.name for path in KUBERNETES.iterdir()}
    assert named == there - {"kustomization.yaml", "service-monitor.yaml"}


def test_the_pod_asks_for_nothing_that_restricted_forbids() -> None:
    pod = documents(KUBERNETES / "syncd.yaml")[1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "runAsUser" not in pod["securityContext"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert all("hostPath" not in volume for volume in pod["volumes"])


def test_nothing_leaves_the_pod() -> None:
    (policy,) = documents(KUBERNETES / "network-policy.yaml")
    assert "Egress" in policy["spec"]["policyTypes"]
    assert policy["spec"]["egress"] == []


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
def test_the_unit_is_hardened() -> None:
    ran = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=yes",
            "--no-pager",
            DEPLOY / "systemd/syncd.service",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", ran.stdout)
    assert found, ran.stdout + ran.stderr
    assert float(found[1]) <= MOST_EXPOSED
