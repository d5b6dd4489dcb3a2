"""Answering a want: which release it is of, and what of that is to be carried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bundle.digest import Digest, digest_of
from bundle.errors import MissingError
from bundle.format.approval import render
from bundle.format.chunkset import ChunkSet
from bundle.format.columns import windows
from bundle.format.recipe import Recipe
from bundle.format.want import Want
from bundle.limits import MAX_ENVELOPE, MAX_WANT
from bundle.medium.files import read_whole
from bundle.medium.writer import Payload
from bundle.packing.history import recall
from bundle.trust.envelope import parse

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bundle.packing.history import Past
    from bundle.packing.lineage import Lineage


@dataclass(frozen=True, slots=True, eq=False)
class Fill:
    """One past release and what is wanted of it.

    ``recipes`` are the bytes of those wanted, by digest, in the release's order;
    ``chunks`` the ids that are wanted, with all that those recipes use.
    """

    past: Past
    recipes: dict[str, bytes]
    chunks: ChunkSet

    def leaves_out(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether it is not wanted."""
        return ~self.chunks.holds(ids)

    def check_complete(self, known: ChunkSet) -> None:
        """Refuse sources in which a wanted chunk was not found.

        Raises:
            MissingError: there is one; says how many.
        """
        wanted = self.chunks.sorted_ids()
        missing = int(np.count_nonzero(~known.holds(wanted)))
        if missing:
            raise MissingError(
                f"{missing} of {len(wanted)} wanted chunks are not in these sources",
                advice=f"name the sources that release {self.past.seq} was packed "
                "from, at the revisions it has",
            )


def read_want(path: Path, lineage: Lineage) -> Fill:
    """Return what the want in the file ``path`` asks of a past release.

    Raises:
        FormatError: it is no want.
        MissingError: its release, or one of its recipes, is not remembered here.
    """
    want = Want.parse(read_whole(path, MAX_WANT))
    past = _find(want.release, lineage)
    stream = lineage.stream
    asked = {str(Digest(bytes(row))) for row in want.recipes}
    chunks = ChunkSet()
    for first, last in windows(0, len(want.chunks)):
        chunks.add_new(want.chunks[first:last])
    recipes: dict[str, bytes] = {}
    for artifact in past.release.artifacts:
        digest = artifact.recipe.digest
        if digest not in asked or digest in recipes:
            continue
        data = None if stream is None else stream.shelf.read(digest)
        if data is None:
            raise MissingError(
                f"the recipe of {artifact.kind} {artifact.name} is not remembered here",
                advice="pack a new release without --dest and --have: it is full",
            )
        recipes[digest] = data
        _add(chunks, Recipe.parse(data))
    if len(recipes) != len(asked):
        raise MissingError(
            f"the want names recipes that release {past.seq} does not have",
            advice="answer it where that release was packed",
        )
    return Fill(past, recipes, chunks)


def fill_payload(fill: Fill) -> Payload:
    """Return what a bundle holds beside its volumes that answers a want.

    Its release was signed before and is carried as it is.
    """
    past = fill.past
    signed = parse(past.envelope, limit=MAX_ENVELOPE).signatures
    recipes = {digest: Recipe.parse(data) for digest, data in fill.recipes.items()}
    return Payload(
        release=past.release,
        release_payload=past.payload,
        envelope=past.envelope,
        recipes=[*fill.recipes.values()],
        approval=render(
            past.release,
            digest_of(past.payload),
            recipes,
            [one.keyid for one in signed],
        ),
    )


def _find(digest: Digest, lineage: Lineage) -> Past:
    stream = lineage.stream
    for seq in reversed(stream.finished() if stream is not None else []):
        past = None if stream is None else recall(stream, seq)
        if past is not None and past.digest == str(digest):
            return past
    raise MissingError(
        f"the want is of release {digest}, which is not remembered here",
        advice="check --stream and --state; a new full release answers it too",
    )


def _add(chunks: ChunkSet, recipe: Recipe) -> None:
    for first, last in windows(0, recipe.chunks):
        chunks.add_new(recipe.chunk_ids[first:last])
