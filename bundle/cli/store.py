"""``bundle store``: chunks, recipes and releases, in a directory or a bucket."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.networks import BUCKETS, bucket_store
from bundle.cli.reading import open_verified
from bundle.cli.session import run
from bundle.cli.units import count_text, revision_text, size_text
from bundle.cli.watch import watching
from bundle.errors import BundleError, IntegrityError, MissingError

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterable

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.format.release import Artifact
    from bundle.ingester import IngestReport
    from bundle.medium.reader import OpenBundle
    from bundle.progress import Reporter
    from bundle.store.base import Collected, Committed, Retention
    from bundle.store.check import Checked, Lost
    from bundle.store.local import LocalStore
    from bundle.store.s3 import S3Store
    from bundle.store.stat import Stat

_KEEP = 3
"""Releases of each stream that a collection keeps: room to go back twice."""

_SHOWN = 5
"""Files that are named for a person; the events name more."""


def add(options: argparse.Namespace, session: Session) -> None:
    """Take a bundle into a store, which is made if it is not there."""
    output = session.output
    opened = open_verified(options, session)
    with watching(output, session.stopwatch) as reporter:
        report = run(_ingest(opened, options, session, reporter))
    output.event(
        "result",
        verb=options.verb,
        bundle=options.bundle,
        directory=options.directory,
        stream=report.stream,
        seq=report.seq,
        release=report.release,
        volumes=report.volumes,
        kept=report.kept,
        bytes=report.bytes,
        recipes=report.recipes,
    )
    output.say(f"release {report.seq} of {report.stream}, {report.release}")
    output.say(
        f"added {count_text(report.volumes, 'volume')}, {size_text(report.bytes)}; "
        f"{count_text(report.kept, 'volume')} held already"
    )


async def _ingest(
    opened: OpenBundle,
    options: argparse.Namespace,
    session: Session,
    reporter: Reporter,
) -> IngestReport:
    from bundle.ingester import ingest

    async with _open(options, session, make=True) as store:
        return await ingest(opened, store, reporter)


@contextlib.asynccontextmanager
async def _open(
    options: argparse.Namespace, session: Session, *, make: bool = False
) -> AsyncIterator[LocalStore | S3Store]:
    """Open the store that was named; ``make`` makes a directory one."""
    if options.directory.startswith(BUCKETS):
        async with bucket_store(options.directory, options, session) as store:
            yield store
        return
    from bundle.store.local import LocalStore

    path = Path(options.directory)
    with contextlib.closing(LocalStore.make(path) if make else LocalStore(path)) as at:
        yield at


def stat(options: argparse.Namespace, session: Session) -> None:
    """Print what a store holds."""
    output = session.output
    found = run(_count(options, session))
    _releases("held", found.releases, output)
    output.event(
        "result",
        verb=options.verb,
        directory=options.directory,
        id=found.identity.id,
        generation=found.identity.generation,
        releases=len(found.releases),
        lost=found.lost,
        recipes=found.recipes,
        packs=found.packs,
        chunks=found.chunks,
        bytes=found.bytes,
    )
    output.say(f"store {found.identity.id}, generation {found.identity.generation}")
    output.say(
        f"{count_text(found.chunks, 'chunk')} in {count_text(found.packs, 'pack')}, "
        f"{size_text(found.bytes)}; {count_text(found.recipes, 'recipe')}"
    )
    if found.lost:
        output.say(f"not whole: {count_text(found.lost, 'release')}")


async def _count(options: argparse.Namespace, session: Session) -> Stat:
    from bundle.store.local import LocalStore

    async with _open(options, session) as store:
        if isinstance(store, LocalStore):
            from bundle.store.stat import stat as count

            return count(store)
        from bundle.store.s3_stat import stat as count_objects

        return await count_objects(store)


def ls(options: argparse.Namespace, session: Session) -> None:
    """List every release of a store, the newest last, and its artifacts.

    Raises:
        MissingError: it has no release of the stream that was asked for.
    """
    output, stream = session.output, options.stream
    releases = [
        one
        for one in run(_listed(options, session))
        if stream is None or stream in (one.name, one.stream)
    ]
    if stream is not None and not releases:
        raise MissingError(
            f"no release of {stream} is in this store",
            advice="'bundle store stat' lists what is",
        )
    for one in releases:
        _releases("held", [one], output)
        _artifacts(one, output)
    output.event(
        "result",
        verb=options.verb,
        directory=options.directory,
        releases=len(releases),
        artifacts=sum(len(one.recipes) for one in releases),
    )
    output.say(count_text(len(releases), "release"))


async def _listed(
    options: argparse.Namespace, session: Session
) -> tuple[Committed, ...]:
    async with _open(options, session) as store:
        return await store.releases()


def _artifacts(one: Committed, output: Output) -> None:
    """List the artifacts of a release, where its envelope is kept and reads."""
    rows = []
    for each in _read_artifacts(one):
        output.event(
            "artifact",
            kind=each.kind,
            name=each.name,
            revision=each.revision,
            files=each.files,
            bytes=each.bytes,
            licence=each.licence,
            warnings=each.warnings,
            source=each.source,
            recipe=each.recipe.digest,
            chunks=each.chunks,
        )
        revision, size = revision_text(each.revision), size_text(each.bytes)
        rows.append((each.kind, each.name, revision, f"{each.files:,}", size))
    if rows:
        output.table(("kind", "name", "revision", ">files", ">size"), rows)


def check(options: argparse.Namespace, session: Session) -> None:
    """Check a store, and say what each release has lost.

    Raises:
        IntegrityError: something is damaged or lost.
    """
    output = session.output
    with watching(output, session.stopwatch) as reporter:
        report = run(_check(options, session, reporter))
    for problem in report.problems:
        output.warn(problem)
    for lost in report.lost:
        _lost(lost, output)
    output.event(
        "result",
        verb=options.verb,
        directory=options.directory,
        quick=options.quick,
        rebuild=options.rebuild,
        releases=report.releases,
        recipes=report.recipes,
        packs=report.packs,
        chunks=report.chunks,
        bytes=report.bytes,
        problems=report.problems,
        lost=len({lost.release.digest for lost in report.lost}),
    )
    _judge(report, options, output)


async def _check(
    options: argparse.Namespace, session: Session, reporter: Reporter
) -> Checked:
    from bundle.store.local import LocalStore

    quick, rebuild = options.quick, options.rebuild
    async with _open(options, session) as store:
        if isinstance(store, LocalStore):
            from bundle.store.check import check as check_packs

            return check_packs(store, quick=quick, rebuild=rebuild, reporter=reporter)
        from bundle.store.s3_check import check as check_objects

        return await check_objects(
            store, quick=quick, rebuild=rebuild, reporter=reporter
        )


def _judge(report: Checked, options: argparse.Namespace, output: Output) -> None:
    looked = "structure" if options.quick else "every frame and chunk"
    output.say(
        f"checked: {looked} of {count_text(report.packs, 'pack')}, "
        f"{count_text(report.chunks, 'chunk')}, {size_text(report.bytes)}; "
        f"{count_text(report.recipes, 'recipe')}, "
        f"{count_text(report.releases, 'release')}"
    )
    broken = len({lost.release.digest for lost in report.lost})
    if broken:
        raise IntegrityError(
            f"{count_text(broken, 'release')} of this store lost something",
            rule="50.7.3",
            advice="add a bundle of each of these releases again"
            if options.rebuild
            else "run it with --rebuild, then add a bundle of each of these "
            "releases again",
        )
    if report.problems and not options.rebuild:
        raise IntegrityError(
            f"{count_text(len(report.problems), 'problem')}, and no release lost "
            "anything",
            rule="50.7.3",
            advice="'bundle store check --rebuild' puts the index right",
        )


def gc(options: argparse.Namespace, session: Session) -> None:
    """Drop old releases and what nothing else uses."""
    from bundle.store.base import Retention

    output = session.output
    keep = _KEEP if options.keep is None else options.keep
    retention = Retention(keep, frozenset(options.pin))
    report = run(_collect(retention, options, session))
    _releases("dropped", report.releases, output)
    output.event(
        "result",
        verb=options.verb,
        directory=options.directory,
        dry_run=options.dry_run,
        releases=len(report.releases),
        recipes=report.recipes,
        chunks=report.chunks,
        bytes=report.bytes,
        generation=report.generation,
    )
    output.say(
        f"{'would drop' if options.dry_run else 'dropped'} "
        f"{count_text(len(report.releases), 'release')}, "
        f"{count_text(report.recipes, 'recipe')}, "
        f"{count_text(report.chunks, 'chunk')}, {size_text(report.bytes)}"
    )


async def _collect(
    retention: Retention, options: argparse.Namespace, session: Session
) -> Collected:
    async with _open(options, session) as store:
        return await store.collect(retention, dry_run=options.dry_run)


def _releases(event: str, releases: Iterable[Committed], output: Output) -> None:
    rows = []
    for one in releases:
        output.event(
            event,
            id=one.stream,
            name=one.name,
            seq=one.seq,
            release=one.digest,
            artifacts=len(one.recipes),
        )
        rows.append((one.name, f"{one.seq}", f"{len(one.recipes):,}", one.digest))
    if rows:
        output.table(("stream", ">seq", ">artifacts", "release"), rows)


def _lost(lost: Lost, output: Output) -> None:
    artifact = _artifact_of(lost)
    output.event(
        "lost",
        id=lost.release.stream,
        name=lost.release.name,
        seq=lost.release.seq,
        release=lost.release.digest,
        recipe=lost.recipe,
        artifact=artifact,
        chunks=lost.chunks,
        count=lost.count,
        files=lost.files,
    )
    what = f"{lost.release.name} {lost.release.seq}: {artifact or lost.recipe}"
    if not lost.chunks:
        output.say(f"{what}: its recipe is lost")
        return
    more = " …" if lost.count > _SHOWN else ""
    output.say(
        f"{what}: {count_text(lost.chunks, 'chunk')} lost, of "
        f"{count_text(lost.count, 'file')}: {', '.join(lost.files[:_SHOWN])}{more}"
    )


def _artifact_of(lost: Lost) -> str:
    """Return the kind and name of what was lost; empty where nobody knows."""
    names = (
        f"{one.kind} {one.name}"
        for one in _read_artifacts(lost.release)
        if one.recipe.digest == lost.recipe
    )
    return next(names, "")


def _read_artifacts(one: Committed) -> tuple[Artifact, ...]:
    """Return what a release lists; nothing where its envelope is gone or damaged."""
    from bundle.format.release import Release
    from bundle.limits import MAX_ENVELOPE
    from bundle.trust.envelope import parse

    try:
        payload = parse(one.envelope, limit=MAX_ENVELOPE).payload
        return Release.parse(payload).artifacts
    except BundleError:
        return ()
