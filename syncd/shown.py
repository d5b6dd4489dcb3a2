"""What the daemon does right now, in a file for ``syncd status``.

The journal is for what must last; bytes that were read a second ago must not. The
file appears whole and is not flushed: after a loss of power nobody needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from syncd.progress import Doing  # noqa: TC001 - msgspec reads it at run time

if TYPE_CHECKING:
    from syncd.daemon import Daemon

NAME: Final = "progress.json"

SECONDS: Final = 1.0
"""Seconds between two states of the file."""


class Shown(msgspec.Struct, frozen=True):
    """Everything that is being done, and when that was, in seconds since 1970."""

    at: float
    doing: tuple[Doing, ...]


async def show_progress(daemon: Daemon, stop: asyncio.Event) -> None:
    """Keep the file up to date until ``stop`` is set, then remove it."""
    path = Path(daemon.config.state) / NAME
    try:
        while not stop.is_set():
            doing = tuple(one.now() for one in daemon.doing.values())
            _write(path, Shown(daemon.clock(), doing))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SECONDS):
                    await stop.wait()
    finally:
        path.unlink(missing_ok=True)


def read_shown(state: Path) -> Shown | None:
    """Return what a daemon said last, None where none runs."""
    try:
        return msgspec.json.decode((state / NAME).read_bytes(), type=Shown)
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: Path, shown: Shown) -> None:
    temporary = path.with_suffix(".new")
    with contextlib.suppress(OSError):
        temporary.write_bytes(msgspec.json.encode(shown))
        temporary.replace(path)
