"""Memory that several tasks share: who wants some waits until it is free."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Allowance:
    """``total`` bytes; one task may always take all of it, however much it wants."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        """Hold ``size`` bytes while the block lasts."""
        size = min(size, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._taken + size <= self._total)
            self._taken += size
        try:
            yield
        finally:
            self._taken -= size
            async with self._changed:
                self._changed.notify_all()
