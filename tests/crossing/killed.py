"""Commands that are killed in the middle: no cleaning up, no last words.

A process that has everything imported forks for each command. The child counts
the calls that change what a disk holds and kills itself (SIGKILL) before one of
them; so the same number always means the same moment. This file is both ends:
run as a program it is that process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

from syncd import cli
from syncd.journal import Journal
from tests.cli.shell import Shell
from tests.target.interrupted import Interruption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.shell import Ran

PROJECT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code or -9, what it wrote, how many calls."""

    code: int
    calls: int = 0
    out: str = ""


class Stage:
    """The process that forks; use it in a ``with`` statement."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crossing.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, shell: Shell, *arguments: object, at: int | None = None) -> Ended:
        """Run ``bundle`` as this person; with ``at`` kill it before that call.

        Where the first word is ``syncd``, that command is run, and every change of
        its journal counts as a call too.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        words = [str(shell.home), shell.variables, [*map(str, arguments)], at]
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def calls(self, shell: Shell, *arguments: object) -> range:
        """Return the numbers of the calls of a command that is left alone."""
        ended = self.run(shell, *arguments)
        assert ended.code == 0, ended.out
        return range(1, ended.calls + 1)


class _Killing(Interruption):
    def step(self, call: str, name: str) -> None:
        if self.calls + 1 == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        super().step(call, name)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Stand in the way of every change of the journal, too."""
        real = Journal._run

        def run(journal: Journal, text: str, values: Any) -> None:  # noqa: ANN401 - as sqlite3 has them
            self.step("journal", text)
            real(journal, text, values)

        with mock.patch.object(Journal, "_run", run):
            yield


def _run(home: str, variables: dict[str, str], words: list[str], at: int | None) -> Any:  # noqa: ANN401 - JSON
    """Run one command in a process of its own; return how it ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        killing = _Killing(at)
        shell = Shell(Path(home), variables)
        if words[0] == "syncd":
            words = words[1:]
            shell.command = cli.main
        with killing.armed(), killing.noted():
            ran: Ran = shell(*words, BUNDLE_JOBS="1")
        answer = {"code": ran.code, "calls": killing.calls, "out": ran.out + ran.err}
        with os.fdopen(writer, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return json.loads(text) if code == 0 else {"code": code}


def _serve() -> None:
    from bundle import ingester, packer, unpacker, verifier  # noqa: F401, PLC0415 - before the fork
    from bundle.cli import pack, store, unpack, verify  # noqa: F401, PLC0415
    from bundle.source import locate  # noqa: F401, PLC0415
    from bundle.state import keydir  # noqa: F401, PLC0415
    from bundle.store import check, local  # noqa: F401, PLC0415
    from bundle.target import doctor  # noqa: F401, PLC0415
    from syncd.commands import running  # noqa: F401, PLC0415

    for line in sys.stdin:
        sys.stdout.write(json.dumps(_run(*json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
