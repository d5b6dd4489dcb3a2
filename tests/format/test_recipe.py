from __future__ import annotations

import hashlib
import mmap
import struct
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from bundle.errors import FormatError, LimitError
from bundle.format.recipe import Mode, Recipe, Segment, SegmentKind
from bundle.format.recipe_builder import ChunkRun, Literal, RecipeBuilder
from tests.format.samples import (
    HELLO,
    HELLO_ID,
    add,
    assert_refused,
    assert_whole,
    patched,
    rebuilt,
    rechecked,
    rich_recipe,
    run_of,
    tiny_recipe,
)

if TYPE_CHECKING:
    from pathlib import Path

TINY, RICH = tiny_recipe(), rich_recipe()
EMPTY = RecipeBuilder().finish()
CHUNKS, LITERAL = SegmentKind.CHUNKS, SegmentKind.LITERAL


def test_a_recipe_is_these_bytes() -> None:
    body = b"\x89BDR\r\n\x1a\n" + struct.pack("<HHIII", 1, 0, 2, 2, 0)
    body += struct.pack("<QQQQ", 1, 3, 25, 18)
    columns = [
        struct.pack("<II", 11, 25),  # path_end
        struct.pack("<II", 1, 2),  # segment_end
        struct.pack("<QQ", 3, 15),  # size
        bytes(2).ljust(8, b"\0"),  # mode
        hashlib.sha256(b"{}\n").digest() + hashlib.sha256(HELLO).digest(),
        bytes(40),  # git_sha1
        b"\1\0".ljust(8, b"\0"),  # segment_kind
        struct.pack("<II", 3, 1),  # segment_count
        struct.pack("<QQ", 3, 15),  # segment_size
        HELLO_ID,
        struct.pack("<I", 15).ljust(8, b"\0"),  # chunk_length
        b"{}\n".ljust(8, b"\0"),  # literals
        b"config.json" + b"data/hello.txt",
    ]
    assert body + blake3(body).digest(8) + b"".join(columns) == TINY


@pytest.mark.parametrize(
    "data", [EMPTY, TINY, RICH], ids=["no files", "two files", "one of everything"]
)
def test_a_recipe_is_read_whole_or_not_at_all(data: bytes) -> None:
    assert_whole(Recipe.parse, data)
    assert rebuilt(Recipe.parse(data)) == data


def test_an_empty_recipe_is_its_header() -> None:
    recipe = Recipe.parse(EMPTY)
    assert len(EMPTY) == 64
    assert (recipe.files, recipe.chunks, recipe.total) == (0, 0, 0)
    assert (recipe.depth, recipe.name_bytes) == (0, 0)
    assert list(recipe.paths()) == []


def test_every_column_is_read() -> None:
    recipe = Recipe.parse(RICH)
    paths = list(recipe.paths())
    assert paths == [recipe.path(file) for file in range(recipe.files)]
    assert paths == [
        "a",
        "b-/mixed",
        "b/again",
        "b/literals",
        "b/run",
        "git",
        "größe/日本語",
        "hollow/inside",
    ]
    assert (recipe.depth, recipe.name_bytes) == (2, 9)
    assert recipe.sizes.tolist() == [0, 3002, 2000, 3, 3000, 3, 300, 0]
    assert recipe.total == 8308
    assert recipe.modes.tolist() == [0, 0, 0, 0, 1, 0, 0, 2]
    assert recipe.sha256[5].tobytes() == bytes(range(32))
    assert [row.any() for row in recipe.git_sha1] == [file == 5 for file in range(8)]
    assert recipe.chunk_lengths.tolist() == [1000, 2000, 2000, 1000, 2000, 300]
    assert recipe.chunk_ids[1].tobytes() == blake3(b"2" * 2000).digest()


def test_segments_say_where_content_comes_from() -> None:
    recipe = Recipe.parse(RICH)
    assert [recipe.segments(file) for file in range(recipe.files)] == [
        [],
        [
            Segment(CHUNKS, 0, 1, 1000),
            Segment(LITERAL, 0, 2, 2),
            Segment(CHUNKS, 1, 1, 2000),
        ],
        [Segment(CHUNKS, 2, 1, 2000)],
        [Segment(LITERAL, 2, 1, 1), Segment(LITERAL, 3, 2, 2)],
        [Segment(CHUNKS, 3, 2, 3000)],
        [Segment(LITERAL, 5, 3, 3)],
        [Segment(CHUNKS, 5, 1, 300)],
        [],
    ]
    assert recipe.literal(recipe.segments(5)[0]) == b"abc"


def test_segments_are_found_far_from_any_mark() -> None:
    builder = RecipeBuilder()
    for number in range(100):
        content = str(number).encode()
        parts: list[ChunkRun | Literal] = [run_of(content), Literal(content)]
        add(
            builder,
            f"{number:03}",
            content * 2,
            parts[: number % 2 + 1] * (2 - number % 2),
        )
    recipe = Recipe.parse(builder.finish())
    chunk = literal = 0
    for file in range(100):
        for segment in recipe.segments(file):
            if segment.kind == CHUNKS:
                assert segment.start == chunk
                chunk += segment.count
            else:
                assert segment.start == literal
                assert recipe.literal(segment) == str(file).encode()
                literal += segment.count
    assert chunk == recipe.chunks


def test_a_recipe_is_read_from_a_mapped_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe"
    path.write_bytes(RICH)
    released: list[tuple[int, int]] = []
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

        def release(start: int, end: int) -> None:
            assert 64 <= start <= end <= len(RICH)
            released.append((start, end))

        recipe = Recipe.parse(mapped, release=release)
        assert rebuilt(recipe) == RICH
        assert sum(end - start for start, end in released) > len(RICH) // 2
        del recipe
        mapped.close()


def test_columns_are_views_of_the_buffer() -> None:
    buffer = bytearray(TINY)
    recipe = Recipe.parse(buffer)
    buffer[TINY.index(HELLO_ID)] ^= 0xFF
    assert recipe.chunk_ids[0, 0] == HELLO_ID[0] ^ 0xFF


def test_columns_need_no_alignment() -> None:
    assert rebuilt(Recipe.parse(memoryview(b"!" + RICH)[1:])) == RICH


names = st.text(st.sampled_from("aAbß./- é"), min_size=1, max_size=6)
parts = st.one_of(
    st.binary(min_size=1, max_size=9).map(Literal),
    st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=3).map(
        lambda chunks: run_of(*chunks)
    ),
)


@given(
    st.lists(
        st.tuples(names, st.lists(parts, max_size=3), st.sampled_from([0, 1])),
        max_size=6,
        unique_by=lambda file: file[0],
    )
)
def test_any_files_become_one_recipe_or_are_refused(
    files: list[tuple[str, list[ChunkRun | Literal], int]],
) -> None:
    forwards, backwards = RecipeBuilder(), RecipeBuilder()
    for builder, order in ((forwards, files), (backwards, files[::-1])):
        for path, segments, mode in order:
            size = sum(
                len(part.data) if isinstance(part, Literal) else int(part.lengths.sum())
                for part in segments
            )
            builder.add(path, mode, size, b"s" * 32, None, segments)
    try:
        data = forwards.finish()
    except FormatError:
        with pytest.raises(FormatError) as caught:
            backwards.finish()
        assert caught.value.rule in {"2.3", "2.4"}
        return
    assert backwards.finish() == data
    assert rebuilt(Recipe.parse(data)) == data


@settings(max_examples=400)
@given(st.integers(8, len(RICH) - 1), st.binary(min_size=1, max_size=8))
def test_a_recipe_is_accepted_as_it_is_or_refused(offset: int, new: bytes) -> None:
    changed = rechecked(patched(RICH, offset, new)[: len(RICH)])
    try:
        recipe = Recipe.parse(changed)
    except FormatError:
        return
    assert rebuilt(recipe) == changed


def test_a_recipe_no_memory_could_hold_is_refused_by_its_header() -> None:
    body = b"\x89BDR\r\n\x1a\n" + struct.pack("<HHIII", 1, 0, 0, 0, 0)
    body += struct.pack("<QQQQ", (1 << 64) - 1, 0, 0, 0)
    with pytest.raises(LimitError) as caught:
        Recipe.parse(body + blake3(body).digest(8))
    assert caught.value.rule == "6.2.3"


def test_a_directory_has_no_content() -> None:
    recipe = Recipe.parse(RICH)
    assert recipe.modes[7] == Mode.DIRECTORY
    assert recipe.segments(7) == []
    assert_refused(Recipe.parse, RICH[:64], "6.2.1", 64)
