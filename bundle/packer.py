"""``bundle pack``: sources in, one finished bundle directory out.

Sources are listed and checked, read once by a crew of workers, and described by
recipes; then a number is burnt, the release signed, and the bundle committed by
its last file. Anything that goes wrong before that leaves nothing that looks
finished, and the next pack starts clean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.digest import digest_of
from bundle.errors import ExistsError, SourceError, UsageError
from bundle.flow.crew import see_through, work
from bundle.format import layout
from bundle.format.approval import render
from bundle.format.release import Budgets, Release, Stream, TrustVersion
from bundle.limits import MAX_VOLUME, MIN_VOLUME
from bundle.medium.writer import BundleWriter, Payload
from bundle.packing.harvest import harvest, merged
from bundle.packing.lineage import Lineage, trace
from bundle.packing.listing import Listing, gather
from bundle.packing.loader import Loader
from bundle.packing.worker import PackWorker, Shared
from bundle.state.keydir import Signer, load_signer
from bundle.trust.envelope import RELEASE_TYPE, sign
from bundle.wire import write_moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundle.format.manifest import Manifest
    from bundle.medium.volumes import Volumes
    from bundle.progress import Reporter
    from bundle.source.base import Source

_DAY: Final = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRequest:
    """What to pack and how; ``clock`` returns seconds since 1970.

    ``after`` is a bundle directory or a release.json to continue from instead of
    what ``state`` remembers. ``volume_size`` is in bytes.
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
    keep_going: bool = False
    dry_run: bool = False
    jobs: int = 2


@dataclass(frozen=True, slots=True)
class ArtifactReport:
    """One artifact as it was packed; sizes in bytes."""

    kind: str
    name: str
    revision: str
    files: int
    bytes: int
    new_bytes: int
    licence: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackReport:
    """What a pack did, or would do; sizes in bytes.

    ``bundle`` is None after a dry run. ``new_bytes`` are plain bytes of chunks
    that are carried, ``reused_bytes`` of those found again; ``stored_bytes`` is
    what lies on the medium, ``needed_bytes`` the most it can take. ``problems``
    name what was left out, one line each.
    """

    bundle: Path | None
    stream: str
    seq: int
    release: str
    artifacts: tuple[ArtifactReport, ...]
    files: int
    bytes: int
    new_bytes: int
    reused_bytes: int
    stored_bytes: int
    volumes: int
    needed_bytes: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


async def pack(request: PackRequest, reporter: Reporter) -> PackReport:
    """Write one bundle, or with ``dry_run`` only say what it would be.

    Raises:
        SourceError: an input is missing, damaged or changed (unless keep going).
        TargetError: the output is full, refuses, or holds a finished bundle.
        TrustError: the key may not sign releases.
        UsageError: the request contradicts itself.
    """
    if not MIN_VOLUME <= request.volume_size <= MAX_VOLUME:
        raise UsageError(
            f"a volume has {MIN_VOLUME} to {MAX_VOLUME} bytes, "
            f"not {request.volume_size}"
        )
    signer = load_signer(request.key, request.clock())
    lineage = trace(request.state, signer, request.stream, request.after)
    kept = lineage.before.artifacts if request.add and lineage.before else ()
    listing = await gather(request.sources, {artifact.name for artifact in kept})
    for warning in (*signer.warnings, *listing.warnings):
        reporter.warned(warning)
    if request.dry_run:
        shared = await _read_all(request, listing, None, reporter)
        return _report(_Packed(request, lineage, listing, shared))
    directory = request.out / layout.directory_name(request.stream, lineage.seq)
    writer = BundleWriter(directory, request.volume_size)
    try:
        shared = await _read_all(request, listing, writer.volumes, reporter)
        packed = _Packed(request, lineage, listing, shared)
        manifest, digest = await see_through(
            lambda: _commit(packed, writer, signer), writer.stop
        )
    except BaseException:
        writer.abandon()
        raise
    return _report(packed, writer.directory, manifest, digest)


class _Packed:
    """One run after its input was read: what is to be signed."""

    def __init__(
        self, request: PackRequest, lineage: Lineage, listing: Listing, shared: Shared
    ) -> None:
        intakes = shared.loader.intakes
        self.request = request
        self.lineage = lineage
        self.listing = listing
        self.shared = shared
        self.ready = harvest(listing.artifacts, intakes)
        self.problems = listing.problems + tuple(
            intake.problem for intake in intakes if intake.problem
        )
        if not self.ready:
            raise SourceError("nothing is left to pack", advice=self.problems[0])

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


async def _read_all(
    request: PackRequest, listing: Listing, volumes: Volumes | None, reporter: Reporter
) -> Shared:
    """Take every file through the workers; return what they found."""
    loader = Loader(listing.artifacts, reporter, keep_going=request.keep_going)
    shared = Shared(loader, volumes, reporter)
    reporter.started("pack", listing.total)
    await work(request.jobs, lambda: PackWorker(shared), shared.turnstiles)
    reporter.finished()
    return shared


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
    recipes = {each.artifact.recipe.digest: each for each in packed.ready}
    manifest = writer.commit(
        Payload(
            release=release,
            release_payload=payload,
            envelope=sign(payload, RELEASE_TYPE, [signer.key]),
            recipes=[each.data for each in recipes.values()],
            approval=render(
                release,
                digest_of(payload),
                {digest: each.recipe for digest, each in recipes.items()},
                [signer.key.public.keyid],
            ),
        ),
        signer,
    )
    lineage.finish(lineage.seq, payload)
    return manifest, str(digest_of(payload))


def _report(
    packed: _Packed,
    bundle: Path | None = None,
    manifest: Manifest | None = None,
    digest: str = "",
) -> PackReport:
    rows = _rows(packed)
    new = sum(packed.shared.new_bytes.values())
    total = sum(row.bytes for row in rows)
    literals = sum(len(each.recipe.columns.literals) for each in packed.ready)
    recipes = sum(len(each.data) for each in packed.ready)
    return PackReport(
        bundle=bundle,
        stream=packed.request.stream,
        seq=packed.lineage.seq,
        release=digest,
        artifacts=rows,
        files=sum(row.files for row in rows),
        bytes=total,
        new_bytes=new,
        reused_bytes=max(0, total - literals - new),
        stored_bytes=manifest.bytes if manifest else 0,
        volumes=len(manifest.volumes)
        if manifest
        else -(-new // packed.request.volume_size),
        needed_bytes=manifest.bytes if manifest else new + recipes,
        problems=packed.problems,
        warnings=packed.listing.warnings,
    )


def _rows(packed: _Packed) -> tuple[ArtifactReport, ...]:
    numbers = {
        (each.kind, each.name): number
        for number, each in enumerate(packed.listing.artifacts)
    }
    return tuple(
        ArtifactReport(
            kind=each.artifact.kind,
            name=each.artifact.name,
            revision=each.artifact.revision,
            files=each.artifact.files,
            bytes=each.artifact.bytes,
            new_bytes=packed.shared.new_bytes.get(
                numbers[each.artifact.kind, each.artifact.name], 0
            ),
            licence=each.artifact.licence,
            warnings=each.artifact.warnings,
        )
        for each in packed.ready
    )
