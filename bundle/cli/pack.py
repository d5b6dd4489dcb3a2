"""``bundle pack``: sources in, a bundle out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.networks import bucket_connection, registry_options
from bundle.cli.session import run
from bundle.cli.units import count_text
from bundle.cli.values import default_volume
from bundle.cli.watch import watching
from bundle.cli.written import finish, print_written
from bundle.errors import PartialError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bundle.cli.session import Session
    from bundle.packer import PackRequest
    from bundle.packing.model_signatures import ModelCheck
    from bundle.source.base import Source
    from bundle.source.filter import ListOptions


def pack(options: argparse.Namespace, session: Session) -> None:
    """Pack what was asked for and say what to do next.

    Raises:
        PartialError: some of it was damaged and left out, as was asked for.
    """
    from bundle import packer

    request = _request(options, session)
    with watching(session.output, session.stopwatch) as reporter:
        report = run(packer.pack(request, reporter))
        parity = finish(report, options, session, reporter)
    print_written(report, options, session.output, parity)
    if report.problems:
        raise PartialError(
            f"left out: {count_text(len(report.problems), 'problem')}",
            left=report.problems,
            advice="the rest is packed; mend these and pack again",
        )


def _request(options: argparse.Namespace, session: Session) -> PackRequest:
    """Return what the options ask for."""
    from bundle.packer import PackRequest
    from bundle.packing.holdings import FarSide
    from bundle.source.filter import ListOptions

    listing = ListOptions(
        tuple(options.include), tuple(options.exclude), options.keep_going
    )
    return PackRequest(
        sources=tuple(_sources(options, session, listing)),
        out=Path(options.out),
        stream=options.stream,
        key=Path(options.key),
        state=session.state,
        clock=session.clock,
        add=options.add,
        after=_path(options.after),
        audience=tuple(options.audience),
        expires_days=options.expires,
        volume_size=options.volume_size or default_volume(options.media_size),
        media_size=options.media_size,
        keep_going=options.keep_going,
        dry_run=options.dry_run,
        jobs=session.jobs,
        far=FarSide(
            have=_path(options.have),
            base=_path(options.base),
            dest=options.dest,
            assume_delivered=options.assume_delivered,
            overlap=options.overlap or 0,
        ),
        fill=_path(options.fill),
        models=_model_check(options, session),
    )


def _model_check(options: argparse.Namespace, session: Session) -> ModelCheck:
    """Return what the signatures of models are checked with."""
    from shutil import which

    from bundle.packing.model_signatures import TOOL, ModelCheck

    tool = which(TOOL, path=session.environment.get("PATH", ""))
    return ModelCheck(tool, _path(options.model_key))


def _sources(
    options: argparse.Namespace, session: Session, listing: ListOptions
) -> Iterator[Source]:
    """Return what is named on the command line, then what a set declares."""
    from bundle.source.declared import Set, read_set, registries_of, sources_of
    from bundle.source.locate import parse_source
    from bundle.source.options import SourceOptions

    if not options.sources and options.set is None:
        raise UsageError(
            "nothing is named that is to be packed", advice="name a SOURCE, or --set"
        )
    path = _path(options.set)
    declared = Set() if path is None else read_set(path)
    reading = SourceOptions(
        listing=listing,
        platforms=tuple(options.platform),
        environment=session.environment,
        s3=bucket_connection(options, session),
        registry=registry_options(
            options, session, *options.sources, *registries_of(declared)
        ),
    )
    for text in options.sources:
        yield parse_source(text, reading)
    if path is not None:
        yield from sources_of(declared, path, reading)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
