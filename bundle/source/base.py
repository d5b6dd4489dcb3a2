"""What a source hands to the packer: artifacts as lists of files.

A source only lists. It says where the content of each file is and what is known
about it; the packer reads it, hashes it, and compares. So a source never holds
a file's content, except small files that it makes itself.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HF_MODEL: Final = "hf-model"
HF_DATASET: Final = "hf-dataset"
HF_SPACE: Final = "hf-space"
HF_KERNEL: Final = "hf-kernel"
TREE: Final = "tree"

OCI_IMAGE: Final = "oci-image"
OCI_ARTIFACT: Final = "oci-artifact"
HELM_CHART: Final = "helm-chart"

HF_KINDS: Final = frozenset({HF_MODEL, HF_DATASET, HF_SPACE, HF_KERNEL})
OCI_KINDS: Final = frozenset({OCI_IMAGE, OCI_ARTIFACT, HELM_CHART})


@dataclass(frozen=True, slots=True)
class Extent:
    """``size`` bytes at ``offset`` of a regular file, as content of its own."""

    path: Path
    offset: int
    size: int


Content = Path | bytes | Extent
"""Where the content of a file is, or the content itself."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of an artifact, as it was when it was listed.

    ``content`` is the content itself, or the path of a regular file with every
    link already followed, or a part of such a file: open it with ``O_NOFOLLOW``
    and compare ``size`` again, since the file may have changed since.
    ``sha256``, ``sha512`` and ``git_sha1`` are what the source says the content
    has; other content is damaged.
    ``git_sha1_wanted`` says that a target needs the Git SHA-1 (of ``blob``,
    the size and the content) to name it.
    """

    path: str
    content: Content
    size: int
    executable: bool = False
    sha256: bytes | None = None
    git_sha1: bytes | None = None
    git_sha1_wanted: bool = False
    sha512: bytes | None = None


@dataclass(frozen=True, slots=True)
class SourceArtifact:
    """One artifact, ready to pack.

    ``files`` are sorted by path. ``directories`` are the empty ones. ``source``
    is what the user wrote. ``problems`` are what was left out and why, one line
    each, when the source was told to keep going; an artifact with problems and
    no files is listed for its problems only and cannot be packed. ``notes`` are
    facts for whoever approves it, such as the platforms of an image.
    """

    kind: str
    name: str
    source: str
    revision: str
    licence: str | None
    warnings: tuple[str, ...]
    files: tuple[SourceFile, ...]
    directories: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which state of its source an artifact is in now.

    ``files`` are there where no ``revision`` tells states apart.
    """

    kind: str
    name: str
    revision: str
    files: tuple[SourceFile, ...] = ()


class Source(abc.ABC):
    """A place that artifacts come from; ``location`` is what the user wrote."""

    location: str

    @abc.abstractmethod
    async def artifacts(self) -> list[SourceArtifact]:
        """Return everything that was asked for, sorted by kind and name.

        Raises:
            SourceError: something is missing, damaged or unreadable, and the
                source was not told to keep going.
            StoreError: a network was needed and did not work.
        """

    async def resolve(self) -> list[Resolved]:
        """Return what is current, without taking it.

        Raises:
            SourceError, StoreError: as ``artifacts`` does.
        """
        return [
            Resolved(one.kind, one.name, one.revision, one.files)
            for one in await self.artifacts()
        ]
