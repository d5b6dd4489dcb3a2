"""Values for charts: every image that they name, where it is now.

A chart says in values.yaml which images it runs, in one of a few forms. Where such
a form names an image of the release, the same place in ``values-offline.yaml``
names the one in the registry behind the gap.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import yaml

from bundle.errors import FormatError, SourceError
from bundle.limits import MAX_CHART_YAML
from bundle.oci.references import Reference
from bundle.rendering.helm_values import DIGEST, REGISTRY, REPOSITORY, TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundle.rendering.mirrors import Moved

_DEEPEST: Final = 32


def values_of(chart: bytes, where: str) -> dict[str, Any]:
    """Return the values.yaml of a packed chart; empty where there is none.

    Raises:
        SourceError: it is not YAML; ``where`` says which chart that is.
    """
    text = b""
    try:
        with tarfile.open(fileobj=gzip.open(io.BytesIO(chart)), mode="r|") as archive:
            for member in archive:
                if member.isreg() and member.name.split("/")[1:] == ["values.yaml"]:
                    stream = archive.extractfile(member)
                    text = b"" if stream is None else stream.read(MAX_CHART_YAML + 1)
                    break
        if len(text) > MAX_CHART_YAML:
            raise SourceError(f"{where}: its values.yaml is too large")
        if any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text)):
            return {}
        found = yaml.safe_load(text)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise SourceError(f"{where}: not a packed chart: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{where}: values.yaml is not YAML: {reason}") from error
    return found if isinstance(found, dict) else {}


def offline_values(values: Mapping[str, Any], images: list[Moved]) -> dict[str, Any]:
    """Return what to lay over ``values``: the images of a release, where they are."""
    known = {str(one.name.normalised()): one for one in images}
    names = {one.name.normalised().name: one for one in images}
    found = _over(values, known, names, 0)
    return found if isinstance(found, dict) else {}


def _over(
    value: Any,  # noqa: ANN401 - whatever YAML has
    known: Mapping[str, Moved],
    names: Mapping[str, Moved],
    depth: int,
) -> Any:  # noqa: ANN401 - whatever YAML has
    """Return what replaces a part of the values, None where nothing does."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        image = known.get(_normal(value))
        return None if image is None else image.reference
    if not isinstance(value, dict):
        return None
    image = _image_of(value, known, names)
    if image is not None:
        return _placed(value, image)
    found = {
        key: over
        for key, member in value.items()
        if (over := _over(member, known, names, depth + 1)) is not None
    }
    return found or None


def _image_of(
    value: dict[str, Any], known: Mapping[str, Moved], names: Mapping[str, Moved]
) -> Moved | None:
    """Return the image that a mapping with a repository names, or None."""
    repository = value.get(REPOSITORY)
    if not isinstance(repository, str):
        return None
    registry, tag = value.get(REGISTRY), value.get(TAG)
    name = f"{registry}/{repository}" if registry else repository
    whole = _normal(f"{name}:{tag}" if tag else name)
    return known.get(whole) or (None if tag else names.get(_name(whole)))


def _placed(value: dict[str, Any], image: Moved) -> dict[str, Any]:
    """Return the same form with the image's new place."""
    tag = {TAG: image.name.tag} if image.name.tag else {DIGEST: image.revision}
    if value.get(REGISTRY):
        return {REGISTRY: image.host, REPOSITORY: image.repository, **tag}
    return {REPOSITORY: image.mirror, **tag}


def _normal(text: str) -> str:
    """Return the full form of a reference, empty for other text."""
    try:
        return str(Reference.parse(text).normalised())
    except FormatError:
        return ""


def _name(text: str) -> str:
    try:
        return Reference.parse(text).name
    except FormatError:
        return ""
