"""``pack``, ``relay`` and ``diff``: what a bundle is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.cli.grammar.networks import buckets, connecting
from bundle.cli.grammar.shared import state
from bundle.cli.values import (
    days,
    media_size,
    percent,
    platform,
    releases,
    slug,
    volume_size,
)

if TYPE_CHECKING:
    from bundle.cli.commands import Commands
    from bundle.cli.variables import Variables


_SOURCES: Final = """\
SOURCE:
  hf-cache:PATH                   a Hugging Face hub directory or HF_HOME
  hf-cache:PATH#org/name[@rev]    one repository of it; also #datasets/org/name,
                                  #spaces/org/name, #kernels/org/name
  hf://org/name[@rev]             from the hub at HF_ENDPOINT
  tree:PATH                       a directory of files
  oci-layout:PATH[:TAG|@DIGEST]   images in a layout; without a tag, all of them
  oci-archive:FILE[:TAG]          the same in a tar
  docker-archive:FILE             what docker save wrote; loses the digest
  chart:FILE.tgz                  a chart of Helm
  docker://REGISTRY/REPO[:TAG|@DIGEST]
                                  an image from a registry; oci:// for a chart
  s3://BUCKET/PREFIX?layout=hf-snapshots|flat
                                  what a bucket holds

example:
  bundle pack hf-cache:/data/hf --out /media/usb --stream models-prod --key keys"""

_SIDES: Final = """\
A and B:
  a bundle's directory, a release.json, a receipt, or a target:
  hf-home:PATH, hf-cache:PATH, tree:PATH

A receipt names releases; what is in them is known where they were packed."""


def add(commands: Commands) -> None:
    """Add them."""
    _pack(commands)
    _relay(commands)
    _diff(commands)


def _pack(commands: Commands) -> None:
    options = commands.command(
        "pack", "bundle.cli.pack:pack", "make a bundle of sources", _SOURCES
    )
    options.parser.add_argument(
        "sources", metavar="SOURCE", nargs="*", help="what to pack, see below"
    )
    options.option("--set", "FILE", "pack what this file declares, in TOML")
    options.several(
        "--platform",
        "OS/ARCH[/VARIANT]",
        "only these of images for several machines",
        reads=platform,
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
    connecting(options)
    buckets(options)
    _media(options)
    _far_side(options)
    options.switch("--keep-going", "pack the rest when a source is damaged")
    options.switch("--dry-run", "print what would be packed and write nothing")
    state(options)


def _media(options: Variables) -> None:
    """Add how a bundle lies on its media."""
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
    options.switch("--verify-media", "read all of it back before it is safe to remove")


def _relay(commands: Commands) -> None:
    options = commands.command(
        "relay",
        "bundle.cli.relay:relay",
        "make a bundle of what a store holds, for the next enclave",
    )
    options.parser.add_argument(
        "directory", metavar="STORE", help="what `bundle store add` made"
    )
    options.option("--out", "DIR", "where the bundle goes", required=True)
    options.option(
        "--stream", "NAME", "whose newest release; or its id", reads=slug, required=True
    )
    options.option(
        "--key", "DIR", "relay.pem, the root and the roles files", required=True
    )
    options.option("--have", "RECEIPT", "leave out what this receipt says is there")
    _media(options)
    options.switch("--dry-run", "print what would be sent and write nothing")
    state(options)


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
    options.option(
        "--model-key", "FILE", "a maker's public key: checks model.sig of models"
    )


def _diff(commands: Commands) -> None:
    options = commands.command(
        "diff", "bundle.cli.diff:diff", "tell what differs between two", _SIDES
    )
    options.parser.add_argument("before", metavar="A", help="the older, see below")
    options.parser.add_argument("after", metavar="B", help="the newer, see below")
    options.switch("--long", "list every file that differs", short="-l")
    options.option("--trust", "ROOT", "trust this root in place of the enrolled one")
    state(options)
