"""From the store into one target: what is selected of a stream's release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import TargetError
from bundle.oci.mapping import NameMap
from bundle.publisher import PublishRequest, publish
from bundle.registry.options import RegistryOptions
from bundle.s3.options import Connection
from bundle.target.options import OnExisting, TargetOptions
from syncd.plan import Held
from syncd.scanning import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from bundle.format.release import Artifact
    from bundle.progress import Reporter
    from bundle.publisher import PublishReport
    from bundle.store.base import ReadStore
    from bundle.target.base import Target
    from syncd.catalogue import Entry
    from syncd.config import TargetSettings


def held_of(
    entry: Entry,
    settings: Iterable[TargetSettings],
    had: Collection[tuple[str, str]] = (),
) -> Held:
    """Return a release as the plan looks at it: with the targets it goes to.

    ``had`` are streams and the targets that have a release of them: one that prunes
    gets the next even if nothing of it belongs there, to remove the rest.
    """
    committed = entry.committed
    return Held(
        committed.stream,
        committed.name,
        committed.seq,
        committed.digest,
        tuple(
            one.name
            for one in settings
            if one.selects_stream(committed.name)
            and (
                (one.prune and (committed.stream, one.name) in had)
                or any(one.selects(it.kind, it.name) for it in entry.release.artifacts)
            )
        ),
    )


async def publish_to(
    settings: TargetSettings,
    target: Target,
    release: str,
    store: ReadStore,
    reporter: Reporter,
    environment: Mapping[str, str],
) -> PublishReport:
    """Make a target hold what it selects of a release of the store.

    ``environment`` is that of the command ``scan``.

    Raises:
        MissingError, IntegrityError, FormatError: the store lost some of it.
        StoreError: the store or a network does not answer.
        TargetError: the target is full or refuses, or the scan does.
    """

    def selected(artifact: Artifact) -> bool:
        return settings.selects(artifact.kind, artifact.name)

    async def inspect(directory: Path) -> None:
        await scan(settings.scan, directory, settings.scan_seconds, environment)

    request = PublishRequest(
        store=store,
        release=release,
        targets=(target,),
        selected=selected,
        inspect=inspect if settings.scan else None,
    )
    report = await publish(request, reporter)
    if report.left:
        raise TargetError(
            f"{settings.to} does not take {report.left[0].partition(':')[0]}"
            + (f" and {len(report.left) - 1} more" if len(report.left) > 1 else ""),
            advice=f"the rest is published; let target {settings.name!r} select "
            "only what it takes",
        )
    if report.failed:
        more = len(report.failed) - 1
        raise TargetError(
            report.failed[0] + (f" and {more} more" if more else ""),
            advice="the rest is published; it is tried again",
        )
    return report


def options_of(
    settings: TargetSettings,
    staging: Path,
    environment: Mapping[str, str],
    clock: Callable[[], float],
) -> TargetOptions:
    """Return what settings say about their target.

    ``staging`` is for remote targets; ``clock`` gives seconds since 1970.

    Raises:
        UsageError: a rule for names is none.
    """
    ca = Path(settings.ca) if settings.ca else None
    return TargetOptions(
        copy=settings.copy,
        prune=settings.prune,
        keep=settings.keep,
        staging=staging,
        environment=environment,
        s3=Connection(
            endpoint_url=settings.endpoint_url or None,
            region=settings.region or None,
            ca=ca,
            addressing=settings.addressing,
            environment=environment,
        ),
        clock=clock,
        registry=RegistryOptions(
            ca=ca,
            plain_http=settings.plain_http,
            auth_file=Path(settings.auth_file) if settings.auth_file else None,
            environment=environment,
        ),
        names=NameMap.parse(settings.map),
        existing=OnExisting(settings.on_existing_tag),
    )


def refuse_two_owners(
    settings: TargetSettings, wanted: Entry, placed: Iterable[Entry]
) -> None:
    """Refuse to publish under a name that another stream has at this target.

    ``placed`` are the releases that the target has.

    Raises:
        TargetError: names the artifact and the stream that it belongs to.
    """
    ours = {
        (one.kind, one.name)
        for one in wanted.release.artifacts
        if settings.selects(one.kind, one.name)
    }
    name, stream = wanted.committed.name, wanted.committed.stream
    for other in placed:
        if other.committed.stream == stream:
            continue
        for one in other.release.artifacts:
            if (one.kind, one.name) in ours and settings.selects(one.kind, one.name):
                raise TargetError(
                    f"{one.kind} {one.name} of stream {name} is published at "
                    f"{settings.name} by stream {other.committed.name} "
                    f"({other.committed.stream})",
                    advice="let the target select it of one stream only",
                )
