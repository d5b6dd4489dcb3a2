"""When to try again: a bounded number of times, later each time."""

from __future__ import annotations

import pytest

from bundle.errors import SourceError
from bundle.registry.pace import MAX_WAIT, Pace, UnavailableError
from tests.registry.fake import at_once


class Work:
    """Fails some times and then does not."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.done = 0

    async def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "done"


async def test_it_waits_longer_each_time() -> None:
    waits: list[float] = []
    work = Work(*[UnavailableError("no")] * 4)
    assert await at_once(waits).keep_trying(work) == "done"
    assert waits == [1.0, 2.0, 4.0, 8.0]


async def test_chance_shortens_a_wait() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    pace = Pace(sleep=sleep, chance=lambda: 0.25)
    await pace.keep_trying(Work(UnavailableError("no")))
    assert waits == [0.25]


async def test_it_gives_up_after_as_many_attempts_as_there_are() -> None:
    waits: list[float] = []
    with pytest.raises(UnavailableError, match="third"):
        await at_once(waits, attempts=3).keep_trying(
            Work(*map(UnavailableError, ("first", "second", "third", "fourth")))
        )
    assert len(waits) == 2


async def test_what_no_retry_helps_is_not_tried_again() -> None:
    waits: list[float] = []
    with pytest.raises(SourceError):
        await at_once(waits).keep_trying(Work(SourceError("no")))
    assert not waits


async def test_an_attempt_that_got_further_begins_the_count_again() -> None:
    work = Work(*[UnavailableError("no")] * 9)
    assert await at_once(attempts=2).keep_trying(work, lambda: len(work.failures))


async def test_the_server_may_ask_for_a_longer_wait_up_to_a_bound() -> None:
    waits: list[float] = []
    failures = [
        UnavailableError("no", retry_after=seconds) for seconds in (7.0, 0.0, 9999.0)
    ]
    await at_once(waits).keep_trying(Work(*failures))
    assert waits == [7.0, 2.0, MAX_WAIT]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("12", 12.0),
        ("soon", None),
        ("Mon, 12 Jan 1970 13:47:10 GMT", 30.0),
        ("Mon, 12 Jan 1970 13:46:00 GMT", 0.0),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    header: str | None, expected: float | None
) -> None:
    assert at_once().seconds(header) == expected
