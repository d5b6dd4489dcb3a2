"""What a bucket was given before, by the ledger: artifacts, and where they went."""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003 - fields are read at run time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundle.errors import TargetError
from bundle.target.ledger import Given, Ledger  # noqa: TC001 - fields are read at run time
from bundle.target.s3_layout import (
    ORIGINALS,
    Layout,
    Spot,
    home_of,
    refs_of,
    spots,
)

if TYPE_CHECKING:
    from bundle.format.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Known:
    """One artifact that was published below one base."""

    layout: Layout
    base: str
    given: Given
    recipe: Recipe

    def spots(self) -> Iterator[Spot]:
        """Yield where its files are."""
        kind, name = self.given.kind, self.given.name
        return spots_below(self.base, self.layout, kind, name, self.recipe)


@dataclass(frozen=True, slots=True)
class Past:
    """Everything that was published, the newest first, in every generation."""

    layout: Layout
    ledger: Ledger
    generations: Callable[[], tuple[str, ...]]
    generation: str

    @property
    def bases(self) -> tuple[str, ...]:
        """What comes before paths: of this generation, of none, and of the others."""
        names = dict.fromkeys((self.generation, "", *self.generations()))
        return tuple(f"{name}/" if name else "" for name in names)

    def given(self) -> list[Given]:
        """Return the artifacts of all releases that the layout has a place for."""
        releases = reversed(self.ledger.releases())
        every = dict.fromkeys(one for each in releases for one in each.artifacts)
        return [one for one in every if self._has_place(one)]

    def known(self, artifact: tuple[str, str] | None = None) -> Iterator[Known]:
        """Yield what was published of one artifact, kind and name, or of all."""
        bases = self.bases
        for one in self.given():
            if artifact in (None, (one.kind, one.name)):
                recipe = self.ledger.recipe(one.recipe)
                if recipe is not None:
                    for base in bases:
                        yield Known(self.layout, base, one, recipe)

    def homes(self) -> Iterator[str]:
        """Yield what the paths of everything that was published begin with."""
        bases = self.bases
        for one in self.given():
            for base in bases:
                yield from homes_of(base, self.layout, one.kind, one.name)

    def _has_place(self, one: Given) -> bool:
        """Return whether a reader would find it; the ledger may be somebody else's."""
        if not self.layout.takes(one.kind):
            return False
        try:
            home_of(self.layout, one.kind, one.name)
        except TargetError:
            return False
        return True


def spots_below(
    base: str, layout: Layout, kind: str, name: str, recipe: Recipe
) -> Iterator[Spot]:
    """Yield where the files of an artifact go below the prefix."""
    for spot in spots(layout, kind, name, recipe):
        yield replace(spot, path=f"{base}{spot.path}")


def homes_of(base: str, layout: Layout, kind: str, name: str) -> Iterator[str]:
    """Yield what the paths of an artifact begin with, each ending with a slash."""
    yield f"{base}{home_of(layout, kind, name)}"
    if kind != "tree":
        yield f"{base}{refs_of(layout, kind, name)}"
    yield f"{base}{ORIGINALS}"
