"""``set``: what is carried, written down once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.grammar.networks import connecting
from bundle.cli.grammar.shared import state
from bundle.cli.values import platform, slug

if TYPE_CHECKING:
    from bundle.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add it."""
    group = commands.group("set", "what is carried, declared in a file")
    options = group.command(
        "check",
        "bundle.cli.declared:check",
        "tell what is new since the last release",
        "Exit code 0, whether anything is new or not; see the result with --json.",
    )
    options.parser.add_argument("file", metavar="FILE", help="a set, in TOML")
    options.option(
        "--stream", "NAME", "compare with this; default: what FILE says", reads=slug
    )
    options.several("--include", "GLOB", "only what matches, on artifact/path")
    options.several("--exclude", "GLOB", "not what matches, on artifact/path")
    options.several(
        "--platform",
        "OS/ARCH[/VARIANT]",
        "only these of images for several machines",
        reads=platform,
    )
    connecting(options)
    state(options)
