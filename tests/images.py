"""Images for tests: layouts written by hand, so that each can be wrong in one way."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from bundle.limits import KIB
from bundle.oci import media_types
from bundle.oci.descriptors import REF_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

JSON = dict[str, Any]

AMD64: Final = {"os": "linux", "architecture": "amd64"}
ARM64: Final = {"os": "linux", "architecture": "arm64", "variant": "v8"}


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def dumps(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def noise(seed: int, size: int = 200 * KIB) -> bytes:
    """Return bytes that nothing makes smaller and no two seeds share."""
    return random.Random(seed).randbytes(size)


def tar(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of these files, the same for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def squeezed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@dataclass
class Layout:
    """A layout in the making: blobs by digest, and what its index lists."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    entries: list[JSON] = field(default_factory=list)

    def blob(self, media_type: str, data: bytes, **more: object) -> JSON:
        """Put a blob in; return what describes it."""
        self.blobs[digest(data)] = data
        return {
            "mediaType": media_type,
            "digest": digest(data),
            "size": len(data),
            **more,
        }

    def layer(self, files: Mapping[str, bytes]) -> JSON:
        """Put in a layer in gzip."""
        return self.blob(media_types.OCI_LAYER_GZIP, squeezed(tar(files)))

    def config(self, platform: JSON = AMD64, **more: object) -> JSON:
        document = {**platform, "rootfs": {"type": "layers", "diff_ids": []}, **more}
        return self.blob(media_types.OCI_CONFIG, dumps(document))

    def manifest(self, *layers: JSON, **changes: object) -> JSON:
        """Put a manifest in; it has a config of amd64 unless ``changes`` say more."""
        if "config" not in changes:
            changes["config"] = self.config()
        document: JSON = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "layers": list(layers),
            **changes,
        }
        return self.blob(document["mediaType"], dumps(document))

    def index(self, *manifests: JSON, **changes: object) -> JSON:
        document: JSON = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": list(manifests),
            **changes,
        }
        return self.blob(document["mediaType"], dumps(document))

    def list(self, one: JSON, name: str | None = None, **more: object) -> JSON:
        """List a manifest in index.json, called ``name`` if that is given."""
        annotations = {} if name is None else {"annotations": {REF_NAME: name}}
        self.entries.append({**one, **annotations, **more})
        return one

    def image(self, name: str, *seeds: int, **changes: object) -> JSON:
        """List an image with a layer for each seed."""
        layers = [self.layer({f"opt/{seed}": noise(seed)}) for seed in seeds]
        config = self.config(config={"Labels": {"name": name}})
        return self.list(self.manifest(*layers, config=config, **changes), name)

    def referrer(self, subject: JSON, kind: str, data: bytes) -> JSON:
        """List something about ``subject``, as OCI 1.1 has it."""
        empty = self.blob(media_types.OCI_EMPTY, b"{}")
        about = {key: subject[key] for key in ("mediaType", "digest", "size")}
        layer = self.blob(kind, data)
        return self.list(
            self.manifest(layer, config=empty, artifactType=kind, subject=about)
        )

    def cosign(self, subject: JSON, suffix: str, data: bytes, **more: object) -> JSON:
        """List something about ``subject`` under one of cosign's tags."""
        kind = "application/vnd.dev.cosign.simplesigning.v1+json"
        tag = f"{subject['digest'].replace(':', '-')}.{suffix}"
        layer = self.blob(kind, data, **more)
        return self.list(self.manifest(layer), tag)

    def files(self) -> dict[str, bytes]:
        """Return the files of the layout by path."""
        index = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": self.entries,
        }
        blobs = {
            f"blobs/{name.replace(':', '/')}": data for name, data in self.blobs.items()
        }
        return {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
            "index.json": dumps(index),
            **blobs,
        }

    def write(self, root: Path) -> Path:
        """Write the layout into a directory; return it."""
        for path, data in self.files().items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        return root

    def archive(self, path: Path) -> Path:
        """Write the layout into a tar; return it."""
        path.write_bytes(tar(self.files()))
        return path


def names_in(layout: Path) -> dict[str, str]:
    """Return the digests that a layout lists, by name."""
    document = json.loads((layout / "index.json").read_bytes())
    return {
        (one.get("annotations") or {}).get(REF_NAME, one["digest"]): one["digest"]
        for one in document["manifests"]
    }


def blobs_in(layout: Path) -> dict[str, bytes]:
    """Return the blobs of a layout by digest; each is what its name says."""
    found = {}
    for path in sorted((layout / "blobs").glob("sha256/*")):
        data = path.read_bytes()
        assert path.name == sha256(data).hexdigest()
        found[f"sha256:{path.name}"] = data
    return found
