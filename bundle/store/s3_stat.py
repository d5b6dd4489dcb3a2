"""What a store in a bucket holds, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.store.s3_names import RECIPES
from bundle.store.stat import Stat

if TYPE_CHECKING:
    from bundle.store.s3 import S3Store


async def stat(store: S3Store) -> Stat:
    """Return what a store holds, by its listings; nothing is looked into.

    Raises:
        MissingError: there is no store.
        FormatError: a commit pointer is damaged.
        TargetError, TransientError: the bucket cannot be read.
    """
    await store.state.refresh()
    listed = await store.place.list(RECIPES.prefix)
    return Stat(
        identity=await store.identity(),
        releases=await store.releases(),
        lost=0,
        recipes=sum(RECIPES.parse(one.key) is not None for one in listed),
        packs=len(store.state.packs),
        chunks=sum([len(ids) async for ids in store.list()]),
        bytes=sum(store.state.packs.values()),
    )
