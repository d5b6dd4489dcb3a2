"""Recipes (chapter 6) and the file that holds them (chapter 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import (
    MIB,
    File,
    b3,
    git_sha1,
    recipe,
)
from spec.vectors.generator.container import Vector, accept, refuse
from spec.vectors.generator.records import common
from spec.vectors.generator.samples import (
    HELLO,
    OTHER,
    TINY,
    TINY_RECIPE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RICH: Final = (
    File(b"a", (b"x", b"yz")),
    File(b"b-/mixed", ([HELLO], b"##", [OTHER, HELLO])),
    File(b"b/again", ([OTHER],), git=git_sha1(OTHER)),
    File(b"b/run", ([HELLO],), mode=1),
    File(b"empty"),
    File("größe/日本語".encode(), ([b"3" * 300],)),
    File(b"hollow/inside", mode=2),
    File(b"long", (b"l" * 4096,)),
)
"""Every mode and kind of segment, a chunk used again, and paths that sort by byte."""


FOLDER: Final = File(b"z", mode=2)
"""A directory that is listed for its own sake."""


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _good()
    yield from common("recipe", "6.1", TINY_RECIPE)
    for cases in (_headers(), _paths(), _files(), _segments()):
        for name, (rules, data, comment, *names) in cases.items():
            named = names[0] if names else ""
            yield refuse("recipe", name, rules, data, comment, names=named)


Cases = dict[str, tuple[str, bytes, str] | tuple[str, bytes, str, str]]


def _segments_of(file: File) -> list[dict[str, Any]]:
    return [
        {"kind": 1, "size": len(part), "blake3": b3(part).hex()}
        if isinstance(part, bytes)
        else {"kind": 0, "chunks": [[b3(chunk).hex(), len(chunk)] for chunk in part]}
        for part in file.parts
    ]


def _value(files: Sequence[File]) -> dict[str, Any]:
    return {
        "total": sum(len(file.content) for file in files),
        "files": [
            {
                "path": file.path.decode(),
                "mode": file.mode,
                "size": len(file.content),
                "sha256": file.sha256.hex(),
                "gitSha1": file.git.hex(),
                "segments": _segments_of(file),
            }
            for file in files
        ],
    }


def _good() -> Iterator[Vector]:
    yield accept(
        "recipe",
        "two_files",
        "6.2.1 6.4.6",
        TINY_RECIPE,
        "The example of 6.9.",
        value=_value(TINY),
    )
    yield accept(
        "recipe",
        "all_there_can_be",
        "6.3.5 6.4.5 6.5.8 6.5.10",
        recipe(RICH),
        "Every mode, both kinds of segment, literals of any size anywhere, a chunk "
        "that is used three times, an empty file, an empty directory.",
        value=_value(RICH),
    )
    yield accept(
        "recipe",
        "nothing_at_all",
        "6.3.2 6.4.4",
        recipe([]),
        "An artifact without files.",
        value=_value([]),
    )
    apart = (File(b"a", ([HELLO],)), File(b"b", ([OTHER],)))
    yield accept(
        "recipe",
        "runs_in_two_files",
        "6.5.8",
        recipe(apart),
        "A run follows a run where a new file begins.",
        value=_value(apart),
    )


def _headers() -> Cases:
    padded = recipe(TINY, gap=b"\1")
    return {
        "over_50_million_files": (
            "6.1.6 2.1.4",
            recipe(TINY, files=50_000_001)[:64],
            "Refused from the header alone.",
        ),
        "four_billion_files": (
            "6.1.6 2.1.4",
            recipe(TINY, files=(1 << 32) - 1)[:64],
            "The largest number that the field holds.",
        ),
        "over_64_gib": (
            "6.2.3 2.1.4",
            recipe(TINY, chunks=1 << 31)[:64],
            "2 to the 31 chunks take 72 GiB of columns.",
        ),
        "chunks_that_overflow": (
            "6.2.3 2.1.4",
            recipe(TINY, chunks=1 << 63)[:64],
            "Columns of 2 to the 68 bytes.",
        ),
        "a_column_that_is_cut_off": ("6.2.1", TINY_RECIPE[:-1], "A byte short."),
        "a_byte_after_the_paths": ("6.2.1", TINY_RECIPE + b"\0", "A byte too many."),
        "a_row_more_than_there_is": (
            "6.2.1",
            recipe(TINY, segments=3),
            "The columns move apart and end later.",
        ),
        "a_gap_that_is_not_zero": ("6.2.2 2.1.3", padded, "Ones fill the gaps."),
        "transforms": ("6.8.1", recipe(TINY, transforms=1), "A feature."),
    }


def _paths() -> Cases:
    two = (File(b"a"), File(b"b"))
    return {
        "an_empty_path_first": (
            "6.3.1",
            recipe([File(b""), File(b"a")]),
            "It ends at 0.",
        ),
        "an_empty_path": ("6.3.1", recipe([File(b"a"), File(b"")]), "Two end at 1."),
        "path_ends_that_descend": ("6.3.1", recipe(two, path_end=[2, 1]), "2, 1."),
        "a_path_table_that_is_longer": (
            "6.3.2",
            recipe(two, path_table=[b"abc"]),
            "The paths end at 2, the table has 3 bytes.",
        ),
        "paths_without_files": ("6.3.2", recipe([], path_table=[b"a"]), "Nobody's."),
        "a_path_that_is_not_utf8": ("6.3.3", recipe([File(b"a\xff")]), "No text."),
        "a_path_that_ends_inside_a_character": (
            "6.3.3",
            recipe([File("é".encode()[:1]), File("é".encode()[1:])]),
            "The table is UTF-8 as a whole, its paths are not.",
        ),
        "a_path_that_leads_out": (
            "2.3.2 6.3.4",
            recipe([File(b"../a")]),
            "By ..",
            "2.3",
        ),
        "a_path_to_a_device": (
            "2.3.6 6.3.4",
            recipe([File(b"aux.h")]),
            "On Windows.",
            "2.3",
        ),
        "paths_that_descend": ("6.3.5", recipe([File(b"b"), File(b"a")]), "b, a."),
        "paths_in_the_order_of_utf_16": (
            "6.3.5",
            recipe([File("\U0001f600".encode()), File("\ufb01".encode())]),
            "Surrogates sort before U+FB01; UTF-8 sorts after it.",
        ),
        "a_path_twice": ("6.3.5", recipe([File(b"a"), File(b"a")]), "Once."),
        "a_directory_with_a_file_in_it": (
            "6.3.6",
            recipe([File(b"a", mode=2), File(b"a/b")]),
            "It is there without being listed.",
        ),
        "a_directory_with_a_directory_in_it": (
            "6.3.6",
            recipe([File(b"a", mode=2), File(b"a/b", mode=2)]),
            "Only empty ones are listed.",
        ),
        "paths_that_collide": (
            "2.4.1 6.3.7",
            recipe([File(b"README"), File(b"readme")]),
            "One file on Windows.",
            "2.4",
        ),
        "directories_that_collide": (
            "2.4.2 6.3.7",
            recipe([File(b"A/x"), File(b"a/y")]),
            "One directory on Windows.",
            "2.4",
        ),
        "a_file_that_is_a_directory": (
            "2.4.3 6.3.7",
            recipe([File(b"a"), File(b"a/b")]),
            "Which of them?",
            "2.4",
        ),
    }


def _files() -> Cases:
    sha = [b3(b"anything")]
    git = [bytes(19) + b"\1"]
    return {
        "mode_3": ("6.4.1", recipe([File(b"a", mode=3)]), "0, 1 or 2."),
        "a_directory_with_content": (
            "6.4.2",
            recipe([File(b"z", (b"x",), mode=2)]),
            "A segment of one byte.",
        ),
        "a_directory_with_a_size": (
            "6.4.2",
            recipe([FOLDER], size=[1]),
            "And no segment.",
        ),
        "a_directory_with_a_sha256": ("6.4.3", recipe([FOLDER], sha256=sha), "Zeros."),
        "a_directory_with_a_git_sha1": (
            "6.4.3",
            recipe([FOLDER], git_sha1=git),
            "Zeros.",
        ),
        "segment_ends_that_descend": (
            "6.4.4",
            recipe(
                [File(b"a"), File(b"b"), File(b"c", (b"x",))], segment_end=[1, 0, 1]
            ),
            "1, 0, 1.",
        ),
        "segment_ends_below_the_segments": (
            "6.4.4",
            recipe([File(b"a", (b"x", b"y"))], segment_end=[1], size=[1]),
            "A segment is nobody's.",
        ),
        "segment_ends_above_the_segments": (
            "6.4.4",
            recipe([File(b"a", (b"x",))], segment_end=[2]),
            "A segment is not there.",
        ),
        "segments_without_files": (
            "6.4.4",
            recipe(
                [],
                segment_kind=[1],
                segment_count=[1],
                segment_size=[1],
                literals=[b"x"],
            ),
            "Nobody's.",
        ),
        "a_file_longer_than_its_segments": (
            "6.4.5",
            recipe([File(b"a", (b"x",))], size=[2]),
            "2 bytes out of 1.",
        ),
        "an_empty_file_with_a_size": (
            "6.4.5",
            recipe([File(b"a")], size=[1]),
            "No segment.",
        ),
        "sizes_that_overflow": (
            "6.4.5",
            recipe([File(b"a"), File(b"b")], size=[1 << 63, 1 << 63], total=0),
            "Their sum is 0 in 64 bits.",
        ),
        "another_total": ("6.4.6", recipe(TINY, total=19), "18 bytes in all."),
    }


def _segments() -> Cases:
    run = [File(b"a", ([HELLO],))]
    text = [File(b"a", (b"xy",))]
    both = [File(b"a", ([HELLO], [OTHER]))]
    return {
        "kind_3": ("6.5.1", recipe(text, segment_kind=[3]), "0, 1 or 2."),
        "a_transform": ("6.8.1", recipe(text, segment_kind=[2]), "A feature."),
        "a_run_of_no_chunk": (
            "6.5.2",
            recipe(
                run,
                segment_count=[0],
                segment_size=[0],
                size=[0],
                chunk_id=[],
                chunk_length=[],
            ),
            "Nothing is no segment.",
        ),
        "a_literal_of_no_byte": ("6.5.2", recipe([File(b"a", (b"",))]), "The same."),
        "a_literal_of_4097_bytes": (
            "6.5.3",
            recipe([File(b"a", (b"l" * 4097,))]),
            "One byte more than the most.",
        ),
        "a_literal_of_another_size": (
            "6.5.4",
            recipe(text, segment_size=[3], size=[3]),
            "3 bytes out of 2.",
        ),
        "a_run_of_another_size": (
            "6.5.5",
            recipe(run, segment_size=[16], size=[16]),
            "16 bytes out of 15.",
        ),
        "a_run_of_a_size_that_overflows": (
            "6.5.5",
            recipe(run, segment_size=[(1 << 64) - 1], size=[(1 << 64) - 1]),
            "2 to the 64, less 1.",
        ),
        "runs_of_more_chunks_than_there_are": (
            "6.5.6",
            recipe(run, segment_count=[2]),
            "2 of 1.",
        ),
        "runs_of_fewer_chunks_than_there_are": (
            "6.5.6",
            recipe(run, chunk_id=[b3(HELLO), b3(OTHER)], chunk_length=[15, 36]),
            "1 of 2.",
        ),
        "literals_with_a_byte_too_many": (
            "6.5.7",
            recipe(text, literals=[b"xyz"]),
            "2 of 3.",
        ),
        "literals_with_a_byte_too_few": (
            "6.5.7",
            recipe(text, literals=[b"x"]),
            "2 of 1.",
        ),
        "a_run_after_a_run": ("6.5.8 2.1.2", recipe(both), "They are one."),
        "a_chunk_of_0_bytes": (
            "6.5.9",
            recipe(run, chunk_length=[0], segment_size=[0], size=[0]),
            "Nothing is no chunk.",
        ),
        "a_chunk_over_1_mib": (
            "6.5.9",
            recipe(run, chunk_length=[MIB + 1], segment_size=[MIB + 1], size=[MIB + 1]),
            "One byte more than the most.",
        ),
    }
