"""What one artifact lacks in the bucket, and where its content is there already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.flow.together import together
from bundle.format.recipe import Recipe  # noqa: TC001 - fields are read at run time
from bundle.s3.bucket import AT_ONCE
from bundle.target.s3_layout import Spot  # noqa: TC001 - fields are read at run time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bundle.target.s3_inventory import Inventory


@dataclass(slots=True)
class Plan:
    """One artifact on its way: ``spots`` have paths below the prefix.

    ``there`` are the paths where the right content is already. ``sources`` are
    paths that have a content by its SHA-256 and that nothing here overwrites.
    """

    recipe: Recipe
    spots: tuple[Spot, ...]
    there: set[str] = field(default_factory=set)
    sources: dict[bytes, str] = field(default_factory=dict)

    def size(self, spot: Spot) -> int:
        """Return the bytes of the file that goes to a spot."""
        return int(self.recipe.sizes[spot.index])

    def sha256(self, spot: Spot) -> bytes:
        """Return the SHA-256 of the file that goes to a spot."""
        return bytes(self.recipe.sha256[spot.index])

    def left(self, *, late: bool) -> dict[bytes, list[Spot]]:
        """Return what is to be put, early or late, by the SHA-256 of its content."""
        groups: dict[bytes, list[Spot]] = {}
        for spot in self.spots:
            if spot.path not in self.there and spot.late is late:
                groups.setdefault(self.sha256(spot), []).append(spot)
        return groups

    @property
    def missing(self) -> list[int]:
        """The files whose content is nowhere in the bucket."""
        return sorted(
            {
                spot.index
                for spot in self.spots
                if spot.path not in self.there
                and self.size(spot)
                and self.sha256(spot) not in self.sources
            }
        )

    async def look(
        self, inventory: Inventory, elsewhere: Mapping[bytes, list[str]]
    ) -> None:
        """Find out what is there; ``elsewhere`` are paths that may have a content.

        Raises:
            StoreError, TargetError: the bucket does not say.
        """

        async def is_there(spot: Spot) -> bool:
            return await inventory.holds(spot.path, self.size(spot), self.sha256(spot))

        found = await together(is_there, self.spots, AT_ONCE)
        for spot, held in zip(self.spots, found, strict=True):
            if held:
                self.there.add(spot.path)
                self.sources.setdefault(self.sha256(spot), spot.path)
        lacking = {
            self.sha256(spot): self.size(spot)
            for spot in self.spots
            if spot.path not in self.there and self.size(spot)
        }
        replaced = {spot.path for spot in self.spots} - self.there

        async def find(content: bytes) -> None:
            for path in elsewhere.get(content, ()):
                if path not in replaced and await inventory.holds(
                    path, lacking[content], content
                ):
                    self.sources[content] = path
                    return

        await together(find, lacking.keys() - self.sources.keys(), AT_ONCE)


def paths_by_content(
    recipes: Iterable[tuple[Recipe, Iterable[Spot]]],
) -> dict[bytes, list[str]]:
    """Return the paths where recipes put each content that is not empty."""
    found: dict[bytes, list[str]] = {}
    for recipe, spots in recipes:
        for spot in spots:
            if recipe.sizes[spot.index]:
                content = bytes(recipe.sha256[spot.index])
                found.setdefault(content, []).append(spot.path)
    return found
