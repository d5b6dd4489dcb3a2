"""``set`` and ``render``: what is carried, and what a cluster is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.grammar.networks import buckets, connecting
from bundle.cli.grammar.shared import a_bundle, reading, state
from bundle.cli.values import platform, slug

if TYPE_CHECKING:
    from bundle.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add them."""
    _check(commands)
    _render(commands)


def _check(commands: Commands) -> None:
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
    buckets(options)
    state(options)


def _render(commands: Commands) -> None:
    options = commands.command(
        "render",
        "bundle.cli.render:render",
        "write what a cluster needs to find images and models",
        "Of the whole release, under names that stay: apply them again each time.",
    )
    a_bundle(options)
    options.option(
        "--registry",
        "HOST[/PREFIX]",
        "where the images are pushed to",
        required=True,
    )
    options.several(
        "--map", "FROM=TO", "as unpack has it: another repository for these"
    )
    options.option("--to", "DIR", "where the files go", required=True)
    options.option("--namespace", "NAME", "of the models; default: models", reads=slug)
    options.option(
        "--uploader-image",
        "IMAGE",
        "an image with this tool; default: HOST/bundle:latest",
    )
    options.option("--storage-class", "NAME", "of the volume; default: the cluster's")
    reading(options)
