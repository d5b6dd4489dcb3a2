"""``bundle verify``: every signature, digest and size of a bundle; writes nothing.

It is an unpack into a sink that discards, with the checks beside that a reader
may leave out: whole-file digests of the volumes, the copies, stray files.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bundle.errors import FormatError, IntegrityError, MissingError, StoreError
from bundle.format.columns import keys_of
from bundle.format.recipe import Mode
from bundle.medium.chunks import ChunkReader
from bundle.medium.damage import all_damage
from bundle.medium.reader import OpenBundle, open_bundle
from bundle.medium.surroundings import check_surroundings
from bundle.unpacking.contents import Contents
from bundle.unpacking.run import assemble
from bundle.unpacking.sink import Discard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundle.medium.files import ShardedFile
    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice
    from bundle.unpacking.worker import Assembly


@dataclass(frozen=True, slots=True)
class VerifiedArtifact:
    """One artifact and how far it could be checked.

    ``state`` is ``verified``, ``incomplete`` (chunks are taken for granted) or
    ``not carried`` (another bundle of the stream has it).
    """

    kind: str
    name: str
    revision: str
    files: int
    bytes: int
    state: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was verified; ``left`` names what this bundle alone cannot show."""

    stream: str
    seq: int
    release: str
    signers: tuple[str, ...]
    artifacts: tuple[VerifiedArtifact, ...]
    files: int
    bytes: int
    volumes: int
    left: tuple[str, ...]
    warnings: tuple[str, ...]
    approvers: tuple[str, ...] = ()


async def verify(
    bundle: Path,
    trust: TrustChoice,
    jobs: int,
    reporter: Reporter,
    clock: float,
    beside: Sequence[Path] = (),
) -> VerifyReport:
    """Check the bundle in the directory ``bundle`` and say what was checked.

    Directories ``beside`` it have the same bundle and others of its volumes.

    Raises:
        FormatError, IntegrityError: it is damaged.
        TrustError: it is not signed by whom this receiver trusts, or not for it.
        MissingError: a file of it is not here.
        StoreError: the medium cannot be read.
    """
    opened = await asyncio.to_thread(
        open_bundle, bundle, trust, clock, keep=False, beside=beside
    )
    for warning in opened.warnings:
        reporter.warned(warning)
    try:
        assembly = await check_volumes(opened, jobs, reporter)
    except (FormatError, IntegrityError, MissingError, StoreError) as error:
        whole = await asyncio.to_thread(all_damage, opened, error)
        if whole is error:
            raise
        raise whole from error
    warnings = await asyncio.to_thread(check_surroundings, opened)
    for directory in opened.beside:
        other = await asyncio.to_thread(
            open_bundle, directory, trust, clock, keep=False
        )
        warnings += await asyncio.to_thread(check_surroundings, other)
    warnings = opened.warnings + tuple(dict.fromkeys(warnings))
    return _report(opened, assembly, warnings)


async def check_volumes(opened: OpenBundle, jobs: int, reporter: Reporter) -> Assembly:
    """Put every file of an open bundle together, and keep nothing.

    Raises:
        FormatError, IntegrityError: a volume is damaged, or a recipe lies.
        MissingError: a volume or a chunk is not here.
        StoreError: the medium cannot be read.
    """
    contents = Contents()
    for recipe in opened.recipes.values():
        for index in range(recipe.files):
            if recipe.modes[index] != Mode.DIRECTORY:
                contents.add(recipe, index)
    reporter.started("verify", sum(content.size for content in contents.all))
    with opened.volumes() as volumes:
        assembly = await _assemble(opened, volumes, contents, jobs, reporter)
    reporter.finished()
    lacking = keys_of(assembly.lacking())
    if len(lacking) and not np.isin(lacking, keys_of(opened.required)).all():
        assembly.check_complete()
    return assembly


async def _assemble(
    opened: OpenBundle,
    volumes: list[ShardedFile],
    contents: Contents,
    jobs: int,
    reporter: Reporter,
) -> Assembly:
    chunks = ChunkReader(volumes)
    digests = {volume.name: volume.digest for volume in opened.manifest.volumes}

    def watch(name: str, found: bytes) -> None:
        if f"blake3:{found.hex()}" != digests[name]:
            raise IntegrityError(f"{name} is not the one that was signed", rule="3.2.4")

    sink = Discard(lambda row: chunks.fetch(contents.ids[row].tobytes()))
    return await assemble(
        volumes, contents, sink, jobs=jobs, reporter=reporter, watch=watch
    )


def _report(
    opened: OpenBundle, assembly: Assembly, warnings: tuple[str, ...]
) -> VerifyReport:
    incomplete = {id(content.recipe) for content in assembly.unfinished()}
    artifacts, left = [], []
    for artifact in opened.release.artifacts:
        recipe = opened.recipes.get(artifact.recipe.digest)
        state = "verified"
        if recipe is None:
            state = "not carried"
        elif id(recipe) in incomplete:
            state = "incomplete"
        if state != "verified":
            left.append(f"{artifact.kind} {artifact.name}: {state}")
        artifacts.append(
            VerifiedArtifact(
                artifact.kind,
                artifact.name,
                artifact.revision,
                artifact.files,
                artifact.bytes,
                state,
            )
        )
    return VerifyReport(
        stream=opened.release.stream.name,
        seq=opened.release.seq,
        release=str(opened.digest),
        signers=opened.verification.signed,
        artifacts=tuple(artifacts),
        files=sum(one.files for one in artifacts if one.state == "verified"),
        bytes=sum(one.bytes for one in artifacts if one.state == "verified"),
        volumes=len(opened.manifest.volumes),
        left=tuple(left),
        warnings=warnings,
        approvers=opened.facts.approvers,
    )
