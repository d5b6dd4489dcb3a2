"""Tells whoever listens that something changed: server-sent events (HTML §9.2)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

MAX_LISTENERS: Final = 64
"""Listeners at once: each keeps a connection."""


@dataclass(slots=True)
class Changes:
    """A number that grows, and those who wait for the next one."""

    number: int = 0
    listeners: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        """Say that something changed."""
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, number: int, seconds: float) -> int:
        """Return the number once it is over ``number``, or what it is after a while."""
        if self.number == number:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                pass
        return self.number
