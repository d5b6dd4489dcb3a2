"""``s3://BUCKET/PREFIX?layout=…``: artifacts as objects, for readers of buckets.

Files come first, the refs that lead to them next, and a marker with the digest of
the release last, so that a reader that waits for the marker never takes half a
release for a whole one. With ``generation=`` everything goes below a prefix of its
own, for readers that take whatever they find.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, Self

from bundle.durable import make_directory
from bundle.errors import UsageError
from bundle.flow.together import together
from bundle.limits import MIN_PART
from bundle.s3.address import Address, parse_address
from bundle.s3.bucket import AT_ONCE
from bundle.s3.client import S3Client
from bundle.s3.parts import SEND_PART
from bundle.s3.probe import Probe
from bundle.s3.upload import Uploads
from bundle.store.chunk_map import Placed
from bundle.target.base import Transfer
from bundle.target.claims import KeyClaims
from bundle.target.remote import RemoteTarget
from bundle.target.retention import UNKNOWN, Pruned, divide
from bundle.target.s3_inventory import BucketFiles, Inventory
from bundle.target.s3_known import Past, homes_of, spots_below
from bundle.target.s3_layout import (
    Layout,
    Spot,
    check_places,
    home_of,
    unpublished,
)
from bundle.target.s3_papers import PAPERS, PROBE, Listed, Marker, Papers
from bundle.target.s3_plan import Plan, paths_by_content
from bundle.target.s3_publication import Publication, Ways
from bundle.target.s3_runs import RunFinder
from bundle.target.workspace import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.target.base import Published, Staged
    from bundle.target.ledger import Applied
    from bundle.target.options import TargetOptions

STALE: Final = 24 * 3600
"""Seconds after which an upload that nobody goes on with is ended."""

_GENERATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OPTIONS: Final = frozenset({"layout", "generation"})


class S3Target(RemoteTarget):
    """Publishes repositories of the hub, and in layout ``flat`` trees, into a bucket.

    ``base`` is what comes before every path: the generation and a slash, or nothing.
    """

    prunes: ClassVar = True

    def __init__(
        self, address: Address, layout: Layout, generation: str, options: TargetOptions
    ) -> None:
        self.address = address
        self.layout = layout
        self.generation = generation
        self.base = f"{generation}/" if generation else ""
        shown = f"&generation={generation}" if generation else ""
        place = f"{address}?layout={layout}"
        endpoint = options.s3.endpoint or "aws"
        super().__init__(f"{place}{shown}", options, place=f"{endpoint} {place}")
        self.transfer = Transfer()
        self._options = options
        self._client = S3Client(address.bucket, options.s3, options.pace)
        self._inventory = Inventory(self._client, address)
        self._papers = Papers(self._client, self._inventory)
        self._probe = Probe(self._client, address.key(PROBE))
        self._uploads = Uploads(self._client, self._workspace.root / NAME / "uploads")
        self._past = Past(layout, self.ledger, self._papers.generations, generation)
        self._claims = KeyClaims(self.location)
        self._plans: dict[tuple[str, str], Plan] = {}
        self._elsewhere: dict[bytes, list[str]] | None = None
        self._skipped = 0

    async def __aenter__(self) -> Self:
        """Connect, and know what the bucket knows of what was published.

        Raises:
            StoreError: the endpoint does not answer.
            TargetError: there is no such bucket, or we are not let in.
        """
        await self._client.__aenter__()
        try:
            await self._inventory.look(PAPERS)
            await asyncio.to_thread(make_directory, self._workspace.root)
            await self._papers.fetch_ledger(self.ledger)
        except BaseException as error:
            await self._client.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(self, *failed: object) -> None:
        """Leave a copy of the ledger in the bucket, and close all connections."""
        try:
            if failed[0] is None:
                await self._papers.store_ledger(self.ledger)
        finally:
            await self._client.__aexit__(None, None, None)

    def takes(self, kind: str) -> bool:
        """Return whether the layout has a place for artifacts of this kind."""
        return self.layout.takes(kind)

    async def missing(self, artifact: Artifact, recipe: Recipe) -> list[int]:
        """Return the files whose content no object of the bucket has.

        Raises:
            StoreError: the endpoint does not answer.
            TargetError: the artifact has no place in this layout, or another one
                of this run has it already.
        """
        check_places(artifact, recipe)
        named = self.layout, artifact.kind, artifact.name
        wanted = tuple(spots_below(self.base, *named, recipe))
        self._claims.add(artifact.name, (spot.path for spot in wanted))
        for home in homes_of(self.base, *named):
            await self._inventory.look(home)
        plan = Plan(recipe, wanted)
        for home in dict.fromkeys(self._past.homes()):
            await self._inventory.look(home)
        if self._elsewhere is None:
            known = ((one.recipe, one.spots()) for one in self._past.known())
            self._elsewhere = await asyncio.to_thread(paths_by_content, known)
        await plan.look(self._inventory, self._elsewhere)
        self._plans[artifact.kind, artifact.name] = plan
        return plan.missing

    def holds(self, artifact: Artifact) -> bool:
        """Return False: without its recipe nobody knows which objects to look at."""
        del artifact
        return False

    async def publish(
        self, artifact: Artifact, recipe: Recipe, staged: Staged
    ) -> Published:
        """Put the files of one artifact, and then the refs that lead to them.

        Raises:
            StoreError: the endpoint does not answer any more.
            TargetError: the bucket does not take them.
        """
        plan = self._plans[artifact.kind, artifact.name]
        if self.generation:
            await self._papers.note_generation(self.generation)
        sizes = {spot.path: plan.size(spot) for spot in plan.spots}
        skipped = sum(sizes[path] for path in plan.there)
        self.reporter.started("upload", sum(sizes.values()) - skipped)
        ways = Ways(
            self._client,
            self._inventory,
            self._uploads,
            self._probe,
            lambda: self.staging,
        )
        finder = await self._finder((artifact.kind, artifact.name), plan)
        self._client.watch = self.reporter.advanced
        try:
            published = await Publication(ways, plan, staged, finder).run()
        finally:
            self._client.watch = _unwatched
        self.reporter.finished()
        self._skipped += skipped
        self._count()
        return replace(published, left_out=tuple(unpublished(artifact.kind, recipe)))

    async def finish(self, release: str) -> None:
        """Say in the bucket that the release is whole, and remove what is to go.

        Raises:
            StoreError: the endpoint does not answer any more.
            TargetError: the bucket does not take it.
        """
        applied = next(one for one in self.ledger.releases() if one.digest == release)
        await self._papers.store_ledger(self.ledger)
        await self._papers.mark(self.base, self._marker(applied))
        before = self._options.clock() - STALE
        await self._uploads.abort_stale(self.address.key(""), before)
        self._count()
        await super().finish(release)

    def needed_sizes(self, recipe: Recipe, missing: Sequence[int]) -> Iterable[int]:
        """Return the size of each content that is staged, once."""
        contents = {bytes(recipe.sha256[index]): index for index in missing}
        return [int(recipe.sizes[index]) for index in contents.values()]

    def places(self, kind: str, name: str, recipe: Recipe) -> Iterable[tuple[int, str]]:
        """Return the paths in every generation."""
        for base in self._past.bases:
            for spot in spots_below(base, self.layout, kind, name, recipe):
                yield spot.index, spot.path

    def files(self) -> BucketFiles:
        """Return the objects, read by ranges."""
        return BucketFiles(lambda: self._inventory, self._past.homes)

    async def _finder(self, artifact: tuple[str, str], plan: Plan) -> RunFinder | None:
        """Return what finds runs of large files; None where there is none to send."""
        large = [
            spot
            for spot in plan.spots
            if spot.path not in plan.there
            and plan.size(spot) > SEND_PART
            and plan.sha256(spot) not in plan.sources
        ]
        if not large:
            return None
        placed = [
            Placed("", recipe, [(one.index, one.path) for one in found])
            for recipe, found in await self._large_ones(artifact, plan)
        ]
        sizes = self._inventory.sizes
        return await asyncio.to_thread(
            RunFinder, placed, lambda path: sizes.get(path, -1)
        )

    async def _large_ones(
        self, artifact: tuple[str, str], plan: Plan
    ) -> list[tuple[Recipe, list[Spot]]]:
        """Return large files that are there as recipes say, the newest first."""
        here = (one for one in plan.spots if one.path in plan.there)
        found = [(plan.recipe, [one for one in here if plan.size(one) >= MIN_PART])]
        for known in self._past.known(artifact):
            recipe = known.recipe

            async def held(spot: Spot, recipe: Recipe = recipe) -> bool:
                size = int(recipe.sizes[spot.index])
                sha256 = bytes(recipe.sha256[spot.index])
                return await self._inventory.holds(spot.path, size, sha256)

            large = [
                one for one in known.spots() if recipe.sizes[one.index] >= MIN_PART
            ]
            there = await together(held, large, AT_ONCE)
            kept = [one for one, is_it in zip(large, there, strict=True) if is_it]
            found.append((recipe, kept))
        return found

    def _marker(self, applied: Applied) -> Marker:
        return Marker(
            release=applied.digest,
            stream=applied.stream,
            name=applied.name,
            seq=applied.seq,
            layout=self.layout,
            artifacts=tuple(
                Listed(
                    one.kind,
                    one.name,
                    one.recipe,
                    home_of(self.layout, one.kind, one.name),
                )
                for one in applied.artifacts
                if self.takes(one.kind)
            ),
        )

    async def _retain(self, keep: int) -> Pruned:
        """Remove what no kept release has below this base.

        Without the recipe of an artifact that stays nothing is: it might be its.
        """
        flat = self.layout is Layout.FLAT
        division = divide(self.ledger.releases(), keep, in_place=flat)
        recipes = {one: self.ledger.recipe(one.recipe) for one in self._past.given()}
        lost = [one for one in recipes if one in division.kept and not recipes[one]]
        if lost:
            return Pruned(
                stayed=tuple(f"{self.location} {one.name}: {UNKNOWN}" for one in lost)
            )
        stay: set[str] = set()
        gone: set[str] = set()
        for known in self._past.known():
            if known.base == self.base:
                paths = {spot.path for spot in known.spots()}
                (stay if known.given in division.kept else gone).update(paths)
        for home in dict.fromkeys(self._past.homes()):
            await self._inventory.look(home)
        sizes = self._inventory.sizes
        left = {path: sizes[path] for path in gone - stay if path in sizes}
        await together(self._inventory.remove, sorted(left), AT_ONCE)
        if left:
            await asyncio.to_thread(self.ledger.lose, division.forgotten)
            await self._papers.store_ledger(self.ledger)
        return Pruned(len(left), sum(left.values()))

    def _count(self) -> None:
        """Bring what is said of the traffic up to date."""
        traffic = self._client.traffic
        self.transfer = Transfer(traffic.sent, traffic.copied, self._skipped)


def _unwatched(_: int) -> None:
    """Count nothing: papers are no part of what is published."""


def s3_target(text: str, options: TargetOptions) -> S3Target:
    """Return the target that ``s3://BUCKET/PREFIX?layout=…`` names.

    Raises:
        UsageError: it names none.
    """
    address = parse_address(text, _OPTIONS)
    try:
        layout = Layout(address.options.get("layout", ""))
    except ValueError:
        raise UsageError(
            f"{text!r}: which layout do its readers want?",
            advice="write ?layout=hf-snapshots or ?layout=flat after the prefix",
        ) from None
    generation = address.options.get("generation", "")
    if generation and not _GENERATION.fullmatch(generation):
        raise UsageError(
            f"{text!r}: a generation is called by letters, digits, '.', '_' and '-'",
            advice="write generation=2026-11 or the like",
        )
    return S3Target(address, layout, generation, options)
