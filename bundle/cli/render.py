"""``bundle render``: what a cluster needs to find images and models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.reading import open_verified
from bundle.cli.units import count_text
from bundle.errors import BundleError, MissingError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.format.release import Artifact
    from bundle.medium.reader import OpenBundle
    from bundle.rendering.mirrors import Moved


def render(options: argparse.Namespace, session: Session) -> None:
    """Write mirror sets, values for charts, and manifests for models.

    Raises:
        MissingError, TrustError: the bundle is not here, or not trusted.
        UsageError: the registry or a rule of names is none.
        TargetError: the files could not be written.
    """
    from bundle.durable import make_directory, write_file
    from bundle.oci.mapping import NameMap
    from bundle.rendering.kubernetes import Cluster, model_files
    from bundle.rendering.mirrors import mirror_files, moved
    from bundle.target.registry_place import RegistryPlace

    output = session.output
    place = RegistryPlace.parse(options.registry, NameMap.parse(options.map))
    uploader = options.uploader_image or f"{place.host}/bundle:latest"
    cluster = Cluster(options.namespace or "models", uploader, options.storage_class)
    opened = open_verified(options, session)
    images = moved(opened.release.artifacts, place)
    files = dict(mirror_files(images))
    files |= dict(_values(opened, images, output))
    root = opened.trust.root
    files |= dict(model_files(opened.release, root.version, root.data, cluster))
    if not files:
        raise UsageError(
            "the release has neither images nor models: there is nothing to render"
        )
    base = Path(options.to)
    for name, text in sorted(files.items()):
        make_directory((base / name).parent)
        data = text.encode()
        write_file(base / name, data)
        output.event("rendered", path=base / name, size=len(data))
        output.say(str(base / name))
    output.event(
        "result",
        verb=options.verb,
        bundle=opened.path,
        release=opened.digest,
        registry=str(place),
        images=len(images),
        files=len(files),
    )
    output.say(f"{count_text(len(images), 'image')} of release {opened.release.seq}")


def _values(
    opened: OpenBundle, images: list[Moved], output: Output
) -> Iterator[tuple[str, str]]:
    """Yield the values of each chart that is here, and a list for all others."""
    if not images:
        return
    from bundle.rendering.helm_values import listed_values
    from bundle.rendering.yaml_text import to_yaml
    from bundle.source.base import HELM_CHART

    pulled = [one for one in images if one.kind != HELM_CHART]
    heading = (
        "Images of the release, for charts that are not in it: copy what a chart "
        "names\nto where its values have it."
    )
    if pulled:
        text = to_yaml(listed_values(pulled), heading=heading)
        yield "helm/values-offline.yaml", text
    for artifact in opened.release.artifacts:
        if artifact.kind == HELM_CHART:
            yield from _chart_values(opened, artifact, pulled, output)


def _chart_values(
    opened: OpenBundle, artifact: Artifact, images: list[Moved], output: Output
) -> Iterator[tuple[str, str]]:
    """Yield the values that one chart is to be installed with."""
    from bundle.oci.references import Reference
    from bundle.rendering.yaml_text import to_yaml

    try:
        from bundle.rendering.helm import offline_values, values_of
    except ModuleNotFoundError:
        output.warn(
            f"{artifact.name}: no reader of YAML is installed: no values for it"
        )
        return
    try:
        chart = _chart(opened, artifact)
        values = offline_values(values_of(chart, artifact.name), images)
    except BundleError as error:
        output.warn(f"{artifact.name}: no values for it: {error}")
        return
    name = Reference.parse(artifact.name).repository.rpartition("/")[2]
    heading = f"helm upgrade --install NAME CHART -f THIS: images of {artifact.name}"
    if values:
        yield f"helm/{name}/values-offline.yaml", to_yaml(values, heading=heading)
    else:
        output.warn(f"{artifact.name}: its values name no image of this release")


def _chart(opened: OpenBundle, artifact: Artifact) -> bytes:
    """Return the packed chart of an artifact, out of the bundle.

    Raises:
        MissingError: this bundle does not carry it.
    """
    from bundle.medium.content import read_file
    from bundle.oci import manifests
    from bundle.oci.digests import BlobDigest
    from bundle.oci.media_types import HELM_CHART, OCI_MANIFEST

    recipe = opened.recipes.get(artifact.recipe.digest)
    if recipe is None:
        raise MissingError("the chart is not carried here")
    numbers = {path: number for number, path in enumerate(recipe.paths())}

    def read(digest: BlobDigest) -> bytes:
        number = numbers.get(digest.path)
        if number is None:
            raise MissingError(f"{digest} is not in it")
        return b"".join(read_file(opened, recipe, number))

    manifest = manifests.parse(read(BlobDigest.parse(artifact.revision)), OCI_MANIFEST)
    for layer in manifest.blobs:
        if layer.media_type == HELM_CHART:
            return read(layer.blob)
    raise MissingError("it has no chart in it")
