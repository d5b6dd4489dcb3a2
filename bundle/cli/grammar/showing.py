"""``ls``, ``inspect``, ``cat``: what is in a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.grammar.shared import a_bundle, reading

if TYPE_CHECKING:
    from bundle.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add them."""
    _ls(commands)
    _inspect(commands)
    _cat(commands)


def _ls(commands: Commands) -> None:
    options = commands.command("ls", "bundle.cli.show:ls", "list artifacts and files")
    a_bundle(options)
    options.parser.add_argument(
        "artifact", metavar="ARTIFACT", nargs="?", help="list the files of this one"
    )
    options.switch("--long", "list the files of each artifact", short="-l")
    reading(options)


def _inspect(commands: Commands) -> None:
    options = commands.command(
        "inspect", "bundle.cli.show:inspect", "print the release, signers and volumes"
    )
    a_bundle(options)
    reading(options)


def _cat(commands: Commands) -> None:
    options = commands.command(
        "cat", "bundle.cli.show:cat", "write one file, checked, to stdout"
    )
    a_bundle(options)
    options.parser.add_argument("artifact", metavar="ARTIFACT", help="as `ls` names it")
    options.parser.add_argument("path", metavar="PATH", help="a file of it")
    reading(options)
