"""``syncd status``: bundles, streams, targets, and what is being done."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.cli.units import duration_text, size_text
from bundle.store.local import LocalStore
from bundle.store.stat import stat
from syncd.assembly import load_config, open_journal
from syncd.catalogue import Catalogue
from syncd.shown import read_shown
from syncd.situation import situation_of
from syncd.view import Sight, Status, status_of

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from syncd.config import Config

_SECONDS: Final = 1.0
_NAME: Final = 12
"""Characters of a digest that are shown: enough to name it again."""


def status(options: argparse.Namespace, session: Session) -> None:
    """Print how things stand; with ``--watch``, again every second.

    Raises:
        UsageError: the configuration is none.
        TargetError, StoreError: the journal or the store cannot be read.
    """
    config = load_config(Path(options.config))
    while True:
        _print(asyncio.run(_look(config, session.clock())), options, session.output)
        session.output.flush()
        if not options.watch:
            return
        time.sleep(_SECONDS)


async def _look(config: Config, now: float) -> Status:
    """Return how things stand, as the journal and the store have it."""
    shown = read_shown(Path(config.state))
    with (
        closing(open_journal(config)) as journal,
        closing(LocalStore.make(Path(config.store.path))) as store,
    ):
        entries = await Catalogue(store).entries()
        situation = await situation_of(config, journal, store, entries)
        doing = shown.doing if shown else None
        sight = Sight(config.site, situation, entries, doing, now)
        return status_of(sight, journal, stat(store))


def _print(status: Status, options: argparse.Namespace, output: Output) -> None:
    output.event("result", verb=options.verb, **msgspec.to_builtins(status))
    _doing(status, output)
    _bundles(status, output)
    _streams(status, output)
    if not status.running:
        output.say("syncd is not running")


def _doing(status: Status, output: Output) -> None:
    rows = [
        (
            one.verb,
            one.what,
            f"{size_text(one.done)} of {size_text(one.total)}",
            f"{size_text(one.rate)}/s",
            "" if one.left_seconds is None else duration_text(one.left_seconds),
        )
        for one in status.doing
    ]
    if rows:
        output.table(("doing", "what", ">done", ">rate", ">left"), rows)


def _bundles(status: Status, output: Output) -> None:
    rows = [
        (
            one.bundle.removeprefix("blake3:")[:_NAME],
            f"{one.stream} {one.seq}" if one.stream else "not known yet",
            f"waits for {one.need}" if one.need else one.phase,
            one.reason,
            one.advice,
        )
        for one in status.bundles
    ]
    if rows:
        output.table(("bundle", "release", "state", "reason", "what to do"), rows)


def _streams(status: Status, output: Output) -> None:
    """Print for each stream its newest release, and which one each target has."""
    rows = [
        (
            stream.name,
            f"{stream.releases[0].seq}",
            placed.target,
            "nothing yet" if placed.seq is None else f"{placed.seq}",
            placed.reason,
            placed.advice,
        )
        for stream in status.streams
        for placed in stream.targets
    ]
    if rows:
        columns = ("stream", ">newest", "target", ">has", "reason", "what to do")
        output.table(columns, rows)
