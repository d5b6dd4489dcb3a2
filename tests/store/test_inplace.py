"""Chunks found in files that somebody else owns and may change."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bundle.errors import NotFoundError
from bundle.format.recipe import Mode, Recipe
from bundle.format.recipe_builder import ChunkRun, Literal, RecipeBuilder
from bundle.store.base import Identity
from bundle.store.chunk_map import Placed
from bundle.store.inplace import InPlaceStore, LocalFiles, open_published
from tests.store.contents import chunk, digest, recipe_of, release, rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHUNKS = [chunk(number) for number in range(4)]
WHO = Identity("ab" * 16, 3)


def placed(chunks: Sequence[bytes], *paths: str) -> Placed:
    data = recipe_of(chunks)
    return Placed(digest(data), Recipe.parse(data), [(0, path) for path in paths])


def store(
    root: Path, *what: Placed, releases: Sequence[Sequence[bytes]] = ()
) -> InPlaceStore:
    committed = tuple(
        release(seq, [recipe_of(chunks)]) for seq, chunks in enumerate(releases, 1)
    )
    return InPlaceStore(WHO, committed, lambda: what, LocalFiles(root))


def write(path: Path, chunks: Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(chunks))


async def test_chunks_are_read_where_they_were_published(tmp_path: Path) -> None:
    write(tmp_path / "deep/er", CHUNKS)
    held = store(tmp_path, placed(CHUNKS, "deep/er"))
    assert (await held.has_many(rows(CHUNKS))).all()
    assert not (await held.has_many(rows([chunk(9)]))).any()
    for one in CHUNKS:
        assert await held.read(rows([one])[0].tobytes()) == one
    listed = [row.tobytes() async for batch in held.list() for row in batch]
    assert listed == sorted(row.tobytes() for row in rows(CHUNKS))
    assert await held.identity() == WHO


async def test_bytes_before_a_chunk_are_counted(tmp_path: Path) -> None:
    builder = RecipeBuilder()
    run = ChunkRun(rows(CHUNKS[:1]), np.array([600], np.uint32))
    around = Literal(b"before "), Literal(b" after")
    builder.add("file", Mode.FILE, 613, bytes(32), None, [around[0], run, around[1]])
    recipe = Recipe.parse(builder.finish())
    write(tmp_path / "file", [b"before ", CHUNKS[0], b" after"])
    held = store(tmp_path, Placed("", recipe, [(0, "file")]))
    assert await held.read(rows(CHUNKS)[0].tobytes()) == CHUNKS[0]


async def test_a_file_that_is_gone_or_short_holds_nothing(tmp_path: Path) -> None:
    write(tmp_path / "short", CHUNKS[:3])
    held = store(tmp_path, placed(CHUNKS, "gone", "short"))
    assert not (await held.has_many(rows(CHUNKS))).any()
    assert await store(tmp_path).releases() == ()


async def test_a_chunk_that_changed_is_not_handed_out(tmp_path: Path) -> None:
    write(tmp_path / "file", CHUNKS)
    held = store(tmp_path, placed(CHUNKS, "file"))
    assert (await held.has_many(rows(CHUNKS))).all()
    write(tmp_path / "file", [CHUNKS[0], b"?" * 600, *CHUNKS[2:]])
    with pytest.raises(NotFoundError):
        await held.read(rows(CHUNKS)[1].tobytes())
    assert await held.read(rows(CHUNKS)[2].tobytes()) == CHUNKS[2]
    (tmp_path / "file").unlink()
    with pytest.raises(NotFoundError):
        await held.read(rows(CHUNKS)[2].tobytes())


async def test_any_copy_will_do(tmp_path: Path) -> None:
    write(tmp_path / "one", [b"?" * 600, *CHUNKS[1:]])
    write(tmp_path / "two", CHUNKS)
    held = store(tmp_path, placed(CHUNKS, "one", "two"))
    assert await held.read(rows(CHUNKS)[0].tobytes()) == CHUNKS[0]


async def test_a_newer_recipe_says_what_is_at_a_path(tmp_path: Path) -> None:
    def tree(chunks: Sequence[bytes]) -> Placed:
        builder = RecipeBuilder()
        lengths = np.full(len(chunks), 600, np.uint32)
        sha256 = hashlib.sha256(b"".join(chunks)).digest()
        run = ChunkRun(rows(chunks), lengths)
        builder.add("file", Mode.FILE, int(lengths.sum()), sha256, None, [run])
        data = builder.finish()
        return Placed(digest(data), Recipe.parse(data), [(0, "file")])

    old, new = tree(CHUNKS[:2]), tree(CHUNKS[2:])
    write(tmp_path / "file", CHUNKS[2:])
    held = store(tmp_path, new, old)
    assert (await held.has_many(rows(CHUNKS))).tolist() == [False, False, True, True]
    again = store(tmp_path, new, new)
    assert len([row async for batch in again.list() for row in batch]) == 2


async def test_releases_are_held_whole_or_not_at_all(tmp_path: Path) -> None:
    write(tmp_path / "one", CHUNKS[:2])
    write(tmp_path / "two", CHUNKS[2:])
    held = store(
        tmp_path,
        placed(CHUNKS[:2], "one"),
        placed(CHUNKS[2:], "lost"),
        releases=[CHUNKS[:2], CHUNKS[2:], [chunk(9)]],
    )
    assert [one.seq for one in await held.releases()] == [1]


async def test_recipes_are_handed_out_as_they_were_kept(tmp_path: Path) -> None:
    one = placed(CHUNKS, "file")
    held = store(tmp_path, one)
    assert await held.recipe(one.digest) == recipe_of(CHUNKS)
    with pytest.raises(NotFoundError):
        await held.recipe(digest(b"another"))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    assert open_published(tmp_path, ".") is None
    assert open_published(tmp_path, "a\0b") is None
