"""What is being done right now, for whoever looks at the daemon from outside."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Doing:
    """One piece of work: ``done`` of ``total`` plain bytes after some seconds.

    ``idle`` is how many seconds ago the last byte was done: a stall shows there.
    """

    what: str
    verb: str
    done: int
    total: int
    seconds: float
    idle: float

    @property
    def rate(self) -> float:
        """Bytes a second since the work began."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that it will take yet at that rate; None while nobody knows."""
        if not self.rate or not self.total:
            return None
        return max(0.0, (self.total - self.done) / self.rate)


class Progress(Reporter):
    """Counts the bytes of one piece of work; ``stopwatch`` gives seconds."""

    def __init__(self, what: str, stopwatch: Callable[[], float]) -> None:
        self.what = what
        self.warnings: list[str] = []
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._verb = ""
        self._done = self._total = 0
        self._began = self._last = stopwatch()

    def started(self, verb: str, total: int) -> None:
        """Note how much there is to do."""
        with self._lock:
            self._verb, self._total, self._done = verb, total, 0
            self._began = self._last = self._stopwatch()

    def advanced(self, size: int) -> None:
        """Note what was done."""
        with self._lock:
            self._done += size
            self._last = self._stopwatch()

    def warned(self, message: str) -> None:
        """Keep what a person should see."""
        with self._lock:
            self.warnings.append(message)

    def now(self) -> Doing:
        """Return how far it is."""
        with self._lock:
            time = self._stopwatch()
            return Doing(
                self.what,
                self._verb,
                self._done,
                self._total,
                time - self._began,
                time - self._last,
            )
