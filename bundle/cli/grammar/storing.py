"""``store``: chunks, recipes and releases at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.grammar.networks import buckets, certificates
from bundle.cli.grammar.shared import a_bundle, reading
from bundle.cli.values import kept, slug

if TYPE_CHECKING:
    from bundle.cli.commands import Commands
    from bundle.cli.variables import Variables


def add(commands: Commands) -> None:
    """Add them."""
    _store(commands.group("store", "keep chunks, recipes and releases"))


def _store(commands: Commands) -> None:
    add = commands.command("add", "bundle.cli.store:add", "take a bundle into a store")
    a_bundle(add)
    _store_directory(add)
    reading(add)
    stat = commands.command("stat", "bundle.cli.store:stat", "print what it holds")
    _store_directory(stat)
    listed = commands.command(
        "ls", "bundle.cli.store:ls", "list what each release in it is made of"
    )
    _store_directory(listed)
    listed.option("--stream", "NAME", "only this stream; or its id", reads=slug)
    check = commands.command(
        "check", "bundle.cli.store:check", "decode and hash everything in it"
    )
    _store_directory(check)
    check.switch("--quick", "look at structure alone")
    check.switch("--rebuild", "make the index again from what is found good")
    collect = commands.command(
        "gc", "bundle.cli.store:gc", "drop old releases and what nothing else uses"
    )
    _store_directory(collect)
    collect.option(
        "--keep", "N", "releases to keep of each stream; default: 3", reads=kept
    )
    collect.several("--pin", "RELEASE", "keep this one too: a digest, as `stat` says")
    collect.switch("--dry-run", "print what would go and change nothing")


def _store_directory(options: Variables) -> None:
    options.parser.add_argument(
        "directory", metavar="STORE", help="a directory, or s3://BUCKET/PREFIX"
    )
    buckets(options)
    certificates(options)
