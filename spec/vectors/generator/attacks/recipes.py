"""Lists of files that promise one thing and hold another (6, 8.4, 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import Attack, attack, roomy
from spec.vectors.generator.binary import MIB, File, b3, git_sha1, patch, recipe
from spec.vectors.generator.medium import Bundle, Item, statement
from spec.vectors.generator.samples import HELLO, OTHER, TINY, TINY_RECIPE
from spec.vectors.generator.statements import artifact, digest, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN: Final = [File(b"a", ([HELLO],))]
TEXT: Final = [File(b"a", (b"xy",))]
OVERFLOW: Final = "CVE-2016-5636 (Python's zipimport: a size that overflows)"
LINK: Final = (
    "CVE-2026-29064 (Zarf: links in packages); CVE-2026-50163 (oras-go: hard links)"
)


def of_recipe(data: bytes) -> Bundle:
    """Return a bundle whose one recipe has these bytes."""
    told = {
        "mediaType": "application/vnd.bundle.recipe.v1",
        "digest": digest(data),
        "size": len(data),
    }
    item = artifact(
        kind="tree",
        name="tiny",
        source="tree:tiny",
        revision="1",
        recipe=told,
        licence=None,
    )
    release = roomy()
    release["predicate"]["artifacts"] = [item]
    release["subject"] = [{"name": "tree/tiny", "digest": {"blake3": b3(data).hex()}}]
    return Bundle(release=release, carried=[data])


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    yield from _kinds()
    yield from _sums()
    yield from _counts()
    yield from _promises()


def _kinds() -> Iterator[Attack]:
    """Entries of other archives that this format has not."""
    for name, mode, comment, known in (
        (
            "symbolic_link",
            3,
            "Mode 3 is a link in some formats; there are none here.",
            LINK,
        ),
        ("hard_link", 4, "A second name of a file outside.", LINK),
        ("device", 5, "A device node.", ""),
        ("pipe", 6, "A pipe that a reader waits at.", ""),
        ("set_user_id", 0o4, "Bits of a Unix mode.", ""),
        ("everything", 255, "All bits.", ""),
    ):
        data = recipe([File(b"a", (b"/etc/passwd",), mode=mode)])
        yield attack(
            "recipes",
            f"entry_that_is_a_{name}",
            "6.4.1",
            of_recipe(data),
            comment,
            known=known,
        )
    cases: dict[str, tuple[str, bytes, str]] = {
        "directory_with_content": (
            "6.4.2",
            recipe([File(b"z", (b"x",), mode=2)]),
            "A directory that is a file.",
        ),
        "directory_with_a_size": (
            "6.4.2",
            recipe([File(b"z", mode=2)], size=[1]),
            "A directory that is a file.",
        ),
        "directory_with_a_digest": (
            "6.4.3",
            recipe([File(b"z", mode=2)], sha256=[b3(b"x")]),
            "A directory that is a file.",
        ),
        "directory_that_is_not_empty": (
            "6.3.6",
            recipe([File(b"a", mode=2), File(b"a/b")]),
            "It comes twice.",
        ),
        "segment_of_a_transform": (
            "6.8.1",
            recipe(TEXT, segment_kind=[2]),
            "A program that makes the bytes.",
        ),
        "segment_of_an_unknown_kind": (
            "6.5.1",
            recipe(TEXT, segment_kind=[9]),
            "None has that number.",
        ),
        "recipe_with_transforms": (
            "6.8.1",
            recipe(TINY, transforms=1),
            "A program that makes the bytes.",
        ),
    }
    for name, (rules, data, comment) in cases.items():
        yield attack("recipes", name, rules, of_recipe(data), comment)


def _sums() -> Iterator[Attack]:
    """Numbers whose sums overflow or do not fit."""
    top = (1 << 64) - 1
    cases: dict[str, tuple[str, bytes, str]] = {
        "sizes_that_overflow": (
            "6.4.5",
            recipe([File(b"a"), File(b"b")], size=[1 << 63, 1 << 63], total=0),
            "Their sum is 0 in 64 bits.",
        ),
        "size_of_2_to_the_64": (
            "6.5.5",
            recipe(RUN, segment_size=[top], size=[top]),
            "-1 to some.",
        ),
        "size_without_content": (
            "6.4.5",
            recipe([File(b"a")], size=[1]),
            "A byte of whatever was there.",
        ),
        "total_of_another_size": (
            "6.4.6",
            recipe(TINY, total=0),
            "Free space is checked against 0.",
        ),
        "run_of_no_chunk": (
            "6.5.2",
            recipe(
                RUN,
                segment_count=[0],
                segment_size=[0],
                size=[0],
                chunk_id=[],
                chunk_length=[],
            ),
            "Nothing.",
        ),
        "run_past_the_chunks": (
            "6.5.6",
            recipe(RUN, segment_count=[2]),
            "Chunks of whatever is behind the column.",
        ),
        "run_of_4_billion_chunks": (
            "6.5.6",
            recipe(RUN, segment_count=[(1 << 32) - 1]),
            "Chunks of whatever is behind the column.",
        ),
        "chunk_that_is_nobodys": (
            "6.5.6",
            recipe(RUN, chunk_id=[b3(HELLO), b3(OTHER)], chunk_length=[15, 36]),
            "It is carried, counted, and in no file.",
        ),
        "chunk_of_no_byte": (
            "6.5.9",
            recipe(RUN, chunk_length=[0], segment_size=[0], size=[0]),
            "A loop that never ends.",
        ),
        "chunk_over_1_mib": (
            "6.5.9",
            recipe(RUN, chunk_length=[MIB + 1], segment_size=[MIB + 1], size=[MIB + 1]),
            "A byte more than the most.",
        ),
        "chunk_of_4_gib": (
            "6.5.9",
            recipe(
                RUN,
                chunk_length=[(1 << 32) - 1],
                segment_size=[(1 << 32) - 1],
                size=[(1 << 32) - 1],
            ),
            "A buffer of 4 GiB.",
        ),
        "literal_over_4_kib": (
            "6.5.3",
            recipe([File(b"a", (b"l" * 4097,))]),
            "A byte more than the most.",
        ),
        "literal_past_the_literals": (
            "6.5.7",
            recipe(TEXT, literals=[b"x"]),
            "A byte of whatever is behind the column.",
        ),
        "literal_that_is_nobodys": (
            "6.5.7",
            recipe(TEXT, literals=[b"xyz"]),
            "Hidden.",
        ),
        "segments_that_descend": (
            "6.4.4",
            recipe(
                [File(b"a"), File(b"b"), File(b"c", (b"x",))], segment_end=[1, 0, 1]
            ),
            "A file of -1 segments.",
        ),
        "segments_past_the_end": (
            "6.4.4",
            recipe(TEXT, segment_end=[2]),
            "A segment of whatever is behind the column.",
        ),
        "paths_that_descend": (
            "6.3.5",
            recipe([File(b"b"), File(b"a")]),
            "A search does not find what is there.",
        ),
        "path_ends_that_descend": (
            "6.3.1",
            recipe([File(b"a"), File(b"b")], path_end=[2, 1]),
            "A path of -1 bytes.",
        ),
        "path_past_the_table": (
            "6.3.2",
            recipe([File(b"a")], path_end=[9]),
            "A path of whatever is behind the table.",
        ),
        "path_table_that_is_longer": (
            "6.3.2",
            recipe([File(b"a")], path_table=[b"a/../../b"]),
            "Hidden.",
        ),
    }
    for name, (rules, data, comment) in cases.items():
        yield attack("recipes", name, rules, of_recipe(data), comment, known=OVERFLOW)


def _counts() -> Iterator[Attack]:
    """Headers that promise more than there is."""
    for name, field, number, rules in (
        ("50_million_files", "files", 50_000_001, "6.1.6"),
        ("4_billion_files", "files", (1 << 32) - 1, "6.1.6"),
        ("2_to_the_31_chunks", "chunks", 1 << 31, "6.2.3"),
        ("2_to_the_63_chunks", "chunks", 1 << 63, "6.2.3"),
        ("2_to_the_64_chunks", "chunks", (1 << 64) - 1, "6.2.3"),
        ("2_to_the_63_literals", "literal_bytes", 1 << 63, "6.2.3"),
        ("2_to_the_63_bytes_of_paths", "path_bytes", 1 << 63, "6.2.3"),
        ("4_billion_segments", "segments", (1 << 32) - 1, "6.2.1"),
    ):
        data = recipe(TINY, **{field: number})
        comment = "Refused from the header, before memory is asked for."
        yield attack(
            "recipes",
            f"recipe_of_{name}",
            f"{rules} 2.1.4",
            of_recipe(data),
            comment,
            known="CVE-2026-35480 (go-ipld-prime: counts that are believed)",
            names=rules,
        )
    for name, data, rules, comment in (
        ("63_bytes", TINY_RECIPE[:63], "7.2.3", "Half a header."),
        ("a_header_alone", recipe(TINY)[:64], "6.2.1", "No column."),
        ("half_of_it", TINY_RECIPE[: len(TINY_RECIPE) // 2], "6.2.1", "It stops."),
        ("a_byte_more", TINY_RECIPE + b"\0", "6.2.1", "Hidden."),
        (
            "a_volume",
            patch(TINY_RECIPE, 0, b"\x89BDV\r\n\x1a\n"),
            "6.1.2",
            "Another file's magic.",
        ),
        ("gaps_that_are_not_zero", recipe(TINY, gap=b"\1"), "6.2.2", "Hidden."),
        ("format_2", recipe(TINY, format=2), "6.1.4", "A later format."),
        ("a_flag", recipe(TINY, flags=1), "6.1.5", "A flag without a name."),
    ):
        yield attack("recipes", f"recipe_of_{name}", rules, of_recipe(data), comment)


def _promises() -> Iterator[Attack]:
    """Releases and recipes that do not agree, and files that are not what is signed."""
    for member, number in (
        ("bytes", 0),
        ("files", 1),
        ("chunks", 0),
        ("bytes", (1 << 53) - 1),
    ):
        item = Item(TINY, changes={member: number})
        comment = f"The release promises {number} {member}: room is checked against it."
        yield attack(
            "recipes",
            f"release_that_promises_{number}_{member}",
            "8.4.7",
            Bundle([item]),
            comment,
            exit=11,
        )
    for member, number in (("depth", 1), ("nameBytes", 10), ("depth", 0)):
        told = replaced(statement(), f"predicate.budgets.{member}", number)
        yield attack(
            "recipes",
            f"release_with_a_budget_of_{number}_{member.lower()}",
            "8.5.3",
            Bundle(release=told),
            "A path is over it.",
        )
    for member, number, rule in (
        ("depth", 65, "8.5.2"),
        ("nameBytes", 256, "8.5.2"),
        ("bytes", 17, "8.5.1"),
        ("bytes", 1 << 60, "8.5.1"),
        ("files", -1, "8.5.1"),
    ):
        told = replaced(statement(), f"predicate.budgets.{member}", number)
        rules = "2.5.3" if number > 1 << 53 else rule
        named = "2.5" if rules == "2.5.3" else ""
        name = f"budget_of_{str(number).replace('-', 'minus_')}_{member.lower()}"
        yield attack(
            "recipes",
            name,
            rules,
            Bundle(release=told),
            "Not the sum of what there is, or over the most.",
            names=named,
        )
    wrong = {
        "file_of_another_digest": (
            Item(TINY, recipe_changes={"sha256": [TINY[0].sha256, b3(b"wrong")]}),
            "6.7.1",
            "Every chunk is right, their order or number is not.",
        ),
        "literal_of_another_digest": (
            Item(TINY, recipe_changes={"sha256": [b3(b"wrong"), TINY[1].sha256]}),
            "6.7.1",
            "A small file.",
        ),
        "empty_file_of_another_digest": (
            Item(
                (File(b"a"), *TINY),
                recipe_changes={"sha256": [b3(b"x"), TINY[0].sha256, TINY[1].sha256]},
            ),
            "6.7.1",
            "Nothing, under the name of something.",
        ),
        "file_of_another_git_digest": (
            Item((TINY[0], File(b"data/hello.txt", ([HELLO],), git=git_sha1(OTHER)))),
            "6.7.2",
            "Clients find it by Git's digest.",
        ),
        "chunks_in_another_order": (
            Item(
                (File(b"a", ([HELLO, OTHER],)),),
                recipe_changes={
                    "chunk_id": [b3(OTHER), b3(HELLO)],
                    "chunk_length": [len(OTHER), len(HELLO)],
                },
            ),
            "6.7.1",
            "The same chunks, another file.",
        ),
    }
    from spec.vectors.generator.binary import volume  # noqa: PLC0415 - for one of them

    for name, (item, rule, comment) in wrong.items():
        volumes = [volume([HELLO, OTHER])] if "order" in name else [volume([HELLO])]
        made: Any = Bundle([item], release=roomy(item), volumes=volumes)
        yield attack(
            "recipes",
            name,
            rule,
            made,
            comment,
            exit=11,
            names="" if "empty" in name else "6.7",
        )
