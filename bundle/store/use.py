"""What releases use: which stay, and whether everything they need is there."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from bundle.digest import DIGEST_SIZE, digest_of
from bundle.errors import (
    IntegrityError,
    LimitError,
    MissingError,
    NotFoundError,
    UsageError,
)
from bundle.format.columns import windows
from bundle.format.recipe import Recipe
from bundle.limits import MAX_CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from bundle.store.base import Committed, Retention


_LACKING: Final = (
    "add the bundle that brought it first, or ask the sender for a full one"
)


def order(releases: Iterable[Committed]) -> tuple[Committed, ...]:
    """Return releases by stream, number and digest."""
    return tuple(sorted(releases, key=lambda one: (one.stream, one.seq, one.digest)))


def dropped(
    releases: Iterable[Committed], retention: Retention
) -> tuple[Committed, ...]:
    """Return the releases that ``retention`` lets go.

    Raises:
        UsageError: a pin names none of ``releases``.
    """
    ordered = order(releases)
    unknown = retention.pins - {one.digest for one in ordered}
    if unknown:
        raise UsageError(
            f"no release {min(unknown)} in this store",
            advice="'bundle store stat' lists the releases that are",
        )
    gone: list[Committed] = []
    for _, group in groupby(ordered, key=lambda one: one.stream):
        older = list(group)[: -retention.keep] if retention.keep else []
        gone += [one for one in older if one.digest not in retention.pins]
    return tuple(gone)


def check_chunk(data: bytes | memoryview) -> None:
    """Refuse a chunk that no frame could hold.

    Raises:
        LimitError: it is empty or over ``MAX_CHUNK`` bytes.
    """
    if not 1 <= len(data) <= MAX_CHUNK:
        raise LimitError(
            f"a chunk has 1 to {MAX_CHUNK} bytes, not {len(data)}", rule="5.2.12"
        )


def fresh_chunks(
    chunks: Iterable[bytes],
    ids: bytearray,
    holds: Callable[[NDArray[np.uint8]], NDArray[np.bool_]],
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks that are not held, with their ids, once each.

    The ids of all of them go into ``ids``; ``holds`` says of rows of ids whether
    their chunks are held.

    Raises:
        LimitError: one is empty or too large.
    """
    seen: set[bytes] = set()
    for data in chunks:
        check_chunk(data)
        chunk = digest_of(data).raw
        ids += chunk
        row = np.frombuffer(chunk, np.uint8).reshape(1, DIGEST_SIZE)
        if chunk not in seen and not holds(row)[0]:
            yield chunk, data
        seen.add(chunk)


def check_recipe(digest: str, data: bytes | memoryview) -> None:
    """Refuse bytes that are not the recipe called ``digest``.

    Raises:
        IntegrityError: they have another digest.
    """
    if str(digest_of(data)) != digest:
        raise IntegrityError(
            f"the store's recipe {digest} is damaged",
            rule="50.4.2",
            advice="apply a bundle that carries it again",
        )


class Holder(Protocol):
    """The part of a store that says what it holds."""

    async def has_many(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether its chunk is held."""

    async def recipe(self, digest: str) -> bytes:
        """Return the recipe with this digest text, hashed again."""


async def check_held(store: Holder, release: Committed) -> None:
    """Refuse to commit a release that ``store`` does not hold whole.

    Raises:
        MissingError: names the first recipe or chunk that is not there.
    """
    for digest in dict.fromkeys(release.recipes):
        try:
            recipe = Recipe.parse(await store.recipe(digest))
        except NotFoundError as error:
            raise MissingError(
                f"recipe {digest} is not in the store", advice=_LACKING
            ) from error
        ids = recipe.chunk_ids
        for start, end in windows(0, len(ids)):
            held = await store.has_many(ids[start:end])
            lost = np.flatnonzero(~held)
            if len(lost):
                raise MissingError(
                    f"chunk {ids[start + int(lost[0])].tobytes().hex()} of recipe "
                    f"{digest} is not in the store",
                    advice=_LACKING,
                )
