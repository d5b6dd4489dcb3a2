"""Parts of two good bundles, put together as one (4, 9, 26)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spec.vectors.generator.attacks.kit import Attack, attack
from spec.vectors.generator.binary import File, b3, volume
from spec.vectors.generator.container import Absent, Content
from spec.vectors.generator.medium import APPROVAL, BASE_FILES, Bundle, Item, statement
from spec.vectors.generator.samples import HELLO

if TYPE_CHECKING:
    from collections.abc import Iterator

MATE: Final = b"HELLO, AIR GAP\n"
"""As long as the chunk of the base, so that every size is right."""

OTHER: Final = Bundle(
    [Item((File(b"config.json", (b"[]\n",)), File(b"data/hello.txt", ([MATE],))))],
    volumes=[volume([MATE])],
    approval=APPROVAL.replace(b"two", b"six"),
)
"""Another good bundle, each of whose files is as long as that of the base."""

ONE_BY_ONE: Final = {
    "release": (
        "release.json",
        "26.1.5 3.2.4",
        "3.2.4",
        "A release that another manifest carries.",
    ),
    "manifest": (
        "bundle.json",
        "26.1.5 3.2.4",
        "3.2.4",
        "A manifest that carries another release.",
    ),
    "recipes": ("recipes.bdr", "3.3.11 3.2.4", "", "Recipes of another release."),
    "shards": ("shards.bds", "3.2.4", "", "A list that the other files obey."),
    "volume": ("vol-00001.bdv", "3.3.11", "", "A volume of another release."),
    "approval": (
        "approval.md",
        "3.2.4",
        "",
        "What the approver reads is another release's.",
    ),
}

TOGETHER: Final = {
    "payload": (
        ("recipes.bdr", "vol-00001.bdv", "shards.bds"),
        "3.2.4",
        "All payload of another bundle, which fits together.",
    ),
    "all_but_the_release": (
        ("bundle.json", "recipes.bdr", "vol-00001.bdv", "shards.bds", "approval.md"),
        "3.2.4",
        "One release, the whole rest of another.",
    ),
    "volume_and_its_shards": (
        ("vol-00001.bdv", "shards.bds"),
        "3.2.4",
        "The volume and the list that covers it.",
    ),
    "recipes_and_volume": (
        ("recipes.bdr", "vol-00001.bdv"),
        "3.3.11",
        "Both, under the list of the first.",
    ),
}


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    other = OTHER.files()
    for name, (file, rules, names, comment) in ONE_BY_ONE.items():
        _same_size(other, file)
        files: dict[str, Content] = {file: other[file]}
        yield attack(
            "mixes",
            f"{name}_of_another_bundle",
            rules,
            files,
            comment,
            exit=11,
            names=names,
        )
    for name, (taken, rule, comment) in TOGETHER.items():
        files = {file: other[file] for file in taken}
        yield attack(
            "mixes", f"{name}_of_another_bundle", rule, files, comment, exit=11
        )
    exchanged = Bundle(
        [Item((File(b"a", ([HELLO],)), File(b"b", ([MATE],))))],
        volumes=[volume([HELLO]), volume([MATE], number=2)],
    )
    made = exchanged.files()
    swapped = exchanged.changed(
        **{
            "vol-00001.bdv": made["vol-00002.bdv"],
            "vol-00002.bdv": made["vol-00001.bdv"],
        }
    )
    yield attack(
        "mixes",
        "volumes_exchanged",
        "3.3.11",
        swapped,
        "Both are of this bundle, under each other's name.",
        exit=11,
    )
    again = exchanged.changed(**{"vol-00002.bdv": made["vol-00001.bdv"]})
    yield attack(
        "mixes", "volume_twice", "3.3.11", again, "The first under both names.", exit=11
    )
    lone = exchanged.changed(**{"vol-00002.bdv": Absent()})
    yield attack(
        "mixes", "volume_taken_away", "26.1.8", lone, "Half of the chunks.", exit=13
    )
    claimed = Bundle(required=[b3(HELLO)], volumes=[])
    comment = "The receiver is said to have a chunk, and does not."
    yield attack(
        "mixes",
        "chunk_taken_for_granted",
        "9.4.3",
        claimed,
        comment,
        exit=13,
        given={"reader": "unpack"},
    )
    elsewhere = Bundle([Item([File(b"other", ([MATE],))])])
    yield attack(
        "mixes",
        "chunk_that_is_nowhere",
        "9.4.3",
        elsewhere,
        "No volume has it and nobody promised it.",
        exit=13,
    )
    stray = Item([File(b"stray", (b"?",))])
    body = Bundle(carried=[Item((File(b"a", (b"!",)),)).recipe, stray.recipe])
    yield attack(
        "mixes",
        "recipe_of_no_release",
        "9.2.5",
        body,
        "A recipe that nobody approved comes along.",
        exit=11,
        names="9.2.5",
    )
    second = statement(seq=2)
    yield attack(
        "mixes",
        "release_with_another_number",
        "3.2.4 26.1.5",
        {"release.json": Bundle(release=second).files()["release.json"]},
        "Truly signed; the manifest names number 1.",
        exit=11,
    )


def _same_size(other: dict[str, Content], name: str) -> None:
    one, two = BASE_FILES[name], other[name]
    assert isinstance(one, bytes)
    assert isinstance(two, bytes)
    assert len(one) == len(two), name
