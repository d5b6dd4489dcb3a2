"""One image on its way into a repository: leaves first, its tag last (spec §91.5)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import IntegrityError, TargetError
from bundle.flow.together import together
from bundle.limits import MAX_OCI_LAYOUT_INDEX, MAX_OCI_MANIFEST
from bundle.oci import layouts
from bundle.oci.descriptors import REF_NAME, Descriptor
from bundle.oci.manifests import Index
from bundle.oci.references import Reference
from bundle.oci.walk import Needs, walk
from bundle.registry import documents
from bundle.registry.failures import RefusedError
from bundle.registry.referrers import refer
from bundle.registry.repository import Repository
from bundle.registry.uploads import Sent, push
from bundle.target.base import Published
from bundle.target.images import ImageFiles, Parcel
from bundle.target.options import OnExisting

if TYPE_CHECKING:
    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.oci.manifests import Document
    from bundle.target.base import Staged
    from bundle.target.documents import KnownDocuments

BLOBS_AT_ONCE: Final = 4
"""Blobs of one image that are sent at once."""

_UNKNOWN: Final = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})


@dataclass(slots=True, kw_only=True)
class ImagePush:
    """What it takes to push one image.

    ``holders`` names for blobs a repository of the registry that has them; what
    is pushed is added.
    """

    artifact: Artifact
    recipe: Recipe
    repository: Repository
    staged: Staged
    kept: KnownDocuments
    holders: dict[str, str]
    existing: OnExisting
    written: set[str] = field(default_factory=set)
    sent_bytes: int = 0
    _papers: tuple[bytes, ...] = ()
    _texts: dict[str, bytes] = field(default_factory=dict)

    async def run(self) -> Published:
        """Push it; whatever fails, no tag leads to something that is missing.

        Raises:
            IntegrityError, FormatError: the artifact is not what it should be.
            StoreError: the registry does not take it.
            TargetError: its tag names something else and is to stay.
        """
        parcel = await self._parcel()
        image = parcel.entries[0]
        tags = self._tags(parcel)
        skipped = await self._look_at_tags(tags)
        if image.digest in skipped.values():
            return self._published(f"{self._tag}: is there, and names something else")
        await self._blobs(parcel)
        refused = await self._documents(parcel)
        for tag, one in tags.items():
            if tag not in skipped:
                await self._put_tag(tag, refused or one)
        left_out = [f"{tag}: is there, and names something else" for tag in skipped]
        if refused is not None:
            left_out.append(
                f"{image.digest}: the registry refuses an index that lists what is not "
                f"there; the tag names {refused.digest} alone"
            )
        return self._published(*left_out)

    def keep(self) -> None:
        """Keep the index.json and the manifests on this machine.

        Raises:
            TargetError: they cannot be written.
        """
        for data in (*self._papers, *self._texts.values()):
            self.kept.keep(data)

    @property
    def _tag(self) -> str | None:
        name = Reference.parse(self.artifact.name)
        return name.tag if name.tag or name.digest else "latest"

    def _published(self, *left_out: str) -> Published:
        written = len(self.written)
        return Published(
            written_files=written,
            kept_files=max(0, self.recipe.files - written),
            written_bytes=self.sent_bytes,
            left_out=left_out,
        )

    async def _parcel(self) -> Parcel:
        """Return the image once all that is to be known of it was read and checked.

        Raises:
            FormatError, IntegrityError: it is not what it should be.
            StoreError: a manifest is at the registry alone, and cannot be read.
        """
        files = ImageFiles.of(self.artifact, self.recipe)
        index, marker = (self._small(one, MAX_OCI_LAYOUT_INDEX) for one in files.papers)
        if index is None or marker is None:
            raise TargetError(
                f"{self.artifact.name}: its index.json was not staged",
                advice="run the same command again",
            )
        self._papers = index, marker
        await self._read_documents(files, layouts.parse_index(index).manifests)
        return Parcel.open(
            self.artifact,
            files,
            (index, marker),
            lambda digest: self._texts.get(str(digest)),
        )

    async def _read_documents(
        self, files: ImageFiles, entries: tuple[Descriptor, ...]
    ) -> None:
        """Read every manifest that the image has, from wherever it is."""
        asked: set[str] = set()
        while True:
            needs = Needs()
            for one in entries:
                walk(one, lambda each: self._texts.get(each.digest), needs=needs)
            fresh = [one for one in needs.missing.values() if one.digest not in asked]
            if not fresh:
                return
            for one in fresh:
                asked.add(one.digest)
                if one.blob in files.blobs:  # others were left out by whoever packed
                    self._texts[one.digest] = await self._document(files, one)

    async def _document(self, files: ImageFiles, one: Descriptor) -> bytes:
        data = self._small(files.blobs[one.blob], MAX_OCI_MANIFEST)
        if data is None:
            _, data = await documents.fetch(self.repository, one.digest, one)
        one.check(data)
        return data

    def _small(self, file: int, limit: int) -> bytes | None:
        """Return a small file that is kept here or staged, or None."""
        sha256 = self.recipe.sha256[file].tobytes()
        data = self.kept.read(sha256)
        if data is None:
            data = _read(self.staged(file), limit)
        return data

    def _tags(self, parcel: Parcel) -> dict[str, Descriptor]:
        """Return the tags to be put, that of the image last."""
        image, *others = parcel.entries
        riders = {tag: one for one in others if (tag := one.annotation(REF_NAME))}
        own = {self._tag: image} if self._tag else {}
        return {**riders, **own}

    async def _look_at_tags(self, tags: dict[str, Descriptor]) -> dict[str, str]:
        """Return the tags that are to stay as they are, and what they should name.

        Raises:
            TargetError: there is one, and that is not wanted.
        """
        if self.existing is OnExisting.OVERWRITE:
            return {}
        skipped = {}
        for tag, one in tags.items():
            there = await documents.find(self.repository, tag)
            if there in (None, one.digest):
                continue
            if self.existing is OnExisting.FAIL:
                raise TargetError(
                    f"{self.repository.where(tag)}: is there, and names {there}",
                    advice="--on-existing-tag=overwrite replaces it, =skip leaves it",
                )
            skipped[tag] = one.digest
        return skipped

    async def _blobs(self, parcel: Parcel) -> None:
        """Make the repository have every config and layer that is carried."""
        wanted = {**parcel.needs.blobs, **parcel.needs.foreign}
        carried = [one for one in wanted.values() if one.blob in parcel.files.blobs]
        carried.sort(key=lambda one: -one.size)

        async def send(one: Descriptor) -> None:
            path = self.staged(parcel.files.blobs[one.blob])
            if not one.size:
                path = Path(os.devnull)
            if path is not None:  # else it was there when the target was asked
                await self._blob(one, path)

        await together(send, carried, BLOBS_AT_ONCE)

    async def _blob(self, one: Descriptor, path: Path) -> None:
        sent = await push(self._mounting(one), one, path)
        self.holders[one.digest] = self.repository.name
        if sent is not Sent.HELD:
            self.written.add(one.digest)
        if sent is Sent.SENT:
            self.sent_bytes += one.size

    def _mounting(self, one: Descriptor) -> Repository:
        """Return the repository, with another one that is known to have a blob."""
        holder = self.holders.get(one.digest)
        mine = self.repository
        if holder is None or holder == mine.name:
            return mine
        return Repository(mine.registry, mine.name, push=True, also=(holder,))

    async def _documents(self, parcel: Parcel) -> Descriptor | None:
        """Put manifests before what lists them, each by its digest.

        Returns what the tag has to name in place of an index that the registry
        does not take because manifests were left out of it.
        """
        needs, image = parcel.needs, parcel.entries[0]
        instead = None
        for digest, (one, document) in needs.documents.items():
            noted = False
            try:
                if await documents.find(self.repository, digest) != digest:
                    noted = await self._put(one)
            except RefusedError as error:
                instead = _instead(one, document, needs)
                if digest != image.digest or instead is None or not _is_sparse(error):
                    raise
                continue
            if document.subject is not None and not noted:
                await refer(self.repository, document.subject.blob, one, document)
        return instead

    async def _put(self, one: Descriptor) -> bool:
        noted = await documents.put(
            self.repository, one.digest, one, self._texts[one.digest]
        )
        self.written.add(one.digest)
        self.sent_bytes += one.size
        return noted

    async def _put_tag(self, tag: str, one: Descriptor) -> None:
        """Let a tag name a manifest that is there, and look whether it does."""
        if await documents.find(self.repository, tag) == one.digest:
            return
        await documents.put(self.repository, tag, one, self._texts[one.digest])
        self.written.add(tag)
        found, _ = await documents.fetch(self.repository, tag)
        if found.digest != one.digest:
            raise IntegrityError(
                f"{self.repository.where(tag)}: the registry has {found.digest} there, "
                f"not {one.digest}",
                rule="91.5.4",
                advice="does something else push to this tag? run again",
            )


def _instead(one: Descriptor, document: Document, needs: Needs) -> Descriptor | None:
    """Return the only image of an index that is there, if there is just one."""
    if not isinstance(document, Index):
        return None
    there = [
        child
        for child in document.children
        if child.digest in needs.documents and child.platform and child.platform.known
    ]
    return there[0] if len(there) == 1 and one.digest != there[0].digest else None


def _is_sparse(error: RefusedError) -> bool:
    return not _UNKNOWN.isdisjoint(error.codes)


def _read(path: Path | None, limit: int) -> bytes | None:
    """Return a small file that was staged, or None where none was."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from error
