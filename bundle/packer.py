"""``bundle pack``: sources in, one finished bundle directory out.

Sources are listed and checked, read once by a crew of workers, and described by
recipes; then a number is burnt, the release signed, and the bundle committed by
its last file. Anything that goes wrong before that leaves nothing that looks
finished, and the next pack starts clean. What the far side is known to hold is
read and described like all else, and not carried.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from bundle.digest import digest_of
from bundle.errors import ExistsError, SourceError, UsageError
from bundle.flow.crew import see_through
from bundle.format import layout
from bundle.format.approval import Before, render
from bundle.format.release import Budgets, Release, Stream, TrustVersion
from bundle.medium.spread import check_sizes
from bundle.medium.writer import BundleWriter, Payload
from bundle.packing.filling import fill_payload, read_want
from bundle.packing.harvest import Harvest, merged
from bundle.packing.holdings import (
    UNKNOWN,
    FarSide,
    Holdings,
    find_holdings,
    record_sent,
)
from bundle.packing.lineage import Lineage, trace
from bundle.packing.listing import Listing, gather
from bundle.packing.model_signatures import (
    UNCHECKED,
    ModelCheck,
    with_model_signatures,
)
from bundle.packing.naming import spare_directory
from bundle.packing.reading import Reading, Taken, required_ids
from bundle.packing.report import (
    NOTHING_NEEDED,
    ArtifactReport,
    Most,
    PackReport,
    artifact_rows,
    media_of,
    most_bytes,
    volumes_of,
)
from bundle.state.keydir import Signer, load_signer
from bundle.trust.envelope import RELEASE_TYPE, sign
from bundle.wire import write_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from bundle.digest import Digest
    from bundle.format.columns import Bytes
    from bundle.format.manifest import Manifest
    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.progress import Reporter
    from bundle.source.base import Source

__all__ = ["ArtifactReport", "PackReport", "PackRequest", "pack"]

_DAY: Final = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRequest:
    """What to pack and how; ``clock`` returns seconds since 1970.

    ``after`` is a bundle directory or a release.json to continue from instead of
    what ``state`` remembers. ``volume_size`` is in bytes; what takes more than
    ``media_size`` bytes is spread over several directories. ``far`` says what need
    not travel; ``fill`` is a want to answer with a bundle of the same release.
    ``models`` says what the signatures of models are checked with.
    """

    sources: tuple[Source, ...]
    out: Path
    stream: str
    key: Path
    state: Path
    clock: Callable[[], float]
    add: bool = False
    after: Path | None = None
    audience: tuple[str, ...] = ()
    expires_days: int | None = None
    volume_size: int = 1 << 30
    media_size: int | None = None
    keep_going: bool = False
    dry_run: bool = False
    jobs: int = 2
    far: FarSide = UNKNOWN
    fill: Path | None = None
    models: ModelCheck = UNCHECKED


async def pack(request: PackRequest, reporter: Reporter) -> PackReport:
    """Write one bundle, or with ``dry_run`` only say what it would be.

    Raises:
        SourceError: an input is missing, damaged or changed (unless keep going).
        TargetError: the output is full, refuses, or holds a finished bundle.
        TrustError: the key may not sign releases.
        UsageError: the request contradicts itself.
    """
    _check(request)
    signer = load_signer(request.key, request.clock())
    lineage = trace(request.state, signer, request.stream, request.after)
    if request.fill is not None:
        return await _fill(request, request.fill, signer, lineage, reporter)
    holdings = await asyncio.to_thread(
        find_holdings, request.far, signer, lineage, keep=not request.dry_run
    )
    kept = lineage.before.artifacts if request.add and lineage.before else ()
    listing = await gather(request.sources, {artifact.name for artifact in kept})
    listing = await with_model_signatures(listing, request.models)
    if request.far != UNKNOWN:
        holdings = holdings.warned(_left_behind(kept, listing, holdings))
    for warning in (*signer.warnings, *holdings.warnings, *listing.warnings):
        reporter.warned(warning)
    reading = Reading(reporter, request.jobs, request.keep_going, holdings.holds)
    if request.dry_run:
        taken = await reading.take(listing, None)
        packed = _Packed(request, lineage, listing, taken, holdings)
        return _report(packed, _most(packed, signer))
    await asyncio.to_thread(lineage.clear_unfinished, request.out)
    directory = request.out / layout.directory_name(request.stream, lineage.seq)
    writer = BundleWriter(directory, request.volume_size, request.media_size)
    try:
        taken = await reading.take_clean(listing, writer)
        packed = _Packed(request, lineage, listing, taken, holdings)
        manifest, digest = await see_through(
            lambda: _commit(packed, writer, signer), writer.stop
        )
    except BaseException:
        writer.abandon()
        raise
    return _report(packed, writer=writer, manifest=manifest, digest=digest)


def _left_behind(
    kept: Iterable[Artifact], listing: Listing, holdings: Holdings
) -> Iterator[str]:
    """Name what is neither carried nor at the far side, as far as is known."""
    packed = {(one.kind, one.name) for one in listing.artifacts}
    for artifact in kept:
        known = artifact.recipe.digest in holdings.recipes
        if not known and (artifact.kind, artifact.name) not in packed:
            yield (
                f"{artifact.kind} {artifact.name} is kept from the release before and "
                "not known to be there: name its source too"
            )


def _check(request: PackRequest) -> None:
    """Refuse what contradicts itself before anything is looked at."""
    check_sizes(request.volume_size, request.media_size)
    request.far.check()
    if request.fill is not None and (
        request.add or request.after is not None or request.far != UNKNOWN
    ):
        raise UsageError(
            "--fill answers a want with the release that is there: it goes with none "
            "of --add, --after, --have, --base, --dest, --overlap",
            advice="leave them out; a new release takes them",
        )


class _Packed:
    """One run after its input was read: what is to be signed."""

    def __init__(
        self,
        request: PackRequest,
        lineage: Lineage,
        listing: Listing,
        taken: Taken,
        holdings: Holdings,
    ) -> None:
        self.request = request
        self.lineage = lineage
        self.listing = listing
        self.taken = taken
        self.holdings = holdings
        self.ready = taken.ready
        self.problems = taken.problems
        self.warnings = holdings.warnings + listing.warnings
        if not self.ready:
            raise SourceError("nothing is left to pack", advice=self.problems[0])

    @cached_property
    def carried(self) -> list[Harvest]:
        """The recipes that the far side lacks, each once, in the release's order."""
        recipes = {each.artifact.recipe.digest: each for each in self.ready}
        held = self.holdings.recipes
        return [each for digest, each in recipes.items() if digest not in held]

    @cached_property
    def required(self) -> Bytes:
        """The ids that those recipes use and this bundle does not carry."""
        recipes = (each.recipe for each in self.carried)
        return required_ids(recipes, self.holdings.holds)

    def recipes(self, release: Release) -> Mapping[str, Recipe]:
        """Return the recipes of a release as far as they are known, by digest."""
        found = {each.artifact.recipe.digest: each.recipe for each in self.ready}
        for artifact in release.artifacts:
            digest = artifact.recipe.digest
            known = None if digest in found else self.lineage.recipe(digest)
            if known is not None:
                found[digest] = known
        return found

    def release(self, signer: Signer) -> Release:
        """Return the release that says all this."""
        request, before = self.request, self.lineage.before
        created = int(request.clock())
        kept = before if request.add else None
        artifacts = merged(kept.artifacts if kept else (), self.ready)
        budgets = [each.recipe for each in self.ready]
        least = kept.budgets if kept else Budgets.of(())
        return Release(
            stream=Stream(self.lineage.id, request.stream),
            seq=self.lineage.seq,
            prev=self.lineage.prev,
            audience=request.audience,
            created=write_moment(created),
            expires=None
            if request.expires_days is None
            else write_moment(created + request.expires_days * _DAY),
            trust_version=TrustVersion(signer.root_version, signer.roles_version),
            artifacts=tuple(artifacts),
            budgets=Budgets.of(
                artifacts,
                depth=max([least.depth, *(one.depth for one in budgets)]),
                name_bytes=max(
                    [least.name_bytes, *(one.name_bytes for one in budgets)]
                ),
            ),
        )


def _commit(
    packed: _Packed, writer: BundleWriter, signer: Signer
) -> tuple[Manifest, str]:
    """Burn the number, sign, write; the bundle is finished when this returns."""
    lineage = packed.lineage
    release = packed.release(signer)
    payload = release.serialize()
    if lineage.burn() != lineage.seq:
        raise ExistsError(
            f"another pack has taken number {lineage.seq} of {lineage.name}",
            advice="run the same command again",
        )
    digest = digest_of(payload)
    envelope = sign(payload, RELEASE_TYPE, [signer.key])
    manifest = writer.commit(
        Payload(
            release=release,
            release_payload=payload,
            envelope=envelope,
            recipes=[each.data for each in packed.carried],
            approval=_approval(packed, release, digest, signer),
            required=packed.required,
        ),
        signer,
    )
    # In this order: a failure must leave no release that names a lost one.
    if packed.request.far.dest is not None:
        record_sent(lineage, packed.request.far.dest, str(digest))
    lineage.finish(envelope, [each.data for each in packed.ready])
    return manifest, str(digest)


def _approval(
    packed: _Packed, release: Release, digest: Digest, signer: Signer
) -> bytes:
    before = packed.lineage.before
    compared = None
    if before is not None:
        compared = Before(before, packed.recipes(before), packed.recipes(release))
    recipes = {each.artifact.recipe.digest: each.recipe for each in packed.carried}
    keys = [signer.key.public.keyid]
    return render(release, digest, recipes, keys, compared)


def _most(packed: _Packed, signer: Signer) -> Most:
    """Return the most that this can take, had it been packed."""
    release = packed.release(signer)
    approval = _approval(packed, release, digest_of(release.serialize()), signer)
    return most_bytes(
        packed.taken.new,
        len(packed.taken.known),
        packed.request.volume_size,
        recipes=[len(each.data) for each in packed.carried],
        others=len(approval) + packed.required.nbytes,
    )


async def _fill(
    request: PackRequest,
    want: Path,
    signer: Signer,
    lineage: Lineage,
    reporter: Reporter,
) -> PackReport:
    """Answer a want with a bundle of the release it is of."""
    fill = await asyncio.to_thread(read_want, want, lineage)
    listing = await gather(request.sources)
    for warning in signer.warnings:
        reporter.warned(warning)
    reading = Reading(reporter, request.jobs, request.keep_going, fill.leaves_out)
    writer = None
    if not request.dry_run:
        directory = spare_directory(request.out, request.stream, fill.past.seq, "fill")
        writer = BundleWriter(directory, request.volume_size, request.media_size)
    try:
        taken = await reading.take(listing, writer.volumes if writer else None)
        fill.check_complete(taken.known)
        manifest = None
        if writer is not None:
            manifest = await see_through(
                lambda: writer.commit(fill_payload(fill), signer), writer.stop
            )
    except BaseException:
        if writer is not None:
            writer.abandon()
        raise
    new, total = taken.new, sum(each.artifact.bytes for each in taken.ready)
    most = most_bytes(
        new,
        len(fill.chunks),
        request.volume_size,
        recipes=[*map(len, fill.recipes.values())],
        others=len(fill_payload(fill).approval),
    )
    return PackReport(
        bundle=writer.directories[0] if writer else None,
        stream=request.stream,
        seq=fill.past.seq,
        release=fill.past.digest if writer else "",
        artifacts=artifact_rows(listing, taken),
        files=sum(each.artifact.files for each in taken.ready),
        bytes=total,
        new_bytes=new,
        reused_bytes=0,
        stored_bytes=manifest.bytes if manifest else 0,
        volumes=volumes_of(manifest, new, request.volume_size),
        needed_bytes=manifest.bytes if manifest else most.total,
        problems=taken.problems,
        warnings=(),
        against=f"everything of release {fill.past.seq} but what {want.name} names",
        media=writer.directories if writer else (),
        media_count=media_of(writer, most, request.volume_size, request.media_size),
    )


def _report(
    packed: _Packed,
    most: Most = NOTHING_NEEDED,
    writer: BundleWriter | None = None,
    manifest: Manifest | None = None,
    digest: str = "",
) -> PackReport:
    rows = artifact_rows(packed.listing, packed.taken)
    new = packed.taken.new
    total = sum(row.bytes for row in rows)
    literals = sum(len(each.recipe.columns.literals) for each in packed.ready)
    return PackReport(
        bundle=writer.directories[0] if writer else None,
        stream=packed.request.stream,
        seq=packed.lineage.seq,
        release=digest,
        artifacts=rows,
        files=sum(row.files for row in rows),
        bytes=total,
        new_bytes=new,
        reused_bytes=max(0, total - literals - new),
        stored_bytes=manifest.bytes if manifest else 0,
        volumes=volumes_of(manifest, new, packed.request.volume_size),
        needed_bytes=manifest.bytes if manifest else most.total,
        problems=packed.problems,
        warnings=packed.warnings,
        against=packed.holdings.described,
        required=len(packed.required),
        media=writer.directories if writer else (),
        media_count=media_of(
            writer, most, packed.request.volume_size, packed.request.media_size
        ),
    )
