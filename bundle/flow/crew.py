"""Threads that share out batches, owned by one task of the event loop."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

from bundle.flow.turnstile import Halted, Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Result = TypeVar("_Result")


class Worker(Protocol):
    """What one thread does; it owns its buffers and touches no other's."""

    def step(self, ticket: int) -> bool:
        """Do the batch with this ticket; false when there was none left."""


async def work(
    jobs: int, hire: Callable[[], Worker], turnstiles: Sequence[Turnstile]
) -> None:
    """Run ``jobs`` workers over tickets 0, 1, 2 … until one finds nothing left.

    The first error of any worker halts the turnstiles and is raised once every
    thread has stopped. Cancelling the task does the same, so that after this
    returns or raises no thread touches anything.
    """
    tickets = itertools.count()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            worker = hire()
            while worker.step(next(tickets)):
                pass
        except Halted:
            pass
        except BaseException as error:  # noqa: BLE001 - raised by the owner
            errors.append(error)
            halt()

    def halt() -> None:
        for turnstile in turnstiles:
            turnstile.halt()

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(jobs, thread_name_prefix="bundle") as pool:
        threads = [loop.run_in_executor(pool, run) for _ in range(jobs)]
        try:
            await asyncio.wait(threads)
        finally:
            halt()
    if errors:
        raise errors[0]


async def break_off(
    function: Callable[[], _Result], stop: Callable[[], None]
) -> _Result:
    """Run ``function`` on a thread, and never leave before it has ended.

    When the task is cancelled, ``stop`` is called, which makes the function raise
    soon. Whatever became of it, the task is cancelled then: what it did counts for
    nothing without what was to come.
    """
    cancelled = False

    def stopping() -> None:
        nonlocal cancelled
        cancelled = True
        stop()

    result = await see_through(function, stopping)
    if cancelled:
        raise asyncio.CancelledError
    return result


async def see_through(
    function: Callable[[], _Result], stop: Callable[[], None]
) -> _Result:
    """Run ``function`` on a thread, and never leave before it has ended.

    When the task is cancelled, ``stop`` is called and may make the function
    raise soon: then the task is cancelled. A function that comes to its end all
    the same has done its work, and what it returned is returned. A task that was
    cancelled before begins nothing.
    """
    await asyncio.sleep(0)
    thread = asyncio.get_running_loop().run_in_executor(None, function)
    cancelled: asyncio.CancelledError | None = None
    while not thread.done():
        try:
            await asyncio.wait([thread])
        except asyncio.CancelledError as error:
            cancelled = error
            stop()
    if cancelled is not None and thread.exception() is not None:
        raise cancelled
    return thread.result()
