"""``syncd run``: the daemon itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from syncd.assembly import assembled, load_config
from syncd.log import set_up
from syncd.notify import ALIVE, READY, STOPPING, Notifier
from syncd.shown import show_progress

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session
    from syncd.daemon import Daemon

_log: Final = logging.getLogger("syncd")


def run(options: argparse.Namespace, session: Session) -> None:
    """Watch, take and publish until told to stop; with ``--once``, until idle.

    SIGTERM and SIGINT let what is being done end and start nothing new.

    Raises:
        UsageError: the configuration is none.
        TargetError: the state or the store cannot be used.
    """
    config = load_config(Path(options.config))
    set_up(session.output.stderr)
    notifier = Notifier(session.environment)
    with assembled(
        config, session.environment, session.clock, session.stopwatch
    ) as daemon:
        if options.once:
            asyncio.run(daemon.settle())
        else:
            asyncio.run(_serve(daemon, notifier))


async def _serve(daemon: Daemon, notifier: Notifier) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    members: dict[str, object] = {"site": daemon.config.site}
    async with contextlib.AsyncExitStack() as stack:
        if daemon.config.http is not None:
            members["port"] = await _listen(daemon, stack)
        _log.info("ready", extra={"members": members})
        notifier.tell(READY)
        async with asyncio.TaskGroup() as group:
            group.create_task(show_progress(daemon, stop))
            await daemon.run(stop, lambda: notifier.tell(ALIVE))
        notifier.tell(STOPPING)


async def _listen(daemon: Daemon, stack: contextlib.AsyncExitStack) -> int:
    """Answer requests until the stack ends; return the port."""
    from syncd.http.server import serving  # noqa: PLC0415 - not without [http]
    from syncd.http.service import Service  # noqa: PLC0415 - the same

    assert daemon.config.http is not None  # noqa: S101 - asked by the caller
    service = Service(daemon)
    daemon.told = service.changes.note
    return await stack.enter_async_context(serving(daemon.config.http, service))
