"""Commands below commands, each with the options that all of them have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Never

from bundle.cli.values import jobs
from bundle.cli.variables import Help, Variables
from bundle.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Parser(argparse.ArgumentParser):
    """An argument parser that raises ``UsageError`` in place of leaving."""

    def __init__(self, **rest: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(formatter_class=Help, allow_abbrev=False, **rest)

    def error(self, message: str) -> Never:
        """Refuse the command line.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, advice=f"see: {self.prog} --help")


class PrintVersion(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002 - argparse's signature
        values: str | Sequence[Any] | None,  # noqa: ARG002 - argparse's signature
        option_string: str | None = None,  # noqa: ARG002 - argparse's signature
    ) -> None:
        """Print it and leave."""
        from bundle import __version__

        print(f"bundle {__version__}, format 1")
        parser.exit()


class Commands:
    """Adds commands below one parser."""

    def __init__(self, parser: Parser, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._parsers = parser.add_subparsers(
            title="commands", metavar="COMMAND", required=True, parser_class=Parser
        )

    def group(self, name: str, about: str) -> Commands:
        """Add a command that has commands of its own."""
        parser = self._parsers.add_parser(name, help=about, description=about)
        return Commands(parser, self._environment)

    def command(self, name: str, verb: str, about: str, more: str = "") -> Variables:
        """Add a command that does something, with the options that all have."""
        parser = self._parsers.add_parser(
            name, help=about, description=about, epilog=more
        )
        parser.set_defaults(run=verb, verb=parser.prog.partition(" ")[2])
        options = Variables(parser, self._environment)
        options.switch("--json", "results and errors as JSON lines on stdout")
        options.switch("--quiet", "no progress, no tables, no hints")
        options.option(
            "--jobs", "N", "worker threads; default: the processors", reads=jobs
        )
        return options
