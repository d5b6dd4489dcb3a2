"""Images for tests: image layouts put together blob by blob, as wrong as asked for."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from bundle.oci.descriptors import REF_NAME, Descriptor
from bundle.oci.media_types import (
    HELM_CHART,
    HELM_CONFIG,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from bundle.oci.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EMPTY = b"{}"
AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64", "v8")


def tar(files: Mapping[str, bytes]) -> bytes:
    """Return an uncompressed layer with these files; the same gives the same."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def noise(size: int, seed: str = "") -> bytes:
    """Return bytes that nothing compresses, always the same for one seed."""
    return hashlib.shake_128(seed.encode()).digest(size)


@dataclass
class Layout:
    """An image layout at ``root``; ``write`` makes it one."""

    root: Path
    entries: list[Descriptor] = field(default_factory=list)

    def blob(self, media_type: str, data: bytes) -> Descriptor:
        """Add a blob and return what it is."""
        one = Descriptor.of(media_type, data)
        path = self.root / one.blob.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return one

    def document(self, media_type: str, **members: Any) -> Descriptor:  # noqa: ANN401 - any JSON
        """Add a manifest or an index with these members."""
        body = {"schemaVersion": 2, "mediaType": media_type, **members}
        return self.blob(media_type, json.dumps(body, default=plain).encode())

    def layer(self, files: Mapping[str, bytes], *, packed: bool = True) -> Descriptor:
        """Add a layer, as a gzip or as it is."""
        data = tar(files)
        if packed:
            return self.blob(OCI_LAYER_GZIP, gzip.compress(data, mtime=0))
        return self.blob(OCI_LAYER, data)

    def image(
        self,
        *layers: Descriptor,
        platform: Platform = AMD64,
        **members: Any,  # noqa: ANN401 - any JSON
    ) -> Descriptor:
        """Add an image of these layers, described with its platform."""
        config = {
            "os": platform.os,
            "architecture": platform.architecture,
            "rootfs": {"type": "layers", "diff_ids": [one.digest for one in layers]},
            "history": [{"created_by": "tests"} for _ in layers],
        }
        made = self.document(
            OCI_MANIFEST,
            config=self.blob(OCI_CONFIG, json.dumps(config).encode()),
            layers=list(layers),
            **members,
        )
        return msgspec.structs.replace(made, platform=platform)

    def index(self, *manifests: Descriptor, **members: Any) -> Descriptor:  # noqa: ANN401 - any JSON
        """Add an index of these manifests."""
        return self.document(OCI_INDEX, manifests=list(manifests), **members)

    def artifact(
        self,
        kind: str,
        content: bytes,
        subject: Descriptor | None = None,
    ) -> Descriptor:
        """Add an artifact of a kind, perhaps about something."""
        members = {} if subject is None else {"subject": bare(subject)}
        return self.document(
            OCI_MANIFEST,
            artifactType=kind,
            config=self.blob("application/vnd.oci.empty.v1+json", EMPTY),
            layers=[self.blob(kind, content)],
            **members,
        )

    def chart(self, name: str, version: str) -> Descriptor:
        """Add a chart of Helm, as ``helm push`` does."""
        about = {"apiVersion": "v2", "name": name, "version": version}
        package = tar({f"{name}/Chart.yaml": json.dumps(about).encode()})
        return self.document(
            OCI_MANIFEST,
            config=self.blob(HELM_CONFIG, json.dumps(about).encode()),
            layers=[self.blob(HELM_CHART, gzip.compress(package, mtime=0))],
        )

    def add(self, one: Descriptor, name: str | None = None) -> Descriptor:
        """List something in index.json, under a name if it has one."""
        annotations = {} if name is None else {REF_NAME: name}
        self.entries.append(
            msgspec.structs.replace(one, annotations=annotations or None)
        )
        return one

    def write(self) -> Path:
        """Write what makes it a layout, and return the directory."""
        self.root.mkdir(parents=True, exist_ok=True)
        index = {"schemaVersion": 2, "manifests": self.entries}
        (self.root / "index.json").write_text(json.dumps(index, default=plain))
        (self.root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        return self.root

    def path(self, one: Descriptor) -> Path:
        """Return the file of a blob."""
        return self.root / one.blob.path


def bare(one: Descriptor) -> Descriptor:
    """Return a descriptor with nothing but what names the bytes."""
    return Descriptor(one.media_type, one.digest, one.size)


def plain(value: object) -> object:
    """Return what JSON writes for a descriptor."""
    return msgspec.to_builtins(value)
