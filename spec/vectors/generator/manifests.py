"""Payloads of bundle.json (chapter 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import MIB, b3, shards, shards_of
from spec.vectors.generator.container import Repeat, Vector, accept, refuse
from spec.vectors.generator.documents import NO_BYTES, dumps
from spec.vectors.generator.samples import TINY_RECIPE, TINY_RECIPES, TINY_VOLUME
from spec.vectors.generator.statements import (
    JSON,
    contents,
    digest,
    release,
    replaced,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spec.vectors.generator.container import Body

APPROVAL: Final = b"# models-prod 1\n"
TYPES: Final = {
    "release": "application/vnd.in-toto+json",
    "recipes": "application/vnd.bundle.recipes.v1",
    "volume": "application/vnd.bundle.volume.v1",
    "shards": "application/vnd.bundle.shards.v1",
    "approval": "text/markdown",
}
"""The media type of what a manifest describes."""


def described(kind: str, data: bytes) -> JSON:
    """Return the descriptor of some bytes."""
    return {"mediaType": TYPES[kind], "digest": digest(data), "size": len(data)}


def manifest(
    statement: bytes,
    held: str,
    carried: Sequence[bytes] = (TINY_RECIPE,),
    *,
    recipes: bytes = TINY_RECIPES,
    volumes: Sequence[bytes] = (TINY_VOLUME,),
    approval: bytes = APPROVAL,
    list_: bytes | None = None,
    required: Sequence[bytes] = (),
    **changes: Any,
) -> JSON:
    """Return the manifest of these files; ``list_`` is shards.bds, if it is another."""
    shards_file = shards(shards_of(recipes, *volumes)) if list_ is None else list_
    sizes = [len(recipes), *map(len, volumes), len(shards_file), len(approval)]
    members: JSON = {
        "format": 1,
        "features": {"required": [], "optional": []},
        "release": described("release", statement),
        "contents": held,
        "recipes": described("recipes", recipes),
        "carried": [digest(data) for data in carried],
        "volumes": [
            described("volume", data) | {"name": f"vol-{number:05d}.bdv"}
            for number, data in enumerate(volumes, start=1)
        ],
        "shards": described("shards", shards_file),
        "approval": described("approval", approval),
        "requires": {"count": len(required), "digest": digest(b"".join(required))},
        "bytes": sum(sizes),
        "transforms": [],
        "parity": [],
        "encryption": None,
    }
    return members | changes


def example(**changes: Any) -> JSON:
    """Return the example of chapter 9."""
    statement = release()
    return manifest(dumps(statement), contents(statement)) | changes


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _good()
    for name, (rules, path, value, comment) in CHANGES.items():
        named = "3.1" if rules.startswith("3.1") else ""
        data = dumps(replaced(example(), path, value))
        yield refuse("manifest", name, rules, data, comment, names=named)
    for path, rules in MISSING.items():
        data = dumps(without(example(), path))
        name = f"without_{path.replace('.', '_')}"
        yield refuse("manifest", name, rules, data, f"{path} is not there.")
    for name, (rules, body, comment) in _built().items():
        yield refuse("manifest", name, rules, body, comment)
    data = dumps(example()).replace(b'"bytes":1907', b'"bytes":1907,"bytes":1907')
    comment = "Not even with one value."
    yield refuse("manifest", "a_member_twice", "2.5.2", data, comment, names="2.5")


def _good() -> Iterator[Vector]:
    document = example()
    comment = "The example of chapter 9."
    value = {"manifest": document}
    rules = "9.1.1 9.2.1 9.3.4 9.3.6"
    data = dumps(document)
    yield accept("manifest", "one_volume", rules, data, comment, value=value)
    short = {name: document[name] for name in document if name not in OPTIONAL}
    comment = "What is absent is empty or null."
    data = dumps(short)
    yield accept(
        "manifest",
        "without_what_may_be_absent",
        "9.1.1 9.1.3",
        data,
        comment,
        value=value,
    )
    sized = _sized([MIB + 1, 3 * MIB, MIB])
    comment = "448 bytes, then 1 MiB and a byte, 3 MiB and 1 MiB: 1 + 2 + 3 + 1 shards."
    data = dumps(sized)
    yield accept(
        "manifest",
        "shards_of_three_volumes",
        "9.3.4 3.3.10",
        data,
        comment,
        value={"manifest": sized},
    )
    none = _sized([])
    comment = "No chunk is new, or there is none."
    data = dumps(none)
    yield accept(
        "manifest", "no_volume", "9.3.3", data, comment, value={"manifest": none}
    )


OPTIONAL: Final = ("transforms", "parity", "encryption")

MISSING: Final[Mapping[str, str]] = {
    "format": "8.2.1 9.1.2",
    "features": "8.2.1 9.1.2",
    "release": "9.1.1",
    "contents": "9.1.1",
    "carried": "9.1.1",
    "volumes": "9.1.1",
    "volumes.0.name": "9.1.1",
    "requires.count": "9.1.1",
    "bytes": "9.1.1",
}

SOME: Final = digest(b"some")

CHANGES: Final[Mapping[str, tuple[str, str, Any, str]]] = {
    "volumes_as_an_object": ("9.1.1", "volumes", {}, "Not an array."),
    "encryption_by_name": ("9.1.1 9.1.3", "encryption", "age", "Null, in format 1."),
    "transforms": ("9.1.3", "transforms", ["gzip"], "A feature."),
    "parity": ("9.1.3", "parity", ["par-00001.bdp"], "A feature."),
    "contents_that_are_no_digest": ("3.1.1", "contents", "genesis", "No digest."),
    "a_carried_recipe_that_is_no_digest": ("3.1.1", "carried", ["tiny"], "No digest."),
    "a_recipe_carried_twice": ("9.2.3", "carried", [SOME, SOME], "Once."),
    "a_volume_of_another_name": (
        "9.3.1 4.3",
        "volumes.0.name",
        "vol-1.bdv",
        "5 digits.",
    ),
    "a_volume_of_another_number": (
        "9.3.1",
        "volumes.0.name",
        "vol-00002.bdv",
        "From 1.",
    ),
    "a_volume_that_leads_out": ("9.3.1", "volumes.0.name", "../vol-00001.bdv", "By .."),
    "a_volume_too_small": (
        "9.3.2",
        "volumes.0.size",
        1300,
        "Less than one byte takes.",
    ),
    "a_volume_too_large": (
        "9.3.2 5.5.1",
        "volumes.0.size",
        (4 << 30) - (64 << 10) + 1,
        "One byte more than the most.",
    ),
    "a_shard_more_than_there_are": ("9.3.4", "shards.size", 160, "3 for 2."),
    "a_shard_fewer_than_there_are": (
        "9.3.4 3.3.10",
        "shards.size",
        96,
        "As if recipes and volume shared a shard.",
    ),
    "another_sum": ("9.3.6", "bytes", 1908, "1,907 in all."),
    "required_ids_below_0": ("9.4.1", "requires.count", -1, "Fewer than none."),
    "required_ids_without_a_digest": (
        "9.4.2",
        "requires.count",
        1,
        "That of no bytes.",
    ),
    "a_digest_without_required_ids": ("9.4.2", "requires.digest", SOME, "None."),
    **{
        f"{name}_of_another_type": (
            "9.2.1",
            f"{place}.mediaType",
            TYPES["release" if name != "release" else "recipes"],
            "A reader has to know what it will read.",
        )
        for name, place in {
            **{name: name for name in ("release", "recipes", "shards", "approval")},
            "volume": "volumes.0",
        }.items()
    },
}
"""One member of the example, changed: rules, its place, the value, a comment."""


def _sized(volumes: Sequence[int], **changes: int) -> JSON:
    """Return the example with volumes of these sizes, and shards and sum to fit."""
    document = example()
    sizes = {"approval": len(APPROVAL), "recipes": len(TINY_RECIPES), **changes}
    count = sum(-(-size // MIB) for size in [sizes["recipes"], *volumes])
    sizes["shards"] = 64 + 32 * count
    for name, size in sizes.items():
        document[name] = document[name] | {"size": size}
    document["volumes"] = [
        {**example()["volumes"][0], "size": size, "name": f"vol-{number:05d}.bdv"}
        for number, size in enumerate(volumes, start=1)
    ]
    document["bytes"] = sum(volumes) + sum(sizes.values())
    return document


def _built() -> dict[str, tuple[str, Body, str]]:
    one = dumps(example()["volumes"][0])
    before, after = dumps(example()).split(one)
    some = dumps(example()["carried"][0])
    first, last = dumps(example()).split(b"[" + some + b"]")
    return {
        "approval_over_64_mib": (
            "9.3.5 4.5",
            dumps(_sized([1315], approval=(64 << 20) + 1)),
            "One byte more than the most.",
        ),
        "100000_volumes": (
            "9.3.3 2.1.4",
            (before, Repeat(one + b",", 99_999), one, after),
            "One too many; all are the same, but bounds come first.",
        ),
        "100001_recipes": (
            "9.2.6 2.1.4",
            (first + b"[", Repeat(some + b",", 100_000), some + b"]", last),
            "One too many; all are the same, but bounds come first.",
        ),
        "a_required_feature_nobody_knows": (
            "8.2.4 9.1.2",
            dumps(example(features={"required": ["sparkle"], "optional": []})),
            "The reader names it.",
        ),
        "format_2": ("8.2.1 9.1.2", dumps(example(format=2)), "A later one."),
        "a_feature_twice": (
            "8.2.3 9.1.2",
            dumps(example(features={"required": [], "optional": ["a", "a"]})),
            "Once.",
        ),
    }


assert digest(b"") == NO_BYTES
assert b3(b"").hex() in NO_BYTES
