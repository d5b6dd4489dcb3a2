"""``bundle relay``: from a store behind the gap, a bundle for the next enclave.

The release is the one that came, byte for byte, verified again before it is sent
on. What is new is how it travels: which chunks the next site lacks, the volumes
they are in, and ``bundle.json``, which a relay signs (spec §60.4).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bundle.digest import digest_of
from bundle.errors import IntegrityError, MissingError, NotFoundError, TrustError
from bundle.flow.crew import break_off, see_through
from bundle.format import layout
from bundle.format.approval import render
from bundle.format.recipe import Recipe
from bundle.format.release import Release
from bundle.limits import MAX_ENVELOPE
from bundle.medium.spread import check_sizes
from bundle.medium.writer import BundleWriter, Payload
from bundle.packing.forwarding import Forwarding, Share
from bundle.packing.holdings import NOTHING, Holdings
from bundle.packing.naming import spare_directory
from bundle.packing.reading import required_ids
from bundle.packing.receipt import find_release, held_at
from bundle.packing.report import ArtifactReport, PackReport, most_bytes
from bundle.state.keydir import load_relay
from bundle.trust.chain import Trust
from bundle.trust.envelope import parse
from bundle.wire import read_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bundle.format.columns import Bytes
    from bundle.format.manifest import Manifest
    from bundle.progress import Reporter
    from bundle.state.keydir import Signer
    from bundle.store.base import Committed
    from bundle.store.local import LocalStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayRequest:
    """What to send on and how; ``clock`` returns seconds since 1970.

    ``stream`` is a name or an id; its newest release is sent. ``have`` is the
    receipt of the next site. Sizes are in bytes, as those of a pack.
    """

    store: LocalStore
    stream: str
    out: Path
    key: Path
    clock: Callable[[], float]
    have: Path | None = None
    volume_size: int = 1 << 30
    media_size: int | None = None
    dry_run: bool = False


async def relay(request: RelayRequest, reporter: Reporter) -> PackReport:
    """Write one bundle, or with ``dry_run`` only say what it would be.

    Raises:
        MissingError: the store has no such release, or has lost a part of it.
        FormatError, IntegrityError: what the store has is damaged.
        TrustError: the release is not signed by whom the relay's root trusts, or
            the key may not sign for a relay.
        TargetError: the output is full, refuses, or holds a finished bundle.
        UsageError: the request contradicts itself.
    """
    check_sizes(request.volume_size, request.media_size)
    releases = await request.store.releases()
    sent = await asyncio.to_thread(_prepare, request, releases)
    for warning in sent.warnings:
        reporter.warned(warning)
    if request.dry_run:
        return _report(sent)
    name, seq = sent.release.stream.name, sent.release.seq
    directory = spare_directory(request.out, name, seq, "relay")
    writer = BundleWriter(directory, request.volume_size, request.media_size)
    try:
        reporter.started("relay", sum(sent.share.new_bytes))
        work = Forwarding(request.store.vault, sent.share, writer.volumes, reporter)
        await break_off(work.run, work.stop)
        manifest = await see_through(
            lambda: writer.commit(sent.payload, sent.signer), writer.stop
        )
    except BaseException:
        writer.abandon()
        raise
    reporter.finished()
    return _report(sent, writer.directories, manifest)


@dataclass(frozen=True, slots=True, eq=False)
class _Verified:
    """A release of the store, verified, with all that is needed to send it on."""

    committed: Committed
    release: Release
    payload: bytes
    signer: Signer
    papers: Mapping[str, bytes]

    @property
    def signatures(self) -> dict[str, bytes]:
        """The detached signatures over it, by name."""
        return _below(layout.SIGNATURES, self.papers)


class _Sent:
    """One release, and what of it the next site lacks."""

    def __init__(
        self,
        request: RelayRequest,
        verified: _Verified,
        recipes: Mapping[str, bytes],
        holdings: Holdings,
    ) -> None:
        self.request = request
        self.verified = verified
        self.release = verified.release
        self.signer = verified.signer
        self.holdings = holdings
        self.warnings = (
            *verified.signer.warnings,
            *_doubts(self.release, request.clock()),
            *holdings.warnings,
        )
        self.recipes = {name: Recipe.parse(data) for name, data in recipes.items()}
        for artifact in self.release.artifacts:
            artifact.check_recipe(
                self.recipes[artifact.recipe.digest], self.release.budgets
            )
        self.carried = {
            name: data for name, data in recipes.items() if name not in holdings.recipes
        }
        self.share = Share.of([*self.recipes.values()], holdings.holds)

    @cached_property
    def required(self) -> Bytes:
        """The ids that the carried recipes use and this bundle does not carry."""
        return required_ids(
            (self.recipes[name] for name in self.carried), self.holdings.holds
        )

    @cached_property
    def approval(self) -> bytes:
        """What a reviewer reads: as it came, or written again where none is kept."""
        came = self.verified.papers.get(layout.APPROVAL)
        if came is not None:
            return came
        signed = parse(self.verified.committed.envelope, limit=MAX_ENVELOPE).signatures
        keys = [one.keyid for one in signed]
        digest = digest_of(self.verified.payload)
        return render(self.release, digest, self.recipes, keys)

    @property
    def payload(self) -> Payload:
        """What the bundle holds beside its volumes."""
        return Payload(
            release=self.release,
            release_payload=self.verified.payload,
            envelope=self.verified.committed.envelope,
            recipes=[*self.carried.values()],
            approval=self.approval,
            required=self.required,
            beside=self.verified.signatures,
        )


def _prepare(request: RelayRequest, releases: Sequence[Committed]) -> _Sent:
    store = request.store
    verified = _verify(request, find_release(releases, request.stream))
    recipes = {}
    for artifact in verified.release.artifacts:
        name = artifact.recipe.digest
        if name not in recipes:
            recipes[name] = _recipe(store, name)
    holdings = NOTHING
    if request.have is not None:
        holdings = held_at(
            request.have,
            verified.signer.roles,
            verified.committed,
            {one.digest: one for one in releases},
            lambda name: Recipe.parse(recipes.get(name) or _recipe(store, name)),
        )
    return _Sent(request, verified, recipes, holdings)


def _recipe(store: LocalStore, digest: str) -> bytes:
    try:
        return store.load_recipe(digest)
    except NotFoundError as error:
        raise MissingError(
            f"{error.args[0]} any more",
            advice="add a bundle of this release to the store again",
        ) from error


def _verify(request: RelayRequest, committed: Committed) -> _Verified:
    """Verify a release as if it came from a medium (rule 50.4.3)."""
    papers = request.store.papers.load(committed.digest)
    known = _below(layout.TRUST, papers)
    files = {name.partition("/")[2]: data for name, data in known.items()}
    signer = load_relay(request.key, request.clock(), files)
    if not committed.envelope:
        raise MissingError(
            f"{layout.RELEASE} of release {committed.seq} is not in the store any more",
            advice="add a bundle of this release to the store again",
        )
    trust = Trust(signer.root, signer.roles, (), stateless=True)
    signatures = _below(layout.SIGNATURES, papers)
    signed = trust.verify_release(committed.envelope, signatures.values())
    release = Release.parse(signed.payload)
    if (str(digest_of(signed.payload)), release.stream.id, release.seq) != (
        committed.digest,
        committed.stream,
        committed.seq,
    ):
        raise IntegrityError(
            f"{layout.RELEASE} in the store is not release {committed.seq} of "
            f"{committed.name}",
            rule="50.4.2",
            advice="add a bundle of this release to the store again",
        )
    _check_versions(release, signer, request.key)
    return _Verified(committed, release, signed.payload, signer, papers)


def _check_versions(release: Release, signer: Signer, key: Path) -> None:
    asked = release.trust_version
    for what, needed, here in (
        ("root", asked.root, signer.root_version),
        ("roles", asked.roles, signer.roles_version),
    ):
        if needed > here:
            raise TrustError(
                f"the release was made under {what} {needed}, "
                f"the newest with the relay's key is {here}",
                rule="23.2.7",
                advice=f"put the newest root and roles files beside {key}",
            )


def _doubts(release: Release, now: float) -> list[str]:
    """Say what the next site may refuse the release for."""
    expires = release.expires
    if expires is None or read_moment(expires, rule="8.3.7") > now:
        return []
    return [f"the release expired on {expires}"]


def _below(directory: str, papers: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        name: data for name, data in papers.items() if name.startswith(f"{directory}/")
    }


def _report(
    sent: _Sent, media: tuple[Path, ...] = (), manifest: Manifest | None = None
) -> PackReport:
    release, share = sent.release, sent.share
    new_bytes = dict(zip(sent.recipes, share.new_bytes, strict=True))
    new = sum(share.new_bytes)
    total = sum(one.bytes for one in release.artifacts)
    literals = sum(
        len(sent.recipes[one.recipe.digest].columns.literals)
        for one in release.artifacts
    )
    volumes = -(-new // sent.request.volume_size)
    most = most_bytes(
        new,
        len(share.chunks),
        sent.request.volume_size,
        recipes=[*map(len, sent.carried.values())],
        others=len(sent.approval) + sent.required.nbytes,
    )
    return PackReport(
        bundle=media[0] if media else None,
        stream=release.stream.name,
        seq=release.seq,
        release=sent.verified.committed.digest,
        artifacts=tuple(
            ArtifactReport(
                kind=one.kind,
                name=one.name,
                revision=one.revision,
                files=one.files,
                bytes=one.bytes,
                # Where two artifacts have one recipe, the first brings it.
                new_bytes=new_bytes.pop(one.recipe.digest, 0),
                licence=one.licence,
                warnings=one.warnings,
            )
            for one in release.artifacts
        ),
        files=sum(one.files for one in release.artifacts),
        bytes=total,
        new_bytes=new,
        reused_bytes=max(0, total - literals - new),
        stored_bytes=manifest.bytes if manifest else 0,
        volumes=len(manifest.volumes) if manifest else volumes,
        needed_bytes=manifest.bytes if manifest else most.total,
        problems=(),
        warnings=sent.warnings,
        against=sent.holdings.described,
        required=len(sent.required),
        media=media,
        media_count=len(media)
        or most.media(sent.request.volume_size, sent.request.media_size),
    )
