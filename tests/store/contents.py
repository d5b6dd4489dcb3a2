"""Chunks, recipes and releases for stores, small and always the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from bundle.format.recipe import Mode
from bundle.format.recipe_builder import ChunkRun, RecipeBuilder
from bundle.store.base import Committed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STREAM = "0123456789abcdef" * 2


def chunk(number: int, size: int = 600) -> bytes:
    """Return a chunk of its own for each number."""
    return random.Random(number).randbytes(size)


def rows(chunks: Sequence[bytes]) -> NDArray[np.uint8]:
    """Return the ids of chunks, one a row."""
    raw = b"".join(blake3(one).digest() for one in chunks)
    return np.frombuffer(raw, np.uint8).reshape(-1, 32)


def recipe_of(chunks: Sequence[bytes], path: str = "file") -> bytes:
    """Return the recipe of one file that is these chunks in a row."""
    builder = RecipeBuilder()
    lengths = np.array([len(one) for one in chunks], np.uint32)
    run = ChunkRun(rows(chunks), lengths)
    builder.add(path, Mode.FILE, int(lengths.sum()), bytes(32), None, [run])
    return builder.finish()


def digest(data: bytes) -> str:
    """Return the text of a digest."""
    return f"blake3:{blake3(data).hexdigest()}"


def release(seq: int, recipes: Sequence[bytes], *, stream: str = STREAM) -> Committed:
    """Return a release of these recipes, which has no envelope."""
    texts = tuple(digest(one) for one in recipes)
    name = digest(f"{stream} {seq} {texts}".encode())
    return Committed(stream, "models", seq, name, texts)
