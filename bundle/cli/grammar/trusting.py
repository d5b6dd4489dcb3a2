"""``key`` and ``trust``: keys, roots and who may sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.cli.grammar.shared import state
from bundle.cli.values import slug

if TYPE_CHECKING:
    from bundle.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add them."""
    _key_init(commands.group("key", "make keys"))
    trust = commands.group("trust", "decide whose bundles are read here")
    _trust_enrol(trust)
    _trust_show(trust)
    _trust_site_key(trust)


def _key_init(commands: Commands) -> None:
    options = commands.command(
        "init", "bundle.cli.key:init", "make a root key and a packer key"
    )
    options.parser.add_argument("directory", metavar="DIR", help="where they go")
    options.option("--name", "NAME", "a label that the root carries", reads=slug)


def _trust_enrol(commands: Commands) -> None:
    options = commands.command(
        "enrol", "bundle.cli.trust:enrol", "trust a root and what it delegates to"
    )
    options.parser.add_argument("root", metavar="ROOT.json", help="the root file")
    options.option(
        "--fingerprint", "F", "refuse any root that does not have this fingerprint"
    )
    state(options)


def _trust_show(commands: Commands) -> None:
    options = commands.command(
        "show", "bundle.cli.trust:show", "print the enrolled root and its fingerprint"
    )
    state(options)


def _trust_site_key(commands: Commands) -> None:
    options = commands.command(
        "site-key",
        "bundle.cli.trust:site_key",
        "print the public key that signs this site's receipts",
    )
    options.option("--site", "NAME", "the site; default: default", reads=slug)
    state(options)
