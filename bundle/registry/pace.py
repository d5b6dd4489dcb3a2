"""When to try again: a bounded number of times, later each time, never in step.

A server that says ``Retry-After`` is believed up to a minute. The waits of
several clients that failed together are spread by chance, so that they do not
come back together. Clock, sleep and chance are handed in, so that tests wait for
nothing.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar

from bundle.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_T = TypeVar("_T")

MAX_WAIT: Final = 60.0
"""Seconds of the longest wait, whatever the server asks for."""


class UnavailableError(TransientError):
    """The server or the network cannot do it now.

    ``retry_after`` are the seconds that the server asked to wait, or None.
    """

    def __init__(
        self, message: str, *, advice: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, advice=advice)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how fast something is tried again.

    ``attempts`` in a row may fail without any progress; the wait after the n-th
    is drawn from 0 to ``first`` seconds times 2 to the n.
    """

    attempts: int = 6
    first: float = 0.5
    clock: Callable[[], float] = time.time  # noqa: TID251 - Retry-After may be a date
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    async def keep_trying(
        self,
        work: Callable[[], Awaitable[_T]],
        progress: Callable[[], object] = lambda: None,
    ) -> _T:
        """Return what ``work`` returns, trying again what a retry may help.

        An attempt that changed what ``progress`` returns was not in vain: the
        count begins again.

        Raises:
            TransientError: it failed ``attempts`` times in a row.
        """
        failed, before = 0, progress()
        while True:
            try:
                return await work()
            except TransientError as error:
                after = progress()
                failed = 1 if after != before else failed + 1
                before = after
                if failed >= self.attempts:
                    raise
                await self.sleep(self._wait(error, failed))

    def _wait(self, error: TransientError, failed: int) -> float:
        asked = error.retry_after if isinstance(error, UnavailableError) else None
        drawn: float = self.first * 2**failed * self.chance()
        return min(MAX_WAIT, max(asked or 0.0, drawn))

    def seconds(self, header: str | None) -> float | None:
        """Return what a ``Retry-After`` says in seconds from now, or None."""
        if header is None:
            return None
        if header.strip().isdecimal():
            return float(header.strip()[:9])
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - self.clock())
        except (ValueError, OverflowError):
            return None
