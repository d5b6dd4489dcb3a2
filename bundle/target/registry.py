"""``docker://REGISTRY[/PREFIX]``: images and charts, pushed into a registry.

What is at the registry is asked for by digest before anything is sent. An image is
sent leaves first: blobs, manifests, indexes, then what is about it, then its tag.
So a push that fails leaves no tag that leads to something missing. An image that
cannot be pushed does not keep the others from it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final, Self

from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    NotFoundError,
    TargetError,
    TransientError,
)
from bundle.flow.together import together
from bundle.limits import MAX_OCI_MANIFEST
from bundle.oci.descriptors import Descriptor
from bundle.oci.digests import BlobDigest
from bundle.oci.references import Reference
from bundle.registry import documents
from bundle.registry.blobs import is_there
from bundle.registry.connection import Registry
from bundle.registry.failures import DeniedError, RefusedError
from bundle.registry.probing import ping
from bundle.registry.repository import Repository
from bundle.target.documents import KnownDocuments
from bundle.target.image_push import ImagePush
from bundle.target.images import ImageFiles, takes
from bundle.target.registry_files import AT_ONCE, KEPT, UNREAD, RegistryFiles
from bundle.target.remote import RemoteTarget

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.target.base import Published, Staged
    from bundle.target.options import TargetOptions
    from bundle.target.registry_place import RegistryPlace

_ONE_IMAGE: Final = (
    DeniedError,
    RefusedError,
    NotFoundError,
    IntegrityError,
    FormatError,
)
"""What is wrong with one image or one repository, and not with the registry."""


class RegistryTarget(RemoteTarget):
    """Publishes images, charts and other artifacts into one registry."""

    isolates: ClassVar = True

    def __init__(self, place: RegistryPlace, options: TargetOptions) -> None:
        super().__init__(str(place), options)
        self.place = place
        self._options = options
        self._registry: Registry | None = None
        self._kept = KnownDocuments(self._workspace)
        self._claimed: dict[tuple[str, str], Artifact] = {}
        self._holders: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        """Get ready to talk to the registry.

        Raises:
            UsageError: the file of certificates is none.
        """
        registry = Registry(self.place.host, self._options.registry)
        self._registry = await registry.__aenter__()
        self._holders = dict(self._known_holders())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        if self._registry is not None:
            await self._registry.__aexit__()
            self._registry = None

    def takes(self, kind: str) -> bool:
        """Return whether ``kind`` is one of an OCI registry."""
        return takes(kind)

    async def missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        """Return the files that the registry does not have, asked by digest.

        Raises:
            FormatError: the artifact is no image layout.
            StoreError: the registry does not answer.
            TargetError: two artifacts would have one name there.
        """
        files = ImageFiles.of(artifact, recipe)
        name = Reference.parse(artifact.name)
        repository = self._repository(name)
        self._claim(artifact, name, repository.name)

        async def look(one: tuple[BlobDigest, int]) -> bool:
            digest, file = one
            sha256 = recipe.sha256[file].tobytes()
            if not files.sizes[digest] or self._kept.read(sha256) is not None:
                return True
            blob = Descriptor(UNREAD, str(digest), files.sizes[digest])
            return await self._has(repository, blob, sha256)

        found = await together(look, files.blobs.items(), AT_ONCE)
        here = [
            self._kept.read(recipe.sha256[file].tobytes()) is not None
            for file in files.papers
        ]
        asked = (*files.blobs.values(), *files.papers)
        there = (*found, *here)
        return sorted(file for file, held in zip(asked, there, strict=True) if not held)

    def holds(self, artifact: Artifact) -> bool:
        """Return False: without its recipe nobody knows what to ask for."""
        del artifact
        return False

    async def publish(
        self, artifact: Artifact, recipe: Recipe, staged: Staged
    ) -> Published:
        """Push one image with all it needs, and give it its tag last.

        Raises:
            StoreError: the registry does not answer any more.
            TargetError: this image cannot be pushed; others may be.
        """
        name = Reference.parse(artifact.name)
        push = ImagePush(
            artifact=artifact,
            recipe=recipe,
            repository=self._repository(name),
            staged=staged,
            kept=self._kept,
            holders=self._holders,
            existing=self._options.existing,
        )
        try:
            published = await push.run()
        except _ONE_IMAGE as error:
            raise _refused(name, error) from error
        except TransientError as error:
            await ping(self._open(), attempts=1)
            raise _refused(name, error) from error
        await asyncio.to_thread(push.keep)
        return published

    def needed_sizes(self, recipe: Recipe, missing: Sequence[int]) -> Iterable[int]:
        """Return the size of each missing file: all of them are staged here."""
        return (int(recipe.sizes[index]) for index in missing)

    def places(self, kind: str, name: str, recipe: Recipe) -> Iterable[tuple[int, str]]:
        """Return where each blob is at the registry, or kept here."""
        del kind
        repository = self.place.repository(Reference.parse(name))
        for file, path in enumerate(recipe.paths()):
            digest = BlobDigest.of_path(path)
            if digest is not None:
                yield file, f"{repository}@{digest}"
            if digest is None or recipe.sizes[file] <= MAX_OCI_MANIFEST:
                yield file, f"{KEPT}{recipe.sha256[file].tobytes().hex()}"

    def files(self) -> RegistryFiles:
        """Return the blobs of everything that was published here."""
        return RegistryFiles(self._open, self._kept, self._listed)

    def _listed(self) -> Iterator[tuple[str, int]]:
        for placed in self._placed(self.ledger.releases()):
            for file, path in placed.places:
                yield path, int(placed.recipe.sizes[file])

    def _known_holders(self) -> Iterator[tuple[str, str]]:
        """Yield blobs, each with a repository that was given it at some time."""
        for path, _ in self._listed():
            repository, at, digest = path.partition("@")
            if at:
                yield digest, repository

    async def _has(
        self, repository: Repository, one: Descriptor, sha256: bytes
    ) -> bool:
        """Return whether a repository has a blob, or a manifest, which is noted."""
        try:
            if await is_there(repository, one):
                self._holders.setdefault(one.digest, repository.name)
                return True
            if one.size > MAX_OCI_MANIFEST:
                return False
            _, data = await documents.fetch(repository, one.digest, one)
        except _ONE_IMAGE:
            return False  # whatever is wrong there is said when it is pushed
        self._kept.note(sha256, data)
        return True

    def _repository(self, name: Reference) -> Repository:
        return Repository(self._open(), self.place.repository(name), push=True)

    def _claim(self, artifact: Artifact, name: Reference, repository: str) -> None:
        """Refuse two artifacts that would have one tag.

        Raises:
            TargetError: another artifact of this run has it.
        """
        key = repository, name.target if name.digest is None else str(name.digest)
        other = self._claimed.setdefault(key, artifact)
        if other.name != artifact.name:
            raise TargetError(
                f"{self.location}: {other.name} and {artifact.name} would both be "
                f"{repository}:{key[1]}",
                advice="give one of them another repository with --map FROM=TO",
            )

    def _open(self) -> Registry:
        if self._registry is None:
            raise ValueError("a target is used inside 'async with'")
        return self._registry


def _refused(name: Reference, error: BundleError) -> TargetError:
    return TargetError(f"{name}: {error}", advice=error.advice)
