"""What verbs take that talk to registries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.cli.values import on_existing

if TYPE_CHECKING:
    from bundle.cli.variables import Variables

AUTH_FILE: Final = "logins of registries; default: those of podman and docker"


def connecting(options: Variables) -> None:
    """Add how a registry is reached and who we are there."""
    options.option("--ca", "FILE", "certificates to trust beside the system's, in PEM")
    options.switch("--plain-http", "talk to registries without TLS")
    options.option("--auth-file", "FILE", AUTH_FILE)
    options.several(
        "--token-server", "HOST", "a host that may be sent a registry's login too"
    )


def staging(options: Variables) -> None:
    """Add where this machine keeps what targets elsewhere need."""
    options.option(
        "--staging", "DIR", "where remote targets stage; default: below --state"
    )


def naming(options: Variables) -> None:
    """Add what images are called in a registry, and what happens to old names."""
    options.several(
        "--map", "FROM=TO", "images of FROM go to TO: ghcr.io/superlinked=sie"
    )
    options.option(
        "--on-existing-tag",
        "WHAT",
        "overwrite, skip or fail where a tag names something else; default: overwrite",
        reads=on_existing,
    )
