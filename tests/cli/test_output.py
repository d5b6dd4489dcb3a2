"""Results go to stdout in one of two forms, all else to stderr."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import pytest

from bundle.cli.output import Output, OutputClosedError
from bundle.digest import digest_of
from bundle.errors import SpaceError, TargetError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Refusing(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, _: str) -> int:
        raise self.error


def make(
    stdout: io.StringIO | None = None,
    environment: dict[str, str] | None = None,
    *,
    as_json: bool = False,
    quiet: bool = False,
) -> tuple[Output, io.StringIO, io.StringIO]:
    stdout, stderr = stdout or io.StringIO(), io.StringIO()
    output = Output(stdout, stderr, environment or {}, as_json=as_json, quiet=quiet)
    return output, stdout, stderr


def say_all(output: Output) -> None:
    output.event("result", new_bytes=1)
    output.table(("name", ">size"), [("a", 1)])
    output.say("said")
    output.answer("answered")
    output.hint("hinted")
    output.warn("warned")


def test_a_person_gets_text_and_no_events() -> None:
    output, stdout, stderr = make()
    say_all(output)
    assert [line.split() for line in stdout.getvalue().splitlines()] == [
        ["name", "size"],
        ["a", "1"],
        ["said"],
        ["answered"],
    ]
    assert stderr.getvalue() == "hinted\nbundle: warning: warned\n"


def test_a_program_gets_events_and_no_text() -> None:
    output, stdout, stderr = make(as_json=True)
    say_all(output)
    assert [json.loads(line) for line in stdout.getvalue().splitlines()] == [
        {"event": "result", "newBytes": 1},
        {"event": "warning", "message": "warned"},
    ]
    assert stderr.getvalue() == ""


def test_quiet_leaves_what_was_asked_for() -> None:
    output, stdout, stderr = make(quiet=True)
    say_all(output)
    assert (stdout.getvalue(), stderr.getvalue()) == ("answered\n", "")


def test_a_warning_is_given_once() -> None:
    output, _, stderr = make()
    output.warn("twice")
    output.warn("twice")
    assert stderr.getvalue() == "bundle: warning: twice\n"


def test_events_hold_plain_values_and_ascii_alone() -> None:
    output, stdout, _ = make(as_json=True)
    output.event(
        "x",
        digest=digest_of(b""),
        path=Path("a/b"),
        broken="a\udcff",
        hostile="\x1b\u202e",
        several=("a", 1, None, True),
        nested={"new_bytes": 2},
    )
    text = stdout.getvalue()
    assert text.isascii()
    assert json.loads(text) == {
        "event": "x",
        "digest": str(digest_of(b"")),
        "path": "a/b",
        "broken": "a\\udcff",
        "hostile": "\x1b\u202e",
        "several": ["a", 1, None, True],
        "nested": {"newBytes": 2},
    }


def test_a_table_interprets_nothing() -> None:
    output, stdout, _ = make()
    output.table(("name",), [("[bold]x[/bold] :smile:",), ("a\x1b[31m\n",)])
    assert "[bold]x[/bold] :smile:" in stdout.getvalue()
    assert r"a\x1b[31m\n" in stdout.getvalue()


def test_a_file_gets_each_row_on_one_line() -> None:
    output, stdout, _ = make()
    output.table(("name", "path"), [("n" * 300, "p" * 300)])
    assert len(stdout.getvalue().splitlines()) == 2


@pytest.mark.parametrize(
    ("stdout", "environment", "coloured"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (io.StringIO(), {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
    ],
    ids=["a terminal", "a terminal with NO_COLOR", "a file"],
)
def test_colour_is_for_a_terminal(
    stdout: io.StringIO, environment: dict[str, str], *, coloured: bool
) -> None:
    output, stdout, _ = make(stdout, environment)
    output.table(("name",), [("a",)])
    assert ("\x1b[1m" in stdout.getvalue()) == coloured


REFUSALS = {
    "the reader has gone": (errno.EPIPE, OutputClosedError, "^$"),
    "the disk is full": (errno.ENOSPC, SpaceError, "No space left"),
    "the disk is broken": (errno.EIO, TargetError, "Input/output error"),
}


@pytest.mark.parametrize(
    ("code", "kind", "said"), REFUSALS.values(), ids=REFUSALS.keys()
)
def test_what_stdout_refuses_has_a_class(
    code: int, kind: type[Exception], said: str
) -> None:
    output, _, _ = make(Refusing(OSError(code, os.strerror(code))), as_json=True)
    with pytest.raises(kind, match=said):
        output.event("x")
    assert not output.takes_events


def test_a_closed_stderr_is_no_error() -> None:
    output, _, stderr = make()
    stderr.close()
    output.complain("nobody hears this")
