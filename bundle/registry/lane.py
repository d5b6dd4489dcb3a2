"""Work of threads for one blob: one job at a time, in order, and none left behind.

A job may still run when whoever waited for it was cancelled. ``close`` waits it
out, so that a file is never closed under a thread that reads or writes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import CancelledError, Executor, Future, wait
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")


class Lane:
    """Hands jobs to the threads of ``crew``."""

    def __init__(self, crew: Executor) -> None:
        self._crew = crew
        self._job: Future[object] | None = None

    async def start(
        self, work: Callable[_P, object], *args: _P.args, **named: _P.kwargs
    ) -> None:
        """Begin a job as soon as the one before it is done.

        Raises what the one before it raised.
        """
        await self.settle()
        self._job = self._crew.submit(work, *args, **named)

    async def settle(self) -> None:
        """Wait for the job, and raise what it raised."""
        if self._job is not None:
            job = self._job
            await asyncio.wrap_future(job)
            self._job = None

    def close(self) -> None:
        """Return when no job runs any more; what it raises is of no interest."""
        if self._job is not None:
            self._job.cancel()
            wait([self._job])
            with contextlib.suppress(CancelledError):
                self._job.exception()
            self._job = None
