"""One thread at a time, in the order of the tickets.

A worker owns a batch from its first byte read to its last byte written. Where
batches depend on one another (a running SHA-256, the next free offset) the
workers take turns: ticket 0 goes through, then ticket 1, and so on, whichever
thread holds them. The result is the same as with one thread.

>>> gate = Turnstile()
>>> with gate.turn(0):
...     pass
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Halted(Exception):  # noqa: N818 - a signal between threads, not an error
    """Another thread failed or the work was cancelled; stop without a word."""


class Turnstile:
    """Lets threads through one at a time, in the order of their tickets."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._next = 0
        self._halted = False

    @contextlib.contextmanager
    def turn(self, ticket: int) -> Iterator[None]:
        """Wait until every ticket below ``ticket`` has been through.

        A block that raises does not count as through: the turnstile halts.

        Raises:
            Halted: the turnstile was halted before this ticket's turn.
        """
        with self._turn:
            self._turn.wait_for(lambda: self._halted or self._next == ticket)
            if self._halted:
                raise Halted
        try:
            yield
        except BaseException:
            self.halt()
            raise
        with self._turn:
            self._next += 1
            self._turn.notify_all()

    def halt(self) -> None:
        """Send every thread that waits, now or later, home with ``Halted``."""
        with self._turn:
            self._halted = True
            self._turn.notify_all()
