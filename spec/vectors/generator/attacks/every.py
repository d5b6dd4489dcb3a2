"""Every attack there is, and the two files of each."""

from __future__ import annotations

from typing import Final

from spec.vectors.generator.attacks import (
    bombs,
    caches,
    documents,
    history,
    media,
    mixes,
    names,
    paths,
    recipes,
    signatures,
    streams,
    trust,
    volumes,
)
from spec.vectors.generator.attacks.kit import FAMILIES, Attack

MODULES: Final = (
    paths,
    names,
    signatures,
    trust,
    history,
    mixes,
    volumes,
    recipes,
    bombs,
    documents,
    media,
    caches,
    streams,
)


def every() -> list[Attack]:
    """Return every attack, family by family.

    Raises:
        ValueError: two have one name.
    """
    found = [one for module in MODULES for one in module.attacks()]
    if len({one.name for one in found}) != len(found):
        raise ValueError("two attacks have one name")
    return found


def files() -> dict[str, str]:
    """Return the text of every file of the kit that is made, by its path."""
    made = {"INDEX.md": index()}
    for one in every():
        made |= one.files()
    return made


def index() -> str:
    """Return the list of all attacks."""
    held = every()
    lines = [
        "# All attacks",
        "",
        f"{len(held)} in {len(FAMILIES)} families. Made by `generate.py`.",
    ]
    for family, about in FAMILIES.items():
        those = [one for one in held if one.family == family]
        lines += ["", f"## {family.title()}: {len(those)}", "", about, ""]
        lines += ["| attack | exit | rules | |", "|---|---|---|---|"]
        lines += [
            f"| [{one.name}]({one.name}/README.md) | {one.vector.exit} "
            f"| {', '.join(one.vector.rules)} | {one.vector.comment} |"
            for one in those
        ]
    return "\n".join([*lines, ""])
