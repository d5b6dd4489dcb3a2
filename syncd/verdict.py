"""What an error says about a bundle, or a target: wait, try again, or refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.errors import (
    BundleError,
    MissingError,
    SpaceError,
    StoreError,
    TargetError,
    TrustError,
)
from syncd.phases import Event, Need

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRY_SECONDS: Final = 60
"""Seconds until a bundle is tried again that waits for no person and no medium."""

MAX_RETRY_SECONDS: Final = 3600
"""Seconds between tries at the most, however many have failed."""

_REFUSED_ADVICE: Final = (
    "nothing of it is used; ask the sender about it, and copy it again or take the "
    "medium away"
)

_MEDIA_ADVICE: Final = (
    "plug in the others, in any order; where there are none, copy the bundle again"
)

_ALARM_RULES: Final = frozenset({"23.2.2", "23.3.2"})
"""Two releases with one number, and what follows in a stream that stands still."""

_NEED_OF_RULE: Final[Mapping[str, Need]] = {
    **dict.fromkeys(("22.4.3", "25.2.4"), Need.APPROVAL),
    # Held: dated ahead, expired, over the jump cap, after a gap, pickles.
    **dict.fromkeys(("24.1.2", "24.2.2", "23.2.4", "25.2.6", "25.2.7"), Need.RELEASE),
    **dict.fromkeys(_ALARM_RULES, Need.RELEASE),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a bundle; ``retry_at`` is in seconds since 1970, 0 for never."""

    event: Event
    reason: str
    advice: str
    need: Need | None = None
    retry_at: float = 0
    alarm: bool = False


def verdict(error: BundleError, now: float) -> Verdict:
    """Return what becomes of a bundle that could not be taken for ``error``."""
    need, retry_at = _need(error), 0.0
    if need in (Need.SPACE, Need.RETRY):
        retry_at = now + RETRY_SECONDS
    elif need is Need.RELEASE:
        # Time alone may let it through; each try is a line in the audit log.
        retry_at = now + MAX_RETRY_SECONDS
    return Verdict(
        event=Event.REFUSED if need is None else Event.LACKING,
        reason=str(error),
        advice=_advice(error, need),
        need=need,
        retry_at=retry_at,
        alarm=isinstance(error, TrustError) and error.rule in _ALARM_RULES,
    )


def retry_delay(first: float, failures: int) -> float:
    """Return the seconds until the next try after ``failures`` that failed."""
    return float(min(first * 2.0 ** min(failures - 1, 32), MAX_RETRY_SECONDS))


def _advice(error: BundleError, need: Need | None) -> str:
    """Return the next step; that of a command is not always that of a daemon."""
    if need is Need.MEDIA:
        return _MEDIA_ADVICE
    return error.advice or ("" if need else _REFUSED_ADVICE)


def _need(error: BundleError) -> Need | None:
    if isinstance(error, TrustError):
        return _NEED_OF_RULE.get(error.rule)
    if isinstance(error, MissingError):
        return Need.MEDIA
    if isinstance(error, SpaceError):
        return Need.SPACE
    if isinstance(error, (TargetError, StoreError)):
        return Need.RETRY
    return None
