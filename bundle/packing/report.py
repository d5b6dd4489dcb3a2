"""What a pack tells whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.digest import DIGEST_SIZE
from bundle.format.columns import RECORD_SIZE
from bundle.format.frame import ENTRY_SIZE
from bundle.format.stripes import shape_for
from bundle.format.volume import FANOUT_SIZE, INDEX_ENTRY_SIZE
from bundle.limits import SHARD
from bundle.medium.spread import share_out

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from bundle.format.manifest import Manifest
    from bundle.medium.writer import BundleWriter
    from bundle.packing.listing import Listing
    from bundle.packing.reading import Taken


@dataclass(frozen=True, slots=True)
class ArtifactReport:
    """One artifact as it was packed; sizes in bytes."""

    kind: str
    name: str
    revision: str
    files: int
    bytes: int
    new_bytes: int
    licence: str | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackReport:
    """What a pack did, or would do; sizes in bytes.

    ``bundle`` is None after a dry run. ``new_bytes`` are plain bytes of chunks
    that are carried, ``reused_bytes`` of those found again; ``stored_bytes`` is
    what lies on the medium, ``needed_bytes`` the most it can take. ``against`` says
    in words what the far side holds, empty for a full bundle; ``required`` counts
    the chunks taken for granted. ``problems`` name what was left out, one line each.
    ``media`` are the directories of the bundle, the first of which is ``bundle``;
    ``media_count`` is how many there are, or after a dry run about how many.
    """

    bundle: Path | None
    stream: str
    seq: int
    release: str
    artifacts: tuple[ArtifactReport, ...]
    files: int
    bytes: int
    new_bytes: int
    reused_bytes: int
    stored_bytes: int
    volumes: int
    needed_bytes: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    against: str = ""
    required: int = 0
    media: tuple[Path, ...] = ()
    media_count: int = 1


def artifact_rows(listing: Listing, taken: Taken) -> tuple[ArtifactReport, ...]:
    """Return a row for each artifact that was taken, in the order of the listing."""
    numbers = {
        (each.kind, each.name): number for number, each in enumerate(listing.artifacts)
    }
    return tuple(
        ArtifactReport(
            kind=each.artifact.kind,
            name=each.artifact.name,
            revision=each.artifact.revision,
            files=each.artifact.files,
            bytes=each.artifact.bytes,
            new_bytes=taken.new_bytes.get(
                numbers[each.artifact.kind, each.artifact.name], 0
            ),
            licence=each.artifact.licence,
            warnings=each.artifact.warnings,
            notes=each.artifact.notes,
        )
        for each in taken.ready
    )


@dataclass(frozen=True, slots=True)
class Most:
    """The most bytes that a bundle takes, counted as ``Manifest.bytes`` counts.

    ``content`` is in volumes, ``listed`` in the files that every medium has.
    """

    content: int
    listed: int

    @property
    def total(self) -> int:
        """Both, on one medium."""
        return self.content + self.listed

    def media(self, volume_size: int, media_size: int | None) -> int:
        """Return over how many media it is spread, were its volumes all full.

        Raises:
            TargetError: a medium cannot hold a volume beside the files.
        """
        if media_size is None:
            return 1
        full, rest = divmod(self.content, volume_size)
        volumes = [volume_size] * full + ([rest] if rest else [])
        return len(share_out([self.listed], volumes, media_size))


NOTHING_NEEDED: Final = Most(0, 0)


def most_bytes(
    new: int, chunks: int, volume_size: int, *, recipes: Collection[int], others: int
) -> Most:
    """Return the most that a bundle takes.

    ``new`` are the plain bytes of the chunks it carries and ``chunks`` at least
    their number, ``recipes`` the sizes of its recipes, ``others`` the bytes of
    approval.md and of the ids that it requires. Nothing is taken to shrink, and
    every chunk to be a frame of its own.
    """
    volumes = 2 * -(-new // volume_size)
    content = (
        new
        + min(chunks, new) * (RECORD_SIZE + ENTRY_SIZE + INDEX_ENTRY_SIZE)
        + volumes * (RECORD_SIZE + FANOUT_SIZE + RECORD_SIZE)
    )
    listed = sum(recipes) + (len(recipes) + 1) * 2 * RECORD_SIZE + others
    shards = (content + listed) // SHARD + volumes + 2
    return Most(content, listed + RECORD_SIZE + DIGEST_SIZE * shards)


def parity_bytes(stored: int, volumes: int, percent: int) -> int:
    """Return about how much ``percent`` of parity takes for a bundle of this size."""
    shards = stored // SHARD + volumes + 1
    return shape_for(shards, percent).total * (SHARD + 2 * DIGEST_SIZE)


def volumes_of(manifest: Manifest | None, new: int, volume_size: int) -> int:
    """Return how many volumes there are, or may be for ``new`` bytes."""
    return len(manifest.volumes) if manifest else -(-new // volume_size)


def media_of(
    writer: BundleWriter | None, most: Most, volume_size: int, media_size: int | None
) -> int:
    """Return over how many media a bundle is spread, or may be."""
    if writer is not None:
        return len(writer.directories)
    return most.media(volume_size, media_size)
