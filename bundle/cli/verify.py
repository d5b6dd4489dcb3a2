"""``bundle verify``: everything is checked, nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.reading import repairable, trust_of
from bundle.cli.session import run
from bundle.cli.units import count_text, revision_text, size_text
from bundle.cli.watch import watching

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.verifier import VerifyReport


def verify(options: argparse.Namespace, session: Session) -> None:
    """Check a bundle, and say who signed it and what was checked."""
    from bundle import verifier

    output = session.output
    trust = trust_of(options, session)
    bundle, *beside = map(Path, options.bundles)
    with (
        repairable(options.bundles),
        watching(output, session.stopwatch) as reporter,
    ):
        work = verifier.verify(
            bundle, trust, session.jobs, reporter, session.clock(), beside
        )
        report = run(work)
    _print(report, options, output)


def _print(report: VerifyReport, options: argparse.Namespace, output: Output) -> None:
    """Print each artifact with its state, the signers, and what was checked."""
    for warning in report.warnings:
        output.warn(warning)
    for artifact in report.artifacts:
        output.event(
            "artifact",
            kind=artifact.kind,
            name=artifact.name,
            revision=artifact.revision,
            files=artifact.files,
            bytes=artifact.bytes,
            state=artifact.state,
        )
    output.table(
        ("kind", "name", "revision", ">files", ">size", "state"),
        [
            (
                artifact.kind,
                artifact.name,
                revision_text(artifact.revision),
                f"{artifact.files:,}",
                size_text(artifact.bytes),
                artifact.state,
            )
            for artifact in report.artifacts
        ],
    )
    output.event(
        "result",
        verb=options.verb,
        bundle=options.bundles[0],
        stream=report.stream,
        seq=report.seq,
        release=report.release,
        signers=report.signers,
        approvers=report.approvers,
        files=report.files,
        bytes=report.bytes,
        volumes=report.volumes,
        left=report.left,
        warnings=report.warnings,
    )
    _say(report, output)


def _say(report: VerifyReport, output: Output) -> None:
    """Say the whole in three lines, and what another bundle has to show."""
    output.say(f"release {report.seq} of {report.stream}, {report.release}")
    signers = ", ".join(keyid[:16] for keyid in report.signers)
    output.say(f"signed by {signers}")
    if report.approvers:
        approvers = ", ".join(keyid[:16] for keyid in report.approvers)
        output.say(f"approved by {approvers}")
    output.say(
        "checked: every signature, digest and size; "
        f"{count_text(report.files, 'file')}, {size_text(report.bytes)}, "
        f"{count_text(report.volumes, 'volume')}"
    )
    if report.left:
        output.say(f"not in this bundle: {count_text(len(report.left), 'artifact')}")
        for line in report.left:
            output.say(f"  {line}")
