"""When to ask a registry again: later each time, or when it says.

A server that says ``Retry-After`` is believed up to a minute. The waits of several
clients that failed together are spread by chance, so that they do not come back
together. Clock, sleep and chance are handed in, so that tests wait for nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from bundle.errors import TransientError
from bundle.flow import pace

if TYPE_CHECKING:
    from collections.abc import Callable

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
class Pace(pace.Pace):
    """How often and how fast something is tried again.

    The wait after the n-th failure is drawn from 0 to ``first`` seconds times 2 to
    the n, and is no shorter than the server asked for.
    """

    attempts: int = 6
    first: float = 0.5
    clock: Callable[[], float] = time.time  # noqa: TID251 - Retry-After may be a date

    def wait(self, error: TransientError, failed: int) -> float:
        """Return the seconds before the next attempt, after ``failed`` in a row."""
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
