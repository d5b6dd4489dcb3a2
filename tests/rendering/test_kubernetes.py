"""Models on a volume: a claim, a job that fills it, a patch; all valid."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from bundle.format.descriptor import RECIPE, Descriptor
from bundle.format.release import Artifact, Budgets, Release, Stream, TrustVersion
from bundle.limits import GIB
from bundle.rendering.kubernetes import Cluster, model_files

CLUSTER = Cluster("ai", "private.example.com/bundle:1", storage="nfs")


def release(*artifacts: Artifact) -> Release:
    return Release(
        stream=Stream("0" * 32, "models"),
        seq=1,
        prev="genesis",
        audience=(),
        created="2026-01-31T12:00:00Z",
        expires=None,
        trust_version=TrustVersion(1, 1),
        artifacts=artifacts,
        budgets=Budgets.of(artifacts),
    )


def model(size: int, kind: str = "hf-model") -> Artifact:
    recipe = Descriptor.of(RECIPE, b"")
    return Artifact(kind, "a/b", "", "", recipe, size, 0, 0, None, ())


def rendered(cluster: Cluster = CLUSTER) -> dict[str, list[dict[str, Any]]]:
    found = model_files(release(model(7 * GIB)), 3, b'{"signed": 1}', cluster)
    return {path: [*yaml.safe_load_all(text)] for path, text in found}


def test_everything_is_valid() -> None:
    files = rendered()
    patch = files.pop("kubernetes/deployment-patch.yaml")
    kinds = []
    for document in (one for each in files.values() for one in each):
        kubernetes_validate.validate(document, "1.33", strict=True)
        kinds.append(document["kind"])
        assert document["metadata"]["namespace"] == "ai"
    assert kinds == ["PersistentVolumeClaim", "ConfigMap", "Job"]
    kubernetes_validate.validate(_applied(patch[0]), "1.33", strict=True)


def _applied(patch: dict[str, Any]) -> dict[str, Any]:
    """Return a Deployment that the patch was laid over, as a cluster does it."""
    pod = patch["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "server"},
        "spec": {
            "selector": {"matchLabels": {"app": "server"}},
            "template": {
                "metadata": {"labels": {"app": "server"}},
                "spec": {**pod, "containers": [{**container, "image": "server:1"}]},
            },
        },
    }


def test_pods_look_in_the_volume_and_nowhere_else() -> None:
    ((patch,),) = (rendered()["kubernetes/deployment-patch.yaml"],)
    (container,) = patch["spec"]["template"]["spec"]["containers"]
    assert {one["name"]: one["value"] for one in container["env"]} == {
        "HF_HOME": "/models",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_MODULES_CACHE": "/hf-modules",
    }
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert mounts["/models"]["readOnly"] is True
    assert "readOnly" not in mounts["/hf-modules"]


def test_the_volume_holds_two_releases() -> None:
    (claim,) = rendered()["kubernetes/models-volume.yaml"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "15Gi"
    assert claim["spec"]["storageClassName"] == "nfs"
    (plain,) = rendered(Cluster("ai", "x"))["kubernetes/models-volume.yaml"]
    assert "storageClassName" not in plain["spec"]


def test_the_job_has_no_privileges_and_knows_whom_to_believe() -> None:
    trust, job = rendered()["kubernetes/models-upload.yaml"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "runAsUser" not in pod["securityContext"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert trust["data"] == {"3.root.json": '{"signed": 1}'}
    assert "/trust/3.root.json" in container["args"]


@pytest.mark.parametrize("kind", ["tree", "oci-image"])
def test_without_models_there_is_no_volume(kind: str) -> None:
    held = model(1, kind) if kind == "tree" else None
    artifacts = () if held is None else (held,)
    assert not [*model_files(release(*artifacts), 1, b"", CLUSTER)]
