"""Manifests on this machine of what was published somewhere else.

They are small, and whoever knows them knows which blobs to ask a registry for. They
are kept beside the index.json of each image, by SHA-256, and hashed again each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.target.images import Papers

if TYPE_CHECKING:
    from bundle.target.workspace import Workspace


class KnownDocuments:
    """Small files by SHA-256: kept on disk, or ``noted`` for this run alone."""

    def __init__(self, workspace: Workspace) -> None:
        self._papers = Papers(workspace)
        self._noted: dict[bytes, bytes] = {}

    def read(self, sha256: bytes) -> bytes | None:
        """Return a document that is here and not damaged, or None."""
        noted = self._noted.get(sha256)
        return self._papers.read(sha256) if noted is None else noted

    def note(self, sha256: bytes, data: bytes) -> None:
        """Know a document, verified before, until the run ends."""
        self._noted[sha256] = data

    def keep(self, data: bytes) -> None:
        """Keep a document, durably.

        Raises:
            TargetError: it could not be written.
        """
        self._papers.keep(data)
