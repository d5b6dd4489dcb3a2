"""How a run is watched: a bar on a terminal, JSON lines, or warnings alone.

``watching`` gives the reporter that fits the output. All of them count under a
lock, since workers report from their own threads, and none of them raises.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from bundle.cli.escape import escape
from bundle.cli.output import OutputClosedError
from bundle.cli.units import size_text
from bundle.errors import BundleError
from bundle.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, Task

    from bundle.cli.output import Output

SECONDS_BETWEEN_EVENTS: Final = 1.0
"""Seconds between two progress events on stdout."""

SECONDS_BETWEEN_UPDATES: Final = 0.1
"""Seconds between two updates of the bar: a small file takes less than one."""


@contextmanager
def watching(output: Output, stopwatch: Callable[[], float]) -> Iterator[Reporter]:
    """Give the reporter for one run; the bar is gone when the block ends."""
    if output.quiet or not (output.as_json or output.stderr.isatty()):
        yield Warnings(output)
    elif output.as_json:
        yield Lines(output, stopwatch)
    else:
        with _bar(output) as progress:
            yield Bar(output, stopwatch, progress)


class Warnings(Reporter):
    """Shows warnings and nothing else."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def warned(self, message: str) -> None:
        """Show one warning."""
        with suppress(OutputClosedError, BundleError):
            self._output.warn(message)


class Counts(Warnings):
    """Counts what is reported and shows it every ``seconds``."""

    def __init__(
        self, output: Output, stopwatch: Callable[[], float], seconds: float
    ) -> None:
        super().__init__(output)
        self._stopwatch = stopwatch
        self._seconds = seconds
        self._lock = threading.Lock()
        self.began = stopwatch()
        self._next = self.began + seconds
        self.verb = ""
        self.total = 0
        self.done = 0
        self.new = 0
        self.reused = 0
        self.path = ""

    def started(self, verb: str, total: int) -> None:
        """Note how much there is to do."""
        with self._lock:
            self.verb, self.total, self.done = verb, total, 0

    def advanced(self, size: int) -> None:
        """Note that some is done."""
        with self._lock:
            self.done += size
        self._show_when_due()

    def file_started(self, path: str, size: int) -> None:  # noqa: ARG002
        """Note what is being read."""
        with self._lock:
            self.path = path
        self._show_when_due()

    def chunks_stored(self, *, new: int, reused: int) -> None:
        """Note chunks."""
        with self._lock:
            self.new += new
            self.reused += reused
        self._show_when_due()

    def finished(self) -> None:
        """Show the last counts."""
        self.show(self._stopwatch())

    def show(self, now: float) -> None:
        """Show the counts; ``now`` is on the watch that ``began`` is on."""

    def _show_when_due(self) -> None:
        """Show the counts if they were last shown long enough ago."""
        with self._lock:
            now = self._stopwatch()
            if now < self._next:
                return
            self._next = now + self._seconds
        self.show(now)


class Lines(Counts):
    """Writes the counts as ``progress`` events (spec §40.3)."""

    def __init__(self, output: Output, stopwatch: Callable[[], float]) -> None:
        super().__init__(output, stopwatch, SECONDS_BETWEEN_EVENTS)

    def started(self, verb: str, total: int) -> None:
        """Write the ``started`` event."""
        super().started(verb, total)
        with suppress(OutputClosedError, BundleError):
            self._output.event("started", verb=verb, total=total)

    def show(self, now: float) -> None:
        """Write one event."""
        seconds = max(now - self.began, 0.001)
        rate = int(self.done / seconds)
        with suppress(OutputClosedError, BundleError):
            self._output.event(
                "progress",
                done=self.done,
                total=self.total,
                new_chunks=self.new,
                reused_chunks=self.reused,
                milliseconds=int(seconds * 1000),
                rate=rate,
                eta=max(self.total - self.done, 0) // rate if rate else None,
                path=self.path,
            )


class Bar(Counts):
    """Keeps a rich progress bar on stderr up to date."""

    def __init__(
        self, output: Output, stopwatch: Callable[[], float], progress: Progress
    ) -> None:
        super().__init__(output, stopwatch, SECONDS_BETWEEN_UPDATES)
        self._progress = progress
        self._task = progress.add_task("", visible=False, chunks="", path="")

    def started(self, verb: str, total: int) -> None:
        """Show the empty bar."""
        super().started(verb, total)
        self.show(self.began)

    def warned(self, message: str) -> None:
        """Print a warning above the bar."""
        from rich.text import Text

        if self._output.is_new(message):
            line = Text(f"bundle: warning: {escape(message)}")
            self._progress.console.print(line)

    def show(self, now: float) -> None:  # noqa: ARG002 - rich has a clock of its own
        """Hand the counts to the bar, which draws when it is time to."""
        chunks = f"{self.new:,} new {self.reused:,} reused"
        self._progress.update(
            self._task,
            visible=True,
            description=escape(self.verb),
            total=self.total or None,
            completed=self.done,
            chunks=chunks if self.new or self.reused else "",
            path=escape(self.path),
        )


@contextmanager
def _bar(output: Output) -> Iterator[Progress]:
    """Show a bar on stderr: bytes, rate, time left, chunks, the file at hand."""
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Counted(ProgressColumn):
        """Shows what a function says of a task."""

        def __init__(self, text: Callable[[Task], str]) -> None:
            super().__init__(Column(no_wrap=True))
            self._text = text

        def render(self, task: Task) -> Text:
            return Text(self._text(task))

    def shown(name: str) -> Callable[[Task], str]:
        return lambda task: str(task.fields[name])

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        Counted(_bytes),
        Counted(_rate),
        Counted(_left),
        Counted(shown("chunks")),
        Counted(shown("path")),
        console=output.console(output.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=5,
    )
    with progress:
        yield progress


def _bytes(task: Task) -> str:
    """Return how many bytes are done, of how many."""
    done = size_text(int(task.completed))
    return done if task.total is None else f"{done} of {size_text(int(task.total))}"


def _rate(task: Task) -> str:
    """Return bytes per second."""
    speed = task.finished_speed or task.speed
    return f"{size_text(int(speed))}/s" if speed else "-"


def _left(task: Task) -> str:
    """Return the time left as minutes and seconds."""
    seconds = task.time_remaining
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
