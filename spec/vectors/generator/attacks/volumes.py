"""Volumes and lists whose numbers disagree with their bytes (3.3, 5, 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import Attack, attack
from spec.vectors.generator.binary import (
    MIB,
    File,
    b3,
    ending,
    entries_of,
    frame,
    index,
    patch,
    recipes,
    shards,
    shards_of,
    tail,
    volume,
    volume_header,
)
from spec.vectors.generator.medium import Bundle, Item
from spec.vectors.generator.samples import HELLO, OTHER, TINY_RECIPE, TINY_VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterator

OVERLAP: Final = "CVE-2024-0450 (Python's zipfile: overlapping members)"
DESYNC: Final = "CVE-2025-62518 (TARmageddon: readers lose step)"
OVERFLOW: Final = "CVE-2016-5636 (Python's zipimport: a size that overflows)"
POISON: Final = "CVE-2024-24557 (Moby: a cache poisoned); CVE-2026-50195 (containerd)"
HORTON: Final = "CVE-2016-10099 (Borg: one kind of content for another)"

HEAD: Final = volume_header()
BODY: Final = HEAD + frame([HELLO])
ROWS: Final = entries_of([[HELLO]])
EDGES: Final = {
    "0": 0,
    "1": 1,
    "2_to_the_31": 1 << 31,
    "2_to_the_32_less_1": (1 << 32) - 1,
}
"""Numbers at which readers that add or convert go wrong, in four bytes."""


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    yield from _frames()
    yield from _endings()
    yield from _identities()
    yield from _shards()
    yield from _tables()


def _volume(
    name: str,
    rules: str,
    data: bytes,
    comment: str,
    *,
    exit: int = 10,  # noqa: A002 - the word of the header
    names: str = "",
    known: str = "",
) -> Attack:
    return attack(
        "volumes",
        f"volume_{name}",
        rules,
        Bundle(volumes=[data]),
        comment,
        exit=exit,
        names=names,
        known=known,
    )


def _framed(rows: list[Any] | None = None, **changes: Any) -> bytes:
    body = HEAD + frame([HELLO], **changes)
    return body + ending(body, rows or ROWS, 1)


def _frames() -> Iterator[Attack]:
    for field, rule in (("stored", "5.2.5"), ("plain", "5.2.5"), ("count", "5.2.8")):
        for name, number in EDGES.items():
            if field == "count" and number == 1:
                continue
            changes: dict[str, Any] = {field: number}
            data = _framed(**changes)
            comment = f"The frame says that its {field} is {number}."
            yield _volume(f"{field}_{name}", rule, data, comment, known=OVERFLOW)
    cases: dict[str, tuple[str, bytes, str, str]] = {
        "frame_of_another_magic": (
            "5.4.4 5.2.2",
            _framed(magic=b"PK\3\4"),
            "A zip.",
            DESYNC,
        ),
        "frame_of_an_unknown_encoding": (
            "5.2.4",
            _framed(encoding=7),
            "None has that number.",
            "",
        ),
        "frame_of_a_delta": (
            "5.2.7",
            _framed(flags=1),
            "It builds on a chunk that is never named.",
            "",
        ),
        "frame_with_reserved_bytes": (
            "5.2.11",
            _framed(reserved=b"\0\0\0\1"),
            "Some reader may give them a meaning.",
            "",
        ),
        "frame_with_lengths_too_many": (
            "5.2.13",
            _framed(lengths=[len(HELLO) + 1]),
            "The lengths are more than the plain bytes.",
            OVERLAP,
        ),
        "frame_with_a_length_of_0": (
            "5.2.12",
            _framed(lengths=[0]),
            "A chunk of nothing.",
            "",
        ),
        "frame_with_a_length_of_4_gib": (
            "5.2.12",
            _framed(lengths=[(1 << 32) - 1]),
            "The sum overflows in 32 bits.",
            OVERFLOW,
        ),
        "frame_with_one_chunk_twice": (
            "5.2.14",
            _twice(),
            "One id, two lengths.",
            POISON,
        ),
        "frame_whose_check_is_wrong": (
            "5.2.3",
            _checked(),
            "A header that was changed.",
            "",
        ),
        "of_another_file": (
            "5.1.2",
            patch(TINY_VOLUME, 0, b"\x89BDR\r\n\x1a\n"),
            "A recipe's magic.",
            HORTON,
        ),
        "of_another_number": (
            "5.5.5",
            volume([HELLO], number=2),
            "It was renamed.",
            "",
        ),
        "of_format_2": (
            "5.1.4",
            volume_header(format=2) + TINY_VOLUME[64:],
            "A later format.",
            "",
        ),
        "with_a_flag": (
            "5.1.5",
            volume_header(flags=1) + TINY_VOLUME[64:],
            "A flag without a name.",
            "",
        ),
        "with_reserved_bytes": (
            "5.1.6",
            volume_header(reserved=bytes(39) + b"\1") + TINY_VOLUME[64:],
            "Some reader may give them a meaning.",
            "",
        ),
        "of_zeros": ("5.1.2", bytes(2048), "A hole in a file.", ""),
    }
    for name, (rules, data, comment, known) in cases.items():
        yield _volume(name, rules, data, comment, known=known)


def _twice() -> bytes:
    body = HEAD + frame([HELLO, HELLO])
    return body + ending(body, ROWS, 1)


def _checked() -> bytes:
    body = HEAD + patch(frame([HELLO]), 56, bytes(8))
    return body + ending(body, ROWS, 1)


def _endings() -> Iterator[Attack]:
    """Indexes that lead readers by the nose, and volumes that go on after their end."""

    def with_index(
        table: bytes, frames: int = 1, chunks: int = 1, offset: int | None = None
    ) -> bytes:
        where = len(BODY) if offset is None else offset
        return BODY + table + tail(where, frames, chunks, b3(table))

    good = index(ROWS)
    row = ROWS[0]
    big = (1 << 32) - 1
    cases: dict[str, tuple[bytes, str, str]] = {
        "index_to_the_header": (
            with_index(index([(row[0], 0, 0, row[3])])),
            "The chunk is said to be at byte 0.",
            OVERLAP,
        ),
        "index_past_the_end": (
            with_index(index([(row[0], big, 0, row[3])])),
            "The chunk is said to be 4 GiB on.",
            OVERFLOW,
        ),
        "index_into_itself": (
            with_index(index([(row[0], len(BODY), 0, row[3])])),
            "The chunk is said to be in the index.",
            OVERLAP,
        ),
        "index_with_an_offset_of_4_gib": (
            with_index(index([(row[0], 64, big, row[3])])),
            "Offset and length add up to a little, in 32 bits.",
            OVERFLOW,
        ),
        "index_with_a_length_of_4_gib": (
            with_index(index([(row[0], 64, 0, big)])),
            "A buffer of 4 GiB.",
            OVERFLOW,
        ),
        "index_with_a_shorter_length": (
            with_index(index([(row[0], 64, 0, 1)])),
            "The first byte, under the id of the whole.",
            POISON,
        ),
        "index_with_a_chunk_that_is_not_there": (
            with_index(index([*ROWS, (b3(b"x"), 64, 0, 1)]), chunks=2),
            "Two names for one place.",
            POISON,
        ),
        "index_without_a_chunk": (
            with_index(index([]), chunks=0),
            "A chunk that nobody looks for.",
            "",
        ),
        "index_with_a_chunk_twice": (
            with_index(index([*ROWS, *ROWS]), chunks=2),
            "Which of them?",
            "",
        ),
        "index_with_a_wrong_fanout": (
            with_index(index(ROWS, fanout=[1] * 256)),
            "The search begins where nothing is.",
            OVERFLOW,
        ),
        "index_with_a_fanout_of_4_gib": (
            with_index(index(ROWS, fanout=[big] * 256)),
            "The search ends far behind the index.",
            OVERFLOW,
        ),
        "tail_that_counts_more": (
            BODY + good + tail(len(BODY), 1, 1 << 21, b3(good)),
            "Two million chunks in a kilobyte.",
            OVERFLOW,
        ),
        "tail_that_counts_no_frame": (
            BODY + good + tail(len(BODY), 0, 1, b3(good)),
            "A chunk in no frame.",
            "",
        ),
        "tail_that_points_to_0": (
            with_index(good, offset=0),
            "The index is the volume.",
            OVERLAP,
        ),
        "tail_that_points_behind": (
            with_index(good, offset=1 << 63),
            "2 to the 63: below 0 to some.",
            OVERFLOW,
        ),
        "tail_that_points_to_2_to_the_64": (
            with_index(good, offset=(1 << 64) - 1),
            "-1 to some.",
            OVERFLOW,
        ),
        "tail_with_another_digest": (
            BODY + good + tail(len(BODY), 1, 1, bytes(32)),
            "Another index.",
            "",
        ),
        "two_tails": (
            TINY_VOLUME + TINY_VOLUME[-64:],
            "Whoever reads from the end takes the second.",
            DESYNC,
        ),
        "another_volume_after_it": (
            TINY_VOLUME + TINY_VOLUME,
            "Whoever reads from the end reads another.",
            DESYNC,
        ),
        "a_byte_after_it": (TINY_VOLUME + b"\0", "Hidden.", DESYNC),
        "bytes_between_frames_and_index": (
            BODY + b"hidden" + good + tail(len(BODY) + 6, 1, 1, b3(good)),
            "Bytes that no reader looks at.",
            DESYNC,
        ),
        "no_tail": (TINY_VOLUME[:-64], "It stops.", ""),
    }
    for name, (data, comment, known) in cases.items():
        short = name in ("index_without_a_chunk", "no_tail")
        rules = "9.3.2 5.5.2" if short else "5.5.2"
        yield _volume(name, rules, data, comment, known=known)


def _identities() -> Iterator[Attack]:
    """Bytes under the name of other bytes, with every outer digest right."""
    release = bytes.fromhex(_digest(Bundle().payload))
    for name, claimed, why in (
        (
            "another_chunk",
            b3(OTHER),
            "The store would keep these bytes under that name for everybody.",
        ),
        ("a_recipe", b3(TINY_RECIPE), "A recipe's digest, as a chunk's."),
        ("the_release", release, "The release's digest, as a chunk's."),
        ("nothing", b3(b""), "The digest of no byte."),
        ("zeros", bytes(32), "An id that is nobody's."),
    ):
        body = HEAD + frame([HELLO], ids=[claimed])
        data = body + ending(body, [(claimed, 64, 0, len(HELLO))], 1)
        comment = f"A chunk under the id of another: {why}"
        yield _volume(
            f"chunk_as_{name}",
            "5.5.6 3.1.2",
            data,
            comment,
            exit=11,
            names="5.5.6",
            known=f"{POISON}; {HORTON}",
        )
    damaged = HEAD + patch(frame([HELLO]), 100, b"J")
    yield _volume(
        "payload_that_was_changed",
        "5.2.15",
        damaged + ending(damaged, ROWS, 1),
        "A letter, with everything around it as it was.",
        exit=11,
    )
    longer = Item(
        (File(b"data/hello.txt", ([HELLO],)),),
        recipe_changes={"chunk_length": [16], "segment_size": [16], "size": [16]},
        changes={"bytes": 16},
    )
    yield attack(
        "volumes",
        "chunk_longer_than_it_is",
        "6.6.1",
        Bundle([longer]),
        "The recipe reads a byte past the end of the chunk.",
        exit=11,
        names="6.6",
        known="CVE-2014-0160 (Heartbleed)",
    )


def _digest(data: bytes) -> str:
    return b3(data).hex()


def _shards() -> Iterator[Attack]:
    held = Bundle().recipes_file
    right = shards_of(held, TINY_VOLUME)
    cases: dict[str, tuple[str, bytes, str, int, str]] = {
        "in_another_order": (
            "3.3.10",
            shards(right[::-1]),
            "The volume before the recipes.",
            11,
            "3.3.11",
        ),
        "of_zeros": (
            "3.3.11",
            shards([bytes(32)] * 2),
            "A digest that is nobody's.",
            11,
            "",
        ),
        "all_the_same": ("3.3.11", shards([right[0]] * 2), "The first twice.", 11, ""),
        "filled_up": (
            "3.3.10",
            shards([b3(data.ljust(MIB, b"\0")) for data in (held, TINY_VOLUME)]),
            "Over a MiB that was filled up with zeros.",
            11,
            "3.3.11",
        ),
        "of_another_size": (
            "3.3.6",
            shards(right, size=2 * MIB),
            "Shards of 2 MiB.",
            10,
            "",
        ),
        "of_size_0": ("3.3.6", shards(right, size=0), "A division by nothing.", 10, ""),
        "that_count_2_to_the_63": (
            "3.3.8",
            shards(right, count=1 << 63),
            "A list without an end.",
            10,
            "",
        ),
        "with_reserved_bytes": (
            "3.3.7",
            shards(right, reserved=bytes(31) + b"\1"),
            "Some reader may give them a meaning.",
            10,
            "",
        ),
        "of_another_file": (
            "3.3.2",
            patch(shards(right), 0, b"\x89BDV\r\n\x1a\n"),
            "A volume's magic.",
            10,
            "",
        ),
    }
    for name, (rules, data, comment, code, names) in cases.items():
        yield attack(
            "volumes",
            f"shards_{name}",
            rules,
            Bundle(shards=data),
            comment,
            exit=code,
            names=names,
        )


def _tables() -> Iterator[Attack]:
    """recipes.bdr with a table that leads elsewhere."""
    held = bytes.fromhex(Bundle().document["contents"][7:])
    digest = b3(TINY_RECIPE)
    size = len(TINY_RECIPE)
    places: dict[str, tuple[int, int, str]] = {
        "at_0": (0, size, "The recipe is said to be the header."),
        "at_2_to_the_63": (1 << 63, size, "Below 0 to some."),
        "at_2_to_the_64": ((1 << 64) - 64, size, "-64 to some."),
        "past_the_end": (1 << 20, size, "A MiB on."),
        "of_size_0": (128, 0, "A recipe of nothing."),
        "of_2_to_the_63_bytes": (128, 1 << 63, "Below 0 to some."),
        "of_2_to_the_64_bytes": (
            128,
            (1 << 64) - 1,
            "Offset and size add up to a little.",
        ),
        "a_byte_off": (129, size, "Not where a recipe begins."),
    }
    for name, (offset, length, comment) in places.items():
        data = recipes([TINY_RECIPE], held, table=[(digest, offset, length)])
        rule = "7.2.3" if "_bytes" in name or name == "of_size_0" else "7.2.2"
        yield attack(
            "volumes",
            f"recipes_table_{name}",
            rule,
            Bundle(recipes=data),
            comment,
            known=OVERFLOW,
        )
    for name, data, rules, code, comment in (
        (
            "another_digest",
            recipes([TINY_RECIPE], held, table=[(b3(b"x"), 128, size)]),
            "9.2.4",
            11,
            "A recipe under the name of another.",
        ),
        (
            "recipe_of_another_digest",
            patch(recipes([TINY_RECIPE], held), 128 + 300, b"\xff"),
            "7.3.2",
            11,
            "Its bytes were changed.",
        ),
        (
            "a_million_recipes",
            recipes([TINY_RECIPE], held, recipes=1_000_000),
            "7.1.6",
            10,
            "More than there may be.",
        ),
        (
            "4_billion_recipes",
            recipes([TINY_RECIPE], held, recipes=(1 << 32) - 1),
            "7.1.6",
            10,
            "More than there may be.",
        ),
        (
            "2_to_the_63_required",
            recipes([TINY_RECIPE], held, required_count=1 << 63),
            "7.4.1",
            10,
            "A list without an end.",
        ),
        (
            "bytes_after_it",
            recipes([TINY_RECIPE], held) + b"hidden",
            "7.4.1",
            10,
            "Hidden.",
        ),
        (
            "gaps_that_are_not_zero",
            recipes([TINY_RECIPE], held, gap=b"\1"),
            "7.3.1",
            10,
            "Hidden.",
        ),
    ):
        yield attack(
            "volumes",
            f"recipes_with_{name}",
            rules,
            Bundle(recipes=data),
            comment,
            exit=code,
        )
