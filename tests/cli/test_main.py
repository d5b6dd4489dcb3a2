"""The command as a process: how fast it starts, what it imports, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bundle
from bundle.cli import main

if TYPE_CHECKING:
    from tests.cli.shell import Shell

HELP_SECONDS = 0.5
"""For a loaded machine; the benchmarks hold ``--help`` to its 0.15 s."""

VERBS = (
    "key",
    "trust",
    "pack",
    "diff",
    "verify",
    "copy",
    "unpack",
    "ls",
    "inspect",
    "cat",
    "doctor",
    "completion",
)


def run(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "bundle", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment() | (environment or {}),
    )


def clean_environment() -> dict[str, str]:
    """The environment of the tests without variables that change a run."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BUNDLE_", "NO_COLOR", "FORCE_COLOR"))
    }


@pytest.mark.parametrize(
    "arguments", [["--help"], ["pack", "--help"], ["--version"]], ids=" ".join
)
def test_help_starts_at_once(arguments: list[str]) -> None:
    def seconds() -> float:
        before = time.perf_counter()
        assert run(*arguments).returncode == 0
        return time.perf_counter() - before

    assert min(seconds() for _ in range(5)) < HELP_SECONDS


def test_help_names_every_verb_and_exit_code() -> None:
    text = run("--help").stdout
    for verb in VERBS:
        assert f"\n    {verb}" in text
    for code in (0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 20, 130):
        assert f" {code} " in text


def test_the_version_is_printed() -> None:
    assert run("--version").stdout == f"bundle {bundle.__version__}, format 1\n"


def test_a_usage_error_is_two_lines_on_stderr() -> None:
    done = run("pack")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "bundle: the following arguments are required: --out, --stream, --key",
        "see: bundle pack --help",
    ]


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["pack", "--json"], {}), (["pack"], {"BUNDLE_JSON": "1"})],
    ids=["typed", "set"],
)
def test_a_usage_error_for_a_program_is_an_event(
    arguments: list[str], environment: dict[str, str]
) -> None:
    done = run(*arguments, environment=environment)
    event = json.loads(done.stdout)
    assert (event["class"], event["exitCode"]) == ("UsageError", 2)
    assert (done.returncode, done.stderr) == (2, "")


def test_hostile_arguments_do_not_reach_the_terminal() -> None:
    done = run("\x1b]0;owned\x07")
    assert "\x1b" not in done.stderr
    assert r"\x1b]0;owned\x07" in done.stderr.replace("\\\\", "\\")


@pytest.mark.parametrize(
    "words",
    [["completion", "bash"], ["completion", "bash", "--json"], ["pack", "--json"]],
    ids=["text", "an event", "the event of an error"],
)
def test_a_full_disk_behind_stdout_is_an_error(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bundle", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 14
    assert done.stderr.startswith("bundle: standard output: No space left")


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "JSON"])
def test_a_reader_that_leaves_is_no_error(form: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "bundle", "completion", "bash", *form],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_closed_streams_are_no_error() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m bundle completion bash >&- 2>&-"],
        check=False,
    )
    assert done.returncode == 0


def test_main_returns_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"], {}) == 0
    assert capsys.readouterr().out.startswith("#compdef bundle")


def test_debugging_shows_what_libraries_log_and_where_it_ended(
    sender: Shell, packed: Path
) -> None:
    ran = sender("verify", packed, BUNDLE_DEBUG="1")
    assert ran.code == 12
    assert "Traceback" in ran.err
    assert "receiver.py" in ran.err


def test_a_switch_that_says_nothing_is_refused_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["completion", "bash"], {"BUNDLE_JSON": "perhaps"}) == 2
    assert "BUNDLE_JSON: 'perhaps' is neither on" in capsys.readouterr().err
