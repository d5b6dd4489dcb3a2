"""``docker://`` and ``oci://``: images and charts, pulled from their registry.

Everything goes into a cache below the user's own (``XDG_CACHE_HOME``), by digest:
what is there is not pulled again, and what an interrupted run left goes on where it
stopped. Signatures and whatever else is about an image are asked for with it, under
the tags that cosign makes and by the registry's list of referrers. What was pulled
is then listed like any other layout.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bundle.errors import (
    FormatError,
    IntegrityError,
    NotFoundError,
    SourceError,
)
from bundle.flow.together import together
from bundle.oci import manifests
from bundle.oci.digests import BlobDigest
from bundle.oci.media_types import is_foreign
from bundle.oci.riders import cosign_tags
from bundle.oci.walk import Needs, walk
from bundle.registry import blobs, documents
from bundle.registry.cache import BlobCache
from bundle.registry.connection import Registry
from bundle.registry.failures import DeniedError, RefusedError
from bundle.registry.repository import Repository
from bundle.source.base import OCI_IMAGE, Resolved, Source, SourceArtifact
from bundle.source.images import Image, Rider, kind_of, listed
from bundle.source.listing import one_line
from bundle.source.options import DEFAULT, SourceOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.oci.descriptors import Descriptor
    from bundle.oci.references import Reference

ASKED_AT_ONCE: Final = 8
"""Manifests and tags that are asked for at once."""

PULLED_AT_ONCE: Final = 4
"""Blobs that are pulled at once."""


class RegistrySource(Source):
    """Pulls one image, index, chart or artifact, and lists it."""

    def __init__(
        self,
        reference: Reference,
        *,
        location: str | None = None,
        options: SourceOptions = DEFAULT,
    ) -> None:
        self.location = f"docker://{reference}" if location is None else location
        self._reference = reference.normalised()
        self._options = options

    async def artifacts(self) -> list[SourceArtifact]:
        """Return what was asked for, as one artifact.

        Raises:
            SourceError: it is not there, not for this user, or damaged.
            StoreError: the registry does not answer.
            TargetError: the cache on this machine cannot take it.
            UsageError: a file of logins or certificates is none.
        """
        cache = BlobCache.of(self._options.registry.environment)
        name = self._options.name or self._reference
        if not self._options.listing.takes_whole(str(name)):
            return []
        try:
            root, riders = await self._pull(cache)
        except SourceError as error:
            if not self._options.listing.keep_going:
                raise
            return [self._problem(name, error)]
        warnings: tuple[str, ...] = ()
        if self._options.registry.plain_http:
            warnings = ("pulled without TLS: whoever was between could see it",)
        image = Image(name, root, riders, warnings)
        return await listed(
            lambda: [image], _Cached(cache), self.location, self._options
        )

    async def resolve(self) -> list[Resolved]:
        """Return the digest that the name has now; its manifest alone is pulled.

        Raises:
            SourceError: it is not there, or not for this user.
            StoreError: the registry does not answer.
        """
        host, options = self._reference.registry, self._options.registry
        with _source_errors(self.location):
            async with Registry(host, options) as registry:
                repository = Repository(registry, self._reference.repository)
                target = self._reference.target
                root, data = await documents.fetch(repository, target)
            document = manifests.parse(data, root.media_type)
        name = self._options.name or self._reference
        return [Resolved(kind_of(document), str(name), root.digest)]

    async def _pull(
        self, cache: BlobCache
    ) -> tuple[Descriptor, dict[str, list[Rider]]]:
        host, options = self._reference.registry, self._options.registry
        with _source_errors(self.location):
            async with Registry(host, options) as registry:
                repository = Repository(registry, self._reference.repository)
                pull = _Pull(repository, cache, self._options)
                return await pull.run(self._reference.target)

    def _problem(self, name: Reference, error: SourceError) -> SourceArtifact:
        return SourceArtifact(
            kind=OCI_IMAGE,
            name=str(name),
            source=self.location,
            revision="",
            licence=None,
            warnings=(),
            files=(),
            problems=(one_line(error),),
        )


@dataclass(slots=True)
class _Pull:
    """One image on its way into the cache."""

    repository: Repository
    cache: BlobCache
    options: SourceOptions
    _texts: dict[str, bytes] = field(default_factory=dict)
    _roots: list[Descriptor] = field(default_factory=list)
    _gone: set[str] = field(default_factory=set)
    _riders: dict[str, list[Rider]] = field(default_factory=dict)

    async def run(self, target: str) -> tuple[Descriptor, dict[str, list[Rider]]]:
        """Pull a tag or a digest with all it needs; return it and what is about it."""
        root, data = await documents.fetch(self.repository, target)
        await self._keep(root, data)
        self._roots.append(root)
        needs = await self._needs()
        while fresh := sorted(needs.documents.keys() - self._riders.keys()):
            found = await together(self._about, fresh, ASKED_AT_ONCE)
            self._riders.update(zip(fresh, found, strict=True))
            self._roots += [rider.root for riders in found for rider in riders]
            needs = await self._needs()
        wanted = sorted(needs.blobs.values(), key=lambda one: -one.size)
        await together(self._blob, wanted, PULLED_AT_ONCE)
        await together(self._foreign, needs.foreign.values(), PULLED_AT_ONCE)
        return root, self._riders

    async def _needs(self) -> Needs:
        """Return what all roots need, having pulled every manifest that is met.

        The platforms are for the first root alone: what is about it is taken whole.
        """
        while True:
            needs = Needs()
            for number, root in enumerate(self._roots):
                walk(
                    root,
                    lambda each: self._texts.get(each.digest),
                    platforms=() if number else self.options.platforms,
                    needs=needs,
                )
            lacking = [
                one for one in needs.missing.values() if one.digest not in self._gone
            ]
            if not lacking:
                return needs
            await together(self._document, lacking, ASKED_AT_ONCE)

    async def _document(self, one: Descriptor) -> None:
        """Bring one manifest here; note it where the registry has lost it."""
        held = self.cache.read(one.blob, one.size)
        if held is not None:
            self._texts[one.digest] = held
            return
        try:
            _, data = await documents.fetch(self.repository, one.digest, one)
        except NotFoundError:
            self._gone.add(one.digest)
        else:
            await self._keep(one, data)

    async def _keep(self, one: Descriptor, data: bytes) -> None:
        self._texts[one.digest] = data
        await asyncio.to_thread(self.cache.put, one.blob, data)

    async def _about(self, digest: str) -> list[Rider]:
        """Return what is about a manifest, pulled."""
        parsed = BlobDigest.parse(digest)
        found: list[Rider] = []
        for tag in cosign_tags(parsed):
            with contextlib.suppress(NotFoundError):
                one, data = await documents.fetch(self.repository, tag)
                await self._keep(one, data)
                found.append(Rider(one, tag))
        for one in await documents.referrers(self.repository, parsed):
            if not manifests.is_document(one.media_type):
                continue
            await self._document(one)
            text = self._texts.get(one.digest)
            if text is None:
                continue
            subject = manifests.parse(text, one.media_type).subject
            if subject is not None and subject.digest == digest:
                found.append(Rider(one))
        return found

    async def _blob(self, one: Descriptor) -> None:
        """Bring one blob here; what the registry has lost is said when it is listed."""
        if one.size == 0:
            await asyncio.to_thread(self.cache.put, one.blob, b"")
            return
        try:
            await blobs.pull(self.repository, one, self.cache)
        except NotFoundError:
            # A manifest of a type that is not read here, perhaps.
            with contextlib.suppress(NotFoundError):
                _, data = await documents.fetch(self.repository, one.digest, one)
                await asyncio.to_thread(self.cache.put, one.blob, data)

    async def _foreign(self, one: Descriptor) -> None:
        """Bring a foreign layer here if the registry has it; never from elsewhere."""
        if is_foreign(one.media_type) and await blobs.is_there(self.repository, one):
            await blobs.pull(self.repository, one, self.cache)


class _Cached:
    """The blobs in the cache, for the listing."""

    def __init__(self, cache: BlobCache) -> None:
        self._cache = cache

    def find(self, digest: BlobDigest) -> tuple[Path, int] | None:
        """Return the file of a blob and its size."""
        path = self._cache.path(digest)
        try:
            return path, path.stat().st_size
        except OSError:
            return None

    def read(self, digest: BlobDigest, size: int) -> bytes | None:
        """Return at most ``size`` bytes of a blob."""
        return self._cache.head(digest, size)


@contextlib.contextmanager
def _source_errors(location: str) -> Iterator[None]:
    """Say whose fault it is: what a registry has not, or has damaged, is its."""
    try:
        yield
    except (
        DeniedError,
        NotFoundError,
        RefusedError,
        IntegrityError,
        FormatError,
    ) as error:
        raise SourceError(f"{location}: {error}", advice=error.advice) from error
