from __future__ import annotations

import pytest

from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    MissingError,
    SourceError,
    SpaceError,
    StoreError,
    TargetError,
    TransientError,
    TrustError,
)
from syncd.phases import Event, Need
from syncd.verdict import MAX_RETRY_SECONDS, retry_delay, verdict

NOW = 1_000.0


@pytest.mark.parametrize(
    ("error", "need", "retry_at"),
    [
        (FormatError("x", rule="5.1"), None, 0),
        (IntegrityError("x", rule="3.2.4"), None, 0),
        (TrustError("x", rule="23.2.1"), None, 0),
        (SourceError("x"), None, 0),
        (TrustError("x", rule="22.4.3"), Need.APPROVAL, 0),
        (TrustError("x", rule="25.2.4"), Need.APPROVAL, 0),
        (TrustError("x", rule="24.1.2"), Need.RELEASE, NOW + 3600),
        (TrustError("x", rule="25.2.7"), Need.RELEASE, NOW + 3600),
        (TrustError("x", rule="23.2.2"), Need.RELEASE, NOW + 3600),
        (MissingError("x"), Need.MEDIA, 0),
        (SpaceError("x"), Need.SPACE, NOW + 60),
        (TargetError("x"), Need.RETRY, NOW + 60),
        (StoreError("x"), Need.RETRY, NOW + 60),
        (TransientError("x"), Need.RETRY, NOW + 60),
    ],
)
def test_what_an_error_comes_to(
    error: BundleError, need: Need | None, retry_at: float
) -> None:
    said = verdict(error, NOW)
    assert (said.need, said.retry_at) == (need, retry_at)
    assert said.event is (Event.REFUSED if need is None else Event.LACKING)
    assert said.reason == str(error)
    assert bool(said.advice) is (need in (None, Need.MEDIA))


def test_the_advice_of_an_error_is_the_first_choice() -> None:
    assert verdict(FormatError("x", rule="5.1", advice="do"), NOW).advice == "do"
    elsewhere = MissingError("x", advice="name the directories, all in one command")
    assert verdict(elsewhere, NOW).advice.startswith("plug in the others")


@pytest.mark.parametrize(("rule", "alarm"), [("23.2.2", True), ("24.1.2", False)])
def test_two_releases_of_one_number_are_an_alarm(rule: str, *, alarm: bool) -> None:
    assert verdict(TrustError("x", rule=rule), NOW).alarm is alarm


def test_tries_come_later_and_later_up_to_an_hour() -> None:
    assert [retry_delay(30, failures) for failures in range(1, 10)] == [
        *(30.0 * 2**failures for failures in range(7)),
        MAX_RETRY_SECONDS,
        MAX_RETRY_SECONDS,
    ]
    assert retry_delay(30, 10_000) == MAX_RETRY_SECONDS
