"""A chart of Helm in a file: carried as it is, in the form that registries keep.

``helm push`` makes a manifest of a chart: a config out of Chart.yaml, the file
itself, and the provenance beside it (``FILE.tgz.prov``) if there is one. This makes
the same, without the time at which it was done, so that the same chart has the same
digest wherever it is packed.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import tarfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bundle.errors import FormatError, SourceError
from bundle.limits import MAX_CHART, MAX_CHART_YAML
from bundle.oci import manifests
from bundle.oci.descriptors import Descriptor
from bundle.oci.manifests import Manifest
from bundle.oci.media_types import (
    HELM_CHART,
    HELM_CONFIG,
    HELM_PROVENANCE,
    OCI_MANIFEST,
)
from bundle.oci.references import Reference
from bundle.source.base import Source
from bundle.source.chart_yaml import parse_chart_yaml
from bundle.source.images import Image, list_images, renamed
from bundle.source.listing import unreadable
from bundle.source.options import DEFAULT, SourceOptions

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.oci.digests import BlobDigest
    from bundle.source.base import Content, SourceArtifact

_TITLE: Final = "org.opencontainers.image.title"
_VERSION: Final = "org.opencontainers.image.version"
_MEMBERS: Final = 10_000


class ChartSource(Source):
    """Lists one chart."""

    def __init__(
        self,
        path: Path,
        *,
        location: str | None = None,
        options: SourceOptions = DEFAULT,
    ) -> None:
        self.location = f"chart:{path}" if location is None else location
        self._path = path
        self._options = options
        self._blobs: dict[BlobDigest, bytes] = {}

    async def artifacts(self) -> list[SourceArtifact]:
        """Return the chart, called ``name:version``.

        Raises:
            SourceError: the file is no chart.
        """
        return await asyncio.to_thread(self._list)

    def find(self, digest: BlobDigest) -> tuple[Content, int] | None:
        """Return a blob and its size."""
        found = self._blobs.get(digest)
        return None if found is None else (found, len(found))

    def read(self, digest: BlobDigest, size: int) -> bytes | None:
        """Return at most ``size`` bytes of a blob."""
        found = self._blobs.get(digest)
        return None if found is None else found[:size]

    def _list(self) -> list[SourceArtifact]:
        data = self._file(self._path)
        if data is None:
            raise unreadable(str(self._path), FileNotFoundError())
        chart, names = read_chart(data, str(self._path))
        name, version = chart["name"], chart["version"]
        layers = [self._add(HELM_CHART, data)]
        provenance = self._file(self._path.with_name(f"{self._path.name}.prov"))
        if provenance is not None:
            layers.append(self._add(HELM_PROVENANCE, provenance))
        manifest = Manifest(
            schema_version=manifests.SCHEMA,
            media_type=OCI_MANIFEST,
            config=self._add(HELM_CONFIG, _compact(chart)),
            layers=tuple(layers),
            annotations={_TITLE: name, _VERSION: version},
        )
        root = self._add(OCI_MANIFEST, manifests.serialize(manifest))
        try:
            reference = Reference.parse(f"{name}:{version.replace('+', '_')}")
        except FormatError as error:
            raise SourceError(f"{self._path}: {error}") from error
        image = Image(reference, root, {}, _warnings(chart, names))
        images = renamed([image], self._options)
        return list_images(images, self, self.location, self._options)

    def _add(self, media_type: str, data: bytes) -> Descriptor:
        one = Descriptor.of(media_type, data)
        self._blobs[one.blob] = data
        return one

    def _file(self, path: Path) -> bytes | None:
        """Return the content of a file, or None without it."""
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_CHART + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(str(path), error) from error
        if len(data) > MAX_CHART:
            raise SourceError(f"{path}: over {MAX_CHART} bytes, too large for a chart")
        return data


def read_chart(data: bytes, where: str) -> tuple[dict[str, Any], list[str]]:
    """Return Chart.yaml of a packed chart, and the names of its members.

    Raises:
        SourceError: it is no chart; ``where`` says which file that was.
    """
    names: list[str] = []
    text = None
    try:
        with tarfile.open(fileobj=gzip.open(io.BytesIO(data)), mode="r|") as archive:
            for member in archive:
                names.append(member.name)
                if len(names) > _MEMBERS:
                    raise SourceError(f"{where}: over {_MEMBERS} members")
                parts = member.name.split("/")
                if text is None and parts[1:] == ["Chart.yaml"] and member.isreg():
                    stream = archive.extractfile(member)
                    text = b"" if stream is None else stream.read(MAX_CHART_YAML + 1)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise SourceError(f"{where}: not a packed chart: {error}") from error
    if text is None or len(text) > MAX_CHART_YAML:
        raise SourceError(
            f"{where}: no Chart.yaml in it",
            advice="name what helm package or helm pull wrote",
        )
    return parse_chart_yaml(text, where), names


def _compact(chart: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(chart, order="sorted")
    except (TypeError, ValueError, RecursionError) as error:
        raise SourceError(f"Chart.yaml is not what JSON can hold: {error}") from error


def _warnings(chart: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    """Say which charts it depends on that are not inside it."""
    listed = chart.get("dependencies")
    inside = [name.split("/")[2] for name in names if "/charts/" in name]
    absent = []
    for one in listed if isinstance(listed, list) else ():
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str) and not any(each.startswith(name) for each in inside):
            absent.append(name)
    if not absent:
        return ()
    text = ", ".join(sorted(absent))
    advice = "run helm dependency update before helm package"
    return (f"it depends on charts that are not inside it: {text}; {advice}",)
