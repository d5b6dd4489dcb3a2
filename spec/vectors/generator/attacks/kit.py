"""What an attack is: a bundle that must be refused, who would do it, and its README.

An attack lies in a directory of its own: ``attack`` is a vector (see
``container``) of a whole bundle or of a stream, ``README.md`` says the same to
people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import File
from spec.vectors.generator.bundles import receiver
from spec.vectors.generator.container import Content, Vector, refuse, render
from spec.vectors.generator.medium import BASE, Bundle, Item, statement
from spec.vectors.generator.statements import replaced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FAMILIES: Final = {
    "paths": "A file's path leads out of the target, or is two files' path.",
    "names": "A name that is no path is used as one.",
    "signatures": "What is not signed passes for signed.",
    "trust": "Whose signature counts is changed by whoever carries the medium.",
    "history": "Good bundles, at the wrong time or in the wrong place.",
    "mixes": "Good parts of different bundles.",
    "volumes": "Offsets, counts and digests that disagree.",
    "recipes": "Lists of files that promise one thing and hold another.",
    "bombs": "A little that becomes much.",
    "documents": "JSON that two readers take differently.",
    "media": "Files on the medium that are none.",
    "caches": "A Hugging Face cache that clients load something else from.",
    "streams": "Bundles through a pipe.",
}
"""The families of attacks, and what each tries."""

LANDMARK: Final = "bundle-attack-was-here"
"""What a path that leads out ends in: wherever a file of this name appears, a
reader has failed."""

ABSOLUTE: Final = f"/tmp/{LANDMARK}"  # noqa: S108 - where paths of attacks lead
"""A path outside of every target."""

PEOPLE: Final = {
    10: "the bytes are malformed",
    11: "bytes and a digest or a signed count disagree",
    12: "they are not to be trusted here",
    13: "something required is not here",
    14: "the target cannot take it",
}
"""What each exit code says."""


@dataclass(frozen=True)
class Attack:
    """One attack; ``known`` are advisories about others that fell to its like."""

    family: str
    vector: Vector
    known: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.vector.name

    def files(self) -> dict[str, str]:
        """Return the text of its two files by their paths."""
        return {
            f"{self.name}/attack": render(self.vector),
            f"{self.name}/README.md": self.readme(),
        }

    def readme(self) -> str:
        """Return what people read."""
        vector = self.vector
        title = vector.name.replace("_", " ")
        rules = ", ".join(vector.rules)
        lines = [
            f"# {title[0].upper()}{title[1:]}",
            "",
            vector.comment,
            "",
            f"* {FAMILIES[self.family]}",
            f"* Rules that it breaks: {rules}.",
            f"* Refused with exit {vector.exit}: {PEOPLE[vector.exit]}.",
        ]
        if reader := vector.given.get("reader"):
            lines.append(f"* It is for `{reader}` to refuse.")
        if self.known:
            lines.append(f"* Others fell to its like: {', '.join(self.known)}.")
        return "\n".join([*lines, ""])


def attack(
    family: str,
    name: str,
    rules: str,
    what: Bundle | Mapping[str, Content],
    comment: str,
    *,
    exit: int = 10,  # noqa: A002 - the word of the header
    names: str = "",
    known: str = "",
    kind: str = "bundle",
    given: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Attack:
    """Return an attack on the receiver, which ``changes`` make another one.

    ``known`` are advisories, separated by semicolons; ``given`` is added to what
    a reader has to know.
    """
    if not re.fullmatch(r"[a-z0-9_]{1,64}", name):
        raise ValueError(f"an attack called {name!r}")
    body = what.changed() if isinstance(what, Bundle) else dict(what)
    known_before = {"base": BASE, "receiver": receiver(**changes), **(given or {})}
    vector = refuse(
        kind, name, rules, body, comment, exit=exit, names=names, given=known_before
    )
    known_to = tuple(one.strip() for one in known.split(";") if one.strip())
    return Attack(family, vector, known_to)


def roomy(*items: Item, **changes: Any) -> dict[str, Any]:
    """Return a release whose budgets allow any path, so that no budget refuses."""
    made = statement(*items, **changes)
    made = replaced(made, "predicate.budgets.depth", 64)
    return replaced(made, "predicate.budgets.nameBytes", 255)


def holding(
    files: Sequence[File], *, volumes: Sequence[bytes] = (), **changes: Any
) -> Bundle:
    """Return a bundle of one artifact with these files; changes are of the item."""
    item = Item(files, **changes)
    return Bundle([item], release=roomy(item), volumes=volumes)


def with_paths(*paths: bytes, directories: Sequence[bytes] = ()) -> Bundle:
    """Return a bundle of one tree with these paths, in the order of a recipe."""
    files = [File(path, (b"?",)) for path in paths]
    files += [File(path, mode=2) for path in directories]
    return holding(sorted(files, key=lambda file: file.path))
