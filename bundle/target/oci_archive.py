"""``oci-archive:FILE``: images in a layout in one tar, for tools that take a file.

A tar cannot be changed in place, so it is written anew, from what it held and what
is new, under a temporary name, and renamed once it is whole and durable. Where
nothing is new it is left alone.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.durable import make_directory
from bundle.errors import FormatError, TargetError
from bundle.limits import MAX_OCI_LAYOUT_INDEX, MAX_OCI_MANIFEST
from bundle.oci import layouts
from bundle.oci.digests import BlobDigest
from bundle.oci.walk import Needs, walk
from bundle.store.inplace import PlacedFiles
from bundle.target.archive_file import Part, is_sound, parts_of, write_archive
from bundle.target.base import Published, Target
from bundle.target.images import ImageFiles, Papers, Parcel, takes
from bundle.target.merged_index import MergedIndex
from bundle.target.room import Room
from bundle.target.workspace import NAME, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.oci.descriptors import Descriptor
    from bundle.store.chunk_map import SizeOf
    from bundle.target.base import Staged
    from bundle.target.options import TargetOptions

SCHEME: Final = "oci-archive"
_WRITTEN: Final = ("archive.json",)
_MAX_WRITTEN: Final = 4096


class _Written(msgspec.Struct, frozen=True):
    """The file as this target left it, every blob in it checked."""

    size: int
    mtime: int
    inode: int


class OciArchiveTarget(Target):
    """Publishes images into one tar; stages in a directory of its own."""

    def __init__(self, path: Path, options: TargetOptions) -> None:
        location = f"{SCHEME}:{path}"
        super().__init__(location, Workspace(options.working_directory(location)))
        self.path = path
        self._papers = Papers(self._workspace)
        self._parts: dict[str, Part] | None = None
        self._sound: dict[BlobDigest, bool] = {}
        self._fresh: dict[BlobDigest, Part] = {}
        self._listed: list[Descriptor] = []

    def takes(self, kind: str) -> bool:
        """Return whether ``kind`` is that of an image or what is kept like one."""
        return takes(kind)

    async def missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        """Return the blobs that the file does not hold.

        Raises:
            FormatError, IntegrityError: the artifact is no image layout.
            TargetError: what is there is no layout in a tar.
        """
        return await asyncio.to_thread(self._missing, artifact, recipe)

    def holds(self, artifact: Artifact) -> bool:
        """Return whether this very image was written here and is still here."""
        if not self._is_as_written():
            return False
        return self._index().names(artifact.name, artifact.revision)

    async def begin(self) -> None:
        """Make the working directory and clear what killed runs left there.

        Raises:
            TargetError: it cannot be made.
        """
        if not self.path.parent.is_dir():
            raise TargetError(
                f"{self.path}: the directory it is to be in does not exist",
                advice=f"make it first: mkdir -p {self.path.parent}",
            )
        await asyncio.to_thread(make_directory, self._workspace.root)
        await super().begin()

    async def publish(
        self, artifact: Artifact, recipe: Recipe, staged: Staged
    ) -> Published:
        """Take an image in; ``finish`` writes the file.

        Raises:
            FormatError, IntegrityError: the image is not whole.
            TargetError: something changed since ``missing``.
        """
        return await asyncio.to_thread(self._publish, artifact, recipe, staged)

    async def finish(self, release: str) -> None:
        """Write the file if anything is new, note the release, drop ``staging``.

        Raises:
            IntegrityError, SpaceError, TargetError: the file is as it was.
        """
        await asyncio.to_thread(self._write)
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
        """Return members of the tar, and papers in the working directory."""
        return self._papers.places(recipe)

    def files(self) -> PlacedFiles:
        """Return the members of the tar, and papers."""
        return _ArchiveFiles(self.path, self._workspace.root)

    def room(self) -> Room:
        """Return what is free where the working directory is, or will be.

        Raises:
            TargetError: it cannot be looked at.
        """
        place = self._workspace.root
        while not place.is_dir():
            place = place.parent
        return Room.at(self.location, place)

    @property
    def _held(self) -> dict[str, Part]:
        if self._parts is None:
            self._parts = parts_of(self.path)
        return self._parts

    def _index(self) -> MergedIndex:
        part = self._held.get(layouts.INDEX)
        data = None if part is None else part.read(0, MAX_OCI_LAYOUT_INDEX + 1)
        if data is None and self._held:
            raise TargetError(
                f"{self.path}: not an image layout in a tar",
                advice="name another file, or move it away",
            )
        return MergedIndex(data, f"{self.path}: {layouts.INDEX}")

    def _is_as_written(self) -> bool:
        """Return whether the file is the very one that this target wrote."""
        data = self._workspace.read(_WRITTEN, _MAX_WRITTEN)
        try:
            written = msgspec.json.decode(data or b"", type=_Written)
            return written == _written(self.path.stat())
        except (msgspec.DecodeError, OSError):
            return False

    def _has(self, digest: BlobDigest) -> bool:
        """Return whether the file holds a blob; each is hashed once at most."""
        part = self._held.get(digest.path)
        if part is None:
            return False
        if digest not in self._sound:
            self._sound[digest] = self._is_as_written() or is_sound(digest, part)
        return self._sound[digest]

    def _missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        files = ImageFiles.of(artifact, recipe)
        self._index()
        lacking = [
            number for digest, number in files.blobs.items() if not self._has(digest)
        ]
        lacking += [
            number
            for number in files.papers
            if self._papers.read(bytes(recipe.sha256[number])) is None
        ]
        return sorted(number for number in lacking if recipe.sizes[number])

    def _publish(self, artifact: Artifact, recipe: Recipe, staged: Staged) -> Published:
        files = ImageFiles.of(artifact, recipe)

        def paper(number: int) -> bytes:
            path = staged(number)
            if path is not None:
                return Part(path, 0, int(recipe.sizes[number])).read(
                    0, MAX_OCI_LAYOUT_INDEX + 1
                )
            kept = self._papers.read(bytes(recipe.sha256[number]))
            if kept is None:
                raise self._changed()
            return kept

        def place(digest: BlobDigest) -> Part:
            number = files.blobs[digest]
            path = staged(number)
            if path is not None:
                return Part(path, 0, int(recipe.sizes[number]))
            if not recipe.sizes[number]:
                return Part(Path(os.devnull), 0, 0)
            return self._fresh.get(digest) or self._part(digest)

        papers = paper(files.index), paper(files.marker)
        parcel = Parcel.open(
            artifact,
            files,
            papers,
            lambda digest: place(digest).read(0, MAX_OCI_MANIFEST + 1),
        )
        written = kept = size = 0
        for digest, number in parcel.ordered():
            if self._has(digest) or digest in self._fresh:
                kept += 1
                continue
            self._fresh[digest] = place(digest)
            written += 1
            size += int(recipe.sizes[number])
        for data in papers:
            self._papers.keep(data)
        self._listed += parcel.entries
        return Published(written, kept, size)

    def _part(self, digest: BlobDigest) -> Part:
        part = self._held.get(digest.path)
        if part is None:
            raise self._changed()
        return part

    def _write(self) -> None:
        """Write the tar anew if it has to list or hold anything else."""
        index = self._index()
        before = index.serialize()
        index.merge(self._listed)
        data = index.serialize()
        if data == before and not self._fresh and layouts.INDEX in self._held:
            return
        status = write_archive(self.path, data, self._blobs(data))
        self._parts = None
        self._workspace.write(_WRITTEN, msgspec.json.encode(_written(status)))

    def _blobs(self, index: bytes) -> dict[BlobDigest, Part]:
        """Return everything that the entries of an index lead to, as far as it is here.

        What another tool left in the file and no entry leads to is dropped.
        """

        def part(digest: BlobDigest) -> Part | None:
            return self._fresh.get(digest) or self._held.get(digest.path)

        def read(one: Descriptor) -> bytes | None:
            found = part(one.blob)
            if found is None or found.size > MAX_OCI_MANIFEST:
                return None
            data = found.read(0, found.size)
            one.check(data)
            return data

        needs = Needs()
        for one in layouts.parse_index(index).manifests:
            try:
                walk(one, read, needs=needs)
            except FormatError as error:
                raise TargetError(f"{self.path}: {one.digest}: {error}") from error
        texts = dict.fromkeys((*needs.all, *needs.foreign, *needs.missing))
        found = (
            (BlobDigest.parse(text), part(BlobDigest.parse(text))) for text in texts
        )
        return {digest: one for digest, one in found if one is not None}

    def _changed(self) -> TargetError:
        return TargetError(
            f"{self.location}: changed while this run was unpacking",
            advice="stop whatever else writes there and run again",
        )


class _ArchiveFiles(PlacedFiles):
    """Members of a tar, and what is kept in the working directory."""

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root
        self._parts: dict[str, Part] = {}

    async def sizes(self) -> SizeOf:
        """Return what knows the size of each member."""
        await asyncio.to_thread(self._load)
        return lambda path: -1 if (part := self._find(path)) is None else part.size

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """Return bytes of a member, none where it is not there any more."""
        if not self._parts:
            await asyncio.to_thread(self._load)
        part = self._find(path)
        if part is None:
            return b""
        return await asyncio.to_thread(part.read, offset, length)

    def _load(self) -> None:
        self._parts = parts_of(self._path)

    def _find(self, path: str) -> Part | None:
        if not path.startswith(f"{NAME}/"):
            return self._parts.get(path)
        place = self._root / path
        try:
            return Part(place, 0, place.stat().st_size)
        except OSError:
            return None


def _written(status: os.stat_result) -> _Written:
    return _Written(status.st_size, status.st_mtime_ns, status.st_ino)
