"""Progress is for terminals and programs; nothing it shows may raise."""

from __future__ import annotations

import io
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bundle.cli.output import Output
from bundle.cli.watch import Lines, watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.progress import Reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def output(
    stderr: io.StringIO, *, as_json: bool = False, quiet: bool = False
) -> tuple[Output, io.StringIO]:
    stdout = io.StringIO()
    made = Output(stdout, stderr, {"TERM": "xterm"}, as_json=as_json, quiet=quiet)
    return made, stdout


def work(reporter: Reporter) -> None:
    reporter.started("pack", 3 << 20)
    reporter.file_started("config\x1b[2J.json", 1 << 20)
    reporter.advanced(1 << 20)
    reporter.chunks_stored(new=2, reused=1)
    reporter.warned("look\x1bhere")
    reporter.advanced(2 << 20)
    reporter.finished()


def events(stdout: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stdout.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("stderr", "quiet", "shown"),
    [
        (io.StringIO(), False, "bundle: warning: look\\x1bhere\n"),
        (Terminal(), True, ""),
        (io.StringIO(), True, ""),
    ],
    ids=["a file gets warnings alone", "a quiet terminal", "a quiet file"],
)
def test_nothing_moves(stderr: io.StringIO, *, quiet: bool, shown: str) -> None:
    made, stdout = output(stderr, quiet=quiet)
    with watching(made, time.monotonic) as reporter:
        work(reporter)
    assert stderr.getvalue() == shown
    assert stdout.getvalue() == ""


def test_a_terminal_shows_bytes_chunks_and_escaped_names() -> None:
    stderr = Terminal()
    made, stdout = output(stderr)
    with watching(made, time.monotonic) as reporter:
        work(reporter)
    text = stderr.getvalue()
    for part in ("pack", "3.0 MiB of 3.0 MiB", "2 new 1 reused", r"config\x1b[2J.json"):
        assert part in text
    assert r"bundle: warning: look\x1bhere" in text
    assert stdout.getvalue() == ""


def test_a_program_gets_a_beginning_warnings_and_an_end() -> None:
    made, stdout = output(Terminal(), as_json=True)
    with watching(made, time.monotonic) as reporter:
        work(reporter)
    assert [event["event"] for event in events(stdout)] == [
        "started",
        "warning",
        "progress",
    ]


def test_a_quiet_program_gets_warnings_alone() -> None:
    made, stdout = output(Terminal(), as_json=True, quiet=True)
    with watching(made, time.monotonic) as reporter:
        work(reporter)
    assert [event["event"] for event in events(stdout)] == ["warning"]


def ticks(*times: float) -> Iterator[float]:
    yield from times
    raise AssertionError("the clock was read too often")


def test_progress_comes_once_a_second_with_rate_and_time_left() -> None:
    made, stdout = output(io.StringIO(), as_json=True)
    clock = ticks(0.0, 0.5, 1.0, 1.5, 2.5, 4.0)
    lines = Lines(made, lambda: next(clock))
    lines.started("verify", 1000)
    for _ in range(4):
        lines.advanced(100)
    lines.finished()
    assert events(stdout)[1:] == [
        {
            "event": "progress",
            "done": 200,
            "total": 1000,
            "newChunks": 0,
            "reusedChunks": 0,
            "milliseconds": 1000,
            "rate": 200,
            "eta": 4,
            "path": "",
        },
        {
            "event": "progress",
            "done": 400,
            "total": 1000,
            "newChunks": 0,
            "reusedChunks": 0,
            "milliseconds": 2500,
            "rate": 160,
            "eta": 3,
            "path": "",
        },
        {
            "event": "progress",
            "done": 400,
            "total": 1000,
            "newChunks": 0,
            "reusedChunks": 0,
            "milliseconds": 4000,
            "rate": 100,
            "eta": 6,
            "path": "",
        },
    ]


def test_many_threads_count_right() -> None:
    made, _ = output(io.StringIO(), as_json=True)
    lines = Lines(made, lambda: 0.0)

    def report() -> None:
        for _ in range(1000):
            lines.advanced(1)
            lines.chunks_stored(new=1, reused=2)

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (lines.done, lines.new, lines.reused) == (4000, 4000, 8000)


class Gone(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("quiet", [False, True], ids=["events", "warnings alone"])
def test_a_reader_that_left_does_not_stop_the_work(*, quiet: bool) -> None:
    made = Output(Gone(), io.StringIO(), {}, as_json=True, quiet=quiet)
    with watching(made, time.monotonic) as reporter:
        work(reporter)
    assert not made.takes_events
