"""What verbs take that talk to registries and object storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.cli.values import addressing, keeping, on_existing

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


def buckets(options: Variables) -> None:
    """Add how object storage is reached; certificates are those of ``--ca``."""
    options.option("--endpoint-url", "URL", "the endpoint of s3://; default: AWS's own")
    options.option("--region", "NAME", "the region of s3://; default: as AWS's tools")
    options.option(
        "--addressing",
        "WHERE",
        "where a bucket's name goes: path, virtual (the host) or auto; default: auto",
        reads=addressing,
    )


def pruning(options: Variables) -> None:
    """Add what becomes of what left the stream."""
    options.switch("--prune", "remove what was published here and left the stream")
    options.option(
        "--keep-releases",
        "N",
        "releases of the stream that --prune keeps; default: 2",
        reads=keeping,
    )


def certificates(options: Variables) -> None:
    """Add whom to trust where nothing but object storage is talked to."""
    options.option("--ca", "FILE", "certificates to trust for s3://, in PEM")


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
