"""Whole bundles that are refused, each for one thing; some for the first of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spec.vectors.generator.binary import (
    MIB,
    File,
    b3,
    ending,
    frame,
    git_sha1,
    patch,
    recipes,
    shards,
    shards_of,
    volume,
    volume_header,
)
from spec.vectors.generator.bundles import receiver
from spec.vectors.generator.container import (
    Absent,
    Content,
    Link,
    Repeat,
    Vector,
    refuse,
)
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.medium import (
    APPROVAL,
    BASE,
    BASE_FILES,
    Bundle,
    Item,
    statement,
)
from spec.vectors.generator.samples import HELLO, OTHER, TINY, TINY_RECIPE, TINY_VOLUME
from spec.vectors.generator.signing import (
    PACKER,
    RELEASE_TYPE,
    envelope,
)
from spec.vectors.generator.statements import digest, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spec.vectors.generator.statements import JSON


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _files()
    yield from _digests()
    yield from _documents()
    yield from _lies()


def bad(
    name: str,
    rules: str,
    what: Bundle | Mapping[str, Content],
    comment: str,
    *,
    exit: int,  # noqa: A002 - the word of the header
    names: str = "",
    reader: str = "",
    crowd: str = "",
    **changes: Any,
) -> Vector:
    """Return a bundle that is refused; ``reader`` says where only one of two does."""
    given: dict[str, Any] = {"base": BASE, "receiver": receiver(**changes)}
    if reader:
        given["reader"] = reader
    if crowd:
        given["crowd"] = crowd
    body = what.changed() if isinstance(what, Bundle) else dict(what)
    return refuse(
        "bundle", name, rules, body, comment, exit=exit, names=names, given=given
    )


def _files() -> Iterator[Vector]:
    missing = {
        "bundle.json": ("26.1.1 4.1", "It is unfinished."),
        "release.json": ("26.1.3", "What would it carry?"),
        "recipes.bdr": ("26.1.7", "Its list names it."),
        "shards.bds": ("26.1.7", "Its list names it."),
        "approval.md": ("26.1.7", "Its list names it."),
        "vol-00001.bdv": ("26.1.8", "Its list names it."),
    }
    for name, (rules, comment) in missing.items():
        stem = name.replace(".", "_").replace("-", "_")
        yield bad(f"without_{stem}", rules, {name: Absent()}, comment, exit=13)
    for name, content in (
        ("bundle.json", "copy/bundle.json"),
        ("approval.md", "copy/../approval.txt"),
        ("vol-00001.bdv", "vol-00002.bdv"),
    ):
        stem = name.replace(".", "_").replace("-", "_")
        moved = content.rpartition("/")[2]
        files: dict[str, Content] = {name: Link(content)}
        if moved != "bundle.json":
            files[moved] = BASE_FILES[name]
        comment = "It leads to the right bytes, and is not followed."
        yield bad(f"a_link_as_{stem}", "4.4", files, comment, exit=10)
    large: dict[str, Content] = {"trust/2.root.json": (Repeat(b" ", 512_001),)}
    comment = "One byte more than the most."
    yield bad("a_root_over_512000_bytes", "4.5 22.1.1 2.1.4", large, comment, exit=10)
    comment = "Besides the two files there are 4,095 empty ones, named 1 to 4095."
    yield bad("a_crowd_in_trust", "4.7 2.1.4", {}, comment, exit=10, crowd="trust")
    other: dict[str, Content] = {"copy/release.json": b"{}"}
    comment = "Nobody reads it but a repair and a verifier."
    yield bad(
        "a_copy_of_something_else", "4.8", other, comment, exit=11, reader="verify"
    )
    gone: dict[str, Content] = {"copy/bundle.json": Absent()}
    yield bad("without_a_copy", "4.8", gone, comment, exit=11, reader="verify")


def _digests() -> Iterator[Vector]:
    def one(
        name: str, rules: str, file: str, data: bytes, comment: str, **more: Any
    ) -> Vector:
        return bad(name, rules, {file: data}, comment, exit=11, **more)

    text = APPROVAL.replace(b"two", b"six")
    yield one("another_approval", "3.2.4", "approval.md", text, "Of the same size.")
    text = APPROVAL + b"\n"
    yield one(
        "a_longer_approval", "3.2.4 3.2.3", "approval.md", text, "A byte too many."
    )
    table = BASE_FILES["shards.bds"]
    assert isinstance(table, bytes)
    data = patch(table, 127, b"\0")
    yield one("another_list_of_shards", "3.2.4", "shards.bds", data, "Its last byte.")
    held = Bundle().recipes_file
    data = patch(held, 447, b"\1")
    yield one("a_damaged_recipes_file", "3.3.11", "recipes.bdr", data, "Its last byte.")
    data = patch(TINY_VOLUME, 1314, b"\0")
    yield one("a_damaged_volume", "3.3.11", "vol-00001.bdv", data, "Its last byte.")
    data = TINY_VOLUME[:-1]
    yield one(
        "a_volume_that_is_cut_off", "3.2.4 3.2.3", "vol-00001.bdv", data, "By a byte."
    )
    data = TINY_VOLUME + b"\0"
    yield one(
        "a_volume_that_is_longer", "3.2.4 3.2.3", "vol-00001.bdv", data, "By a byte."
    )
    padded = [b3(data.ljust(MIB, b"\0")) for data in (held, TINY_VOLUME)]
    comment = "Each digest is over a MiB that was filled up with zeros."
    yield bad(
        "shards_that_were_filled_up",
        "3.3.10",
        Bundle(shards=shards(padded)),
        comment,
        exit=11,
        names="3.3.11",
    )
    swapped = shards(shards_of(TINY_VOLUME, held))
    comment = "The volume comes before the recipes."
    yield bad(
        "shards_in_another_order",
        "3.3.10",
        Bundle(shards=swapped),
        comment,
        exit=11,
        names="3.3.11",
    )
    document = replaced(Bundle().document, "volumes.0.digest", digest(b"another"))
    yield bad(
        "another_digest_of_a_volume",
        "3.2.4",
        Bundle(manifest=document),
        "Its shards are right: a reader of shards need not hash the whole again.",
        exit=11,
        reader="verify",
    )
    document = replaced(Bundle().document, "recipes.digest", digest(b"another"))
    comment = "Its shards are right."
    yield bad(
        "another_digest_of_the_recipes",
        "3.2.4",
        Bundle(manifest=document),
        comment,
        exit=11,
    )


def _documents() -> Iterator[Vector]:
    base = Bundle()
    other = Bundle(release=statement(seq=2))
    yield bad(
        "of_another_release",
        "26.1.5 3.2.4",
        {"release.json": dumps(envelope(other.payload, RELEASE_TYPE, PACKER))},
        "Truly signed, and not the one that the manifest names.",
        exit=11,
        names="3.2.4",
    )
    yield bad(
        "of_other_contents",
        "9.2.2",
        Bundle(manifest={"contents": digest(b"other")}),
        "Release and manifest differ.",
        exit=11,
    )
    odd = recipes([TINY_RECIPE], b3(b"other"))
    comment = "Recipes and manifest differ."
    yield bad(
        "recipes_of_other_contents", "7.1.7", Bundle(recipes=odd), comment, exit=11
    )
    document: JSON = {"carried": []}
    comment = "recipes.bdr has one."
    yield bad(
        "a_recipe_that_is_not_listed",
        "9.2.4",
        Bundle(manifest=document),
        comment,
        exit=11,
    )
    stray = Item([File(b"stray", (b"?",))])
    yield bad(
        "a_recipe_of_another_release",
        "9.2.5",
        Bundle(carried=[TINY_RECIPE, stray.recipe]),
        "The release does not name it.",
        exit=11,
    )
    pair = [Item([File(b"a", (b"?",))], "a"), Item(TINY, "b")]
    yield bad(
        "recipes_in_another_order",
        "7.2.5",
        Bundle(pair, carried=[item.recipe for item in reversed(pair)]),
        "Table and manifest agree with each other, not with the release.",
        exit=11,
    )
    ids = sorted([b3(b"one"), b3(b"two")])
    document = {
        "requires": base.document["requires"] | {"count": 1, "digest": digest(ids[0])}
    }
    yield bad(
        "other_required_ids",
        "9.4.3",
        Bundle(required=ids, manifest=document),
        "recipes.bdr has two, the manifest tells of one.",
        exit=11,
    )
    yield bad(
        "a_chunk_taken_for_granted",
        "9.4.3",
        Bundle(required=[b3(HELLO)], volumes=[]),
        "The receiver does not have it.",
        exit=13,
        reader="unpack",
    )


def _lies() -> Iterator[Vector]:
    for member, number in (("bytes", 19), ("files", 3), ("chunks", 2)):
        item = Item(TINY, changes={member: number})
        comment = f"{number} {member}; the recipe has another number."
        yield bad(
            f"another_count_of_{member}", "8.4.7", Bundle([item]), comment, exit=11
        )
    for member, number in (("depth", 1), ("nameBytes", 10)):
        told = replaced(statement(), f"predicate.budgets.{member}", number)
        name = (
            "a_path_over_the_budget" if member == "depth" else "a_name_over_the_budget"
        )
        comment = f"A path has {number + 1}."
        yield bad(name, "8.5.3", Bundle(release=told), comment, exit=10)
    short = Item(
        TINY,
        changes={"bytes": 17},
        recipe_changes={"chunk_length": [14], "segment_size": [3, 14], "size": [3, 14]},
    )
    comment = "14 bytes in the recipe, 15 in the frame."
    yield bad(
        "a_chunk_of_another_length",
        "6.6.1",
        Bundle([short]),
        comment,
        exit=11,
        names="6.6",
    )
    wrong = Item(TINY, recipe_changes={"sha256": [TINY[0].sha256, b3(b"wrong")]})
    comment = "Every chunk is right, their sum is not."
    yield bad(
        "a_file_of_another_sha256",
        "6.7.1",
        Bundle([wrong]),
        comment,
        exit=11,
        names="6.7",
    )
    small = Item(TINY, recipe_changes={"sha256": [b3(b"wrong"), TINY[1].sha256]})
    comment = "A literal has a digest too."
    yield bad(
        "a_literal_of_another_sha256",
        "6.7.1",
        Bundle([small]),
        comment,
        exit=11,
        names="6.7",
    )
    git = Item((TINY[0], File(b"data/hello.txt", ([HELLO],), git=git_sha1(OTHER))))
    comment = "The SHA-256 is right."
    yield bad(
        "a_file_of_another_git_sha1",
        "6.7.2",
        Bundle([git]),
        comment,
        exit=11,
        names="6.7",
    )
    body = volume_header() + frame([HELLO], ids=[b3(OTHER)])
    lie = body + ending(body, [(b3(OTHER), 64, 0, len(HELLO))], 1)
    both = Item([File(b"other", ([OTHER],))])
    comment = "Header, index and digests are right."
    yield bad(
        "a_chunk_of_other_bytes",
        "5.5.6 26.1.9",
        Bundle([both], volumes=[lie]),
        comment,
        exit=11,
    )
    lone = Bundle([Item([File(b"other", ([OTHER],))])])
    comment = "It is in no volume, and nothing says that it is taken for granted."
    yield bad("a_chunk_that_is_nowhere", "9.4.3", lone, comment, exit=13)
    second = volume([HELLO], number=2)
    comment = "It was renamed."
    yield bad(
        "a_volume_of_another_number",
        "5.5.5",
        Bundle(volumes=[second]),
        comment,
        exit=10,
    )
