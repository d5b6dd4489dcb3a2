"""``bundle set check``: what a declared set has that was not packed yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.networks import bucket_connection, registry_options
from bundle.cli.session import run
from bundle.cli.units import count_text, revision_text
from bundle.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.planner import Comparison


def check(options: argparse.Namespace, session: Session) -> None:
    """Resolve everything the set names and compare it with the last release.

    Raises:
        UsageError: the file is no set, or names no stream.
    """
    from bundle import planner
    from bundle.source.declared import read_set, registries_of, sources_of
    from bundle.source.filter import ListOptions
    from bundle.source.options import SourceOptions

    path = Path(options.file)
    declared = read_set(path)
    stream = options.stream or declared.stream
    if stream is None:
        raise UsageError(
            f"{path} names no stream", advice='add stream = "NAME", or use --stream'
        )
    reading = SourceOptions(
        listing=ListOptions(tuple(options.include), tuple(options.exclude)),
        platforms=tuple(options.platform),
        environment=session.environment,
        s3=bucket_connection(options, session),
        registry=registry_options(options, session, *registries_of(declared)),
    )
    sources = sources_of(declared, path, reading)
    found = run(planner.compare(sources, session.state, stream))
    _print(found, stream, options.verb, session.output)


def _print(found: Comparison, stream: str, verb: str, output: Output) -> None:
    rows = []
    for one in found.artifacts:
        output.event(
            "upstream",
            kind=one.kind,
            name=one.name,
            state=one.state,
            revision_before=one.before,
            revision_after=one.after,
        )
        revisions = [revision_text(each) for each in (one.before, one.after) if each]
        shown = " → ".join(dict.fromkeys(revisions))
        rows.append((one.state, one.kind, one.name, shown))
    output.listing(("", "kind", "name", "revision"), rows)
    output.event(
        "result",
        verb=verb,
        stream=stream,
        seq=found.seq,
        artifacts=len(found.artifacts),
        fresh=found.fresh,
    )
    since = "nothing was packed yet" if found.seq is None else f"release {found.seq}"
    output.say(f"{stream}: {count_text(found.fresh, 'artifact')} new since {since}")
