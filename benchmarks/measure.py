"""One command: how long, how much memory, and whether it worked."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """``seconds`` by the wall clock, ``rss`` the peak of its largest process, bytes.

    ``cpu`` are the seconds of processors that all of its processes used: they
    vary less where other programs run beside.
    """

    seconds: float
    rss: int
    cpu: float


def run(command: Sequence[str]) -> Figure:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; what it wrote to stderr is in the message.
    """
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        error = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command}: {error.decode(errors='replace')}")
    seconds = time.perf_counter() - start
    cpu = usage.ru_utime + usage.ru_stime
    return Figure(seconds, usage.ru_maxrss * 1024, cpu)


def size_of(path: Path) -> int:
    """Return the bytes of all files below ``path``."""
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
