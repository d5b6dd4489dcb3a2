"""One file of a bundle, read by itself: for ``bundle cat``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from bundle.errors import IntegrityError
from bundle.format.recipe import SegmentKind
from bundle.medium.chunks import ChunkReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.format.recipe import Recipe
    from bundle.medium.reader import OpenBundle


def read_file(opened: OpenBundle, recipe: Recipe, index: int) -> Iterator[bytes]:
    """Yield the content of file ``index`` of a recipe, each piece after its check.

    A piece is a chunk that has its id, or a literal of the verified recipe. The
    SHA-256 of the whole is known after the last piece.

    Raises:
        MissingError: a volume or a chunk is not in this bundle.
        FormatError, IntegrityError: what is there is damaged.
        StoreError: the medium cannot be read.
    """
    whole = hashlib.sha256()
    with opened.volumes() as volumes:
        chunks = ChunkReader(volumes)
        for segment in recipe.segments(index):
            if segment.kind is SegmentKind.LITERAL:
                pieces = iter([recipe.literal(segment)])
            else:
                rows = range(segment.start, segment.start + segment.count)
                ids = (recipe.chunk_ids[row].tobytes() for row in rows)
                pieces = map(chunks.fetch, ids)
            for piece in pieces:
                whole.update(piece)
                yield piece
    if whole.digest() != recipe.sha256[index].tobytes():
        raise IntegrityError(
            f"{recipe.path(index)}: its chunks do not make the file that was signed",
            rule="6.7",
            advice="the packer was faulty: ask for the bundle to be packed again",
        )
