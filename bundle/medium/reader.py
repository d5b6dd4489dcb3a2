"""A bundle directory opened, each step verified before the next byte is trusted.

The order is that of spec §26: trust files, the release's signature, the
bundle's signature, what the release asks of this receiver, its budgets, then
approval.md, shards.bds and recipes.bdr, each by its signed digest. Volumes are
only opened; whoever reads them checks them shard by shard.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundle.digest import Digest, digest_of
from bundle.errors import BundleError, FormatError, IntegrityError, MissingError
from bundle.format import layout
from bundle.format.manifest import Manifest, Volume
from bundle.format.release import Release
from bundle.format.shards import Shards, shard_starts
from bundle.limits import (
    MAX_APPROVAL,
    MAX_DETACHED_SIGNATURE,
    MAX_ENVELOPE,
    MAX_SHARDS_FILE,
    MAX_TRUST_FILE,
)
from bundle.medium.files import ShardedFile, is_there, names_on, naming, read_whole
from bundle.medium.lists import check_descriptor, read_listed, read_recipes
from bundle.medium.spread import missing_volumes
from bundle.state.judgement import decide, noting_refusals, recall
from bundle.state.receiver import TrustChoice, load_trust
from bundle.trust.chain import file_versions
from bundle.trust.envelope import parse_detached
from bundle.trust.policy import Decision, ReleaseFacts, judge, judge_files
from bundle.trust.roles import APPROVER
from bundle.wire import read_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from bundle.format.columns import Bytes
    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.medium.piping import Pipe
    from bundle.trust.chain import Trust
    from bundle.trust.envelope import Verification, Verified
    from bundle.trust.policy import Receiver


@dataclass(frozen=True, slots=True, eq=False)
class OpenBundle:
    """A bundle whose envelopes, lists and recipes were verified.

    ``recipes`` holds those carried here by the text of their digest. ``facts``
    and ``decision`` are what the receiver's policy made of the release.
    ``receiver`` is what they were made by, None where nobody judged it.
    ``required`` has a row for each chunk that the bundle builds on. ``beside``
    are further directories that have the same manifest and other volumes; with
    a ``pipe`` there is no directory, and the volumes are read once, in order.
    """

    path: Path
    release: Release
    manifest: Manifest
    digest: Digest
    recipes: Mapping[str, Recipe]
    shards: Shards
    trust: Trust
    verification: Verification
    facts: ReleaseFacts
    decision: Decision
    required: Bytes
    receiver: Receiver | None = None
    beside: tuple[Path, ...] = ()
    pipe: Pipe | None = None

    @property
    def directories(self) -> tuple[Path, ...]:
        """Every directory that volumes are looked for in."""
        return (self.path, *self.beside)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before this bundle is used."""
        return self.trust.warnings + self.decision.warnings

    def admit(self, artifact: Artifact, recipe: Recipe) -> tuple[str, ...]:
        """Return what to know about the files of an artifact that is to be published.

        Raises:
            TrustError: this receiver takes no files like one of them.
        """
        if self.receiver is None:
            return ()
        return judge_files(self.facts, self.receiver, artifact.name, recipe.paths())

    @contextlib.contextmanager
    def volumes(self) -> Iterator[list[ShardedFile]]:
        """Open every volume; closed again at the end of the block.

        Raises:
            MissingError: volumes are not here; names them.
            IntegrityError: a volume has not its signed size.
        """
        if self.pipe is not None:
            yield self.pipe.open(self)
            self.pipe.close(self)
            return
        with self.volumes_here() as (files, missing):
            if missing:
                raise missing_volumes(self.directories, missing)
            yield files

    @contextlib.contextmanager
    def volumes_here(self) -> Iterator[tuple[list[ShardedFile], list[Volume]]]:
        """Open those volumes that are here, and tell which are not.

        Raises:
            IntegrityError: a volume has not its signed size anywhere.
        """
        with contextlib.ExitStack() as stack:
            files: list[ShardedFile] = []
            missing: list[Volume] = []
            for volume, first in self.numbered():
                file = self.find_volume(volume, first)
                if file is None:
                    missing.append(volume)
                    continue
                stack.callback(file.close)
                files.append(file)
            yield files, missing

    def numbered(self) -> Iterator[tuple[Volume, int]]:
        """Yield every volume with the number of its first shard."""
        volumes = self.manifest.volumes
        sizes = [self.manifest.recipes.size, *(volume.size for volume in volumes)]
        yield from zip(volumes, shard_starts(sizes)[1:], strict=False)

    def find_volume(self, volume: Volume, first: int) -> ShardedFile | None:
        """Open a volume in the first directory that has it whole; None where none has.

        Raises:
            IntegrityError, FormatError, StoreError: it is only where it is damaged.
        """
        damage: BundleError | None = None
        for directory in self.directories:
            try:
                path = directory / volume.name
                return ShardedFile(path, volume.size, self.shards, first)
            except MissingError:
                continue
            except BundleError as error:
                damage = damage or error
        if damage is not None:
            raise damage
        return None


def open_bundle(
    path: Path,
    choice: TrustChoice,
    clock: float,
    *,
    keep: bool = True,
    judged: bool = True,
    beside: Iterable[Path] = (),
) -> OpenBundle:
    """Open the bundle in the directory ``path``, and in those ``beside`` it.

    ``clock`` is in seconds since 1970. Without ``keep`` nothing is written, not
    even newer roots into the receiver's state. One that is not ``judged`` may be
    for others, not approved, expired or older than what is here: it is to be looked
    at, not to be published.

    Raises:
        MissingError: it is unfinished, or a file is not here.
        FormatError, IntegrityError: it is damaged.
        TrustError: it is not signed by whom this receiver trusts, or not for it.
    """
    noting = (
        noting_refusals(choice, clock, path.name) if keep else contextlib.nullcontext()
    )
    terms = _Terms(choice, clock, keep=keep, judged=judged)
    with noting:
        return _open(path, terms, [*dict.fromkeys((path, *beside))])


@dataclass(frozen=True, slots=True)
class _Terms:
    """How one bundle is to be opened."""

    choice: TrustChoice
    clock: float
    keep: bool
    judged: bool

    def judge(self, trust: Trust, facts: ReleaseFacts) -> tuple[Receiver, Decision]:
        """Return what the receiver makes of a release.

        Raises:
            TrustError: it refuses it.
        """
        receiver = recall(self.choice, trust, facts, self.clock)
        if self.keep:
            return receiver, decide(self.choice, receiver, facts)
        return receiver, judge(facts, receiver)


def _open(path: Path, terms: _Terms, directories: list[Path]) -> OpenBundle:
    choice = terms.choice
    for directory in directories:
        _refuse_unfinished(directory)
    trust = load_trust(choice, read_trust(path), terms.clock, keep=terms.keep)
    data = read_whole(path / layout.RELEASE, MAX_ENVELOPE)
    places = (path / layout.SIGNATURES, *choice.signatures)
    approvals = [one for place in places for one in _signatures(place, trust).values()]
    with naming(layout.RELEASE):
        signed = trust.verify_release(data, approvals, approved=terms.judged)
    envelope = read_whole(path / layout.MANIFEST, MAX_ENVELOPE)
    with naming(layout.MANIFEST):
        described = trust.verify_manifest(envelope)
    for directory in directories[1:]:
        _refuse_other(directory, path, envelope)
    digest = digest_of(signed.payload)
    release = Release.parse(signed.payload)
    facts = _facts(release, digest, signed)
    receiver, decision = None, Decision((), replay=False)
    if terms.judged:
        receiver, decision = terms.judge(trust, facts)
    manifest = Manifest.parse(described.payload)
    check_descriptor(manifest.release, signed.payload, layout.RELEASE)
    manifest.check_release(release)
    read_listed(path / layout.APPROVAL, manifest.approval, MAX_APPROVAL)
    shards = Shards.parse(
        read_listed(path / layout.SHARDS, manifest.shards, MAX_SHARDS_FILE)
    )
    recipes, required = read_recipes(path, release, manifest, shards)
    opened = OpenBundle(
        path=path,
        release=release,
        manifest=manifest,
        digest=digest,
        recipes=recipes,
        shards=shards,
        trust=trust,
        verification=signed.verification,
        facts=facts,
        decision=decision,
        required=required,
        receiver=receiver,
        beside=tuple(directories[1:]),
    )
    told = [
        one
        for artifact in release.artifacts
        if artifact.recipe.digest in recipes
        for one in opened.admit(artifact, recipes[artifact.recipe.digest])
    ]
    warnings = (*decision.warnings, *told)
    return replace(opened, decision=Decision(warnings, decision.replay))


def _refuse_unfinished(directory: Path) -> None:
    if not is_there(directory / layout.MANIFEST):
        raise MissingError(
            f"{directory}: there is no {layout.MANIFEST} here",
            advice="name the bundle's own directory; if it is, the bundle is "
            "unfinished: pack or copy it again",
        )


def _refuse_other(directory: Path, path: Path, envelope: bytes) -> None:
    """Refuse a directory that is not of the bundle in ``path`` (rule 4.10.2)."""
    if read_whole(directory / layout.MANIFEST, MAX_ENVELOPE) != envelope:
        raise IntegrityError(
            f"{directory} and {path} are not of one bundle: "
            f"their {layout.MANIFEST} differ",
            rule="4.10.2",
            advice="name only directories of the same bundle",
        )


def _facts(release: Release, digest: Digest, signed: Verified) -> ReleaseFacts:
    return ReleaseFacts(
        stream=release.stream.id,
        name=release.stream.name,
        seq=release.seq,
        digest=digest,
        prev=release.prev,
        audience=release.audience,
        created=read_moment(release.created, rule="8.3.7"),
        expires=None
        if release.expires is None
        else read_moment(release.expires, rule="8.3.7"),
        root_version=release.trust_version.root,
        roles_version=release.trust_version.roles,
        artifacts=tuple((one.kind, one.name) for one in release.artifacts),
        signers=signed.verification.signed,
        approvers=signed.approvers,
    )


def read_trust(path: Path) -> dict[str, bytes]:
    """Return the root and roles files of the bundle in ``path``, by name.

    Raises:
        FormatError: one is too large or no regular file.
        StoreError: the medium cannot be read.
    """
    directory = path / layout.TRUST
    names = names_on(directory)
    return {
        name: read_whole(directory / name, MAX_TRUST_FILE)
        for kind in ("root", "roles")
        for name in (f"{number}.{kind}.json" for number in file_versions(names, kind))
    }


def read_approvals(path: Path, trust: Trust) -> dict[str, bytes]:
    """Return the detached signatures of approvers beside a release, by name.

    Whether they are right is not asked; one of no valid form counts as none.

    Raises:
        StoreError: the medium cannot be read.
    """
    found = _signatures(path / layout.SIGNATURES, trust)
    return {f"{layout.SIGNATURES}/{name}": data for name, data in found.items()}


def _signatures(directory: Path, trust: Trust) -> dict[str, bytes]:
    approvers = trust.roles.by_name.get(APPROVER)
    found: dict[str, bytes] = {}
    for key in () if approvers is None else approvers.keys:
        name = f"{key.keyid}.json"
        with contextlib.suppress(FormatError, IntegrityError, MissingError):
            data = read_whole(directory / name, MAX_DETACHED_SIGNATURE)
            parse_detached(data)
            found[name] = data
    return found
