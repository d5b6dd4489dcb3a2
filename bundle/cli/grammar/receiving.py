"""``verify``, ``unpack``, ``doctor``: where a bundle arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.grammar.networks import buckets, connecting, naming, pruning, staging
from bundle.cli.grammar.shared import TARGETS, bundles, explaining, reading
from bundle.cli.values import line

if TYPE_CHECKING:
    from bundle.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add them."""
    _verify(commands)
    _unpack(commands)
    _doctor(commands)


def _verify(commands: Commands) -> None:
    options = commands.command(
        "verify", "bundle.cli.verify:verify", "check every signature, digest and size"
    )
    bundles(options)
    reading(options)


def _unpack(commands: Commands) -> None:
    options = commands.command(
        "unpack", "bundle.cli.unpack:unpack", "check a bundle and publish it", TARGETS
    )
    bundles(options, "; - reads what `export` writes from stdin")
    options.several("--to", "TARGET", "where it goes, see below", required=True)
    options.switch("--copy", "files in place of links, for file systems without")
    options.several(
        "--store", "PATH", "a store or a bundle that has what BUNDLE builds on"
    )
    options.option("--receipt-to", "DIR", "write a receipt for the sender there")
    options.option("--want-to", "DIR", "write what lacks there; default: the receipts")
    options.option(
        "--roll-back", "REASON", "go back to this older release on purpose", reads=line
    )
    explaining(options)
    connecting(options)
    buckets(options)
    pruning(options)
    naming(options)
    staging(options)
    reading(options)


def _doctor(commands: Commands) -> None:
    options = commands.command(
        "doctor", "bundle.cli.doctor:doctor", "tell what a client will see", TARGETS
    )
    options.parser.add_argument("target", metavar="TARGET", help="see below")
    options.switch("--write", "try what leaves nothing in a registry, not only read")
    connecting(options)
    buckets(options)
