"""What commands of several groups have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.cli.values import line, slug

if TYPE_CHECKING:
    from bundle.cli.variables import Variables

TARGETS: Final = """\
TARGET:
  hf-home:PATH     what HF_HOME names: the cache is PATH/hub
  hf-cache:PATH    what HF_HUB_CACHE names
  tree:PATH        a directory of files
  oci-layout:PATH  images, in a directory that tools for images read
  oci-archive:FILE the same in one tar
  docker://REGISTRY[/PREFIX]
                   images and charts, into a registry
  s3://BUCKET/PREFIX?layout=hf-snapshots|flat[&generation=NAME]
                   models, and with flat trees, into a bucket"""


def a_bundle(options: Variables) -> None:
    """Add one bundle."""
    options.parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's directory")


def bundles(options: Variables, more: str = "") -> None:
    """Add a bundle that may be spread over several media."""
    options.parser.add_argument(
        "bundles",
        metavar="BUNDLE",
        nargs="+",
        help=f"a bundle's directory, or all it was spread over, in any order{more}",
    )


def reading(options: Variables) -> None:
    """Add what every verb takes that reads a bundle."""
    options.option("--trust", "ROOT", "trust this root; keeps and checks no state")
    options.option(
        "--site", "NAME", "the site this is: audiences, receipts", reads=slug
    )
    options.switch("--strict", "refuse what has expired")
    options.option("--policy", "FILE", "terms; default: trust.toml in the state")
    options.several("--signatures", "DIR", "approvals that are not on the medium")
    state(options)


def state(options: Variables) -> None:
    """Add where this machine remembers what it trusts and did."""
    options.option("--state", "DIR", "what is remembered here; default: XDG state")


def explaining(options: Variables, *, required: bool = False) -> None:
    """Add who asks for something that is refused otherwise, and why."""
    options.option("--by", "NAME", "who decides this; default: the user", reads=line)
    if required:
        options.option(
            "--reason", "TEXT", "why, for the log", reads=line, required=True
        )
