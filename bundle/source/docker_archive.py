"""What ``docker save`` wrote: a tar of configs and layers, without manifests.

The manifest that the image had in its registry is not in there, and with it its
digest is lost: a new one is made from the config and the layers, the same for the
same archive. The config, by which an engine knows the image, keeps its digest.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.errors import FormatError, SourceError
from bundle.limits import MAX_OCI_MANIFEST
from bundle.oci import layouts, manifests
from bundle.oci.descriptors import Descriptor
from bundle.oci.digests import BlobDigest
from bundle.oci.manifests import Manifest
from bundle.oci.media_types import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from bundle.oci.references import Reference
from bundle.source.base import Extent, Source
from bundle.source.image_names import repository_of
from bundle.source.images import Image, list_images, renamed
from bundle.source.options import DEFAULT, SourceOptions
from bundle.source.tar_files import TarFiles
from bundle.wire import convert, parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.source.base import Content, SourceArtifact

_LOST: Final = (
    "docker save keeps no manifest: the digest that the image has in its registry is "
    "lost, so it cannot be pulled by that digest"
)
_KEPT: Final = (
    "the file is an OCI layout too: packed as oci-archive:, it keeps its manifests"
)
_LIST: Final = "manifest.json"
_PIECE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class _Saved(msgspec.Struct):
    """An entry of manifest.json: names of members, and names of the image."""

    config: str = msgspec.field(name="Config")
    layers: tuple[str, ...] = msgspec.field(name="Layers")
    tags: tuple[str, ...] | None = msgspec.field(default=None, name="RepoTags")


class _Roots(msgspec.Struct):
    diff_ids: tuple[str, ...]


class _Config(msgspec.Struct):
    rootfs: _Roots


@dataclass(slots=True)
class _Made:
    """Blobs by digest: parts of the tar, and manifests that were made."""

    files: TarFiles
    blobs: dict[BlobDigest, Extent | bytes]

    def find(self, digest: BlobDigest) -> tuple[Content, int] | None:
        """Return where a blob is, and its size."""
        found = self.blobs.get(digest)
        if found is None:
            return None
        return found, found.size if isinstance(found, Extent) else len(found)

    def read(self, digest: BlobDigest, size: int) -> bytes | None:
        """Return at most ``size`` bytes of a blob."""
        found = self.blobs.get(digest)
        if isinstance(found, Extent):
            return self.files.read_extent(found, size)
        return None if found is None else found[:size]

    def add(self, media_type: str, data: bytes) -> Descriptor:
        """Take in a blob that was made here."""
        one = Descriptor.of(media_type, data)
        self.blobs[one.blob] = data
        return one


class DockerArchiveSource(Source):
    """Lists the images of one file of ``docker save``."""

    def __init__(
        self,
        path: Path,
        selected: str = "",
        *,
        location: str | None = None,
        options: SourceOptions = DEFAULT,
    ) -> None:
        self.location = f"docker-archive:{path}" if location is None else location
        self._path = path
        self._selected = selected
        self._options = options

    async def artifacts(self) -> list[SourceArtifact]:
        """Return every image under each of its names, sorted by kind and name.

        Raises:
            SourceError: the file is not what ``docker save`` writes.
        """
        return await asyncio.to_thread(self._list)

    def _list(self) -> list[SourceArtifact]:
        files = TarFiles(self._path)
        data = files.read(_LIST, MAX_OCI_MANIFEST + 1)
        if data is None:
            raise SourceError(
                f"{self._path}: no {_LIST} in it: not what docker save writes",
                advice="an image layout in a tar is named oci-archive:FILE",
            )
        made = _Made(files, {})
        try:
            saved = convert(
                parse_json(data, limit=MAX_OCI_MANIFEST, rule="90.3.1"),
                tuple[_Saved, ...],
                rule="90.3.2",
            )
            found = [image for one in saved for image in self._images(one, made)]
        except FormatError as error:
            raise SourceError(f"{self._path}: {error}") from error
        if self._selected:
            found = [one for one in found if self._selected in _names(one.name)]
        if not found:
            raise SourceError(f"{self._path}: no such image in it")
        images = renamed(found, self._options)
        return list_images(images, made, self.location, self._options)

    def _images(self, saved: _Saved, made: _Made) -> list[Image]:
        root = self._manifest(saved, made)
        warnings = [_LOST]
        if made.files.find(layouts.MARKER) is not None:
            warnings.append(_KEPT)
        names = [Reference.parse(tag) for tag in saved.tags or ()]
        if not names:
            repository = repository_of(str(self._path))
            names = [Reference("", repository, digest=root.blob)]
        return [Image(name, root, {}, tuple(warnings)) for name in names]

    def _manifest(self, saved: _Saved, made: _Made) -> Descriptor:
        """Make the manifest of one image and return what describes it."""
        data = made.files.read(saved.config, MAX_OCI_MANIFEST + 1)
        if data is None:
            raise SourceError(f"{self._path}: the config {saved.config} is missing")
        config = made.add(OCI_CONFIG, data)
        named = BlobDigest.of_path(saved.config) or _hexadecimal(saved.config)
        if named is not None and str(named) != config.digest:
            raise SourceError(f"{self._path}: the config {saved.config} is damaged")
        try:
            ids = msgspec.json.decode(data, type=_Config).rootfs.diff_ids
        except (msgspec.DecodeError, RecursionError) as error:
            raise SourceError(f"{self._path}: {saved.config}: {error}") from error
        if len(ids) != len(saved.layers):
            raise SourceError(
                f"{self._path}: {len(saved.layers)} layers where the config "
                f"{saved.config} has {len(ids)}"
            )
        layers = tuple(
            self._layer(name, BlobDigest.parse(plain), made)
            for name, plain in zip(saved.layers, ids, strict=True)
        )
        manifest = Manifest(
            schema_version=manifests.SCHEMA,
            media_type=OCI_MANIFEST,
            config=config,
            layers=layers,
        )
        return made.add(OCI_MANIFEST, manifests.serialize(manifest))

    def _layer(self, name: str, plain: BlobDigest, made: _Made) -> Descriptor:
        """Describe a layer; one that is not compressed is known by its diff id."""
        extent = made.files.find(name)
        if extent is None:
            raise SourceError(f"{self._path}: the layer {name} is missing")
        start = made.files.read_extent(extent, 4)
        media_type, digest = OCI_LAYER, plain
        if start.startswith(_GZIP):
            media_type, digest = OCI_LAYER_GZIP, _hash(extent)
        elif start == _ZSTD:
            media_type, digest = f"{OCI_LAYER}+zstd", _hash(extent)
        made.blobs[digest] = extent
        return Descriptor(media_type, str(digest), extent.size)


def _names(name: Reference) -> tuple[str, ...]:
    return str(name), str(name.normalised()), name.tag or ""


def _hexadecimal(name: str) -> BlobDigest | None:
    """Return the digest in a name such as ``0123….json``, or None."""
    return BlobDigest.of_path(f"blobs/sha256/{name.removesuffix('.json')}")


def _hash(extent: Extent) -> BlobDigest:
    """Return the digest of a part of a tar."""
    hasher = hashlib.sha256()
    with extent.path.open("rb") as stream:
        stream.seek(extent.offset)
        left = extent.size
        while left:
            piece = stream.read(min(_PIECE, left))
            if not piece:
                raise SourceError(f"{extent.path}: it changed while it was read")
            hasher.update(piece)
            left -= len(piece)
    return BlobDigest("sha256", hasher.hexdigest())
