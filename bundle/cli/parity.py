"""``bundle parity add``: shards beside a bundle that make good what it loses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.cli.reading import trust_of
from bundle.cli.units import count_text, size_text
from bundle.cli.values import DEFAULT_PERCENT
from bundle.cli.watch import watching
from bundle.errors import BundleError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.medium.parity import ParityReport
    from bundle.progress import Reporter
    from bundle.state.receiver import TrustChoice

_PART: Final = re.compile(r"-[0-9]+-of-[0-9]+")


def add(options: argparse.Namespace, session: Session) -> None:
    """Write parity files, and say what they survive."""
    output = session.output
    directories = [Path(text) for text in options.bundles]
    percent = options.percent or DEFAULT_PERCENT
    chosen = options.parity_out
    out = directories[0] if chosen is None else Path(chosen)
    trust = trust_of(options, session)
    with watching(output, session.stopwatch) as reporter:
        report, warnings = protect(
            directories, trust, percent, out, session.clock(), reporter
        )
    for warning in warnings:
        output.warn(warning)
    output.event(
        "result",
        verb=options.verb,
        bundle=options.bundles[0],
        percent=percent,
        groups=report.stripes.groups,
        **members(report, out),
    )
    say(report, out, output)


def protect(
    directories: Sequence[Path],
    trust: TrustChoice,
    percent: int,
    out: Path,
    clock: float,
    reporter: Reporter,
) -> tuple[ParityReport, tuple[str, ...]]:
    """Write parity over the bundle in ``directories`` into ``out``.

    Returns what was written, and what the trust files ask to be said.

    Raises:
        BundleError: it is damaged or not to be trusted, or it does not fit.
    """
    from bundle.codec.erasure import is_fast
    from bundle.medium.parity import add_parity
    from bundle.medium.salvage import salvage
    from bundle.medium.scattered import Payload

    found = salvage(directories, trust, clock)
    if not is_fast():
        reporter.warned("parity is slow here: install bundle-syncd[parity]")
    payload = Payload(directories, found.manifest, found.shards)
    report = add_parity(payload, percent, found.files, out, reporter)
    return report, found.warnings


def protect_packed(
    media: Sequence[Path], percent: int, session: Session, reporter: Reporter
) -> tuple[ParityReport, Path]:
    """Write parity over what was just packed; return the report and where it is.

    A bundle that was spread gets its parity on a medium more, of its own.

    Raises:
        BundleError: it does not fit, or cannot be read back; the bundle is whole.
    """
    out = media[0]
    if len(media) > 1:
        out = out.with_name(f"{_PART.sub('', out.name)}-parity")
    trust = own_trust(media[0], session)
    try:
        report, _ = protect(media, trust, percent, out, session.clock(), reporter)
    except BundleError as error:
        error.advice = (
            f"the bundle itself is finished, in {media[0]}; for parity: "
            "bundle parity add"
        )
        raise
    return report, out


def own_trust(medium: Path, session: Session) -> TrustChoice:
    """Return trust in what was signed here a moment ago: the first root beside it."""
    from bundle.format.layout import TRUST
    from bundle.medium.files import names_on
    from bundle.state.receiver import TrustChoice
    from bundle.trust.chain import file_versions

    directory = medium / TRUST
    first = min(file_versions(names_on(directory), "root"))
    return TrustChoice(directory / f"{first}.root.json", session.state)


def members(report: ParityReport, out: Path) -> dict[str, object]:
    """Return what events say of parity."""
    return {
        "directory": out,
        "parity_shards": report.stripes.total,
        "shards": report.stripes.shards,
        "files": report.files,
        "bytes": report.bytes,
        "survives": report.survival.sentences(),
    }


def say(report: ParityReport, out: Path, output: Output) -> None:
    """Say what was written and what it survives."""
    files = count_text(report.files, "parity file")
    output.say(f"{size_text(report.bytes)} in {files} in {out}; each of these alone:")
    for sentence in report.survival.sentences():
        output.say(f"  survives {sentence}")
    if report.survival.advice():
        output.say(f"  {report.survival.advice()}")
