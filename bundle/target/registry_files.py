"""What a registry target published, read again for deltas (spec §60.3, §91.6).

A path is ``<repository>@<digest>`` for what the registry has, and ``kept/<SHA-256>``
for a manifest or an ``index.json`` that is kept on this machine as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.errors import IntegrityError, NotFoundError
from bundle.flow.together import together
from bundle.oci.descriptors import Descriptor
from bundle.registry.blobs import is_there, read_range
from bundle.registry.failures import DeniedError, RefusedError
from bundle.registry.repository import Repository
from bundle.store.inplace import PlacedFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bundle.registry.connection import Registry
    from bundle.store.chunk_map import SizeOf
    from bundle.target.documents import KnownDocuments

KEPT: Final = "kept/"

UNREAD: Final = "application/octet-stream"
"""The media type of a blob of which only digest and size are known."""

AT_ONCE: Final = 8
"""Requests under way at once that only ask."""

WINDOW: Final = 8 << 20
"""Bytes of a blob that are read at once: several chunks that lie together."""


class RegistryFiles(PlacedFiles):
    """Blobs of a registry, by ranges; ``listed`` are the paths that may be asked for.

    ``registry`` returns the connection, which there is inside ``async with`` only.
    """

    def __init__(
        self,
        registry: Callable[[], Registry],
        kept: KnownDocuments,
        listed: Callable[[], Iterable[tuple[str, int]]],
    ) -> None:
        self._registry = registry
        self._kept = kept
        self._listed = listed
        self._window: tuple[str, int, bytes] = ("", 0, b"")

    async def sizes(self) -> SizeOf:
        """Return what knows which blobs are there: each is asked for once.

        Raises:
            StoreError: the registry does not answer.
        """
        listed = dict(self._listed())
        found = await together(self._is_there, listed.items(), AT_ONCE)
        there = {
            path: size
            for (path, size), held in zip(listed.items(), found, strict=True)
            if held
        }
        return lambda path: there.get(path, -1)

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """Return bytes of a blob; none where it is gone.

        Raises:
            StoreError: the registry does not answer.
        """
        if path.startswith(KEPT):
            data = self._kept.read(bytes.fromhex(path.removeprefix(KEPT)))
            return b"" if data is None else data[offset : offset + length]
        known, start, data = self._window
        if known != path or not start <= offset <= start + len(data) - length:
            repository, digest = self._at(path)
            try:
                data = await read_range(repository, digest, offset, max(length, WINDOW))
            except (NotFoundError, DeniedError, RefusedError):
                return b""
            start, self._window = offset, (path, offset, data)
        return data[offset - start : offset - start + length]

    async def _is_there(self, one: tuple[str, int]) -> bool:
        path, size = one
        if path.startswith(KEPT):
            data = self._kept.read(bytes.fromhex(path.removeprefix(KEPT)))
            return data is not None and len(data) == size
        repository, digest = self._at(path)
        try:
            return await is_there(repository, Descriptor(UNREAD, digest, size))
        except (DeniedError, RefusedError, IntegrityError):
            return False

    def _at(self, path: str) -> tuple[Repository, str]:
        name, _, digest = path.partition("@")
        return Repository(self._registry(), name), digest
