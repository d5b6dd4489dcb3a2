"""``bundle copy``: onto a medium, read back before it may be removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.reading import trust_of
from bundle.cli.session import run
from bundle.cli.units import count_text, size_text
from bundle.cli.watch import watching
from bundle.cli.written import READ_BACK

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session


def copy(options: argparse.Namespace, session: Session) -> None:
    """Copy a bundle, and say when the medium may be removed."""
    from bundle import copier

    output = session.output
    trust = trust_of(options, session)
    with watching(output, session.stopwatch) as reporter:
        report = run(
            copier.copy(
                Path(options.bundles[0]),
                Path(options.destination),
                trust,
                reporter,
                session.clock(),
                tuple(map(Path, options.bundles[1:])),
            )
        )
    output.event(
        "result",
        verb=options.verb,
        bundle=str(report.bundle),
        stream=report.stream,
        seq=report.seq,
        release=report.release,
        files=report.files,
        copiedBytes=report.copied_bytes,
        keptBytes=report.kept_bytes,
        parts=report.parts,
    )
    output.say(
        f"{report.bundle}: {count_text(report.files, 'file')}, "
        f"{size_text(report.copied_bytes)} copied, {size_text(report.kept_bytes)} "
        "there already"
    )
    if report.parts:
        output.say(f"one of the {report.parts} media that this bundle is spread over")
    output.say(READ_BACK)
