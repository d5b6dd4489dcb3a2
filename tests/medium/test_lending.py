"""A bundle as a store: it lends its chunks, and says only what it holds itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bundle.digest import digest_of
from bundle.errors import NotFoundError
from bundle.medium.lending import LendingStore
from bundle.medium.reader import open_bundle
from bundle.packing.holdings import FarSide
from tests.bundles import Site, write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.medium.files import ShardedFile
    from bundle.medium.reader import OpenBundle


async def look(opened: OpenBundle, volumes: list[ShardedFile]) -> None:
    store = LendingStore(opened, volumes)
    ((digest, recipe),) = opened.recipes.items()
    assert (await store.has_many(recipe.chunk_ids)).all()
    assert not (await store.has_many(np.zeros((1, 32), np.uint8))).any()
    listed = np.concatenate([ids async for ids in store.list()])
    assert {row.tobytes() for row in listed} == {
        row.tobytes() for row in recipe.chunk_ids
    }
    for row in recipe.chunk_ids:
        assert digest_of(await store.read(row.tobytes())).raw == row.tobytes()
    with pytest.raises(NotFoundError):
        await store.read(bytes(32))
    assert await store.recipe(digest) == recipe.data
    with pytest.raises(NotFoundError):
        await store.recipe(str(digest_of(b"")))
    (release,) = await store.releases()
    assert release.digest == str(opened.digest)
    assert (await store.identity()).id == opened.digest.raw[:16].hex()


def test_a_bundle_lends_what_its_volumes_hold(tmp_path: Path) -> None:
    site = Site(tmp_path)
    opened = open_bundle(site.packed(), site.stateless, site.now, judged=False)
    with opened.volumes() as volumes:
        asyncio.run(look(opened, volumes))


def test_a_delta_holds_no_release(tmp_path: Path) -> None:
    site = Site(tmp_path)
    base = site.packed()
    tree = write_tree(tmp_path / "tree", {"new": b"new text\n" * 40})
    opened = open_bundle(
        site.bundle(tree, far=FarSide(base=base)), site.stateless, site.now
    )
    with opened.volumes() as volumes:
        assert asyncio.run(LendingStore(opened, volumes).releases()) == ()
