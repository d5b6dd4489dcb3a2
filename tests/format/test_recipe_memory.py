"""A large recipe is mapped, not loaded: its size on disk is not its size in memory."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bundle.format.recipe_layout import Layout, RecipeHeader

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 65_536
READER = r"""
import mmap, re, sys
from bundle.format.recipe import Recipe

with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
page = mmap.PAGESIZE

def release(start, end):
    first = -(-start // page) * page
    if first < end:
        mapped.madvise(mmap.MADV_DONTNEED, first, end - first)

recipe = Recipe.parse(mapped, release=release)
each = recipe.chunks // recipe.files
assert recipe.segments(recipe.files - 1)[0].start == recipe.chunks - each
with open("/proc/self/status") as file:
    peak = re.search(r"VmHWM:\s*(\d+) kB", file.read())
print(recipe.chunks, int(peak[1]) // 1024)
"""


def write_recipe(path: Path, files: int, chunks: int) -> None:
    """Write a recipe whose ids are a hole: ``chunks`` of one size in ``files``."""
    each = chunks // files
    names = [f"model-{file:07}.safetensors".encode() for file in range(files)]
    header = RecipeHeader(
        files, files, chunks, 0, sum(map(len, names)), chunks * LENGTH
    )
    layout = Layout.of(header)
    values = {
        "path_end": np.cumsum([len(name) for name in names], dtype="<u4"),
        "segment_end": np.arange(1, files + 1, dtype="<u4"),
        "size": np.full(files, each * LENGTH, "<u8"),
        "segment_count": np.full(files, each, "<u4"),
        "segment_size": np.full(files, each * LENGTH, "<u8"),
        "chunk_length": np.full(chunks, LENGTH, "<u4"),
        "path_table": np.frombuffer(b"".join(names), "u1"),
    }
    with path.open("wb") as file:
        file.truncate(layout.size)
        file.write(header.serialize())
        for name, column in values.items():
            file.seek(layout.starts[name])
            file.write(column.tobytes())


@pytest.mark.parametrize(
    ("files", "chunks"),
    [
        pytest.param(50, 10_000_000, id="ten million chunks in a few files"),
        pytest.param(
            1_000_000,
            10_000_000,
            id="ten million chunks in a million files",
            marks=[pytest.mark.soak, pytest.mark.timeout(300)],
        ),
    ],
)
def test_a_large_recipe_is_read_in_200_mib(
    files: int, chunks: int, tmp_path: Path
) -> None:
    path = tmp_path / "recipe"
    write_recipe(path, files, chunks)
    found = subprocess.run(
        [sys.executable, "-c", READER, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    read, mebibytes = map(int, found.stdout.split())
    assert read == chunks
    assert mebibytes < 200
