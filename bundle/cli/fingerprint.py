"""The fingerprint of a root, to be read aloud or taken by a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.trust.roles import Root


def print_fingerprint(root: Root, options: argparse.Namespace, output: Output) -> None:
    """Print a fingerprint in groups; on a terminal, or if asked for, as a QR code.

    A camera reads a text that ``--fingerprint`` takes as it is.
    """
    from bundle.trust.roles import fingerprint_text

    output.answer(f"fingerprint {fingerprint_text(root)}")
    wanted = options.qr or (output.stdout.isatty() and not output.quiet)
    if wanted and not output.as_json:
        for line in _code(str(root.fingerprint).upper()):
            output.answer(line)


def _code(text: str) -> list[str]:
    """Return the lines of a QR code, light on a dark terminal."""
    import io

    import segno

    drawn = io.StringIO()
    segno.make(text, error="m", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue().splitlines()
