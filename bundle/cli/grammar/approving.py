"""``sign`` and ``approve``: others than the one who packed say yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.grammar.shared import bundles, reading

if TYPE_CHECKING:
    from bundle.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add them."""
    _sign(commands)
    _approve(commands)


def _sign(commands: Commands) -> None:
    options = commands.command(
        "sign",
        "bundle.cli.sign:sign",
        "add a packer's signature, where one is not enough",
    )
    bundles(options)
    options.option(
        "--key", "DIR", "the packer's or relay's key, or its directory", required=True
    )
    reading(options)


def _approve(commands: Commands) -> None:
    options = commands.command(
        "approve",
        "bundle.cli.approve:approve",
        "review a release against the last approved one, and sign it",
    )
    bundles(options)
    options.option(
        "--key", "FILE", "the approver's key, or its directory; without: only review"
    )
    options.option("--to", "DIR", "where the signature goes; default: on the medium")
    options.option("--document", "FILE", "write approval.md there, rendered again")
    options.switch("--long", "name every file that differs", short="-l")
    reading(options)
