"""Bytes a second at the most."""

from __future__ import annotations

import asyncio
from collections.abc import (  # noqa: TC003 - dataclass fields are read at run time
    Awaitable,
    Callable,
)
from dataclasses import dataclass


@dataclass(slots=True)
class Throttle:
    """Holds whoever sends to ``rate`` bytes a second; None lets everything pass.

    Several may share one. ``stopwatch`` gives seconds.
    """

    rate: int | None
    stopwatch: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _free_at: float = 0.0

    async def pass_on(self, size: int) -> None:
        """Return once ``size`` more bytes may be sent."""
        if self.rate is None:
            return
        now = self.stopwatch()
        begins = max(now, self._free_at)
        self._free_at = begins + size / self.rate
        if begins > now:
            await self.sleep(begins - now)
