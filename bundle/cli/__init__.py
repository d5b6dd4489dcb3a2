"""The command ``bundle``.

``main`` is the one place that reads the environment and the clock and sets up
logging; everything below takes what it needs as arguments. Until the command
line is parsed only the parser is imported, and a verb brings in what it needs
when it runs, so that ``--help`` and small verbs start at once.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO, cast

from bundle.cli.parser import parse
from bundle.cli.values import MAX_JOBS
from bundle.cli.variables import on_or_off

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bundle.cli.output import Output
    from bundle.cli.session import Verb


def main(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Run one command line and return its exit code.

    ``arguments`` and ``environment`` default to those of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    environment = dict(os.environ) if environment is None else environment
    try:
        options = parse(arguments, environment)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except BaseException as error:  # noqa: BLE001 - told below, with its exit code
        as_json = _wants_json(arguments, environment)
        return _report(error, _output(environment, as_json=as_json))
    output = _output(environment, as_json=options.json, quiet=options.quiet)
    try:
        _run(options, output)
    except BaseException as error:  # noqa: BLE001 - told below, with its exit code
        return _report(error, output)
    return 0


def _run(options: argparse.Namespace, output: Output) -> None:
    """Do what the options ask for and hand on all output."""
    import gc
    import time
    from importlib import import_module

    from bundle.cli.session import Session

    # Imports make many objects and no garbage: looking for it takes 0.05 s.
    gc.set_threshold(50_000, 20, 20)
    # numpy's linear algebra is not used; its threads would spin while we start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _log(output)
    _take_sigterm_for_an_interrupt()
    session = Session(
        output=output,
        environment=output.environment,
        clock=time.time,  # noqa: TID251 - passed down from here
        stopwatch=time.monotonic,
        jobs=options.jobs or min(len(os.sched_getaffinity(0)), MAX_JOBS),
        state=_state(options, output.environment),
    )
    module, _, name = options.run.partition(":")
    verb = cast("Verb", getattr(import_module(module), name))
    verb(options, session)
    output.flush()


def _report(error: BaseException, output: Output) -> int:
    """Tell about ``error`` and return its exit code."""
    from bundle.cli.failure import report

    debug = _is_on(output.environment, "BUNDLE_DEBUG")
    try:
        return report(error, output, debug=debug)
    except Exception as second:  # noqa: BLE001 - stdout has just refused the error event
        return report(second, output, debug=debug)


def _output(
    environment: Mapping[str, str], *, as_json: bool, quiet: bool = False
) -> Output:
    """Return the streams of the process as an output."""
    from bundle.cli.output import Output

    return Output(
        _stream(sys.stdout),
        _stream(sys.stderr),
        environment,
        as_json=as_json,
        quiet=quiet,
    )


def _state(options: argparse.Namespace, environment: Mapping[str, str]) -> Path:
    """Return the directory of what is remembered between runs."""
    from pathlib import Path

    chosen = getattr(options, "state", None)
    if chosen:
        return Path(chosen)
    base = Path(environment.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():
        home = environment.get("HOME") or Path("~").expanduser()
        base = Path(home, ".local", "state")
    return base / "bundle"


def _wants_json(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell how an error in the command line itself is to be written."""
    typed = [word for word in arguments if word in ("--json", "--no-json")]
    return typed[-1] == "--json" if typed else _is_on(environment, "BUNDLE_JSON")


def _is_on(environment: Mapping[str, str], variable: str) -> bool:
    """Tell whether a switch is set; nonsense is refused where the verb reads it."""
    try:
        return on_or_off(environment.get(variable, ""))
    except ValueError:
        return False


def _stream(stream: TextIO | None) -> TextIO:
    """Return a stream that takes any text; one that was closed takes it nowhere."""
    import io
    from pathlib import Path

    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _log(output: Output) -> None:
    """Send what libraries log to stderr, escaped; all of it with BUNDLE_DEBUG."""
    import logging

    class Escaped(logging.Handler):
        """Prints one record as one line."""

        def emit(self, record: logging.LogRecord) -> None:
            output.complain(f"{record.name}: {record.getMessage()}")

    debug = _is_on(output.environment, "BUNDLE_DEBUG")
    level = logging.DEBUG if debug else logging.CRITICAL
    logging.basicConfig(level=level, handlers=[Escaped()])


def _take_sigterm_for_an_interrupt() -> None:
    """Let SIGTERM do what Ctrl-C does: the pipelines clean up on it."""
    import signal
    import threading

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
