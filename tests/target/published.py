"""Releases of one stream, published as an unpacker does it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bundle.target.ledger import Applied, Given
from tests.target.sample import unpack

if TYPE_CHECKING:
    from bundle.target.base import Target
    from bundle.target.local import FolderTarget
    from tests.target.sample import Sample

STREAM = "5" * 32


def release(
    target: FolderTarget, seq: int, *samples: Sample, stream: str = STREAM
) -> None:
    """Publish ``samples`` as all of a release, into a target that was just made."""
    target.root.mkdir(exist_ok=True)
    for one in samples:
        target.ledger.keep(one.artifact.recipe.digest, one.recipe)
    given = (
        Given(one.artifact.kind, one.artifact.name, one.artifact.recipe.digest)
        for one in samples
    )
    digest = f"blake3:{stream[:1] * 32}{seq:032}"
    applied = Applied(stream, "models", seq, digest, tuple(given))
    target.ledger.note(applied, changed=True)
    unpack(target, *samples)


def prune(target: Target, keep: int) -> None:
    """Do nothing but what a release that is there does again: prune."""
    target.keep = keep
    asyncio.run(_finish(target))


async def _finish(target: Target) -> None:
    await target.begin()
    await target.finish(target.ledger.releases()[-1].digest)
