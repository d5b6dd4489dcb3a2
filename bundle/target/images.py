"""Images on their way out: what a recipe may hold, and what its entries need.

A recipe comes from whoever packed, and its files are named by digest: here it is
checked that each is under its own digest (rules 90.6.3 and 90.6.4) and that nothing
is missing that an image needs (90.6.6), before anything of it is visible.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bundle.errors import FormatError, IntegrityError
from bundle.format.recipe_layout import Mode
from bundle.format.release import OCI_KINDS
from bundle.limits import MAX_OCI_LAYOUT_INDEX, MAX_OCI_MANIFEST
from bundle.oci import layouts
from bundle.oci.descriptors import REF_NAME
from bundle.oci.digests import BlobDigest
from bundle.oci.riders import subject_of
from bundle.oci.walk import Needs, walk
from bundle.target.workspace import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.oci.descriptors import Descriptor
    from bundle.target.workspace import Workspace

    ReadSmall = Callable[[BlobDigest], bytes | None]
    """Returns a blob of at most ``MAX_OCI_MANIFEST`` bytes, or None without it."""

_PAPERS: Final = "images"


def takes(kind: str) -> bool:
    """Return whether artifacts of this kind are image layouts."""
    return kind in OCI_KINDS


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The files of a recipe: blobs by digest, and the two that make a layout.

    Numbers are those of files in the recipe.
    """

    blobs: dict[BlobDigest, int]
    index: int
    marker: int
    sizes: dict[BlobDigest, int]

    @classmethod
    def of(cls, artifact: Artifact, recipe: Recipe) -> ImageFiles:
        """Return what a recipe holds.

        Raises:
            FormatError: it holds something else than one layout (rule 90.6.3).
            IntegrityError: a blob is under another digest (rule 90.6.4).
        """
        blobs: dict[BlobDigest, int] = {}
        papers: dict[str, int] = {}
        for number, path in enumerate(recipe.paths()):
            digest = BlobDigest.of_path(path)
            is_file = recipe.modes[number] == Mode.FILE
            if is_file and digest is not None:
                _check_digest(artifact, digest, bytes(recipe.sha256[number]))
                blobs[digest] = number
            elif is_file and path in (layouts.INDEX, layouts.MARKER):
                papers[path] = number
            else:
                raise FormatError(
                    f"{artifact.kind} {artifact.name}: {path!r} is no part of an image",
                    rule="90.6.3",
                )
        if len(papers) < len((layouts.INDEX, layouts.MARKER)):
            raise FormatError(
                f"{artifact.kind} {artifact.name}: not a whole image layout",
                rule="90.6.3",
            )
        sizes = {digest: int(recipe.sizes[number]) for digest, number in blobs.items()}
        return cls(blobs, papers[layouts.INDEX], papers[layouts.MARKER], sizes)

    @property
    def papers(self) -> tuple[int, int]:
        """The files that say what the blobs are."""
        return self.index, self.marker


@dataclass(frozen=True, slots=True)
class Parcel:
    """One image that may be published: its entries, and what they need."""

    artifact: Artifact
    files: ImageFiles
    entries: tuple[Descriptor, ...]
    needs: Needs = field(default_factory=Needs)

    @classmethod
    def open(
        cls,
        artifact: Artifact,
        files: ImageFiles,
        papers: tuple[bytes, bytes],
        read: ReadSmall,
    ) -> Parcel:
        """Return an image once its index, its marker and its manifests are checked.

        ``papers`` are the contents of index.json and oci-layout; ``read`` returns
        blobs whose digest was checked.

        Raises:
            FormatError: the artifact breaks rules 90.3 or 90.6.
            IntegrityError: a blob has another size than it is described with.
        """
        index, marker = papers
        layouts.check_marker(marker)
        entries = layouts.parse_index(index).manifests
        _check_names(artifact, entries)
        needs = Needs()
        for one in entries:
            walk(one, lambda each: _read(files, each, read), needs=needs)
        parcel = cls(artifact, files, entries, needs)
        parcel._check_whole()
        return parcel

    def ordered(self) -> Iterator[tuple[BlobDigest, int]]:
        """Yield each blob and its file, each after all that it refers to.

        Blobs that nothing refers to are left out.
        """
        needed = (*self.needs.blobs, *self.needs.foreign, *self.needs.documents)
        for text in dict.fromkeys(needed):
            digest = BlobDigest.parse(text)
            if digest in self.files.blobs:
                yield digest, self.files.blobs[digest]

    def _check_whole(self) -> None:
        """Refuse an image that lacks what it needs (rule 90.6.6)."""
        roots = {one.digest for one in self.entries}
        for text, one in {**self.needs.all, **self.needs.missing}.items():
            size = self.files.sizes.get(one.blob)
            listed = text in self.needs.missing and text not in roots
            if size is None and not listed:
                raise FormatError(f"{self._name}: it lacks {text}", rule="90.6.6")
            if size is not None and size != one.size:
                raise IntegrityError(
                    f"{self._name}: {text} has {size} bytes where {one.size} were "
                    "promised",
                    rule="90.2.3",
                )

    @property
    def _name(self) -> str:
        return f"{self.artifact.kind} {self.artifact.name}"


def _check_digest(artifact: Artifact, digest: BlobDigest, sha256: bytes) -> None:
    """Refuse a file below blobs/sha256 that is under another digest."""
    if digest.algorithm == "sha256" and digest.raw != sha256:
        raise IntegrityError(
            f"{artifact.kind} {artifact.name}: the blob {digest} has the SHA-256 "
            f"{sha256.hex()}",
            rule="90.6.4",
        )


def _check_names(artifact: Artifact, entries: tuple[Descriptor, ...]) -> None:
    """Refuse entries under names that are not the artifact's (rule 90.6.5)."""
    names = [one.annotation(REF_NAME) for one in entries]
    if not names or names[0] != artifact.name:
        raise FormatError(
            f"{artifact.kind} {artifact.name}: its index.json does not begin with it",
            rule="90.6.5",
        )
    for name in names[1:]:
        if name is not None and subject_of(name) is None:
            raise FormatError(
                f"{artifact.kind} {artifact.name}: its index.json names {name[:80]!r}",
                rule="90.6.5",
            )
    if entries[0].digest != artifact.revision:
        raise FormatError(
            f"{artifact.kind} {artifact.name}: its index.json begins with "
            f"{entries[0].digest}, the release says {artifact.revision[:80]!r}",
            rule="90.6.5",
        )


def _read(files: ImageFiles, one: Descriptor, read: ReadSmall) -> bytes | None:
    """Return a manifest that is among the files, checked, or None."""
    size = files.sizes.get(one.blob)
    if size is None:
        return None
    if size > MAX_OCI_MANIFEST:
        raise FormatError(
            f"{one.digest}: a manifest of {size} bytes, over {MAX_OCI_MANIFEST}",
            rule="90.3.1",
        )
    data = read(one.blob)
    if data is not None:
        one.check(data)
    return data


class Papers:
    """The index.json and oci-layout of each image, kept below ``.bundle``.

    A target that several images share has one index.json for all of them; what was
    carried is kept as it was, by its SHA-256, so that it need not travel again.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def read(self, sha256: bytes) -> bytes | None:
        """Return what was kept and is not damaged, or None."""
        parts = (_PAPERS, sha256.hex())
        data = self._workspace.read(parts, MAX_OCI_LAYOUT_INDEX)
        if data is None or hashlib.sha256(data).digest() != sha256:
            return None
        return data

    def keep(self, data: bytes) -> None:
        """Keep a file, durably.

        Raises:
            TargetError: it could not be written.
        """
        self._workspace.write((_PAPERS, hashlib.sha256(data).hexdigest()), data)

    def prune(self, kept: Iterable[bytes]) -> None:
        """Forget all but the files with these SHA-256."""
        if self._workspace.root.is_dir():
            self._workspace.prune(_PAPERS, {one.hex() for one in kept})

    @staticmethod
    def places(recipe: Recipe) -> Iterator[tuple[int, str]]:
        """Yield where each file of an image is: a blob by its path, papers kept."""
        for number, path in enumerate(recipe.paths()):
            if path in (layouts.INDEX, layouts.MARKER):
                sha256 = bytes(recipe.sha256[number])
                yield number, f"{NAME}/{_PAPERS}/{sha256.hex()}"
            else:
                yield number, path


def papers_of(recipe: Recipe) -> Iterator[bytes]:
    """Yield the SHA-256 of what ``Papers`` keeps of a recipe."""
    for number, path in enumerate(recipe.paths()):
        if path in (layouts.INDEX, layouts.MARKER):
            yield bytes(recipe.sha256[number])
