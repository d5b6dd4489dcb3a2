"""Bundles that lie, signed by a key that the receiver trusts.

Signatures say who wrote something, not that it is true. Everything here is made
with the format's own writers and then bent, so that only one thing is wrong.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from blake3 import blake3

from bundle.digest import Digest, digest_of
from bundle.format import layout
from bundle.format.descriptor import (
    APPROVAL,
    RECIPE,
    RECIPES,
    RELEASE,
    SHARDS,
    VOLUME,
    Descriptor,
)
from bundle.format.ending import serialize_ending
from bundle.format.frame import FrameHeader, frame_of, serialize_frame
from bundle.format.manifest import Manifest, Requires, Volume
from bundle.format.recipe_builder import ChunkRun, Literal, RecipeBuilder
from bundle.format.recipe_layout import Mode
from bundle.format.recipes import serialize_recipes
from bundle.format.release import Artifact, Budgets, Release, Stream, TrustVersion
from bundle.format.shards import serialize_shards
from bundle.format.volume import VolumeHeader, serialize_volume_header
from bundle.medium.volumes import ShardHasher
from bundle.trust.envelope import MANIFEST_TYPE, RELEASE_TYPE, sign
from tests.bundles import STREAM, Site
from tests.format.samples import ids_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bundle.format.recipe_builder import Part

STREAM_ID = "0f" * 16
CREATED = "2027-01-15T07:00:00Z"


def chunks(*data: bytes) -> ChunkRun:
    """Return a run of these chunks."""
    return ChunkRun(ids_of(*data), np.array([len(one) for one in data], np.uint32))


def recipe(
    files: Mapping[str, Sequence[Part]],
    digests: Mapping[str, bytes] | None = None,
    plain: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a recipe; the SHA-256 of a file is that of ``plain`` or is given."""
    builder = RecipeBuilder()
    for path, parts in files.items():
        size = sum(
            len(part.data) if isinstance(part, Literal) else int(part.lengths.sum())
            for part in parts
        )
        sha256 = (digests or {}).get(path)
        if sha256 is None:
            sha256 = hashlib.sha256((plain or {}).get(path, b"")).digest()
        builder.add(path, Mode.FILE, size, sha256, None, parts)
    return builder.finish()


def whole(files: Mapping[str, bytes]) -> bytes:
    """Return the true recipe of files of one chunk each."""
    return recipe({path: [chunks(data)] for path, data in files.items()}, plain=files)


def frame(*data: bytes, **changes: Any) -> tuple[FrameHeader, bytes]:  # noqa: ANN401 - fields of a FrameHeader
    """Return a raw frame of these chunks, with some fields of its header changed."""
    payload = changes.pop("payload", b"".join(data))
    run = chunks(*data)
    header = frame_of((0, 0, 0), run.ids, run.lengths, payload)
    fields = {name: getattr(header, name) for name in FrameHeader.__slots__}
    return FrameHeader(**{**fields, **changes}), payload


def volume(*frames: tuple[FrameHeader, bytes], number: int = 1) -> bytes:
    """Return a volume whose index and tail are right for its frames."""
    body, placed = serialize_volume_header(VolumeHeader(number)), []
    for header, payload in frames:
        placed.append((len(body), header))
        body += b"".join(serialize_frame(header, payload))
    return body + serialize_ending(placed, len(body))


def zstd_bomb(size: int) -> bytes:
    """Return one zstd frame of zeros that says nothing wrong about its size."""
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    count, rest = divmod(size, 128 * 1024)
    assert not rest
    last = (128 * 1024 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    head = b"\x28\xb5\x2f\xfd" + bytes([0x80 | 0x20]) + struct.pack("<I", size)
    return head + block * (count - 1) + last


def with_path(data: bytes, before: str, after: str) -> bytes:
    """Return a recipe with one path written over another of the same length."""
    assert len(before.encode()) == len(after.encode())
    assert data.endswith(before.encode())
    return data[: -len(before.encode())] + after.encode()


@dataclass
class Forgery:
    """One bundle of artifacts ``a``, ``b`` … with these recipes and volumes.

    ``release``, ``manifest`` and ``artifact`` hold fields to change before they
    are signed; they are not checked then.
    """

    recipes: Sequence[bytes]
    volumes: Sequence[bytes] = ()
    release: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    artifact: dict[str, Any] = field(default_factory=dict)
    names: Sequence[str] = "abcdef"
    carried: Sequence[bytes] | None = None
    approval: bytes = b"# forged\n"

    def write(self, site: Site, name: str = "forged") -> Path:
        """Sign it with the site's packer key; return the directory."""
        path = site.path / name
        for directory in (path / layout.TRUST, path / layout.COPY):
            directory.mkdir(parents=True, exist_ok=True)
        release = self._release()
        files = self._payload_files(release)
        payload = _bent(release.serialize(), self.release)
        described = self._manifest(release, payload, files)
        manifest = _bent(described.serialize(), self.manifest)
        files[layout.RELEASE] = sign(payload, RELEASE_TYPE, [site.signing_key])
        files[layout.MANIFEST] = sign(manifest, MANIFEST_TYPE, [site.signing_key])
        for one in (layout.RELEASE, layout.MANIFEST):
            files[f"{layout.COPY}/{one}"] = files[one]
        files |= {f"{layout.TRUST}/{one}": data for one, data in site.keys.items()}
        for one, data in files.items():
            (path / one).write_bytes(data)
        return path

    def _release(self) -> Release:
        artifacts = tuple(
            self._artifact(name, data)
            for name, data in zip(self.names, self.recipes, strict=False)
        )
        return Release(
            stream=Stream(STREAM_ID, STREAM),
            seq=1,
            prev="genesis",
            audience=(),
            created=CREATED,
            expires=None,
            trust_version=TrustVersion(1, 1),
            artifacts=artifacts,
            budgets=Budgets.of(artifacts, depth=8, name_bytes=64),
        )

    def _artifact(self, name: str, data: bytes) -> Artifact:
        files, chunk_count, total = (
            struct.unpack_from(kind, data, at)[0]
            for kind, at in (("<I", 12), ("<Q", 24), ("<Q", 48))
        )
        fields: dict[str, Any] = {
            "kind": "tree",
            "bytes": total,
            "files": files,
            "chunks": chunk_count,
            **self.artifact,
        }
        return Artifact(
            name=name,
            source="forged",
            revision="",
            recipe=Descriptor.of(RECIPE, data),
            licence=None,
            warnings=(),
            **fields,
        )

    def _payload_files(self, release: Release) -> dict[str, bytes]:
        carried = self.carried
        if carried is None:
            carried = list(dict.fromkeys(self.recipes))
        buffers = serialize_recipes(
            release.contents, carried, np.zeros((0, 32), np.uint8)
        )
        files = {layout.RECIPES: b"".join(buffers)}
        for number, data in enumerate(self.volumes, start=1):
            files[layout.volume_name(number)] = data
        shards = b""
        for data in files.values():
            hasher = ShardHasher()
            hasher.update(data)
            shards += hasher.shards()
        files[layout.SHARDS] = serialize_shards(shards)
        files[layout.APPROVAL] = self.approval
        return files

    def _manifest(
        self, release: Release, payload: bytes, files: Mapping[str, bytes]
    ) -> Manifest:
        carried = self.carried
        if carried is None:
            carried = list(dict.fromkeys(self.recipes))
        return Manifest(
            release=Descriptor.of(RELEASE, payload),
            contents=str(release.contents),
            recipes=Descriptor.of(RECIPES, files[layout.RECIPES]),
            carried=tuple(str(digest_of(data)) for data in carried),
            volumes=tuple(
                Volume(VOLUME, str(digest_of(data)), len(data), name)
                for name, data in files.items()
                if name.endswith(".bdv")
            ),
            shards=Descriptor.of(SHARDS, files[layout.SHARDS]),
            approval=Descriptor.of(APPROVAL, files[layout.APPROVAL]),
            requires=Requires.of(b""),
            bytes=sum(map(len, files.values())),
        )


def _bent(payload: bytes, changes: Mapping[str, Any]) -> bytes:
    """Return the payload with members changed as no writer would write them."""
    if not changes:
        return payload
    document = msgspec.json.decode(payload)
    members = document.get("predicate", document)
    for name, change in changes.items():
        *above, last = name.split(".")
        place = members
        for one in above:
            place = place[int(one) if one.isdigit() else one]
        place[last] = change
    return msgspec.json.encode(document)


def digest_text(data: bytes) -> str:
    return str(Digest(blake3(data).digest()))
