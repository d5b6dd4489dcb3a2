"""Where images are now: for OpenShift, containerd, podman and CRI-O.

Files are of the whole release and not of what one bundle carried, under names that
stay, so that applying the newest ones is always enough. A cluster asks by tag and by
digest, and OpenShift keeps these apart: a set for digests alone serves no tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from bundle.oci.references import DOCKER_HUB, Reference
from bundle.rendering.yaml_text import to_yaml
from bundle.source.base import HELM_CHART, OCI_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundle.format.release import Artifact
    from bundle.target.registry_place import RegistryPlace

_DIGESTS: Final = "ImageDigestMirrorSet"
_TAGS: Final = "ImageTagMirrorSet"
_HUB: Final = "registry-1.docker.io"
"""Where Docker Hub answers, which is not its name."""

_HEADING: Final = (
    "Written by bundle render for all images of a release. Apply it again after\n"
    "each release: names stay, so it replaces the one before."
)


@dataclass(frozen=True, slots=True, order=True)
class Moved:
    """One image: the name it had, and where it is now."""

    name: Reference
    host: str
    repository: str
    revision: str
    kind: str

    @property
    def mirror(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def reference(self) -> str:
        """What a pod is to name; by digest where there is no tag."""
        return f"{self.mirror}:{self.name.tag}" if self.name.tag else self.pinned

    @property
    def pinned(self) -> str:
        """The same, by its digest."""
        return f"{self.mirror}@{self.revision}"


def moved(artifacts: Iterable[Artifact], place: RegistryPlace) -> list[Moved]:
    """Return where the images among ``artifacts`` are, sorted.

    Raises:
        TargetError: the rules of names leave one without a repository.
    """
    found = []
    for one in artifacts:
        if one.kind in OCI_KINDS:
            name = Reference.parse(one.name)
            repository = place.repository(name)
            found.append(Moved(name, place.host, repository, one.revision, one.kind))
    return sorted(found)


def mirror_files(images: list[Moved]) -> Iterator[tuple[str, str]]:
    """Yield paths and contents of files that tell clusters where images are.

    Charts are no business of theirs, and an image that was named without a
    registry was never pulled from anywhere else.
    """
    pulled = [one for one in images if one.kind != HELM_CHART and one.name.registry]
    sources = {one.name.name: one.mirror for one in pulled}
    if not sources:
        return
    yield "openshift/idms.yaml", _set(_DIGESTS, "imageDigestMirrors", sources)
    yield "openshift/itms.yaml", _set(_TAGS, "imageTagMirrors", sources)
    yield "podman/50-bundle.conf", _registries_conf(sources)
    for registry, group in groupby(pulled, key=lambda one: one.name.registry):
        folder = "docker.io" if registry == DOCKER_HUB else registry
        yield f"containerd/{folder}/hosts.toml", _hosts(registry, list(group))


def _set(kind: str, member: str, sources: dict[str, str]) -> str:
    """Return a mirror set that never asks where the image came from."""
    rules = [
        {
            "source": source,
            "mirrors": [mirror],
            "mirrorSourcePolicy": "NeverContactSource",
        }
        for source, mirror in sources.items()
    ]
    document: dict[str, Any] = {
        "apiVersion": "config.openshift.io/v1",
        "kind": kind,
        "metadata": {"name": f"{'idms' if kind == _DIGESTS else 'itms'}-bundle-0"},
        "spec": {member: rules},
    }
    return to_yaml(document, heading=_HEADING)


def _registries_conf(sources: dict[str, str]) -> str:
    lines = [*(f"# {line}" for line in _HEADING.splitlines())]
    lines.append("# Put it into /etc/containers/registries.conf.d of each node.")
    for source, mirror in sources.items():
        lines += [
            "",
            "[[registry]]",
            f'prefix = "{source}"',
            f'location = "{mirror}"',
        ]
    return "\n".join([*lines, ""])


def _hosts(registry: str, images: list[Moved]) -> str:
    """Return the hosts.toml of one registry, which can only put a path before names."""
    beginnings = {_beginning(one) for one in images}
    lines = [*(f"# {line}" for line in _HEADING.splitlines())]
    lines.append(f"# Put it into /etc/containerd/certs.d/{registry} of each node.")
    host = _HUB if registry == DOCKER_HUB else registry
    lines += ["", f'server = "https://{host}"']
    for beginning in sorted(one for one in beginnings if one is not None):
        path = f"{images[0].host}/v2{f'/{beginning}' if beginning else ''}"
        lines += [
            "",
            f'[host."https://{path}"]',
            '  capabilities = ["pull", "resolve"]',
            "  override_path = true",
        ]
    for one in images:
        if _beginning(one) is None:
            lines.append(f"# containerd cannot rename {one.name.name}: {one.reference}")
    return "\n".join([*lines, ""])


def _beginning(one: Moved) -> str | None:
    """Return what was put before the repository, None where it was changed."""
    own = one.name.normalised().repository
    for repository in (own, one.name.repository):
        if one.repository == repository:
            return ""
        if one.repository.endswith(f"/{repository}"):
            return one.repository.removesuffix(f"/{repository}")
    return None
