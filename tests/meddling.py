"""Sources that change, runs that are cancelled, and disks that are full."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.progress import Reporter
from bundle.source.base import Source, SourceArtifact, SourceFile
from bundle.source.tree import TreeSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path


class Given(Source):
    """Hands out artifacts as they are."""

    location = "given"

    def __init__(self, *artifacts: SourceArtifact) -> None:
        self._artifacts = [*artifacts]

    async def artifacts(self) -> list[SourceArtifact]:
        return self._artifacts


def artifact(
    *files: SourceFile,
    name: str = "given",
    kind: str = "tree",
    problems: tuple[str, ...] = (),
) -> SourceArtifact:
    return SourceArtifact(kind, name, "given", "", None, (), files, (), problems)


def generated(files: Mapping[str, bytes], name: str = "given") -> SourceArtifact:
    """Return an artifact of content that is in memory."""
    listed = (SourceFile(path, data, len(data)) for path, data in sorted(files.items()))
    return artifact(*listed, name=name)


class ThenChanges(TreeSource):
    """A tree that somebody writes to after it was listed."""

    def __init__(self, path: Path, change: Callable[[], object]) -> None:
        super().__init__(path)
        self._change = change

    async def artifacts(self) -> list[SourceArtifact]:
        listed = await super().artifacts()
        self._change()
        return listed


@dataclass
class When(Reporter):
    """Does something the first time that progress comes to an event."""

    event: str
    action: Callable[[], object]
    seen: list[str] = field(default_factory=list)

    def _reach(self, event: str) -> None:
        self.seen.append(event)
        if self.seen.count(self.event) == 1 and event == self.event:
            self.action()

    def started(self, verb: str, total: int) -> None:
        del verb, total
        self._reach("started")

    def advanced(self, size: int) -> None:
        del size
        self._reach(f"advanced {sum(one.startswith('adv') for one in self.seen) + 1}")

    def file_started(self, path: str, size: int) -> None:
        del size
        self._reach(f"file {path}")

    def finished(self) -> None:
        self._reach("finished")


class Cancelling:
    """Cancels the task that runs it, from any thread, at a point of one's choice."""

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cancelled = threading.Event()

    def now(self) -> None:
        """Cancel, and go on when the task knows of it."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._cancel)
        if threading.current_thread() is not threading.main_thread():
            self._cancelled.wait()

    def _cancel(self) -> None:
        assert self._task is not None
        self._task.cancel()
        self._cancelled.set()

    def run(self, work: Awaitable[object]) -> bool:
        """Run ``work``; return whether it was cancelled."""

        async def owner() -> None:
            self._task = asyncio.current_task()
            self._loop = asyncio.get_running_loop()
            await work

        try:
            asyncio.run(owner())
        except asyncio.CancelledError:
            return True
        return False
