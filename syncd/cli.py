"""The command ``syncd``: the daemon, and what an operator asks of it.

``main`` is the one place that reads the environment and the clocks. Commands other
than ``run`` read the journal or leave a request in it: they need no network, and
the daemon answers when it runs.
"""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from bundle.cli.commands import Commands, Parser, PrintVersion
from bundle.cli.failure import report
from bundle.cli.output import Output
from bundle.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bundle.cli.session import Verb
    from bundle.cli.variables import Variables

_ABOUT: Final = """\
Watches for media with bundles, verifies them, takes them into a store and publishes
to every target that syncd.toml names."""

_END: Final = """\
exit codes:
  as those of bundle: see 'bundle --help'

environment:
  Every option reads the BUNDLE_ variable named beside it."""


def build_parser(environment: Mapping[str, str]) -> Parser:
    """Return the parser for the whole command line."""
    parser = Parser(prog="syncd", description=_ABOUT, epilog=_END)
    parser.add_argument("--version", action=PrintVersion, nargs=0, help="print it")
    commands = Commands(parser, environment)
    _run(commands)
    _with_config(commands, "check-config", "checking:check", "say what is wrong in it")
    status = _with_config(commands, "status", "status:status", "say how things stand")
    status.switch("--watch", "again every second, until interrupted")
    retry = _with_config(
        commands, "retry", "asking:retry", "look at a bundle again, whatever was said"
    )
    retry.parser.add_argument("bundle", metavar="BUNDLE", help="as `status` names it")
    back = _with_config(
        commands, "rollback", "asking:rollback", "publish an earlier release again"
    )
    back.parser.add_argument("stream", metavar="STREAM", help="its name or id")
    back.parser.add_argument(
        "seq", metavar="SEQ", type=int, help="the release to go to"
    )
    back.option("--reason", "TEXT", "why, for the history", required=True)
    again = _with_config(
        commands, "reconcile", "asking:reconcile", "hash what targets have, restore it"
    )
    again.parser.add_argument(
        "target", metavar="TARGET", nargs="?", help="its name; default: all of them"
    )
    bring = _with_config(
        commands, "import", "asking:bring", "read bundles below a directory, once"
    )
    bring.parser.add_argument("path", metavar="PATH", help="where they are")
    receipt = _with_config(
        commands, "receipt", "asking:receipt", "write a receipt for the sender now"
    )
    receipt.parser.add_argument("directory", metavar="DIR", help="where it goes")
    token = _with_config(
        commands, "token", "tokens:token", "make a token for the API and the page"
    )
    token.parser.add_argument("name", metavar="NAME", help="whose it is")
    token.several("--scope", "SCOPE", "read, push or operate; default: read")
    return parser


def _run(commands: Commands) -> None:
    run = _with_config(commands, "run", "running:run", "watch, take and publish")
    run.switch("--once", "do what can be done now, and end")


def _with_config(commands: Commands, name: str, verb: str, about: str) -> Variables:
    options = commands.command(name, f"syncd.commands.{verb}", about)
    options.option("--config", "FILE", "syncd.toml", required=True)
    return options


def main(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Run one command line and return its exit code.

    ``arguments`` and ``environment`` default to those of the process.
    """
    environment = dict(os.environ) if environment is None else environment
    output = Output(sys.stdout, sys.stderr, environment)
    try:
        options = build_parser(environment).parse_args(arguments)
        output = Output(
            sys.stdout,
            sys.stderr,
            environment,
            as_json=options.json,
            quiet=options.quiet,
        )
        session = Session(
            output=output,
            environment=environment,
            clock=time.time,  # noqa: TID251 - passed down from here
            stopwatch=time.monotonic,
            jobs=options.jobs or len(os.sched_getaffinity(0)),
            state=Path(),
        )
        module, _, name = options.run.partition(":")
        verb = cast("Verb", getattr(import_module(module), name))
        verb(options, session)
        output.flush()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except BaseException as error:  # noqa: BLE001 - told below, with its exit code
        return report(error, output, debug="SYNCD_DEBUG" in environment)
    return 0
