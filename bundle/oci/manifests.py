"""Manifests and indexes: strict to read, kept byte for byte (spec §90.3).

``parse`` says what a manifest refers to. It never rewrites one: what crosses is
the bytes that were read, since their digest is the image's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from bundle.errors import FormatError
from bundle.limits import MAX_OCI_MANIFEST
from bundle.oci import media_types
from bundle.oci.descriptors import Descriptor  # noqa: TC001 - msgspec reads fields
from bundle.wire import convert, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA: Final = 2
"""The only version of manifests and indexes that is read or written."""


class Manifest(
    msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True
):
    """One image or artifact: a config and layers, and perhaps what it is about."""

    schema_version: int
    media_type: str = ""
    artifact_type: str | None = None
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests it lists: none."""
        return ()

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Its config and its layers, in this order."""
        return (self.config, *self.layers)

    @property
    def type(self) -> str:
        """What kind of artifact it is: its own word, else the type of its config."""
        return self.artifact_type or self.config.media_type


class Index(
    msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True
):
    """A list of manifests, one for each platform."""

    schema_version: int
    media_type: str = ""
    artifact_type: str | None = None
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests it lists."""
        return self.manifests

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The blobs that it needs itself: none."""
        return ()


Document: TypeAlias = Manifest | Index


class _Head(msgspec.Struct, rename="camel"):
    schema_version: int
    media_type: str = ""


def is_document(media_type: str) -> bool:
    """Return whether ``parse`` reads blobs of this type; others are carried unread."""
    return (
        media_types.is_index(media_type)
        or media_types.is_manifest(media_type)
        or media_type in media_types.SCHEMA_1
    )


def parse(data: bytes, media_type: str, *, limit: int = MAX_OCI_MANIFEST) -> Document:
    """Return what the manifest or index in ``data`` says.

    ``media_type`` is what the descriptor or the registry called it.

    Raises:
        LimitError: over ``limit`` bytes (4 MiB), or nested too deep.
        FormatError: a manifest of schema 1, a member that is there twice, a type
            other than was said, or a digest or size that is none (rules 90.3).
    """
    if media_type in media_types.SCHEMA_1:
        raise _schema_1()
    document = parse_json(data, limit=limit, rule="90.3.1")
    head = convert(document, _Head, rule="90.3.2")
    if head.schema_version == 1:
        raise _schema_1()
    if head.schema_version != SCHEMA:
        raise FormatError(f"schema version {head.schema_version}", rule="90.3.2")
    if head.media_type not in ("", media_type):
        raise FormatError(
            f"a manifest that calls itself {head.media_type[:80]!r} where "
            f"{media_type[:80]!r} was promised",
            rule="90.3.3",
        )
    _one_meaning(document)
    if media_types.is_index(media_type):
        return convert(document, Index, rule="90.3.2")
    if media_types.is_manifest(media_type):
        return convert(document, Manifest, rule="90.3.2")
    raise FormatError(f"{media_type[:80]!r} is no manifest", rule="90.3.3")


def serialize(document: Document) -> bytes:
    """Return a manifest or an index of our own making; the same gives the same."""
    return msgspec.json.encode(document)


def named(descriptors: tuple[Descriptor, ...]) -> Iterator[Descriptor]:
    """Yield each of ``descriptors`` once, by digest, in order."""
    found: dict[str, Descriptor] = {}
    for one in descriptors:
        found.setdefault(one.digest, one)
    yield from found.values()


def _one_meaning(document: object) -> None:
    """Refuse what one reader takes for an index and another for an image.

    Raises:
        FormatError: it lists manifests and layers (rule 90.3.4).
    """
    if (
        isinstance(document, dict)
        and "manifests" in document
        and not {"layers", "config", "fsLayers"}.isdisjoint(document)
    ):
        raise FormatError("both an index and a manifest", rule="90.3.4")


def _schema_1() -> FormatError:
    return FormatError(
        "a manifest of schema 1, which has no digest of its own that survives a copy",
        rule="90.3.5",
        advice="push the image again with a current engine, or copy it once with "
        "skopeo copy --format v2s2",
    )
