"""What a verb may use of the world: made once, in ``main``, and handed down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from bundle.cli.output import Output

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Session:
    """One run: where its words go, what time it is, how much it may use.

    ``clock`` gives seconds since 1970, ``stopwatch`` seconds since some moment.
    """

    output: Output
    environment: Mapping[str, str]
    clock: Callable[[], float]
    stopwatch: Callable[[], float]
    jobs: int
    state: Path


class Verb(Protocol):
    """The function behind a command; raises ``BundleError`` when it fails."""

    def __call__(self, options: argparse.Namespace, session: Session) -> None:
        """Do what ``options`` ask for."""


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run ``work`` to its end; an interrupt cancels it and waits until it is clean.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    import asyncio

    return asyncio.run(work)
