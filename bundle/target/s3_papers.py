"""What a target in a bucket keeps there of itself (spec §92.3).

Below the prefix::

    .bundle/store.json           the ledger, for a machine that has none yet
    .bundle/recipes/<hex>.bdr    the recipes of the releases in it
    .bundle/generations/<name>   empty: there is a generation of this name

Below the prefix, or below the generation::

    .bundle/releases/<stream>.json   the marker: this release is here, whole

All of it is read as what somebody else may have written: bounded, and a recipe by
its digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bundle.digest import Digest, digest_of
from bundle.errors import FormatError, NotFoundError
from bundle.format.recipe import Recipe
from bundle.limits import MAX_KEPT_RECIPE, MAX_MARKER
from bundle.target.ledger import MAX_LEDGER
from bundle.target.workspace import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.s3.client import S3Client
    from bundle.target.ledger import Applied, Ledger
    from bundle.target.s3_inventory import Inventory

PAPERS: Final = f"{NAME}/"
LEDGER: Final = f"{NAME}/store.json"
RECIPES: Final = f"{NAME}/recipes/"
GENERATIONS: Final = f"{NAME}/generations/"
MARKERS: Final = f"{NAME}/releases/"
PROBE: Final = f"{NAME}/probe-"


class Listed(msgspec.Struct, frozen=True):
    """An artifact as a marker lists it; its keys begin with ``home``."""

    kind: str
    name: str
    recipe: str
    home: str


class Marker(msgspec.Struct, frozen=True):
    """Says that a release is whole below the base that it lies in."""

    release: str
    stream: str
    name: str
    seq: int
    layout: str
    artifacts: tuple[Listed, ...]
    format: int = 1

    @classmethod
    def parse(cls, data: bytes) -> Marker | None:
        """Return what a marker says, None if it cannot be understood."""
        try:
            marker = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, RecursionError, ValueError):
            return None
        return marker if marker.format == 1 else None

    def serialize(self) -> bytes:
        """Return the bytes of the object; the same marker has the same bytes."""
        return msgspec.json.encode(self, order="deterministic")


class Papers:
    """Reads and writes them."""

    def __init__(self, client: S3Client, inventory: Inventory) -> None:
        self._client = client
        self._inventory = inventory

    def generations(self) -> tuple[str, ...]:
        """Return the names of the generations that there are."""
        found = self._inventory.below(GENERATIONS)
        return tuple(path.removeprefix(GENERATIONS) for path in found)

    async def note_generation(self, name: str) -> None:
        """Remember that there is a generation of this name.

        Raises:
            StoreError, TargetError: it cannot be written.
        """
        path = f"{GENERATIONS}{name}"
        if path not in self._inventory.sizes:
            await self._put(path, b"")

    async def fetch_ledger(self, ledger: Ledger) -> None:
        """Know what the bucket's own ledger knows, where that is another.

        Raises:
            StoreError, TargetError: the bucket cannot be read, or this machine's
                working directory cannot be written.
        """
        data = await self._get(LEDGER, MAX_LEDGER)
        if data is None or data == ledger.data() or not ledger.adopt(data):
            return
        for digest in _recipes_of(ledger.releases()):
            path = _recipe_path(digest)
            if path not in self._inventory.sizes or ledger.recipe(digest) is not None:
                continue
            found = await self._get(path, MAX_KEPT_RECIPE)
            if found is not None and str(digest_of(found)) == digest:
                try:
                    ledger.keep(digest, Recipe.parse(found))
                except FormatError:
                    continue

    async def store_ledger(self, ledger: Ledger) -> None:
        """Keep a copy of the ledger and its recipes in the bucket.

        Raises:
            StoreError, TargetError: it cannot be written.
        """
        data = ledger.data()
        if data is None or data == await self._get(LEDGER, MAX_LEDGER):
            return
        used = set()
        for digest in _recipes_of(ledger.releases()):
            path = _recipe_path(digest)
            used.add(path)
            recipe = ledger.recipe(digest)
            if (
                recipe is not None
                and path not in self._inventory.sizes
                and len(recipe.data) <= MAX_KEPT_RECIPE
            ):
                await self._put(path, bytes(recipe.data))
        await self._put(LEDGER, data)
        for path in self._inventory.below(RECIPES):
            if path not in used:
                await self._inventory.remove(path)

    async def marker(self, base: str, stream: str) -> Marker | None:
        """Return the marker of a stream below a base, None where there is none.

        Raises:
            StoreError, TargetError: the bucket cannot be read.
        """
        data = await self._read(f"{base}{MARKERS}{stream}.json", MAX_MARKER)
        return None if data is None else Marker.parse(data)

    async def mark(self, base: str, marker: Marker) -> None:
        """Say that a release is whole below a base; nothing is written if it is said.

        Raises:
            StoreError, TargetError: it cannot be written.
        """
        if await self.marker(base, marker.stream) != marker:
            path = f"{base}{MARKERS}{marker.stream}.json"
            await self._put(path, marker.serialize())

    async def _get(self, path: str, limit: int) -> bytes | None:
        """Return a small object that the listing shows, None where it does not."""
        if self._inventory.sizes.get(path, limit + 1) > limit:
            return None
        return await self._read(path, limit)

    async def _read(self, path: str, limit: int) -> bytes | None:
        try:
            return await self._client.get(self._inventory.key(path), limit)
        except NotFoundError:
            return None

    async def _put(self, path: str, data: bytes) -> None:
        await self._client.put_object(self._inventory.key(path), data)
        self._inventory.note(path, len(data), None)


def _recipe_path(digest: str) -> str:
    return f"{RECIPES}{Digest.parse(digest).raw.hex()}.bdr"


def _recipes_of(releases: Iterable[Applied]) -> list[str]:
    """Return the digests of all recipes, the newest first, each once."""
    newest = (one for release in reversed(list(releases)) for one in release.artifacts)
    found = []
    for one in newest:
        try:
            Digest.parse(one.recipe)
        except FormatError:
            continue
        found.append(one.recipe)
    return list(dict.fromkeys(found))
