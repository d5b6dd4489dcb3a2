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

HELD_RULE: Final = "24.1.2"
"""Dated ahead of the receiver's time: the rule says that it is held."""

APPROVAL_RULE: Final = "22.4.3"
"""Approvers have not signed yet."""

ALARM_RULE: Final = "23.2.2"
"""Two releases with one number: somebody else has a packer's key."""

_NEED_OF_RULE: Final[Mapping[str, Need]] = {
    HELD_RULE: Need.RELEASE,
    APPROVAL_RULE: Need.APPROVAL,
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
    if need in (Need.SPACE, Need.RETRY, Need.RELEASE):
        retry_at = now + RETRY_SECONDS
    return Verdict(
        event=Event.REFUSED if need is None else Event.LACKING,
        reason=str(error),
        advice=error.advice,
        need=need,
        retry_at=retry_at,
        alarm=isinstance(error, TrustError) and error.rule == ALARM_RULE,
    )


def retry_delay(first: float, failures: int) -> float:
    """Return the seconds until the next try after ``failures`` that failed."""
    return float(min(first * 2.0 ** min(failures - 1, 32), MAX_RETRY_SECONDS))


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
