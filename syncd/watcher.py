"""Wakes the daemon when media come, go or change.

Three things tell: inotify for the watched directories, by ``watchfiles``; the
kernel's list of mounts, which becomes ready with POLLPRI when it changes
(proc(5)); and a clock, since network file systems and some containers tell of
nothing. None of them is believed: each only leads to another look.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchfiles import awatch

if TYPE_CHECKING:
    from collections.abc import Iterable

MOUNTINFO: Final = Path("/proc/self/mountinfo")

_DEBOUNCE_MILLISECONDS: Final = 400
_log: Final = logging.getLogger(__name__)


class Bell:
    """Something to wait for that others ring; rings in between count as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits, or whoever waits next."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Return whether it rang within ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


async def watch_files(roots: Iterable[str], bell: Bell, stop: asyncio.Event) -> None:
    """Ring whenever something changes below a root that is there now."""
    here = [root for root in roots if os.path.isdir(root)]  # noqa: ASYNC240, PTH112 - one stat
    if not here:
        return
    changes = awatch(
        *here,
        stop_event=stop,
        debounce=_DEBOUNCE_MILLISECONDS,
        ignore_permission_denied=True,
        rust_timeout=60_000,
    )
    try:
        async for _ in changes:
            bell.ring()
    except (OSError, RuntimeError) as error:
        _log.warning("no events from %s: %s; looking by the clock alone", here, error)


async def watch_mounts(bell: Bell, stop: asyncio.Event) -> None:
    """Ring whenever something is mounted or unmounted."""
    reader, writer = os.pipe()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_wait_for_mounts(bell, reader))
            try:
                await stop.wait()
            finally:
                os.write(writer, b"x")
    finally:
        os.close(reader)
        os.close(writer)


async def _wait_for_mounts(bell: Bell, reader: int) -> None:
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with MOUNTINFO.open("rb") as mounts:
            poll = select.poll()
            poll.register(mounts, select.POLLPRI | select.POLLERR)
            poll.register(reader, select.POLLIN)
            while all(ready != reader for ready, _ in poll.poll()):
                loop.call_soon_threadsafe(bell.ring)

    await asyncio.to_thread(wait)
