"""Several pieces of work under way at once, never more than a given number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def together(
    work: Callable[[_Item], Awaitable[_Result]], items: Iterable[_Item], at_once: int
) -> list[_Result]:
    """Return what ``work`` returns for each item, in their order.

    At most ``at_once`` are under way. The first error cancels the others, waits
    for them and is raised by itself, as if they had run one after another.
    ``items`` are taken as room comes free, so that they may be many.
    """
    results: dict[int, _Result] = {}
    waiting = enumerate(items)

    async def hand() -> None:
        for number, item in waiting:
            results[number] = await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(hand())
    except* Exception as errors:  # noqa: BLE001 - raised again, one by itself
        raise first_of(errors) from None
    return [results[number] for number in range(len(results))]


def first_of(errors: ExceptionGroup[Exception]) -> Exception:
    """Return the first error in a group, however deep it is nested."""
    for error in errors.exceptions:
        return first_of(error) if isinstance(error, ExceptionGroup) else error
    raise AssertionError("a group has errors")
