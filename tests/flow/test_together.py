"""Work that is shared out, and its first error."""

from __future__ import annotations

import asyncio

import pytest

from bundle.errors import TargetError
from bundle.flow.together import together


async def test_results_come_in_order_and_never_too_many_at_once() -> None:
    under_way, most = 0, 0

    async def work(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(10 - number):
            await asyncio.sleep(0)
        under_way -= 1
        return number * number

    assert await together(work, range(10), 3) == [n * n for n in range(10)]
    assert most == 3
    assert await together(work, [], 3) == []


async def test_the_first_error_stops_the_others() -> None:
    ended = []

    async def work(number: int) -> None:
        if number == 1:
            raise TargetError("full")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    with pytest.raises(TargetError, match="full"):
        await together(work, range(9), 3)
    assert sorted(ended) == [0, 2]
