"""``syncd status``: bundles, streams, targets, and what is being done."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.cli.units import duration_text, size_text
from bundle.errors import BundleError
from bundle.store.local import LocalStore
from bundle.wire import write_moment
from syncd.assembly import load_config, open_journal
from syncd.publishing import held_of
from syncd.shown import read_shown

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from syncd.config import Config
    from syncd.journal import Journal
    from syncd.plan import Held
    from syncd.progress import Doing

_NAME: int = 12
"""Characters of a digest that are shown: enough to name it again."""


def status(options: argparse.Namespace, session: Session) -> None:
    """Print how things stand; with ``--watch``, again every second.

    Raises:
        UsageError: the configuration is none.
        TargetError: the journal cannot be read.
    """
    config = load_config(Path(options.config))
    while True:
        with closing(open_journal(config)) as journal:
            _print(config, journal, session)
        if not options.watch:
            return
        session.output.flush()
        time.sleep(1)


def _print(config: Config, journal: Journal, session: Session) -> None:
    output = session.output
    held = _held(config)
    shown = read_shown(Path(config.state))
    _doing(shown.doing if shown else (), output)
    _bundles(journal, output)
    _streams(held, journal, output)
    output.event("result", verb="status", running=shown is not None, streams=len(held))
    if shown is None:
        output.say("syncd is not running")


def _held(config: Config) -> list[Held]:
    """Return what the store holds; none where it was not made yet."""
    try:
        with closing(LocalStore(Path(config.store.path))) as store:
            releases = asyncio.run(store.releases())
    except BundleError:
        return []
    return [held_of(one, config.target) for one in releases]


def _doing(doing: tuple[Doing, ...], output: Output) -> None:
    rows = []
    for one in doing:
        left = "" if one.left is None else duration_text(int(one.left))
        output.event(
            "doing",
            what=one.what,
            action=one.verb,
            done_bytes=one.done,
            total_bytes=one.total,
            rate=int(one.rate),
            idle_seconds=int(one.idle),
        )
        done = f"{size_text(one.done)} of {size_text(one.total)}"
        rows.append((one.verb, one.what, done, f"{size_text(int(one.rate))}/s", left))
    if rows:
        output.table(("doing", "what", ">done", ">rate", ">left"), rows)


def _bundles(journal: Journal, output: Output) -> None:
    rows = []
    for one in journal.arrivals():
        output.event(
            "arrival",
            bundle=one.bundle,
            phase=one.phase,
            need=one.need,
            places=one.places,
            stream=one.name,
            seq=one.seq,
            release=one.release,
            seen=write_moment(one.seen_at),
            reason=one.reason,
            advice=one.advice,
        )
        what = f"{one.name} {one.seq}" if one.name else "not known yet"
        state = f"waits for {one.need}" if one.need else str(one.phase)
        digest = one.bundle.removeprefix("blake3:")[:_NAME]
        rows.append((digest, what, state, one.reason, one.advice))
    if rows:
        output.table(("bundle", "release", "state", "reason", "what to do"), rows)


def _streams(held: list[Held], journal: Journal, output: Output) -> None:
    """Print for each stream its newest release, and which one each target has."""
    newest = {one.stream: one for one in sorted(held, key=lambda one: one.seq)}
    seqs = {one.release: one.seq for one in held}
    rows = []
    for placed in journal.placements():
        stream = newest.get(placed.stream)
        if stream is None:
            continue
        output.event(
            "placement",
            stream=stream.name,
            id=placed.stream,
            target=placed.target,
            newest=stream.seq,
            release=placed.release or None,
            seq=seqs.get(placed.release),
            failures=placed.failures,
            reason=placed.reason,
            advice=placed.advice,
        )
        has = seqs.get(placed.release)
        rows.append(
            (
                stream.name,
                stream.seq,
                placed.target,
                "nothing yet" if has is None else has,
                placed.reason,
                placed.advice,
            )
        )
    if rows:
        columns = ("stream", ">newest", "target", ">has", "reason", "what to do")
        output.table(columns, [tuple(map(str, row)) for row in rows])
