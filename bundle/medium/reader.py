"""A bundle directory opened, each step verified before the next byte is trusted.

The order is that of spec §26: trust files, the release's signature, the
bundle's signature, what the release asks of this receiver, its budgets, then
approval.md, shards.bds and recipes.bdr, each by its signed digest. Volumes are
only opened; whoever reads them checks them shard by shard.
"""

from __future__ import annotations

import contextlib
import mmap
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from bundle.digest import Digest, digest_of
from bundle.errors import BundleError, FormatError, IntegrityError, MissingError
from bundle.format import layout
from bundle.format.empty_files import check_empty_files
from bundle.format.manifest import Manifest, Volume
from bundle.format.recipe import Recipe
from bundle.format.recipes import Recipes
from bundle.format.release import Release
from bundle.format.shards import Shards, shard_starts
from bundle.limits import (
    MAX_APPROVAL,
    MAX_DETACHED_SIGNATURE,
    MAX_ENVELOPE,
    MAX_SHARDS_FILE,
    MAX_TRUST_FILE,
    MIB,
    SHARD,
)
from bundle.medium.files import ShardedFile, is_there, names_on, naming, read_whole
from bundle.medium.spread import missing_volumes
from bundle.state.receiver import TrustChoice, load_trust, recall
from bundle.trust.chain import file_versions
from bundle.trust.envelope import parse_detached
from bundle.trust.policy import Decision, ReleaseFacts, judge
from bundle.trust.roles import APPROVER
from bundle.wire import read_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from bundle.format.columns import Bytes
    from bundle.format.descriptor import Descriptor
    from bundle.medium.piping import Pipe
    from bundle.trust.chain import Trust
    from bundle.trust.envelope import Verification

HELD: Final = 64 * MIB
"""Bytes of recipes.bdr that are kept in memory; more goes to an unlinked file."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenBundle:
    """A bundle whose envelopes, lists and recipes were verified.

    ``recipes`` holds those carried here by the text of their digest. ``facts``
    and ``decision`` are what the receiver's policy made of the release.
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
    for others, expired or older than what is here: it is not to be published.

    Raises:
        MissingError: it is unfinished, or a file is not here.
        FormatError, IntegrityError: it is damaged.
        TrustError: it is not signed by whom this receiver trusts, or not for it.
    """
    directories = [*dict.fromkeys((path, *beside))]
    for directory in directories:
        _refuse_unfinished(directory)
    trust = load_trust(choice, read_trust(path), clock, keep=keep)
    data = read_whole(path / layout.RELEASE, MAX_ENVELOPE)
    approvals = read_approvals(path, trust)
    with naming(layout.RELEASE):
        signed = trust.verify_release(data, approvals.values())
    envelope = read_whole(path / layout.MANIFEST, MAX_ENVELOPE)
    with naming(layout.MANIFEST):
        described = trust.verify_manifest(envelope)
    for directory in directories[1:]:
        _refuse_other(directory, path, envelope)
    digest = digest_of(signed.payload)
    release = Release.parse(signed.payload)
    facts = _facts(release, digest)
    decision = Decision((), replay=False)
    if judged:
        decision = judge(facts, recall(choice, trust, facts, clock))
    manifest = Manifest.parse(described.payload)
    _check(manifest.release, signed.payload, layout.RELEASE)
    manifest.check_release(release)
    _read(path / layout.APPROVAL, manifest.approval, MAX_APPROVAL)
    shards = Shards.parse(_read(path / layout.SHARDS, manifest.shards, MAX_SHARDS_FILE))
    recipes, required = _read_recipes(path, release, manifest, shards)
    return OpenBundle(
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
        beside=tuple(directories[1:]),
    )


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


def _facts(release: Release, digest: Digest) -> ReleaseFacts:
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
    approvers = trust.roles.by_name.get(APPROVER)
    found: dict[str, bytes] = {}
    for key in () if approvers is None else approvers.keys:
        name = f"{layout.SIGNATURES}/{key.keyid}.json"
        with contextlib.suppress(FormatError, IntegrityError, MissingError):
            data = read_whole(path / name, MAX_DETACHED_SIGNATURE)
            parse_detached(data)
            found[name] = data
    return found


def _read(path: Path, descriptor: Descriptor, limit: int) -> bytes:
    data = read_whole(path, limit)
    _check(descriptor, data, path.name)
    return data


def _check(descriptor: Descriptor, data: bytes, name: str) -> None:
    """Check the size, then the digest, before anything is parsed (rule 3.2.3)."""
    if len(data) != descriptor.size or str(digest_of(data)) != descriptor.digest:
        raise IntegrityError(
            f"{name} is not the one that was signed",
            rule="3.2.4",
            advice="carry the bundle again",
        )


def _read_recipes(
    path: Path, release: Release, manifest: Manifest, shards: Shards
) -> tuple[dict[str, Recipe], Bytes]:
    file = ShardedFile(path / layout.RECIPES, manifest.recipes.size, shards, 0)
    try:
        data, whole, forget = _hold(file)
    finally:
        file.close()
    if whole != manifest.recipes.raw:
        raise IntegrityError("recipes.bdr is not the one that was signed", rule="3.2.4")
    recipes = Recipes.parse(data)
    if str(recipes.contents) != manifest.contents:
        raise IntegrityError("recipes.bdr is of other contents", rule="7.1.7")
    if tuple(str(entry.digest) for entry in recipes.entries) != manifest.carried:
        raise IntegrityError("recipes.bdr carries other recipes", rule="9.2.4")
    manifest.requires.check(recipes.required.tobytes())
    found = {}
    for entry in recipes.entries:
        base = entry.offset

        def release_range(first: int, last: int, base: int = base) -> None:
            forget(base + first, base + last)

        digest = str(entry.digest)
        found[digest] = Recipe.parse(recipes.read(entry), release=release_range)
        check_empty_files(found[digest])
    for artifact in release.artifacts:
        if artifact.recipe.digest in found:
            artifact.check_recipe(found[artifact.recipe.digest], release.budgets)
    return found, recipes.required


def _hold(
    file: ShardedFile,
) -> tuple[memoryview, bytes, Callable[[int, int], None]]:
    """Take a file off the medium, checked; where it is large, out of memory too.

    Returns its bytes, their digest, and what to call with a range of them that
    is not needed in memory any more.
    """
    count = -(-file.size // SHARD)
    whole = blake3()
    if file.size <= HELD:
        held = memoryview(bytearray(count * SHARD))
        for number in range(count):
            shard = held[number * SHARD :]
            whole.update(shard[: file.read_shard(number, shard)])
        data = held[: file.size].toreadonly()
        return data, whole.digest(), lambda _first, _last: None
    window = memoryview(bytearray(SHARD))
    with tempfile.TemporaryFile(prefix="bundle-recipes-") as spool:
        for number in range(count):
            shard = window[: file.read_shard(number, window)]
            whole.update(shard)
            spool.write(shard)
        spool.flush()
        mapped = mmap.mmap(spool.fileno(), file.size, prot=mmap.PROT_READ)

    def forget(first: int, last: int) -> None:
        page = mmap.PAGESIZE
        start, end = -(-first // page) * page, last // page * page
        if start < end:
            mapped.madvise(mmap.MADV_DONTNEED, start, end - start)

    return memoryview(mapped), whole.digest(), forget
