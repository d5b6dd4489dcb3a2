"""Image layouts: ``oci-layout``, ``index.json`` and the blobs (spec §90.6).

An artifact in a bundle is a layout of one image: its index.json names the image
first, and then what travels with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bundle.errors import FormatError
from bundle.limits import MAX_OCI_LAYOUT_INDEX
from bundle.oci import manifests
from bundle.oci.descriptors import CONTAINERD_NAME, REF_NAME, Descriptor
from bundle.oci.manifests import Index
from bundle.oci.media_types import OCI_INDEX
from bundle.oci.references import Reference
from bundle.wire import convert, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

MARKER: Final = "oci-layout"
"""The file that makes a directory a layout."""

INDEX: Final = "index.json"
"""The file that lists what a layout holds."""

MARKER_CONTENT: Final = b'{"imageLayoutVersion":"1.0.0"}'


class _Marker(msgspec.Struct, rename="camel"):
    image_layout_version: str


def check_marker(data: bytes) -> None:
    """Refuse a layout of another version.

    Raises:
        FormatError: it is not 1.x (rule 90.6.1).
    """
    document = parse_json(data, limit=4096, rule="90.6.1")
    version = convert(document, _Marker, rule="90.6.1").image_layout_version
    if not version.startswith("1."):
        raise FormatError(f"an image layout of version {version[:20]!r}", rule="90.6.1")


def parse_index(data: bytes, *, limit: int = MAX_OCI_LAYOUT_INDEX) -> Index:
    """Return what an index.json lists.

    Raises:
        LimitError: it is over ``limit`` bytes.
        FormatError: it is no index (rules 90.3).
    """
    document = manifests.parse(data, OCI_INDEX, limit=limit)
    if not isinstance(document, Index):
        raise FormatError("index.json is no index", rule="90.6.2")
    return document


def serialize_index(entries: Iterable[Descriptor]) -> bytes:
    """Return an index.json that lists ``entries``."""
    index = Index(
        schema_version=manifests.SCHEMA,
        media_type=OCI_INDEX,
        manifests=tuple(entries),
    )
    return manifests.serialize(index)


def entry(one: Descriptor, name: str | None) -> Descriptor:
    """Return how a layout of one image lists ``one``: called ``name``, or nothing."""
    annotations = {
        key: value
        for key, value in sorted((one.annotations or {}).items())
        if key not in (REF_NAME, CONTAINERD_NAME)
    }
    if name is not None:
        annotations[REF_NAME] = name
    return msgspec.structs.replace(one, annotations=annotations or None)


def name_of(one: Descriptor, place: str) -> Reference | None:
    """Return what an entry of an index.json is called, or None for no name.

    A name that is a tag alone, as most tools write it, belongs to ``place``: a
    repository that stands for the layout.

    Raises:
        FormatError: the entry has a name that is none (rule 90.1.1).
    """
    whole = one.annotation(CONTAINERD_NAME)
    text = one.annotation(REF_NAME) or ""
    if whole:
        return Reference.parse(whole)
    if not text:
        return None
    if "/" in text or ":" in text:
        return Reference.parse(text)
    return Reference.parse(f"{place}:{text}")
