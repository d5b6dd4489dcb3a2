"""Images in an image layout on disk: all of them, or one by tag or digest.

Every entry of ``index.json`` is an image, but for what travels with another one:
what cosign keeps under tags that are made from digests, and what names a subject.
A layout may lack blobs (its own rules say so); an image that does cannot be carried.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import FormatError, SourceError, UsageError
from bundle.limits import MAX_OCI_LAYOUT_INDEX
from bundle.oci import layouts, manifests
from bundle.oci.descriptors import CONTAINERD_NAME, REF_NAME, Descriptor
from bundle.oci.manifests import Index
from bundle.oci.references import Reference
from bundle.oci.riders import is_fallback, subject_of
from bundle.source.base import Source
from bundle.source.image_names import repository_of
from bundle.source.images import Image, Rider, listed, read_document, renamed
from bundle.source.links import Boundary
from bundle.source.listing import some, unreadable
from bundle.source.options import DEFAULT, SourceOptions

if TYPE_CHECKING:
    from bundle.oci.digests import BlobDigest
    from bundle.oci.manifests import Document
    from bundle.source.base import Content, SourceArtifact
    from bundle.source.images import Blobs

_DIGEST: Final = re.compile(r"(.*)@(sha(?:256|512):[0-9a-f]+)", re.DOTALL)
_NOT_A_LAYOUT: Final = "name a directory that has oci-layout and index.json in it"


def split_selection(rest: str) -> tuple[str, str]:
    """Return the path and what is selected in ``PATH[:TAG|@DIGEST]``.

    A path ends at its first colon, so one that has a colon cannot be written.

    >>> split_selection("/srv/images:v1")
    ('/srv/images', 'v1')
    >>> split_selection("images")
    ('images', '')
    """
    match = _DIGEST.fullmatch(rest)
    if match is not None and ":" not in match[1]:
        return match[1], f"@{match[2]}"
    path, _, selected = rest.partition(":")
    return path, selected


class OciLayoutSource(Source):
    """Lists the images of one layout."""

    def __init__(
        self,
        path: Path,
        selected: str = "",
        *,
        location: str | None = None,
        options: SourceOptions = DEFAULT,
    ) -> None:
        self.location = f"oci-layout:{path}" if location is None else location
        self._path = path
        self._selected = check_selection(selected)
        self._options = options
        self._blobs = _Directory(path)

    async def artifacts(self) -> list[SourceArtifact]:
        """Return the images that were asked for, sorted by kind and name.

        Raises:
            SourceError: it is no layout, or an image is damaged or not whole.
        """
        return await listed(self._images, self._blobs, self.location, self._options)

    def _images(self) -> list[Image]:
        marker = self._blobs.file(layouts.MARKER, 4096)
        index = self._blobs.file(layouts.INDEX, MAX_OCI_LAYOUT_INDEX + 1)
        if marker is None or index is None:
            raise SourceError(
                f"{self._path}: not an image layout", advice=_NOT_A_LAYOUT
            )
        found = Entries.read(marker, index, self._blobs, os.fspath(self._path))
        return renamed(found.images(self._selected), self._options)


def check_selection(selected: str) -> str:
    """Return what was selected if it may be a tag, a reference or a digest.

    Raises:
        UsageError: it is none of these.
    """
    text = selected
    if text and not text.startswith("@") and "/" not in text and ":" not in text:
        text = f":{text}"
    try:
        if text:
            Reference.parse(f"image{text}" if text[0] in ":@" else text)
    except FormatError as error:
        raise UsageError(f"{selected!r} selects no image: {error}") from None
    return selected


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """What an ``index.json`` lists, and whose company each entry is.

    ``place`` says in messages where it is; ``riders`` are by the digest of what
    they are about; ``inside`` are the digests of entries and of what they list.
    """

    place: str
    entries: tuple[Descriptor, ...]
    riders: dict[str, list[Rider]] = field(default_factory=dict)
    inside: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, marker: bytes, index: bytes, blobs: Blobs, place: str) -> Entries:
        """Return the entries of a layout.

        Raises:
            SourceError: it is not a layout that is understood.
        """
        try:
            layouts.check_marker(marker)
            found = cls(place, layouts.parse_index(index).manifests)
            for one in found.entries:
                found.look_at(one, blobs)
        except FormatError as error:
            raise SourceError(f"{place}: {error}", advice=error.advice) from error
        return found

    def images(self, selected: str = "") -> list[Image]:
        """Return the images, or the one that is ``selected``.

        Raises:
            SourceError: nothing is called so, or an entry has a name that is none.
        """
        chosen = [one for one in self.entries if _is_selected(one, selected)]
        if selected and not chosen:
            names = [_called(one) for one in self.entries]
            raise SourceError(
                f"{self.place}: nothing in it is called {selected}",
                advice=f"there is {some(names)}" if names else "it is empty",
            )
        if not selected:
            about = self._accompanied()
            chosen = [one for one in chosen if _key(one) not in about]
        images: dict[str, Image] = {}
        for one in chosen:
            image = Image(self._name(one), one, self.riders)
            images.setdefault(str(image.name), image)
        return list(images.values())

    def _accompanied(self) -> set[tuple[str, str]]:
        """Return which entries travel with something else of this layout."""
        found = set()
        for subject in self.riders.keys() & self.inside:
            for rider in self.riders[subject]:
                found.add((rider.root.digest, rider.tag or ""))
        for one in self.entries:
            about = subject_of(_called(one))
            if about is not None and str(about) in self.inside:
                found.add(_key(one))
        return found

    def look_at(self, one: Descriptor, blobs: Blobs) -> None:
        """Note an entry, what it lists, and what it is about."""
        tag = _called(one)
        about = subject_of(tag)
        document = _document(one, blobs)
        if about is not None and is_fallback(tag) and isinstance(document, Index):
            for child in document.children:
                self._ride(str(about), Rider(child))
            return
        self.inside.add(one.digest)
        if about is not None:
            self._ride(str(about), Rider(one, tag))
        elif document is not None:
            self.inside.update(child.digest for child in document.children)
            if document.subject is not None:
                self._ride(document.subject.digest, Rider(one))

    def _ride(self, subject: str, rider: Rider) -> None:
        self.riders.setdefault(subject, []).append(rider)

    def _name(self, one: Descriptor) -> Reference:
        repository = repository_of(self.place)
        try:
            name = layouts.name_of(one, repository)
        except FormatError as error:
            raise SourceError(f"{self.place}: {error}") from error
        return name or Reference("", repository, digest=one.blob)


def _document(one: Descriptor, blobs: Blobs) -> Document | None:
    """Return what a manifest says; what is wrong with one is its own image's matter."""
    if not manifests.is_document(one.media_type):
        return None
    try:
        data = read_document(blobs, one)
        return None if data is None else manifests.parse(data, one.media_type)
    except (FormatError, SourceError):
        return None


def _called(one: Descriptor) -> str:
    return one.annotation(REF_NAME) or ""


def _key(one: Descriptor) -> tuple[str, str]:
    tag = _called(one)
    return one.digest, tag if subject_of(tag) else ""


def _is_selected(one: Descriptor, selected: str) -> bool:
    """Return whether an entry is meant by a tag, a whole name or a digest."""
    if not selected:
        return True
    if selected.startswith("@"):
        return one.digest == selected[1:]
    whole = one.annotation(CONTAINERD_NAME) or ""
    name = _called(one)
    return selected in (name, whole) or name.endswith(f":{selected}")


class _Directory:
    """The blobs of a layout in a directory; links lead nowhere else."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._boundary: Boundary | None = None

    def find(self, digest: BlobDigest) -> tuple[Content, int] | None:
        """Return the file of a blob and its size."""
        return self._find(digest.path)

    def read(self, digest: BlobDigest, size: int) -> bytes | None:
        """Return at most ``size`` bytes of a blob."""
        return self.file(digest.path, size)

    def file(self, name: str, size: int) -> bytes | None:
        """Return at most ``size`` bytes of a file below the root, or None."""
        found = self._find(name)
        if found is None or not isinstance(found[0], Path):
            return None
        try:
            with found[0].open("rb") as stream:
                return stream.read(size)
        except OSError as error:
            raise unreadable(f"{self._root}/{name}", error) from error

    def _find(self, name: str) -> tuple[Content, int] | None:
        path = os.path.join(self._root, name)  # noqa: PTH118 - kept as it was written
        if not os.path.lexists(path):
            return None
        if self._boundary is None:
            self._boundary = Boundary(self._root)
        try:
            chain = self._boundary.follow(path)
        except OSError as error:
            raise unreadable(path, error) from error
        if not stat.S_ISREG(chain.status.st_mode):
            raise SourceError(f"{path}: not a regular file")
        return Path(chain.end), chain.status.st_size
