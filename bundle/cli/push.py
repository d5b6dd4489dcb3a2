"""``bundle push``: a bundle over a network, to a syncd that lacks some of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.cli.reading import trust_of
from bundle.cli.session import run
from bundle.cli.units import count_text, size_text
from bundle.cli.watch import watching
from bundle.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session

_MAX_TOKEN: Final = 1024


def push(options: argparse.Namespace, session: Session) -> None:
    """Send what lacks there and say what became of it.

    Raises:
        UsageError: the token cannot be read.
    """
    from bundle import pusher

    bundle, *beside = map(Path, options.bundles)
    request = pusher.PushRequest(
        bundle=bundle,
        beside=tuple(beside),
        trust=trust_of(options, session),
        url=options.to,
        token=_token(Path(options.token_file)),
        ca=None if options.ca is None else Path(options.ca),
        clock=session.clock,
        stopwatch=session.stopwatch,
        rate=options.limit_rate,
    )
    output = session.output
    with watching(output, session.stopwatch) as reporter:
        report = run(pusher.push(request, reporter))
    output.event(
        "result",
        verb=options.verb,
        bundle=options.bundles[0],
        to=options.to,
        stream=report.stream,
        seq=report.seq,
        release=report.release,
        frames=report.frames,
        sent_bytes=report.bytes,
        phase=report.phase,
        reason=report.reason,
    )
    output.say(
        f"release {report.seq} of {report.stream}: {size_text(report.bytes)} sent in "
        f"{count_text(report.frames, 'frame')}; there it is {report.phase}"
    )
    if report.phase != "ingested":
        output.say(report.reason)


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no token can be read: {error}") from error
    if not token or len(token) > _MAX_TOKEN or not token.isprintable():
        raise UsageError(f"{path}: that is no token")
    return token
