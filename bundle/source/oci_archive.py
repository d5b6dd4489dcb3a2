"""Images in a layout that was put into a tar: read in place, nothing is unpacked."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from bundle.errors import SourceError
from bundle.limits import MAX_OCI_LAYOUT_INDEX
from bundle.oci import layouts
from bundle.source.base import Source
from bundle.source.images import Image, list_images, renamed
from bundle.source.oci_layout import Entries, check_selection
from bundle.source.options import DEFAULT, SourceOptions
from bundle.source.tar_files import TarFiles

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.oci.digests import BlobDigest
    from bundle.source.base import Content, SourceArtifact


class TarBlobs:
    """The blobs of a layout inside a tar."""

    def __init__(self, files: TarFiles) -> None:
        self._files = files

    def find(self, digest: BlobDigest) -> tuple[Content, int] | None:
        """Return the part of the tar that is a blob, and its size."""
        extent = self._files.find(digest.path)
        return None if extent is None else (extent, extent.size)

    def read(self, digest: BlobDigest, size: int) -> bytes | None:
        """Return at most ``size`` bytes of a blob."""
        return self._files.read(digest.path, size)


class OciArchiveSource(Source):
    """Lists the images of one ``oci-archive``."""

    def __init__(
        self,
        path: Path,
        selected: str = "",
        *,
        location: str | None = None,
        options: SourceOptions = DEFAULT,
    ) -> None:
        self.location = f"oci-archive:{path}" if location is None else location
        self._path = path
        self._selected = check_selection(selected)
        self._options = options

    async def artifacts(self) -> list[SourceArtifact]:
        """Return the images that were asked for, sorted by kind and name.

        Raises:
            SourceError: it is no layout in a tar, or an image is damaged.
        """
        return await asyncio.to_thread(self._list)

    def _list(self) -> list[SourceArtifact]:
        files = TarFiles(self._path)
        blobs = TarBlobs(files)
        marker = files.read(layouts.MARKER, 4096)
        index = files.read(layouts.INDEX, MAX_OCI_LAYOUT_INDEX + 1)
        if marker is None or index is None:
            raise SourceError(
                f"{self._path}: not an image layout in a tar",
                advice="what docker save wrote is named docker-archive:FILE",
            )
        found = Entries.read(marker, index, blobs, os.fspath(self._path))
        images: list[Image] = renamed(found.images(self._selected), self._options)
        return list_images(images, blobs, self.location, self._options)
