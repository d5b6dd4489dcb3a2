"""What the far side holds, so that it need not travel again.

Three sources tell: a receipt together with what the sender remembers of the
releases it names, another bundle, or what the sender remembers of a destination.
None of them is proof. A wrong one leads to a bundle that takes for granted what is
not there, and such a bundle is refused whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from bundle.errors import UsageError
from bundle.format.chunkset import ChunkSet
from bundle.format.columns import windows
from bundle.limits import MAX_RECEIPT
from bundle.medium.files import read_whole
from bundle.packing.base import read_base
from bundle.packing.history import recall
from bundle.state.destination import (
    Acknowledged,
    Destination,
    load_destination,
    save_destination,
)
from bundle.trust.chain import Trust
from bundle.trust.receipts import read_receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bundle.format.receipt import HeldRelease
    from bundle.format.recipe import Recipe
    from bundle.packing.lineage import Lineage
    from bundle.state.keydir import Signer


@dataclass(frozen=True, slots=True)
class FarSide:
    """What is known of where the bundle goes; by default nothing, and it is full.

    ``have`` is a receipt, ``base`` the directory of another bundle, ``dest`` the
    name of a destination. Releases that were sent and not acknowledged count only
    with ``assume_delivered``. The newest ``overlap`` releases do not count.
    """

    have: Path | None = None
    base: Path | None = None
    dest: str | None = None
    assume_delivered: bool = False
    overlap: int = 0

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            UsageError: an option has nothing to go on.
        """
        if self.assume_delivered and self.dest is None:
            raise UsageError(
                "--assume-delivered says nothing without --dest",
                advice="name the destination that the bundles go to: --dest NAME",
            )
        if self.overlap and (self.have, self.base, self.dest) == (None, None, None):
            raise UsageError(
                "--overlap says nothing in a full bundle",
                advice="name what the far side holds: --have, --base or --dest",
            )


UNKNOWN: Final = FarSide()
"""A far side that may hold nothing: what is packed for it is full."""


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """Chunks, recipes and releases at the far side; ``described`` says whose word."""

    chunks: ChunkSet
    recipes: frozenset[str]
    releases: tuple[tuple[int, str], ...]
    described: str
    warnings: tuple[str, ...] = ()

    def holds(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of ``ids`` (n, 32) whether it need not travel."""
        return self.chunks.holds(ids)

    def warned(self, more: Iterable[str]) -> Self:
        """Return these with more that a person should know."""
        return replace(self, warnings=(*self.warnings, *more))

    @classmethod
    def of(
        cls, held: Sequence[Held], described: str, warnings: Iterable[str] = ()
    ) -> Self:
        """Return everything that is in any of ``held``."""
        chunks = ChunkSet()
        for recipe in {d: r for one in held for d, r in one.recipes.items()}.values():
            _add(chunks, recipe)
        return cls(
            chunks=chunks,
            recipes=frozenset(digest for one in held for digest in one.recipes),
            releases=tuple((one.seq, one.digest) for one in held),
            described=described,
            warnings=tuple(warnings),
        )

    @classmethod
    def common(
        cls, held: Sequence[Held], described: str, warnings: Iterable[str] = ()
    ) -> Self:
        """Return what is in every one of ``held``, of which there is at least one."""
        newest, *others = held
        found = cls.of([newest], described, warnings)
        sets = [cls.of([one], "").chunks for one in others]
        if not sets:
            return found
        chunks = ChunkSet()
        for recipe in newest.recipes.values():
            _add(chunks, recipe, lambda ids: _in_all(ids, sets))
        recipes = frozenset.intersection(*(frozenset(one.recipes) for one in held))
        releases = tuple((one.seq, one.digest) for one in held)
        return cls(chunks, recipes, releases, described, found.warnings)


NOTHING: Final = Holdings(ChunkSet(), frozenset(), (), "")
"""What is known of a far side that nobody speaks of."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """One release of which the far side is said to hold everything."""

    stream: str
    seq: int
    digest: str
    recipes: Mapping[str, Recipe]


def find_holdings(
    far: FarSide, signer: Signer, lineage: Lineage, *, keep: bool = True
) -> Holdings:
    """Return what the far side holds of what may be packed.

    With ``keep`` a receipt is remembered as that of ``far.dest``.

    Raises:
        UsageError: ``far`` contradicts itself.
        FormatError, IntegrityError: a receipt or the base is damaged.
        TrustError: one of them is not signed by whom it must be.
        MissingError: one of them is not there.
    """
    far.check()
    search = _Search(far, signer, lineage)
    if far.base is not None:
        search.take_base(far.base)
    if far.have is not None:
        search.take_receipt(far.have, keep=keep)
    elif far.dest is not None:
        search.take_destination(far.dest)
    return search.result()


class _Search:
    """Gathers releases from each source that was named."""

    def __init__(self, far: FarSide, signer: Signer, lineage: Lineage) -> None:
        self._far = far
        self._signer = signer
        self._lineage = lineage
        self._stream = lineage.stream
        self._held: dict[tuple[str, int], Held] = {}
        self._said: list[str] = []
        self._warnings: list[str] = []
        self._sent: list[HeldRelease] = []
        self._recipes: dict[str, Recipe | None] = {}
        if far.dest is not None:
            self._sent.extend(self._destination(far.dest).sent)

    def take_base(self, path: Path) -> None:
        """Count what a bundle carries and takes for granted."""
        signer = self._signer
        trust = Trust(signer.anchor, signer.roles, (), stateless=True)
        base = read_base(path, trust)
        release = base.release
        recipes = dict(base.recipes)
        for artifact in release.artifacts:
            digest = artifact.recipe.digest
            known = None if digest in recipes else self._recipe(digest)
            if known is not None:
                recipes[digest] = known
        held = Held(release.stream.id, release.seq, base.digest, recipes)
        self._held[held.stream, held.seq] = held
        self._said.append(f"the bundle {path.name}")

    def take_receipt(self, path: Path, *, keep: bool) -> None:
        """Count the releases that a receipt names."""
        read = read_receipt(read_whole(path, MAX_RECEIPT), self._signer.roles)
        self._warnings.extend(read.warnings)
        news = Acknowledged.of(read.receipt, self._lineage.id)
        self._count(news)
        if not news.releases:
            self._warnings.append(
                f"the receipt of site {news.site} names no release of "
                f"{self._lineage.name}: the bundle is full"
            )
        if self._far.dest is not None and self._stream is not None:
            self._acknowledge(self._far.dest, news, keep=keep)

    def take_destination(self, name: str) -> None:
        """Count what a destination acknowledged before."""
        known = self._destination(name).acknowledged
        if known is not None:
            self._count(known)
        elif not self._far.assume_delivered:
            self._warnings.append(
                f"{name} has acknowledged nothing of {self._lineage.name} yet: the "
                "bundle is full (--have RECEIPT acknowledges; --assume-delivered "
                "counts what was sent)"
            )

    def result(self) -> Holdings:
        """Return all of it together."""
        if not (self._said or self._sent or self._warnings):
            return NOTHING
        if self._far.assume_delivered:
            return self._delivered()
        held = sorted(self._held.values(), key=lambda one: -one.seq)
        own = [one for one in held if one.stream == self._lineage.id]
        others = [one for one in held if one.stream != self._lineage.id]
        counted = own[self._far.overlap :] + others
        said = " and ".join(self._said)
        return Holdings.of(counted, _described(counted, said), self._warnings)

    def _delivered(self) -> Holdings:
        """Count the newest release that was sent, as far as any of the last has it.

        A far side that got all of them may have dropped what only an older one
        had; one that lost the last ``overlap`` has nothing that is only in those.
        """
        for sent in self._sent:
            self._add(sent)
        own = [one for (stream, _), one in self._held.items() if stream == self._id]
        newest = sorted(own, key=lambda one: -one.seq)[: self._far.overlap + 1]
        if len(newest) <= self._far.overlap:
            self._warnings.append(
                f"only {len(newest)} releases were sent to {self._far.dest}: with an "
                f"overlap of {self._far.overlap} the bundle is full"
            )
            return Holdings.of([], "", self._warnings)
        said = f"what was sent to {self._far.dest}"
        return Holdings.common(newest, _described(newest, said), self._warnings)

    @property
    def _id(self) -> str:
        return self._lineage.id

    def _recipe(self, digest: str) -> Recipe | None:
        """Return a recipe that is remembered; read once for all its releases."""
        if digest not in self._recipes:
            self._recipes[digest] = self._lineage.recipe(digest)
        return self._recipes[digest]

    def _destination(self, name: str) -> Destination:
        if self._stream is None:
            return Destination()
        return load_destination(self._stream.directory, name)

    def _count(self, acknowledged: Acknowledged) -> None:
        for held in acknowledged.releases:
            self._add(held)
        self._said.append(f"site {acknowledged.site}")

    def _add(self, named: HeldRelease) -> None:
        """Count a release by its number and digest, if it is remembered here."""
        past = None if self._stream is None else recall(self._stream, named.seq)
        if past is None or past.digest != named.digest:
            self._warnings.append(
                f"release {named.seq} of {self._lineage.name}, "
                f"{named.digest[:23]}…, is not remembered here: what only it holds "
                "is sent again"
            )
            return
        recipes = {}
        for artifact in past.release.artifacts:
            recipe = self._recipe(artifact.recipe.digest)
            if recipe is not None:
                recipes[artifact.recipe.digest] = recipe
        held = Held(self._id, past.seq, past.digest, recipes)
        self._held[held.stream, held.seq] = held

    def _acknowledge(self, name: str, news: Acknowledged, *, keep: bool) -> None:
        """Remember a receipt as the newest of a destination, if it is that."""
        known = self._destination(name)
        before = known.acknowledged
        if before is not None and before.site != news.site:
            self._warnings.append(
                f"the receipts of {name} were of site {before.site} before, this one "
                f"is of {news.site}"
            )
        if not news.follows(before):
            self._warnings.append(
                f"{name} has sent a newer receipt before: this one counts for this "
                "bundle alone"
            )
        elif keep and self._stream is not None:
            save_destination(
                self._stream.directory, name, known.with_acknowledged(news)
            )


def record_sent(lineage: Lineage, dest: str, digest: str) -> None:
    """Remember that the release of ``lineage`` was packed for a destination.

    Raises:
        TargetError: it could not be written.
    """
    stream = lineage.stream
    if stream is not None:
        known = load_destination(stream.directory, dest)
        save_destination(stream.directory, dest, known.with_sent(lineage.seq, digest))


def _add(
    chunks: ChunkSet,
    recipe: Recipe,
    chosen: Callable[[NDArray[np.uint8]], NDArray[np.bool_]] | None = None,
) -> None:
    for first, last in windows(0, recipe.chunks):
        ids = recipe.chunk_ids[first:last]
        chunks.add_new(ids if chosen is None else ids[chosen(ids)])


def _in_all(ids: NDArray[np.uint8], sets: Iterable[ChunkSet]) -> NDArray[np.bool_]:
    first, *others = sets
    found = first.holds(ids)
    for other in others:
        found &= other.holds(ids)
    return found


def _described(held: Sequence[Held], said: str) -> str:
    """Return in words what is counted and on whose word."""
    if not held:
        return ""
    numbers = ", ".join(str(one.seq) for one in held)
    return f"release{'s' if len(held) > 1 else ''} {numbers}, by {said}"
