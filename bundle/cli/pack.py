"""``bundle pack``: sources in, a bundle out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.cli.parity import members, protect_packed, say
from bundle.cli.session import run
from bundle.cli.units import count_text, duration_text, revision_text, size_text
from bundle.cli.values import default_volume
from bundle.cli.watch import watching
from bundle.errors import PartialError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.medium.parity import ParityReport
    from bundle.packer import PackReport, PackRequest


COPY_RATE: Final = 100_000_000
"""Bytes a second that a copy onto a medium is taken to run at: a USB 3 stick."""


def pack(options: argparse.Namespace, session: Session) -> None:
    """Pack what was asked for and say what to do next.

    Raises:
        PartialError: some of it was damaged and left out, as was asked for.
    """
    from bundle import packer

    output = session.output
    request = _request(options, session)
    parity = None
    with watching(output, session.stopwatch) as reporter:
        report = run(packer.pack(request, reporter))
        if options.parity and report.media:
            parity = protect_packed(report.media, options.parity, session, reporter)
    _print(report, options.verb, output, parity)
    if report.bundle is not None:
        _say_next(report.media, Path(options.key), output)
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
    from bundle.source.locate import parse_source
    from bundle.source.options import SourceOptions

    listing = ListOptions(
        tuple(options.include), tuple(options.exclude), options.keep_going
    )
    reading = SourceOptions(listing=listing, environment=session.environment)
    sources = (parse_source(text, reading) for text in options.sources)
    return PackRequest(
        sources=tuple(sources),
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
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _print(
    report: PackReport,
    verb: str,
    output: Output,
    parity: tuple[ParityReport, Path] | None,
) -> None:
    """Print each artifact, then the whole."""
    for artifact in report.artifacts:
        output.event(
            "artifact",
            kind=artifact.kind,
            name=artifact.name,
            revision=artifact.revision,
            files=artifact.files,
            bytes=artifact.bytes,
            new_bytes=artifact.new_bytes,
            licence=artifact.licence,
            warnings=artifact.warnings,
        )
        for warning in artifact.warnings:
            output.warn(f"{artifact.name}: {warning}")
    for warning in report.warnings:
        output.warn(warning)
    output.table(
        ("kind", "name", "revision", ">files", ">size", ">new", "licence"),
        [
            (
                artifact.kind,
                artifact.name,
                revision_text(artifact.revision),
                f"{artifact.files:,}",
                size_text(artifact.bytes),
                size_text(artifact.new_bytes),
                artifact.licence or "not stated",
            )
            for artifact in report.artifacts
        ],
    )
    output.event(
        "result",
        verb=verb,
        dry_run=report.bundle is None,
        bundle=report.bundle,
        stream=report.stream,
        seq=report.seq,
        release=report.release or None,
        files=report.files,
        bytes=report.bytes,
        new_bytes=report.new_bytes,
        reused_bytes=report.reused_bytes,
        stored_bytes=report.stored_bytes,
        needed_bytes=report.needed_bytes,
        volumes=report.volumes,
        media=report.media,
        against=report.against or None,
        required=report.required,
        copy_rate=COPY_RATE,
        copy_seconds=_copy_seconds(report),
        parity=None if parity is None else members(*parity),
        problems=report.problems,
        warnings=report.warnings,
    )
    output.say(
        f"release {report.seq} of {report.stream}: "
        f"{count_text(report.files, 'file')}, {size_text(report.bytes)}; "
        f"{size_text(report.new_bytes)} new, {size_text(report.reused_bytes)} reused"
    )
    if report.against:
        required = count_text(report.required, "chunk")
        output.say(f"against {report.against}; takes {required} for granted")
    volumes = count_text(report.volumes, "volume")
    copy = (
        f"{duration_text(_copy_seconds(report))} to copy "
        f"at {COPY_RATE // 1_000_000} MB/s"
    )
    if report.bundle is None:
        output.say(f"at most {size_text(report.needed_bytes)} in {volumes}, {copy}")
        output.say("nothing was written")
    else:
        output.say(f"{size_text(report.stored_bytes)} in {volumes}, {copy}")
        if len(report.media) > 1:
            output.say(f"spread over {len(report.media)} media, each a directory")
        if parity is not None:
            say(*parity, output)
        for medium in report.media:
            output.answer(str(medium))


def _copy_seconds(report: PackReport) -> int:
    """Return how long a copy of the bundle takes at ``COPY_RATE``, rounded up."""
    return -(-(report.stored_bytes or report.needed_bytes) // COPY_RATE)


def _say_next(media: tuple[Path, ...], key: Path, output: Output) -> None:
    """Say what to type next, here and behind the gap."""
    root = (key if key.is_dir() else key.parent) / "1.root.json"
    trust = ("--trust", root) if root.exists() else ()
    output.hint("next: check it, carry it, and unpack it there:")
    output.hint(f"  {_command('verify', *media, *trust)}")
    names = [medium.name for medium in media]
    output.hint(f"  {_command('unpack', *names, '--to')} TARGET")


def _command(verb: str, *words: object) -> str:
    """Return a command line that a shell takes as it is."""
    return shlex.join(["bundle", verb, *map(str, words)])
