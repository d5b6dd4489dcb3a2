"""``bundle unpack``: check a bundle and publish it."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.doctor import print_variables
from bundle.cli.networks import REGISTRIES, target_options
from bundle.cli.reading import connected, open_store, repairable, trust_of
from bundle.cli.session import run
from bundle.cli.units import count_text, size_text
from bundle.cli.watch import watching
from bundle.errors import PartialError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.unpacker import UnpackReport


def unpack(options: argparse.Namespace, session: Session) -> None:
    """Publish every artifact to every target that takes it.

    Raises:
        PartialError: some artifacts could not be published anywhere.
        UsageError: a stream is named together with a directory.
    """
    from bundle import unpacker
    from bundle.target.locate import parse_target

    to = target_options(options, session)
    output = session.output
    locations = dict.fromkeys(options.to)
    bundle, *beside = map(Path, options.bundles)
    if beside and "-" in options.bundles:
        raise UsageError("'-' is the whole bundle: name nothing beside it")
    with contextlib.ExitStack() as lent:
        request = unpacker.UnpackRequest(
            bundle=bundle,
            beside=tuple(beside),
            stream=sys.stdin.buffer if options.bundles == ["-"] else None,
            targets=tuple(parse_target(text, to) for text in locations),
            trust=trust_of(options, session),
            jobs=session.jobs,
            clock=session.clock,
            stores=tuple(
                lent.enter_context(open_store(text, options, session))
                for text in dict.fromkeys(options.store)
            ),
            receipt_to=_directory(options.receipt_to),
            want_to=_directory(options.want_to),
        )
        with (
            repairable([*options.bundles]),
            watching(output, session.stopwatch) as reporter,
        ):
            report = run(connected(request.stores, unpacker.unpack(request, reporter)))
    _print(report, options, output)
    _print_variables(locations, output)
    undone = (*report.left, *report.failed)
    if undone:
        advice = "name a target for these too"
        if report.failed:
            advice = "mend what is said and run the same command again: only what is "
            advice += "missing is sent"
        raise PartialError(
            f"not unpacked: {count_text(len(undone), 'artifact')}",
            left=undone,
            advice=f"the rest is published; {advice}",
        )


def _directory(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _print(report: UnpackReport, options: argparse.Namespace, output: Output) -> None:
    """Print what each target got, and the whole."""
    for warning in report.warnings:
        output.warn(warning)
    _print_events(report, output)
    _print_table(report, output)
    written = sum(placed.written_files for placed in report.placed)
    size = sum(placed.written_bytes for placed in report.placed)
    output.event(
        "result",
        verb=options.verb,
        bundle=options.bundles[0],
        stream=report.stream,
        seq=report.seq,
        release=report.release,
        written_files=written,
        kept_files=sum(placed.kept_files for placed in report.placed),
        written_bytes=size,
        reused_bytes=report.reused_bytes,
        sent_bytes=sum(transfer.sent for _, transfer in report.transfers),
        copied_bytes=sum(transfer.copied for _, transfer in report.transfers),
        skipped_bytes=sum(transfer.skipped for _, transfer in report.transfers),
        removed_files=sum(pruned.files for _, pruned in report.prunings),
        removed_bytes=sum(pruned.bytes for _, pruned in report.prunings),
        receipt=report.receipt,
        stays=report.stays,
        left=report.left,
        failed=report.failed,
        warnings=report.warnings,
    )
    _say(report, written, size, output)


def _say(report: UnpackReport, written: int, size: int, output: Output) -> None:
    """Tell a person what was done."""
    release = f"release {report.seq} of {report.stream}"
    if written:
        output.say(
            f"{release}: {count_text(written, 'file')} written, {size_text(size)}"
        )
    elif report.placed:
        output.say(f"{release}: nothing to write, all of it is there")
    if report.reused_bytes:
        output.say(f"{size_text(report.reused_bytes)} of it were here already")
    for target, transfer in report.transfers:
        output.say(
            f"{target}: {size_text(transfer.sent)} sent, {size_text(transfer.copied)} "
            f"copied there, {size_text(transfer.skipped)} there already"
        )
    for line in report.stays:
        output.say(line)
    _say_prunings(report, output)
    if report.receipt is not None:
        output.say(f"receipt for the sender: {report.receipt}")


def _print_events(report: UnpackReport, output: Output) -> None:
    """Print the events of each artifact at each target, and of remote targets."""
    for placed in report.placed:
        output.event(
            "placed",
            kind=placed.kind,
            name=placed.name,
            target=placed.target,
            written_files=placed.written_files,
            kept_files=placed.kept_files,
            written_bytes=placed.written_bytes,
            left_out=placed.left_out,
        )
        if placed.target.startswith(REGISTRIES):
            for line in placed.left_out:
                output.warn(f"{placed.name}: {line}")
    for target, transfer in report.transfers:
        output.event(
            "transferred",
            target=target,
            sent_bytes=transfer.sent,
            copied_bytes=transfer.copied,
            skipped_bytes=transfer.skipped,
        )
    _print_prunings(report, output)


def _print_prunings(report: UnpackReport, output: Output) -> None:
    """Print what each target removed."""
    for target, pruned in report.prunings:
        output.event(
            "pruned",
            target=target,
            removed_files=pruned.files,
            removed_bytes=pruned.bytes,
            stayed=pruned.stayed,
        )


def _say_prunings(report: UnpackReport, output: Output) -> None:
    """Say what each target removed, and warn of what stays there."""
    for target, pruned in report.prunings:
        if pruned.files:
            output.say(
                f"{target}: {count_text(pruned.files, 'file')} removed that left the "
                f"stream, {size_text(pruned.bytes)}"
            )
        for line in pruned.stayed:
            output.warn(f"not removed: {line}")


def _print_table(report: UnpackReport, output: Output) -> None:
    """Print one line for each artifact at each target."""
    rows = [
        (
            placed.kind,
            placed.name,
            placed.target,
            f"{placed.written_files:,}",
            size_text(placed.written_bytes),
            f"{placed.kept_files:,}",
        )
        for placed in report.placed
    ]
    if rows:
        columns = ("kind", "name", "target", ">written", ">size", ">kept")
        output.table(columns, rows)


def _print_variables(targets: Iterable[str], output: Output) -> None:
    """Print which variables a client needs, for each target that has clients."""
    if output.as_json or output.quiet:
        return
    from bundle.target.doctor import diagnose
    from bundle.target.locate import FOLDERS

    for text in targets:
        if text.partition(":")[0] not in FOLDERS:
            continue
        diagnosis = diagnose(text)
        if diagnosis.variables:
            print_variables(diagnosis, output)
