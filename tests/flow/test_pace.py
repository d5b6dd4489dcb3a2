"""Trying again: how often, how long between."""

from __future__ import annotations

import pytest

from bundle.errors import TargetError, TransientError
from bundle.flow.pace import MAX_WAIT, Pace


class Failing:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.waits: list[float] = []
        self.chance = 0.0

    async def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def pace(self, attempts: int) -> Pace:
        return Pace(attempts, 1.0, self.sleep, lambda: self.chance)


async def test_each_wait_is_longer_and_never_the_same_for_all() -> None:
    work = Failing(*[TransientError("busy")] * 7)
    assert await work.pace(8).keep_trying(work) == "done"
    assert work.waits == [1, 2, 4, 8, 15, 15, 15]
    work = Failing(*[TransientError("busy")] * 7)
    work.chance = 1.0
    await work.pace(8).keep_trying(work)
    assert work.waits == [2, 4, 8, 16, MAX_WAIT, MAX_WAIT, MAX_WAIT]


async def test_it_gives_up_and_never_tries_what_will_not_help() -> None:
    work = Failing(*[TransientError("busy")] * 3)
    with pytest.raises(TransientError):
        await work.pace(3).keep_trying(work)
    assert len(work.waits) == 2
    work = Failing(TargetError("full"), TransientError("busy"))
    with pytest.raises(TargetError):
        await work.pace(3).keep_trying(work)
    assert work.waits == []
