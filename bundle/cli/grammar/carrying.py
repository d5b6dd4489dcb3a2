"""``copy``, ``parity``, ``repair``, ``export``, ``push``: a bundle on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.grammar.shared import bundles, reading
from bundle.cli.values import percent, rate

if TYPE_CHECKING:
    from bundle.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add them."""
    _copy(commands)
    _parity_add(commands.group("parity", "protect a bundle against damage"))
    _repair(commands)
    _export(commands)
    _push(commands)


def _copy(commands: Commands) -> None:
    options = commands.command(
        "copy", "bundle.cli.copy:copy", "copy onto a medium and read it back"
    )
    bundles(options, "; of several, one directory is made")
    options.parser.add_argument(
        "destination", metavar="DIR", help="where its directory goes"
    )
    reading(options)


def _parity_add(commands: Commands) -> None:
    options = commands.command(
        "add", "bundle.cli.parity:add", "write shards that make good what is lost"
    )
    bundles(options)
    options.option(
        "--percent", "N", "of the payload's size; default: 10", reads=percent
    )
    options.option(
        "--parity-out", "DIR", "where they go; default: beside the first BUNDLE"
    )
    reading(options)


def _repair(commands: Commands) -> None:
    options = commands.command(
        "repair", "bundle.cli.repair:repair", "make good what a bundle lost"
    )
    bundles(options)
    options.option("--out", "DIR", "write a whole bundle below it")
    options.switch("--in-place", "write where the damage is")
    reading(options)


def _export(commands: Commands) -> None:
    options = commands.command(
        "export",
        "bundle.cli.export:export",
        "write a bundle to stdout, for `unpack -` at the other end of a pipe",
    )
    bundles(options)
    reading(options)


def _push(commands: Commands) -> None:
    options = commands.command(
        "push", "bundle.cli.push:push", "send over a network what syncd there lacks"
    )
    bundles(options)
    options.option("--to", "URL", "where syncd listens", required=True)
    options.option(
        "--token-file", "FILE", "the token that `syncd token` printed", required=True
    )
    options.option("--ca", "FILE", "certificates to trust beside the system's, in PEM")
    options.option(
        "--limit-rate", "SIZE", "bytes a second at the most; default: any", reads=rate
    )
    reading(options)
