"""What a local store holds, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.errors import StoreError

if TYPE_CHECKING:
    from bundle.store.base import Committed, Identity
    from bundle.store.local import LocalStore


@dataclass(frozen=True, slots=True)
class Stat:
    """Counts, and ``bytes`` of the packs as they lie on the disk."""

    identity: Identity
    releases: tuple[Committed, ...]
    lost: int
    recipes: int
    packs: int
    chunks: int
    bytes: int


def stat(store: LocalStore) -> Stat:
    """Return what a store holds; ``lost`` counts releases that are not whole.

    Raises:
        FormatError: a commit pointer is damaged.
        StoreError: the store cannot be read.
    """
    place, packs = store.place, store.vault.packs
    pointers = store.pointers.all()
    numbers = packs.numbers().tolist()
    try:
        recipes = len(list(place.recipes.iterdir())) if place.recipes.is_dir() else 0
        size = sum(packs.path(number).stat().st_size for number in numbers)
    except OSError as error:
        raise StoreError(f"{place.root}: {error.strerror}") from error
    return Stat(
        identity=place.identity(),
        releases=tuple(one.release for one in pointers if not one.lost),
        lost=sum(one.lost for one in pointers),
        recipes=recipes,
        packs=len(numbers),
        chunks=sum(len(ids) for ids in store.vault.index.batches()),
        bytes=size,
    )
