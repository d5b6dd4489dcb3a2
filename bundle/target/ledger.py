"""What a target keeps so that it can say what it holds (spec §60.3).

::

    .bundle/
      store.json            its id and generation, and the releases it was given
      recipes/<hex>.bdr     the recipes of these, by digest
      originals/<sha256>    files that are published in a form of their own

Nothing here is needed to use what was published. Without it, or with a part of it
damaged, the next bundle has to carry more.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Self

import msgspec

from bundle.digest import Digest, digest_of
from bundle.errors import FormatError
from bundle.format.recipe import Recipe
from bundle.limits import MAX_RECEIPT_RELEASES, MIB
from bundle.store.base import Committed, Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from bundle.target.workspace import Workspace

KEPT: Final = MAX_RECEIPT_RELEASES
"""Releases of one stream that are remembered."""

ORIGINALS: Final = "originals"

_STORE: Final = ("store.json",)
_RECIPES: Final = "recipes"

MAX_LEDGER: Final = 256 * MIB
"""Bytes of what is known of releases."""


class Given(msgspec.Struct, frozen=True, array_like=True):
    """An artifact as a release lists it; ``recipe`` is the text of a digest."""

    kind: str
    name: str
    recipe: str


class Applied(msgspec.Struct, frozen=True):
    """A release that was published here, with all its artifacts.

    ``stream`` is the id of the stream and ``name`` its label.
    """

    stream: str
    name: str
    seq: int
    digest: str
    artifacts: tuple[Given, ...]

    def committed(self, takes: Callable[[str], bool]) -> Committed:
        """Return it as a store says it, with the artifacts of kinds it ``takes``."""
        recipes = (one.recipe for one in self.artifacts if takes(one.kind))
        return Committed(self.stream, self.name, self.seq, self.digest, tuple(recipes))


class _Document(msgspec.Struct, frozen=True):
    id: str
    format: int = 1
    generation: int = 1
    releases: tuple[Applied, ...] = ()
    """In the order in which they were published, the newest last."""

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_hex(16))


class Ledger:
    """Reads and writes what is kept below ``.bundle`` of one target."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def identity(self) -> Identity | None:
        """Return the target's id as a store, None if nothing was kept here yet."""
        document = self._load()
        return None if document is None else Identity(document.id, document.generation)

    def releases(self) -> tuple[Applied, ...]:
        """Return the releases that were published here, the newest last."""
        document = self._load()
        return () if document is None else document.releases

    def data(self) -> bytes | None:
        """Return all that is known of releases, for ``adopt``; None if nothing is."""
        return self._workspace.read(_STORE, MAX_LEDGER)

    def adopt(self, data: bytes) -> bool:
        """Know what another copy of this ledger knows; whether there is such a thing.

        Raises:
            TargetError: it could not be written.
        """
        known = _parse(data) is not None
        if known:
            self._workspace.write(_STORE, data)
        return known

    def recipe(self, digest: str) -> Recipe | None:
        """Return a recipe that was kept and is not damaged, or None."""
        try:
            name = f"{Digest.parse(digest).raw.hex()}.bdr"
            data = self._workspace.map((_RECIPES, name))
            if data is None or str(digest_of(data)) != digest:
                return None
            return Recipe.parse(data)
        except FormatError:
            return None

    def keep(self, digest: str, recipe: Recipe) -> None:
        """Keep a recipe, durably; nothing is written when it is there.

        Raises:
            TargetError: it could not be written.
        """
        if self.recipe(digest) is None:
            name = f"{Digest.parse(digest).raw.hex()}.bdr"
            self._workspace.write((_RECIPES, name), recipe.data)

    def note(self, applied: Applied, *, changed: bool) -> None:
        """Remember a release; ``changed`` says that files were written for it.

        The newest of its stream is then this one, whether or not it was here before:
        going back makes an older release the newest. Of each stream the last ``KEPT``
        are remembered. Those before them are
        forgotten, with the recipes that no other one has.

        Raises:
            TargetError: it could not be written.
        """
        document = self._load() or _Document.new()
        known = [one for one in document.releases if one.stream == applied.stream]
        if applied in known[-1:] and not changed:
            return
        others = [one for one in document.releases if one.digest != applied.digest]
        releases = (*others, applied)
        same = [one.digest for one in releases if one.stream == applied.stream]
        self._save(msgspec.structs.replace(document, releases=releases), same[:-KEPT])

    def lose(self, digests: Collection[str]) -> None:
        """Forget releases that are not whole any more; a new generation begins.

        Raises:
            TargetError: it could not be written.
        """
        document = self._load()
        if document is not None and digests:
            self._save(document, digests)

    def _load(self) -> _Document | None:
        data = self.data()
        return None if data is None else _parse(data)

    def _save(self, document: _Document, gone: Collection[str]) -> None:
        kept = tuple(one for one in document.releases if one.digest not in gone)
        lost = len(kept) < len(document.releases)
        document = msgspec.structs.replace(
            document, releases=kept, generation=document.generation + lost
        )
        data = msgspec.json.encode(document, order="deterministic")
        self._workspace.write(_STORE, data)
        if lost:
            self._workspace.prune(_RECIPES, _names(kept))


def _parse(data: bytes) -> _Document | None:
    """Return what a ledger says, None if it cannot be understood."""
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return document if document.format == 1 else None


def _names(releases: Iterable[Applied]) -> set[str]:
    """Return the names of the files of all recipes that ``releases`` use."""
    return {
        f"{one.recipe.rpartition(':')[2]}.bdr"
        for release in releases
        for one in release.artifacts
    }
