"""What a reader must understand before it reads on (spec §8.2).

A document names its format and its features first of all. A required feature
that this reader does not know is refused by name; an optional one is ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bundle.errors import FormatError
from bundle.format.columns import FORMAT
from bundle.paths import check_slug
from bundle.wire import convert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

KNOWN: Final[frozenset[str]] = frozenset()
"""The features that this package implements."""


class Features(msgspec.Struct, frozen=True):
    """Names of features, each a slug and there once."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [*self.required, *self.optional]
        for name in names:
            check_slug(name, rule="8.2.2")
        if len(set(names)) != len(names):
            raise FormatError("a feature is named twice", rule="8.2.3")


class _Head(msgspec.Struct):
    format: int
    features: Features


def check_head(document: object, known: Collection[str], *, noun: str) -> None:
    """Refuse a document that this reader is too old for.

    Raises:
        FormatError: its format or a required feature is not known.
    """
    head = convert(document, _Head, rule="8.2.1")
    if head.format != FORMAT:
        raise FormatError(
            f"the {noun} has format {head.format}, this reader knows {FORMAT}",
            rule="8.2.1",
            advice="read it with a newer version" if head.format > FORMAT else "",
        )
    check_features(head.features.required, known)


def check_features(required: Iterable[str], known: Collection[str] = KNOWN) -> None:
    """Refuse required features that are not among ``known``.

    Raises:
        FormatError: names the ones that are missing.
    """
    missing = sorted(set(required) - set(known))
    if missing:
        raise FormatError(
            f"needs features this reader does not have: {', '.join(missing)}",
            rule="8.2.4",
            advice="read it with a newer version",
        )
