import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

from bundle.errors import SourceError
from bundle.flow.crew import break_off, see_through, work
from bundle.flow.turnstile import Turnstile


class Worker:
    """Does what it is told with each ticket."""

    def __init__(self, step: Callable[[int], bool]) -> None:
        self.step = step


def _crew_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("bundle")]


@pytest.mark.parametrize("jobs", [1, 2, 3, 8])
async def test_every_ticket_is_done_once(jobs: int) -> None:
    done: list[int] = []
    gate = Turnstile()

    def step(ticket: int) -> bool:
        with gate.turn(ticket):
            if ticket < 20:
                done.append(ticket)
        return ticket < 20

    await work(jobs, lambda: Worker(step), [gate])
    assert done == list(range(20))
    assert _crew_threads() == []


async def test_each_thread_hires_a_worker_of_its_own() -> None:
    together = threading.Barrier(3)
    owners: dict[int, int] = {}

    def hire() -> Worker:
        owners[threading.get_ident()] = owners.get(threading.get_ident(), 0) + 1

        def step(_: int) -> bool:
            together.wait()
            return False

        return Worker(step)

    await work(3, hire, [])
    assert list(owners.values()) == [1, 1, 1]


@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_an_error_stops_everyone_and_is_raised(failing: int) -> None:
    gate, begun = Turnstile(), threading.Barrier(3)

    def step(ticket: int) -> bool:
        if ticket < 3:
            begun.wait()
        if ticket == failing:
            raise SourceError("damaged")
        with gate.turn(ticket + 1000):
            raise AssertionError

    with pytest.raises(SourceError, match="damaged"):
        await work(3, lambda: Worker(step), [gate])
    assert _crew_threads() == []


async def test_the_first_error_in_time_is_the_one_that_is_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whichever thread has it; what breaks after it is no news, and nobody logs it."""
    gate, begun = Turnstile(), threading.Barrier(2)

    def step(ticket: int) -> bool:
        begun.wait()
        if ticket == 1:
            raise SourceError("first")
        try:
            with gate.turn(1000):
                raise AssertionError
        finally:
            raise SourceError("second")

    async def run() -> None:
        with pytest.raises(SourceError, match="first"):
            await work(2, lambda: Worker(step), [gate])

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        await run()
        await asyncio.sleep(0)
    assert not caplog.records


async def test_a_worker_that_cannot_be_hired_stops_the_others() -> None:
    gate = Turnstile()
    hired = threading.Event()

    def hire() -> Worker:
        if hired.is_set():
            raise MemoryError("no buffer")
        hired.set()

        def step(ticket: int) -> bool:
            with gate.turn(ticket + 1):
                raise AssertionError

        return Worker(step)

    with pytest.raises(MemoryError, match="no buffer"):
        await work(2, hire, [gate])
    assert _crew_threads() == []


async def test_cancelling_waits_for_the_threads_and_nothing_moves_after_it() -> None:
    gate, steps = Turnstile(), 0
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def step(ticket: int) -> bool:
        nonlocal steps
        loop.call_soon_threadsafe(begun.set)
        with gate.turn(ticket):
            steps += 1
        return True

    async with asyncio.TaskGroup() as group:
        task = group.create_task(work(2, lambda: Worker(step), [gate]))
        await begun.wait()
        task.cancel()
    assert task.cancelled()
    assert _crew_threads() == []
    seen = steps
    await asyncio.sleep(0)
    assert steps == seen


async def test_an_error_while_being_cancelled_does_not_hide_the_cancelling(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Turnstile()
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def step(ticket: int) -> bool:
        loop.call_soon_threadsafe(begun.set)
        try:
            with gate.turn(ticket + 1):
                raise AssertionError
        finally:
            raise SourceError("too late")

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work(1, lambda: Worker(step), [gate]))
            await begun.wait()
            task.cancel()
        assert task.cancelled()
        del task
        await asyncio.sleep(0)
    assert not caplog.records


# -- seeing a thread through ---------------------------------------------------


async def test_what_a_thread_returns_is_returned() -> None:
    assert await see_through(lambda: 42, _never) == 42


async def test_what_a_thread_raises_is_raised() -> None:
    def fail() -> None:
        raise SourceError("damaged")

    with pytest.raises(SourceError, match="damaged"):
        await see_through(fail, _never)


def _never() -> None:
    raise AssertionError


@pytest.mark.parametrize("times", [1, 3])
async def test_a_thread_that_is_stopped_has_ended_before_the_task_is_cancelled(
    times: int,
) -> None:
    stopped, ended = threading.Event(), threading.Event()
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        loop.call_soon_threadsafe(begun.set)
        stopped.wait()
        ended.set()
        raise SourceError("stopped")

    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls == times:
            stopped.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(see_through(wait, stop))
        await begun.wait()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
    assert task.cancelled()
    assert ended.is_set()


async def test_a_thread_that_comes_to_its_end_all_the_same_has_done_its_work() -> None:
    stopped = threading.Event()
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work_on() -> str:
        loop.call_soon_threadsafe(begun.set)
        stopped.wait()
        return "done"

    async with asyncio.TaskGroup() as group:
        task = group.create_task(see_through(work_on, stopped.set))
        await begun.wait()
        task.cancel()
    assert task.result() == "done"


async def test_work_that_is_broken_off_is_cancelled_whatever_it_did() -> None:
    begun, stopped = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work_on() -> str:
        loop.call_soon_threadsafe(begun.set)
        stopped.wait()
        return "done"

    async with asyncio.TaskGroup() as group:
        task = group.create_task(break_off(work_on, stopped.set))
        await begun.wait()
        task.cancel()
    assert task.cancelled()


async def test_work_that_is_not_broken_off_returns() -> None:
    assert await break_off(lambda: 42, _never) == 42
