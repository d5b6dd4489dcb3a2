"""A shell to run the command in, without a process for each run."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bundle.cli import main
from tests.cli.events import check_events

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """How one command ended and what it wrote."""

    code: int
    data: bytes
    err: str

    @property
    def out(self) -> str:
        """What it wrote to stdout, as text."""
        return self.data.decode()

    @property
    def lines(self) -> list[str]:
        """The lines of stdout with runs of blanks made one."""
        return [" ".join(line.split()) for line in self.out.splitlines()]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events on stdout, each valid."""
        return check_events(self.out)

    @property
    def result(self) -> dict[str, Any]:
        """The one result among the events."""
        (result,) = [event for event in self.events if event["event"] == "result"]
        return result

    @property
    def error(self) -> dict[str, Any]:
        """The last event, which is an error."""
        error = self.events[-1]
        assert error["event"] == "error"
        assert error["exitCode"] == self.code
        return error

    def of(self, name: str) -> list[dict[str, Any]]:
        """The events of one name."""
        return [event for event in self.events if event["event"] == name]


@dataclass
class Shell:
    """One person at one machine: a directory, and variables that stay set."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)
    command: Callable[[list[str], dict[str, str]], int] = main

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process that this person starts."""
        return {"HOME": str(self.home), "PATH": os.defpath, **self.variables}

    def __call__(self, *arguments: object, **variables: str) -> Ran:
        """Run ``bundle``, or another command, with these arguments."""
        data, err = io.BytesIO(), io.StringIO()
        out = io.TextIOWrapper(data, encoding="utf-8", write_through=True)
        environment = {**self.environment, **variables}
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = self.command([str(one) for one in arguments], environment)
        return Ran(code, data.getvalue(), err.getvalue())

    def ok(self, *arguments: object, **variables: str) -> Ran:
        """Run a command that must end well."""
        ran = self(*arguments, **variables)
        assert ran.code == 0, ran.out + ran.err
        return ran
