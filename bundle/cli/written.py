"""What ``pack`` and ``relay`` do once a bundle is there, and what they say of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.cli.parity import members, own_trust, protect_packed, say
from bundle.cli.units import count_text, duration_text, revision_text, size_text
from bundle.errors import BundleError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.medium.parity import ParityReport
    from bundle.packing.report import PackReport
    from bundle.progress import Reporter

COPY_RATE: Final = 100_000_000
"""Bytes a second that a copy onto a medium is taken to run at: a USB 3 stick."""

READ_BACK: Final = "read back from the medium: safe to remove once it is unmounted"


def finish(
    report: PackReport,
    options: argparse.Namespace,
    session: Session,
    reporter: Reporter,
) -> tuple[ParityReport, Path] | None:
    """Add the parity that was asked for, and read all of it back where that was.

    Returns what parity was written, and where; None where none was.

    Raises:
        BundleError: parity does not fit, or a medium gives back something else.
    """
    if not report.media:
        return None
    parity = None
    if options.parity:
        parity = protect_packed(report.media, options.parity, session, reporter)
    if options.verify_media:
        from bundle.medium.readback import verify_media

        trust = own_trust(report.media[0], session)
        place = None if parity is None else parity[1]
        try:
            verify_media(report.media, place, trust, session.clock(), reporter)
        except BundleError as error:
            where = ", ".join(map(str, report.media))
            error.advice = f"the medium is bad: do not carry {where}; use another"
            raise
    return parity


def print_written(
    report: PackReport,
    options: argparse.Namespace,
    output: Output,
    parity: tuple[ParityReport, Path] | None,
) -> None:
    """Print each artifact, then the whole, then what to do next."""
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
            notes=artifact.notes,
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
        verb=options.verb,
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
        media_count=_media(report, options, parity),
        parity_bytes=_parity_bytes(report, options, parity),
        read_back=_is_read_back(report, options),
        against=report.against or None,
        required=report.required,
        copy_rate=COPY_RATE,
        copy_seconds=_copy_seconds(report, options, parity),
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
    _say_size(report, options, output, parity)
    if report.bundle is not None:
        _say_next(report, options, output)


def _say_size(
    report: PackReport,
    options: argparse.Namespace,
    output: Output,
    parity: tuple[ParityReport, Path] | None,
) -> None:
    """Say how much there is to carry, and where it is."""
    volumes = count_text(report.volumes, "volume")
    copy = (
        f"{duration_text(_copy_seconds(report, options, parity))} to copy "
        f"at {COPY_RATE // 1_000_000} MB/s"
    )
    if report.bundle is None:
        extra = ""
        if options.parity:
            size = size_text(_parity_bytes(report, options, parity))
            extra += f" and {size} of parity"
        media = _media(report, options, parity)
        if media > 1:
            extra += f" on {count_text(media, 'medium', 'media')}"
        size = size_text(report.needed_bytes)
        output.say(f"at most {size} in {volumes}{extra}, {copy}")
        output.say("nothing was written")
        return
    output.say(f"{size_text(report.stored_bytes)} in {volumes}, {copy}")
    if len(report.media) > 1:
        output.say(f"spread over {len(report.media)} media, each a directory")
    if parity is not None:
        say(*parity, output)
    if _is_read_back(report, options):
        output.say(READ_BACK)
    for medium in report.media:
        output.answer(str(medium))


def _is_read_back(report: PackReport, options: argparse.Namespace) -> bool:
    return bool(options.verify_media and report.media)


def _parity_bytes(
    report: PackReport,
    options: argparse.Namespace,
    parity: tuple[ParityReport, Path] | None,
) -> int:
    """Return what parity takes, or may take after a dry run."""
    from bundle.packing.report import parity_bytes

    if parity is not None:
        return parity[0].bytes
    if report.media or not options.parity:
        return 0
    return parity_bytes(report.needed_bytes, report.volumes, options.parity)


def _media(
    report: PackReport,
    options: argparse.Namespace,
    parity: tuple[ParityReport, Path] | None,
) -> int:
    """Return how many media there are; parity of a spread bundle is on one more."""
    more = report.media_count > 1 and bool(parity or options.parity)
    return report.media_count + more


def _copy_seconds(
    report: PackReport,
    options: argparse.Namespace,
    parity: tuple[ParityReport, Path] | None,
) -> int:
    """Return how long a copy of all of it takes at ``COPY_RATE``, rounded up."""
    size = report.stored_bytes or report.needed_bytes
    return -(-(size + _parity_bytes(report, options, parity)) // COPY_RATE)


def _say_next(report: PackReport, options: argparse.Namespace, output: Output) -> None:
    """Say what to type next, here and behind the gap."""
    from bundle.format.layout import directory_name

    key = Path(options.key)
    root = (key if key.is_dir() else key.parent) / "1.root.json"
    trust = ("--trust", root) if root.exists() else ()
    names = [medium.name for medium in report.media]
    if getattr(options, "fill", None) is None:
        output.hint("next: check it, carry it, and unpack it there:")
    else:
        output.hint(
            "next: check it, carry it, and unpack with it the bundle that it completes:"
        )
        names = [directory_name(report.stream, report.seq), "--store", *names]
    output.hint(f"  {_command('verify', *report.media, *trust)}")
    output.hint(f"  {_command('unpack', *names, '--to')} TARGET")


def _command(verb: str, *words: object) -> str:
    """Return a command line that a shell takes as it is."""
    return shlex.join(["bundle", verb, *map(str, words)])
