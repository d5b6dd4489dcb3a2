"""What the API and the page use of a daemon, and nothing more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.store.stat import stat
from syncd.http.changes import Changes
from syncd.operations import asked_reconcile, asked_retry, asked_rollback
from syncd.view import Sight, Status, status_of

if TYPE_CHECKING:
    from typing import Any

    from bundle.store.stat import Stat
    from syncd.daemon import Daemon
    from syncd.http.gate import Gate

FRESH_SECONDS: Final = 0.5
"""Seconds that a status is given out again: hundreds may ask at once."""


@dataclass(slots=True)
class Service:
    """One daemon as its clients may see and ask it."""

    daemon: Daemon
    changes: Changes = field(default_factory=Changes)
    gate: Gate | None = None
    hosts: set[str] = field(default_factory=set)
    _status: Status | None = None
    _made: float = -1.0
    _counted: tuple[object, Stat] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def connections(self) -> tuple[int, int, int]:
        """Connections that are open, were refused, and were late."""
        gate = self.gate
        return (len(gate.open), gate.refused, gate.late) if gate else (0, 0, 0)

    async def status(self) -> Status:
        """Return how things stand, at most ``FRESH_SECONDS`` ago.

        Raises:
            StoreError, FormatError, TargetError: store or journal cannot be read.
        """
        async with self._lock:
            now = self.daemon.stopwatch()
            if self._status is None or now - self._made >= FRESH_SECONDS:
                self._status = await self._look()
                self._made = now
            return self._status

    async def _look(self) -> Status:
        daemon = self.daemon
        sight = Sight(
            daemon.config.site,
            await daemon.situation(),
            await daemon.catalogue.entries(),
            [one.now() for one in daemon.doing.values()],
            daemon.clock(),
        )
        counted = await asyncio.to_thread(self._count)
        return await asyncio.to_thread(status_of, sight, daemon.journal, counted)

    def _count(self) -> Stat:
        """Count what the store holds, once for each set of its packs.

        Counting walks the whole index; packs never change once they are there.
        """
        store = self.daemon.store
        packs = store.place.identity(), tuple(store.vault.packs.numbers().tolist())
        if self._counted is None or self._counted[0] != packs:
            self._counted = packs, stat(store)
        return self._counted[1]

    def newest_receipt(self) -> Path | None:
        """Return the receipt that was written last, None before the first."""
        receipts = Path(self.daemon.config.receipt_directory).glob("receipt-*.json")
        return max(receipts, key=lambda path: path.stat().st_mtime_ns, default=None)

    def retry(self, bundle: str, caller: str) -> None:
        """Ask for another look at a bundle.

        Raises:
            UsageError: no bundle, or several, are called that.
        """
        self._ask("retry", asked_retry(self.daemon.journal.arrivals(), bundle), caller)

    async def rollback(self, stream: str, seq: int, reason: str, caller: str) -> None:
        """Ask for an earlier release of a stream.

        Raises:
            UsageError: the store does not hold it, or no reason is given.
        """
        held = (await self.daemon.situation()).held
        self._ask("rollback", asked_rollback(held, stream, seq, reason), caller)

    def reconcile(self, target: str | None, caller: str) -> None:
        """Ask that a target is hashed and restored.

        Raises:
            UsageError: no target is called that.
        """
        asked = asked_reconcile(self.daemon.config.target, target)
        self._ask("reconcile", asked, caller)

    def _ask(self, verb: str, members: dict[str, Any], caller: str) -> None:
        daemon = self.daemon
        daemon.journal.ask(verb, {**members, "by": caller}, daemon.clock())
        daemon.bell.ring()
        self._made = -1.0
