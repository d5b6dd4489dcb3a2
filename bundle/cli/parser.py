"""The command line: every verb, its options, and the text of ``--help``.

Nothing of a verb is imported here; ``run`` in the result names the function
that does the work as ``module:function``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bundle.cli.commands import Commands, Parser, PrintVersion
from bundle.cli.grammar import (
    approving,
    carrying,
    declaring,
    receiving,
    sending,
    showing,
    storing,
    trusting,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence


_SCHEME: Final = re.compile(
    r"(hf-home|hf-cache|tree|oci-layout|oci-archive|docker|s3):"
)

_GROUPS: Final = (
    trusting,
    declaring,
    sending,
    approving,
    carrying,
    receiving,
    showing,
    storing,
)
"""Verbs in the order of ``--help``."""

_ABOUT: Final = """\
Carries models and trees of files across an air gap: pack them into a signed,
self-checking bundle, carry it, verify it, unpack it."""

_EXIT_CODES: Final = """\
exit codes:
  0 done   1 unexpected   2 usage   10 not a valid bundle   11 damaged
  12 not trusted   13 something required is not here   14 target or space
  15 source   16 store or network, worth retrying   20 partly done
  130 interrupted

environment:
  Every option reads the BUNDLE_ variable named beside it; what is typed beats
  it, and a switch that is set can be typed off (--no-quiet). Options that
  repeat take words. BUNDLE_DEBUG=1 shows where an error came from. NO_COLOR
  turns colour off."""


def build_parser(environment: Mapping[str, str]) -> Parser:
    """Return the parser for the whole command line."""
    parser = Parser(prog="bundle", description=_ABOUT, epilog=_EXIT_CODES)
    parser.add_argument("--version", action=PrintVersion, nargs=0, help="print it")
    commands = Commands(parser, environment)
    for group in _GROUPS:
        group.add(commands)
    _completion(commands)
    return parser


def parse(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> argparse.Namespace:
    """Return the options of one run; ``verb`` is its name, ``run`` what does it.

    Raises:
        UsageError: the command line makes no sense.
        SystemExit: help or the version was asked for and has been printed.
    """
    return build_parser(environment).parse_args(_one_target_each(arguments))


def _one_target_each(arguments: Sequence[str]) -> list[str]:
    """Write ``--to A B`` as ``--to A --to B`` where B is a target too."""
    spread: list[str] = []
    previous_was_target = False
    for position, argument in enumerate(arguments):
        if previous_was_target and _SCHEME.match(argument):
            spread.append("--to")
        else:
            previous_was_target = position > 0 and arguments[position - 1] == "--to"
        spread.append(argument)
    return spread


def _completion(commands: Commands) -> None:
    options = commands.command(
        "completion", "bundle.cli.completion:completion", "print shell completion"
    )
    options.parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")
