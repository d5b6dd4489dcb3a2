"""``oci-layout:PATH``: images in a directory that tools for images read.

Several images share the layout, whoever put them there: blobs are kept once, under
their digests, and ``index.json`` is replaced by one rename once everything that it
leads to is in place (rule 90.7.1). Blobs are never removed and never changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING, Final

from bundle.durable import target_errors
from bundle.errors import IntegrityError, TargetError
from bundle.limits import MAX_OCI_LAYOUT_INDEX, MAX_OCI_MANIFEST
from bundle.oci import layouts
from bundle.target.base import Published
from bundle.target.folder import Folder, nearest
from bundle.target.handover import Handover
from bundle.target.images import ImageFiles, Papers, Parcel, papers_of, takes
from bundle.target.local import FolderTarget
from bundle.target.merged_index import MergedIndex
from bundle.target.record import Record
from bundle.target.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import BufferedReader
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.oci.digests import BlobDigest
    from bundle.target.base import Staged

SCHEME: Final = "oci-layout"
_BLOBS: Final = "blobs"


class OciLayoutTarget(FolderTarget):
    """Publishes images into one layout."""

    def __init__(self, root: Path) -> None:
        self._workspace = Workspace(root)
        super().__init__(f"{SCHEME}:{root}", root, self._workspace)
        self._handover = Handover(self._workspace)
        self._papers = Papers(self._workspace)
        self._records: dict[str, Record] = {}
        self._sound: dict[BlobDigest, tuple[int, ...]] = {}

    def takes(self, kind: str) -> bool:
        """Return whether ``kind`` is that of an image or what is kept like one."""
        return takes(kind)

    async def missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        """Return the blobs that are not there with their content.

        Raises:
            FormatError, IntegrityError: the artifact is no image layout.
            TargetError: what is there is something else.
        """
        return await asyncio.to_thread(self._missing, artifact, recipe)

    def holds(self, artifact: Artifact) -> bool:
        """Return whether this very image was published here and is still here."""
        if not self.root.is_dir():
            return False
        with self._workspace.opened() as root:
            if not self._index(root).names(artifact.name, artifact.revision):
                return False
            return self._record(artifact).is_complete(artifact.recipe.digest, root)

    async def publish(
        self, artifact: Artifact, recipe: Recipe, staged: Staged
    ) -> Published:
        """Put blobs in place, then list the image and what travels with it.

        Raises:
            FormatError, IntegrityError: the image is not whole; nothing of it is
                listed.
            TargetError: something is in the way, or changed since ``missing``.
        """
        return await asyncio.to_thread(self._publish, artifact, recipe, staged)

    async def finish(self, release: str) -> None:
        """Note the release, forget papers that no release has, drop ``staging``."""
        await asyncio.to_thread(self._prune)
        await super().finish(release)

    def needed_sizes(self, recipe: Recipe, missing: Sequence[int]) -> Iterable[int]:
        """Return the size of each missing file."""
        return (int(recipe.sizes[number]) for number in missing)

    def places(
        self,
        kind: str,  # noqa: ARG002 - all kinds are layouts
        name: str,  # noqa: ARG002 - a blob's name is its digest
        recipe: Recipe,
    ) -> Iterable[tuple[int, str]]:
        """Return blobs under their digests, and papers below ``.bundle``."""
        return self._papers.places(recipe)

    def _record(self, artifact: Artifact) -> Record:
        if artifact.name not in self._records:
            self._records[artifact.name] = Record(self._workspace, artifact)
        return self._records[artifact.name]

    def _index(self, root: Folder) -> MergedIndex:
        data = root.read(layouts.INDEX, MAX_OCI_LAYOUT_INDEX)
        place = os.fspath(root.path / layouts.INDEX)
        if data is None and root.status(layouts.INDEX) is not None:
            raise TargetError(f"{place}: not a file of at most {MAX_OCI_LAYOUT_INDEX}")
        return MergedIndex(data, place)

    def _missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        files = ImageFiles.of(artifact, recipe)
        papers = [
            number
            for number in files.papers
            if self._papers.read(bytes(recipe.sha256[number])) is None
        ]
        if nearest(self.root) != self.root:
            lacking = [*files.blobs.values(), *papers]
            return sorted(one for one in lacking if recipe.sizes[one])
        record = self._record(artifact)
        with self._workspace.opened() as root:
            self._index(root)
            lacking = papers + [
                number
                for digest, number in files.blobs.items()
                if not self._is_there(root, record, digest, recipe, number)
            ]
        return sorted(one for one in lacking if recipe.sizes[one])

    def _is_there(
        self,
        root: Folder,
        record: Record,
        digest: BlobDigest,
        recipe: Recipe,
        number: int,
    ) -> bool:
        """Return whether a blob is in place; each is hashed once in a run at most."""
        with root.below((_BLOBS, digest.algorithm), make=False) as folder:
            status = None if folder is None else folder.status(digest.hex)
            if folder is None or status is None:
                return False
            if status.st_size != recipe.sizes[number]:
                return False
            sha256 = bytes(recipe.sha256[number])
            if self._sound.get(digest) == _identity(status):
                record.published(digest.path, status, sha256)
                return True
            if not record.holds(digest.path, folder, digest.hex, sha256):
                return False
            if digest.algorithm != "sha256" and not _has_longer(digest, folder):
                return False
            self._sound[digest] = _identity(status)
            return True

    def _publish(self, artifact: Artifact, recipe: Recipe, staged: Staged) -> Published:
        files = ImageFiles.of(artifact, recipe)
        papers = self._read_papers(recipe, files, staged)
        with self._workspace.opened() as root:
            parcel = Parcel.open(
                artifact,
                files,
                papers,
                lambda one: self._small(root, files, one, staged),
            )
            done = self._put_blobs(root, parcel, recipe, staged)
            for data in papers:
                self._papers.keep(data)
            self._list(root, parcel)
        record = self._record(artifact)
        keys = {digest.path for digest, _ in parcel.ordered()}
        record.completed(artifact.recipe.digest, keys, {})
        record.save()
        return done

    def _read_papers(
        self, recipe: Recipe, files: ImageFiles, staged: Staged
    ) -> tuple[bytes, bytes]:
        """Return index.json and oci-layout as they were carried."""

        def paper(number: int) -> bytes:
            path = staged(number)
            if path is not None:
                return self._bounded(path, MAX_OCI_LAYOUT_INDEX)
            kept = self._papers.read(bytes(recipe.sha256[number]))
            if kept is None:
                raise _changed(self.location)
            return kept

        return paper(files.index), paper(files.marker)

    def _small(
        self, root: Folder, files: ImageFiles, digest: BlobDigest, staged: Staged
    ) -> bytes | None:
        path = staged(files.blobs[digest])
        if path is not None:
            return self._bounded(path, MAX_OCI_MANIFEST)
        with root.below((_BLOBS, digest.algorithm), make=False) as folder:
            return None if folder is None else folder.read(digest.hex, MAX_OCI_MANIFEST)

    def _put_blobs(
        self, root: Folder, parcel: Parcel, recipe: Recipe, staged: Staged
    ) -> Published:
        """Put in place what is not, leaves first, and make it durable."""
        record = self._record(parcel.artifact)
        written = kept = size = 0
        fresh: set[str] = set()
        for digest, number in parcel.ordered():
            if self._is_there(root, record, digest, recipe, number):
                kept += 1
                continue
            path = staged(number)
            if path is None and recipe.sizes[number]:
                raise _changed(self.location)
            if digest.algorithm != "sha256":
                self._check_longer(digest, path)
            with root.made((_BLOBS, digest.algorithm)) as folder:
                status = self._handover.put(path, folder, digest.hex)
            record.published(digest.path, status, bytes(recipe.sha256[number]))
            self._sound[digest] = _identity(status)
            fresh.add(digest.algorithm)
            written += 1
            size += status.st_size
        for algorithm in sorted(fresh):
            with root.made((_BLOBS, algorithm)) as folder:
                folder.flush()
        return Published(written, kept, size)

    def _open(self, path: Path) -> BufferedReader:
        """Open a staged file, whatever its path leads to now."""
        return os.fdopen(self._workspace.open_staged(path, os.O_RDONLY), "rb")

    def _bounded(self, path: Path, limit: int) -> bytes:
        """Return a staged file that is parsed whole.

        Raises:
            IntegrityError: it is larger than any such file may be.
        """
        with target_errors(path), self._open(path) as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise IntegrityError(f"{path.name}: over {limit} bytes", rule="90.6.2")
        return data

    def _check_longer(self, digest: BlobDigest, path: Path | None) -> None:
        """Compute a SHA-512, which recipes do not have (rule 90.7.2)."""
        found = digest.hasher().hexdigest()
        if path is not None:
            with target_errors(path), self._open(path) as stream:
                found = hashlib.file_digest(stream, digest.hasher).hexdigest()
        if found != digest.hex:
            raise IntegrityError(f"{digest}: its content is another", rule="90.2.3")

    def _list(self, root: Folder, parcel: Parcel) -> None:
        """Name the image; what the names lead to is durable already."""
        if root.status(layouts.MARKER) is None:
            self._handover.put_bytes(layouts.MARKER_CONTENT, root, layouts.MARKER)
        index = self._index(root)
        index.merge(parcel.entries)
        data = index.serialize()
        if root.read(layouts.INDEX, MAX_OCI_LAYOUT_INDEX) != data:
            self._handover.put_bytes(data, root, layouts.INDEX)
        root.flush()

    def _prune(self) -> None:
        self._papers.prune(self._used_papers())

    def _used_papers(self) -> Iterator[bytes]:
        given = {
            one.recipe
            for release in self.ledger.releases()
            for one in release.artifacts
            if takes(one.kind)
        }
        for digest in given:
            recipe = self.ledger.recipe(digest)
            if recipe is not None:
                yield from papers_of(recipe)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _has_longer(digest: BlobDigest, folder: Folder) -> bool:
    """Return whether a file in place has the SHA-512 of its name."""
    descriptor = folder.open_file(digest.hex)
    if descriptor is None:
        return False
    with os.fdopen(descriptor, "rb") as stream:
        return hashlib.file_digest(stream, digest.hasher).hexdigest() == digest.hex


def _changed(location: str) -> TargetError:
    return TargetError(
        f"{location}: changed while this run was unpacking",
        advice="stop whatever else writes there and run again",
    )
