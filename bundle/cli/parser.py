"""The command line: every verb, its options, and the text of ``--help``.

Nothing of a verb is imported here; ``run`` in the result names the function
that does the work as ``module:function``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bundle.cli.commands import Commands, Parser, PrintVersion
from bundle.cli.values import (
    days,
    kept,
    media_size,
    percent,
    releases,
    slug,
    volume_size,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from bundle.cli.variables import Variables

_SCHEME: Final = re.compile(r"(hf-home|hf-cache|tree):")

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

_SOURCES: Final = """\
SOURCE:
  hf-cache:PATH                   a Hugging Face hub directory or HF_HOME
  hf-cache:PATH#org/name[@rev]    one repository of it; also #datasets/org/name,
                                  #spaces/org/name, #kernels/org/name
  hf://org/name[@rev]             from the hub at HF_ENDPOINT
  tree:PATH                       a directory of files

example:
  bundle pack hf-cache:/data/hf --out /media/usb --stream models-prod --key keys"""

_SIDES: Final = """\
A and B:
  a bundle's directory, a release.json, a receipt, or a target:
  hf-home:PATH, hf-cache:PATH, tree:PATH

A receipt names releases; what is in them is known where they were packed."""

_TARGETS: Final = """\
TARGET:
  hf-home:PATH     what HF_HOME names: the cache is PATH/hub
  hf-cache:PATH    what HF_HUB_CACHE names
  tree:PATH        a directory of files"""


def build_parser(environment: Mapping[str, str]) -> Parser:
    """Return the parser for the whole command line."""
    parser = Parser(prog="bundle", description=_ABOUT, epilog=_EXIT_CODES)
    parser.add_argument("--version", action=PrintVersion, nargs=0, help="print it")
    commands = Commands(parser, environment)
    keys = commands.group("key", "make keys")
    _key_init(keys)
    trust = commands.group("trust", "decide whose bundles are read here")
    _trust_enrol(trust)
    _trust_show(trust)
    _trust_site_key(trust)
    _pack(commands)
    _diff(commands)
    _verify(commands)
    _copy(commands)
    _parity_add(commands.group("parity", "protect a bundle against damage"))
    _repair(commands)
    _export(commands)
    _unpack(commands)
    _ls(commands)
    _inspect(commands)
    _cat(commands)
    _store(commands.group("store", "keep chunks, recipes and releases"))
    _doctor(commands)
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
    _state(options)


def _trust_show(commands: Commands) -> None:
    options = commands.command(
        "show", "bundle.cli.trust:show", "print the enrolled root and its fingerprint"
    )
    _state(options)


def _trust_site_key(commands: Commands) -> None:
    options = commands.command(
        "site-key",
        "bundle.cli.trust:site_key",
        "print the public key that signs this site's receipts",
    )
    options.option("--site", "NAME", "the site; default: default", reads=slug)
    _state(options)


def _pack(commands: Commands) -> None:
    options = commands.command(
        "pack", "bundle.cli.pack:pack", "make a bundle of sources", _SOURCES
    )
    options.parser.add_argument(
        "sources", metavar="SOURCE", nargs="+", help="what to pack, see below"
    )
    options.option("--out", "DIR", "where the bundle goes", required=True)
    options.option(
        "--stream", "NAME", "the line of releases", reads=slug, required=True
    )
    options.option("--key", "DIR", "what `bundle key init` made", required=True)
    options.switch("--add", "keep what the previous release holds")
    options.option("--after", "RELEASE", "follow this bundle's or file's release")
    options.several(
        "--audience", "SITE", "who may read it; default: anyone", reads=slug
    )
    options.option("--expires", "DAYS", "days until readers warn", reads=days)
    options.several("--include", "GLOB", "only what matches, on artifact/path")
    options.several("--exclude", "GLOB", "not what matches, on artifact/path")
    options.option(
        "--volume-size", "SIZE", "bytes of a volume; default: 1GiB", reads=volume_size
    )
    options.option(
        "--media-size",
        "SIZE",
        "spread it over media of that many bytes",
        reads=media_size,
    )
    options.option(
        "--parity", "PERCENT", "shards that make good what is lost", reads=percent
    )
    _far_side(options)
    options.switch("--keep-going", "pack the rest when a source is damaged")
    options.switch("--dry-run", "print what would be packed and write nothing")
    _state(options)


def _far_side(options: Variables) -> None:
    """Add what tells which chunks need not travel; without any, all do."""
    options.option("--have", "RECEIPT", "leave out what this receipt says is there")
    options.option("--base", "BUNDLE", "leave out what this bundle brought")
    options.option(
        "--dest", "NAME", "leave out what was acknowledged from there", reads=slug
    )
    options.switch("--assume-delivered", "count what was sent to --dest as there")
    options.option("--overlap", "N", "send the last N releases again", reads=releases)
    options.option("--fill", "WANT", "carry what this want lacks of its release")


def _verify(commands: Commands) -> None:
    options = commands.command(
        "verify", "bundle.cli.verify:verify", "check every signature, digest and size"
    )
    _bundles(options)
    _reading(options)


def _copy(commands: Commands) -> None:
    options = commands.command(
        "copy", "bundle.cli.copy:copy", "copy onto a medium and read it back"
    )
    _bundle(options)
    options.parser.add_argument(
        "destination", metavar="DIR", help="where its directory goes"
    )
    _reading(options)


def _parity_add(commands: Commands) -> None:
    options = commands.command(
        "add", "bundle.cli.parity:add", "write shards that make good what is lost"
    )
    _bundles(options)
    options.option(
        "--percent", "N", "of the payload's size; default: 10", reads=percent
    )
    options.option(
        "--parity-out", "DIR", "where they go; default: beside the first BUNDLE"
    )
    _reading(options)


def _repair(commands: Commands) -> None:
    options = commands.command(
        "repair", "bundle.cli.repair:repair", "make good what a bundle lost"
    )
    _bundles(options)
    options.option("--out", "DIR", "write a whole bundle below it")
    options.switch("--in-place", "write where the damage is")
    _reading(options)


def _export(commands: Commands) -> None:
    options = commands.command(
        "export",
        "bundle.cli.export:export",
        "write a bundle to stdout, for `unpack -` at the other end of a pipe",
    )
    _bundles(options)
    _reading(options)


def _unpack(commands: Commands) -> None:
    options = commands.command(
        "unpack", "bundle.cli.unpack:unpack", "check a bundle and publish it", _TARGETS
    )
    _bundles(options, "; - reads what `export` writes from stdin")
    options.several("--to", "TARGET", "where it goes, see below", required=True)
    options.switch("--copy", "files in place of links, for file systems without")
    options.several(
        "--store", "PATH", "a store or a bundle that has what BUNDLE builds on"
    )
    options.option("--receipt-to", "DIR", "write a receipt for the sender there")
    options.option("--want-to", "DIR", "write what lacks there; default: the receipts")
    _reading(options)


def _diff(commands: Commands) -> None:
    options = commands.command(
        "diff", "bundle.cli.diff:diff", "tell what differs between two", _SIDES
    )
    options.parser.add_argument("before", metavar="A", help="the older, see below")
    options.parser.add_argument("after", metavar="B", help="the newer, see below")
    options.switch("--long", "list every file that differs", short="-l")
    options.option("--trust", "ROOT", "trust this root in place of the enrolled one")
    _state(options)


def _ls(commands: Commands) -> None:
    options = commands.command("ls", "bundle.cli.show:ls", "list artifacts and files")
    _bundle(options)
    options.parser.add_argument(
        "artifact", metavar="ARTIFACT", nargs="?", help="list the files of this one"
    )
    options.switch("--long", "list the files of each artifact", short="-l")
    _reading(options)


def _inspect(commands: Commands) -> None:
    options = commands.command(
        "inspect", "bundle.cli.show:inspect", "print the release, signers and volumes"
    )
    _bundle(options)
    _reading(options)


def _cat(commands: Commands) -> None:
    options = commands.command(
        "cat", "bundle.cli.show:cat", "write one file, checked, to stdout"
    )
    _bundle(options)
    options.parser.add_argument("artifact", metavar="ARTIFACT", help="as `ls` names it")
    options.parser.add_argument("path", metavar="PATH", help="a file of it")
    _reading(options)


def _store(commands: Commands) -> None:
    add = commands.command("add", "bundle.cli.store:add", "take a bundle into a store")
    _bundle(add)
    _store_directory(add)
    _reading(add)
    stat = commands.command("stat", "bundle.cli.store:stat", "print what it holds")
    _store_directory(stat)
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
    options.parser.add_argument("directory", metavar="DIR", help="the store")


def _doctor(commands: Commands) -> None:
    options = commands.command(
        "doctor", "bundle.cli.doctor:doctor", "tell what a client will see", _TARGETS
    )
    options.parser.add_argument("target", metavar="TARGET", help="see below")


def _completion(commands: Commands) -> None:
    options = commands.command(
        "completion", "bundle.cli.completion:completion", "print shell completion"
    )
    options.parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")


def _bundle(options: Variables) -> None:
    options.parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's directory")


def _bundles(options: Variables, more: str = "") -> None:
    options.parser.add_argument(
        "bundles",
        metavar="BUNDLE",
        nargs="+",
        help=f"a bundle's directory, or all it was spread over, in any order{more}",
    )


def _reading(options: Variables) -> None:
    """Add what every verb takes that reads a bundle."""
    options.option("--trust", "ROOT", "trust this root; keeps and checks no state")
    options.option(
        "--site", "NAME", "the site this is: audiences, receipts", reads=slug
    )
    options.switch("--strict", "refuse what has expired")
    _state(options)


def _state(options: Variables) -> None:
    options.option("--state", "DIR", "what is remembered here; default: XDG state")
