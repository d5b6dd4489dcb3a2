r"""Sessions at a shell, written down: what a person types and what comes back.

A line of a session file begins with

    #            and says why
    $ COMMAND    is run and has to end well
    ! COMMAND    is run and has to fail
    ^ COMMAND    is interrupted (SIGINT) as soon as its work has begun
    exit N       is the exit code of the failure above
    > TEXT       is a line on stdout
    2> TEXT      is a line on stderr

All that a command prints has to be there. ``*`` stands for anything in a line,
and alone in its line for any number of lines. Runs of blanks count as one.
``bundle`` runs here; any other command is for ``sh``. ``NAME=value`` before
``bundle`` sets a variable for that command, alone it stays set.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cli.events import check_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.shell import Shell

PROJECT = Path(__file__).parents[2]
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass
class Step:
    """One command of a session and what is expected of it."""

    line: int
    mark: str
    command: str
    code: int = 0
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)


def read_session(path: Path) -> list[Step]:
    """Return the steps of a session file."""
    steps: list[Step] = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        mark, _, text = line.partition(" ")
        if mark in ("$", "!", "^"):
            steps.append(Step(number, mark, text, code=-1 if mark == "!" else 0))
        elif mark == "exit":
            steps[-1].code = int(text)
        elif mark in (">", "2>"):
            (steps[-1].out if mark == ">" else steps[-1].err).append(text)
        else:
            raise AssertionError(f"{path.name}:{number}: {line!r}")
    return steps


def run_session(path: Path, shell: Shell) -> None:
    """Run a session in the home of ``shell``; fail at what is not as written."""
    with contextlib.chdir(shell.home):
        for step in read_session(path):
            code, out, err = _run(step, shell)
            where = f"{path.name}:{step.line}: {step.command}"
            assert code == step.code or (step.code == -1 and code > 0), (
                f"{where}\nended with {code}, not {step.code}:\n{out}{err}"
            )
            _check(f"{where}: stdout", step.out, out)
            _check(f"{where}: stderr", step.err, err)


def _run(step: Step, shell: Shell) -> tuple[int, str, str]:
    words = shlex.split(step.command)
    variables: dict[str, str] = {}
    while words and _ASSIGNMENT.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    if not words:
        shell.variables.update(variables)
        return 0, "", ""
    if words[0] != "bundle":
        return _run_other(step.command, shell)
    if step.mark == "^":
        return _interrupt([*words[1:], "--json"], shell)
    ran = shell(*words[1:], **variables)
    if "--json" in words:
        check_events(ran.out)
    return ran.code, ran.out, ran.err


def _run_other(command: str, shell: Shell) -> tuple[int, str, str]:
    done = subprocess.run(
        ["sh", "-c", command],
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _interrupt(words: list[str], shell: Shell) -> tuple[int, str, str]:
    """Run ``bundle`` until it says that its work has begun, then interrupt it."""
    with subprocess.Popen(
        [sys.executable, "-m", "bundle", *words],
        env={**shell.environment, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = list(_until_started(process.stdout))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=25)
    out = "".join(lines) + out
    check_events(out)
    return process.returncode, out, err


def _until_started(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if '"event":"started"' in line:
            return


def _check(where: str, patterns: list[str], text: str) -> None:
    """Assert that the lines of ``text`` are those that the patterns describe."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    expression = "".join(map(_expression, patterns))
    if not re.fullmatch(expression, "".join(f"{line}\n" for line in lines)):
        expected, found = "\n".join(patterns), "\n".join(lines)
        raise AssertionError(f"{where}\nexpected:\n{expected}\nfound:\n{found}")


def _expression(pattern: str) -> str:
    if pattern == "*":
        return r"(?:[^\n]*\n)*"
    parts = " ".join(pattern.split()).split("*")
    return "[^\n]*".join(map(re.escape, parts)) + "\n"
