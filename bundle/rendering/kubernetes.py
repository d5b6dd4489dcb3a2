"""How models reach a volume and pods: a claim, a job that fills it, a patch.

The job runs as whoever the namespace says, without privileges, and takes the bundle
from its standard input, so that nothing is laid down twice. Pods mount the volume
read-only; what a client writes, code that it copies to import it, goes to a
directory of its own that ends with the pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bundle.limits import GIB
from bundle.rendering.yaml_text import documents, to_yaml
from bundle.source.base import HF_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.format.release import Release

_HOME: Final = "/models"
_MODULES: Final = "/hf-modules"
_TRUST: Final = "/trust"
_CLAIM: Final = "models"
_JOB: Final = "models-upload"
_HEADROOM: Final = 2
"""How many releases of this size a volume is to hold: new beside old, for roll-back."""

ENVIRONMENT: Final = {
    "HF_HOME": _HOME,
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_MODULES_CACHE": _MODULES,
}
"""What makes clients look in the volume and nowhere else."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a person says of a cluster.

    ``uploader`` is an image with this tool in it; ``storage`` a storage class, None
    for the default one.
    """

    namespace: str
    uploader: str
    storage: str | None = None


def model_files(
    release: Release, version: int, root: bytes, cluster: Cluster
) -> Iterator[tuple[str, str]]:
    """Yield paths and contents of files for the models of a release, if it has any.

    ``root`` is the root of trust of that ``version``, by which the job knows whom
    to believe.
    """
    size = sum(one.bytes for one in release.artifacts if one.kind in HF_KINDS)
    if not size:
        return
    name = f"{version}.root.json"
    yield "kubernetes/models-volume.yaml", to_yaml(_claim(size, cluster))
    yield (
        "kubernetes/models-upload.yaml",
        documents(
            _trust(name, root, cluster),
            _job(name, cluster),
            heading=_upload_steps(cluster),
        ),
    )
    yield "kubernetes/deployment-patch.yaml", to_yaml(_patch(), heading=_PATCH_STEPS)


def _upload_steps(cluster: Cluster) -> str:
    words = f"kubectl -n {cluster.namespace}"
    return (
        f"{words} apply -f models-volume.yaml\n"
        f"{words} delete job {_JOB} --ignore-not-found\n"
        f"{words} apply -f models-upload.yaml\n"
        f"{words} wait --for=jsonpath={{.status.active}}=1 job/{_JOB}\n"
        f"bundle export BUNDLE | {words} attach -i job/{_JOB}\n"
        "A stream that breaks leaves the volume as it was; run the last four again."
    )


_PATCH_STEPS: Final = (
    "Lays over a Deployment: kubectl patch deployment NAME --patch-file THIS, after\n"
    "CONTAINER is replaced by the name of its container."
)


def _metadata(name: str, cluster: Cluster) -> dict[str, Any]:
    return {"name": name, "namespace": cluster.namespace}


def _claim(size: int, cluster: Cluster) -> dict[str, Any]:
    storage = {"storageClassName": cluster.storage} if cluster.storage else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(_CLAIM, cluster),
        "spec": {
            "accessModes": ["ReadWriteMany"],
            **storage,
            "resources": {
                "requests": {"storage": f"{-(-_HEADROOM * size // GIB) + 1}Gi"}
            },
        },
    }


def _trust(name: str, root: bytes, cluster: Cluster) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata("bundle-trust", cluster),
        "data": {name: root.decode()},
    }


def _job(root: str, cluster: Cluster) -> dict[str, Any]:
    """Return a job that unpacks what is written to it."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(_JOB, cluster),
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "fsGroupChangePolicy": "OnRootMismatch",
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_uploader(root, cluster)],
                    "volumes": [
                        {
                            "name": _CLAIM,
                            "persistentVolumeClaim": {"claimName": _CLAIM},
                        },
                        {"name": "trust", "configMap": {"name": "bundle-trust"}},
                        {"name": "state", "emptyDir": {}},
                    ],
                }
            },
        },
    }


def _uploader(root: str, cluster: Cluster) -> dict[str, Any]:
    arguments = ["unpack", "-", "--to", f"hf-home:{_HOME}"]
    return {
        "name": "upload",
        "image": cluster.uploader,
        "command": ["bundle"],
        "args": [*arguments, "--trust", f"{_TRUST}/{root}", "--state", "/state"],
        "stdin": True,
        "stdinOnce": True,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": _CLAIM, "mountPath": _HOME},
            {"name": "trust", "mountPath": _TRUST, "readOnly": True},
            {"name": "state", "mountPath": "/state"},
        ],
    }


def _patch() -> dict[str, Any]:
    """Return what a Deployment needs to run from the volume."""
    mounts = [
        {"name": _CLAIM, "mountPath": _HOME, "readOnly": True},
        {"name": "hf-modules", "mountPath": _MODULES},
    ]
    container = {
        "name": "CONTAINER",
        "env": [{"name": name, "value": value} for name, value in ENVIRONMENT.items()],
        "volumeMounts": mounts,
    }
    volumes = [
        {
            "name": _CLAIM,
            "persistentVolumeClaim": {"claimName": _CLAIM, "readOnly": True},
        },
        {"name": "hf-modules", "emptyDir": {}},
    ]
    pod = {"containers": [container], "volumes": volumes}
    return {"spec": {"template": {"spec": pod}}}
