"""``bundle export``: a bundle as one stream, for the other end of a pipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.reading import trust_of
from bundle.cli.units import count_text, size_text
from bundle.cli.watch import watching
from bundle.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session


def export(options: argparse.Namespace, session: Session) -> None:
    """Write a bundle to stdout, each shard after it was checked.

    Raises:
        UsageError: stdout is for something else.
    """
    from bundle.medium import piping
    from bundle.medium.reader import open_bundle

    output = session.output
    if output.as_json or output.stdout.isatty():
        raise UsageError(
            "a bundle is written to stdout, which is to be a pipe or a file",
            advice="bundle export BUNDLE | ssh HOST bundle unpack - --to TARGET; "
            "without --json",
        )
    bundle, *beside = map(Path, options.bundles)
    trust, clock = trust_of(options, session), session.clock()
    opened = open_bundle(bundle, trust, clock, keep=False, beside=beside)
    for warning in opened.warnings:
        output.warn(warning)
    with watching(output, session.stopwatch) as reporter:
        size = piping.export(opened, output.raw, reporter)
    output.flush()
    volumes = count_text(len(opened.manifest.volumes), "volume")
    release = f"release {opened.release.seq} of {opened.release.stream.name}"
    output.hint(f"{release}: {size_text(size)} written, {volumes}")
