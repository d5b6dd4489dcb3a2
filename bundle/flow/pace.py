"""When to try again: a few times, each time later, and never in step with others.

Sleep and chance are handed in, so that tests wait for nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import (  # noqa: TC003 - dataclass fields are read at run time
    Awaitable,
    Callable,
)
from dataclasses import dataclass
from typing import Final, TypeVar

from bundle.errors import TransientError

_T = TypeVar("_T")

MAX_WAIT: Final = 30.0
"""Seconds of the longest wait."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how fast something is tried again.

    ``attempts`` in a row may fail; the wait after the n-th is drawn from half to
    the whole of ``first`` seconds times 2 to the n.
    """

    attempts: int = 8
    first: float = 0.1
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
                await self.sleep(self.wait(error, failed))

    def wait(self, error: TransientError, failed: int) -> float:  # noqa: ARG002 - for others
        """Return the seconds before the next attempt, after ``failed`` in a row."""
        longest: float = min(MAX_WAIT, self.first * 2**failed)
        return longest * (1 + self.chance()) / 2
