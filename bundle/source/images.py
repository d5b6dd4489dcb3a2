"""An image, with all it needs and what travels with it, as an artifact (spec §90.6).

Where blobs are is for the source to say: in a layout, in an archive, in a cache of
what was pulled. What is an image's, what is missing and what a reviewer should know
is found out here, from its manifests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from bundle.errors import FormatError, IntegrityError, SourceError
from bundle.limits import MAX_OCI_MANIFEST
from bundle.oci import layouts
from bundle.oci.manifests import Index, Manifest
from bundle.oci.media_types import HELM_CONFIG, IMAGE_CONFIGS
from bundle.oci.walk import walk
from bundle.source.base import (
    HELM_CHART,
    OCI_ARTIFACT,
    OCI_IMAGE,
    SourceArtifact,
    SourceFile,
)
from bundle.source.image_notes import licence_of, notes_of
from bundle.source.listing import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bundle.oci.descriptors import Descriptor
    from bundle.oci.digests import BlobDigest
    from bundle.oci.manifests import Document
    from bundle.oci.references import Reference
    from bundle.oci.walk import Needs
    from bundle.source.base import Content
    from bundle.source.options import SourceOptions

_FETCH: Final = "copy the image again from where it came from"


class Blobs(Protocol):
    """Where a source has its blobs."""

    def find(self, digest: BlobDigest) -> tuple[Content, int] | None:
        """Return where a blob is and its size in bytes, or None without it.

        Raises:
            SourceError: it cannot be read.
        """

    def read(self, digest: BlobDigest, size: int) -> bytes | None:
        """Return a small blob as it is, at most ``size`` bytes, or None without it.

        Raises:
            SourceError: it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Rider:
    """A manifest that travels with an image, and its tag if it has one."""

    root: Descriptor
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """What a source found: a name, what it names, and what is about it.

    ``riders`` are by the digest of what they are about; of those only what
    belongs to the image is taken. ``warnings`` are of how it was found.
    """

    name: Reference
    root: Descriptor
    riders: Mapping[str, Sequence[Rider]]
    warnings: tuple[str, ...] = ()


def list_images(
    images: Iterable[Image], blobs: Blobs, location: str, options: SourceOptions
) -> list[SourceArtifact]:
    """Return an artifact for each image that is wanted, sorted by kind and name.

    An image that cannot be taken whole is a problem: it is left out where the
    source was told to keep going.

    Raises:
        SourceError: an image is damaged, malformed, or lacks blobs.
    """
    found = []
    for image in images:
        if not options.listing.takes_whole(str(image.name)):
            continue
        try:
            found.append(_artifact(image, blobs, location, options))
        except SourceError as error:
            if not options.listing.keep_going:
                raise
            found.append(_problem(image, location, error))
    return sorted(found, key=lambda one: (one.kind, one.name))


async def listed(
    images: Callable[[], Iterable[Image]],
    blobs: Blobs,
    location: str,
    options: SourceOptions,
) -> list[SourceArtifact]:
    """Return ``list_images`` of what ``images`` finds, beside the event loop.

    Raises:
        SourceError: as there, and for what ``images`` cannot read.
    """
    return await asyncio.to_thread(
        lambda: list_images(images(), blobs, location, options)
    )


def read_document(blobs: Blobs, one: Descriptor) -> bytes | None:
    """Return the checked bytes of a manifest, or None where it is missing.

    Raises:
        SourceError: it is too large, unreadable, or not what was described.
    """
    if one.size > MAX_OCI_MANIFEST:
        raise SourceError(
            f"{one.digest}: a manifest of {one.size} bytes, over {MAX_OCI_MANIFEST}"
        )
    data = blobs.read(one.blob, MAX_OCI_MANIFEST + 1)
    if data is not None:
        with_advice = "the blob is damaged: " + _FETCH
        try:
            one.check(data)
        except IntegrityError as error:
            raise SourceError(str(error), advice=with_advice) from error
    return data


def _problem(image: Image, location: str, error: SourceError) -> SourceArtifact:
    lines = (one_line(error), *(f"{image.name}: {line}" for line in error.left))
    return SourceArtifact(
        kind=OCI_IMAGE,
        name=str(image.name),
        source=location,
        revision=image.root.digest,
        licence=None,
        warnings=(),
        files=(),
        problems=lines,
    )


def _artifact(
    image: Image, blobs: Blobs, location: str, options: SourceOptions
) -> SourceArtifact:
    try:
        needs, riders = _collect(image, blobs, options)
    except FormatError as error:
        raise SourceError(
            f"{image.name}: {error}", advice=error.advice or _FETCH
        ) from error
    files, absent = _files(image, needs, blobs)
    entries = [
        layouts.entry(image.root, str(image.name)),
        *(layouts.entry(rider.root, rider.tag) for rider in riders),
    ]
    own = (
        _generated(layouts.INDEX, layouts.serialize_index(entries)),
        _generated(layouts.MARKER, layouts.MARKER_CONTENT),
    )
    documents = {digest: document for digest, (_, document) in needs.documents.items()}
    return SourceArtifact(
        kind=kind_of(documents.get(image.root.digest)),
        name=str(image.name),
        source=location,
        revision=image.root.digest,
        licence=licence_of(image.root, documents, blobs),
        warnings=(*image.warnings, *_warnings(needs, absent)),
        files=tuple(sorted((*files, *own), key=lambda file: file.path)),
        notes=notes_of(image.root, riders, documents, blobs),
    )


def kind_of(document: Document | None) -> str:
    """Return the kind of artifact that the manifest of its root makes it."""
    if isinstance(document, Manifest) and document.type == HELM_CONFIG:
        return HELM_CHART
    if isinstance(document, Index) and document.artifact_type is None:
        return OCI_IMAGE
    if isinstance(document, Manifest) and document.type in IMAGE_CONFIGS:
        return OCI_IMAGE
    return OCI_ARTIFACT


def _collect(
    image: Image, blobs: Blobs, options: SourceOptions
) -> tuple[Needs, list[Rider]]:
    """Walk the image, then what is about any part of it, then what is about that."""

    def read(one: Descriptor) -> bytes | None:
        return read_document(blobs, one)

    needs = walk(image.root, read, platforms=options.platforms)
    riders: dict[str, Rider] = {}
    asked: set[str] = set()
    while fresh := needs.documents.keys() - asked:
        for digest in sorted(fresh):
            for rider in image.riders.get(digest, ()):
                if rider.root.digest in needs.documents:
                    continue
                riders[rider.root.digest] = rider
                walk(rider.root, read, needs=needs)
        asked |= fresh
    tagged = sorted(riders.values(), key=lambda one: (one.tag or "~", one.root.digest))
    return needs, tagged


def _files(
    image: Image, needs: Needs, blobs: Blobs
) -> tuple[list[SourceFile], list[Descriptor]]:
    """Return the blobs as files, and the foreign layers that are not there.

    Raises:
        SourceError: others are missing or have another size; ``left`` lists them.
    """
    files: dict[str, SourceFile] = {}
    wrong = [_said(one, "is missing") for one in needs.missing.values()]
    absent = []
    for one in needs.all.values():
        found = blobs.find(one.blob)
        if found is None:
            wrong.append(_said(one, "is missing"))
        elif found[1] != one.size:
            wrong.append(_said(one, f"has {found[1]} bytes"))
        else:
            files[one.digest] = _file(one, found[0])
    for one in needs.foreign.values():
        found = blobs.find(one.blob)
        if found is not None and found[1] == one.size:
            files[one.digest] = _file(one, found[0])
        elif one.digest not in files:
            absent.append(one)
    if wrong:
        raise SourceError(
            f"{image.name}: {len(wrong)} of its blobs are missing or damaged",
            advice=_FETCH,
            left=tuple(sorted(wrong)),
        )
    return list(files.values()), absent


def _said(one: Descriptor, what: str) -> str:
    return f"{one.digest} {what}: {one.media_type}, {one.size} bytes"


def _file(one: Descriptor, content: Content) -> SourceFile:
    digest = one.blob
    return SourceFile(
        path=digest.path,
        content=content,
        size=one.size,
        sha256=digest.raw if digest.algorithm == "sha256" else None,
        sha512=digest.raw if digest.algorithm == "sha512" else None,
    )


def _generated(path: str, content: bytes) -> SourceFile:
    return SourceFile(path, content, len(content))


def _warnings(needs: Needs, absent: Sequence[Descriptor]) -> Iterator[str]:
    for one in absent:
        where = f", from {one.urls[0]}" if one.urls else ""
        yield (
            f"the foreign layer {one.digest} is not carried: whoever runs the image "
            f"has to fetch it{where}"
        )
    if needs.left_out:
        names = sorted(
            str(one.platform or one.digest) for one in needs.left_out.values()
        )
        yield (
            f"left out by --platform: {', '.join(dict.fromkeys(names))}; the index "
            "keeps its digest, but a registry that refuses sparse indexes takes only "
            "what it lists"
        )


def renamed(images: Sequence[Image], options: SourceOptions) -> list[Image]:
    """Return ``images``, called as the options say if they say so.

    Raises:
        SourceError: one name is to stand for several images.
    """
    if options.name is None:
        return list(images)
    if len(images) != 1:
        raise SourceError(
            f"{options.name} is to name {len(images)} images",
            advice="say which one is meant, by its tag or digest",
        )
    return [replace(images[0], name=options.name)]
