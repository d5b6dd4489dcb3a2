"""What the command line says about registries and other places that are not here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session
    from bundle.registry.options import RegistryOptions
    from bundle.s3.options import Connection
    from bundle.store.s3 import S3Store
    from bundle.target.options import TargetOptions

BUCKETS: Final = "s3://"
"""What begins a place in object storage."""

REGISTRIES: Final = ("docker://", "oci://")
"""What begins a place that is a registry."""


def registry_options(
    options: argparse.Namespace, session: Session, *places: str
) -> RegistryOptions:
    """Return how registries are talked to; says so where that is without TLS.

    ``places`` are the sources or targets that the command line names.
    """
    from bundle.registry.options import RegistryOptions

    if options.plain_http:
        for place in dict.fromkeys(places):
            if place.startswith(REGISTRIES):
                session.output.warn(
                    f"{place}: without TLS, as --plain-http asks: whoever is between "
                    "sees the login and everything else"
                )
    return RegistryOptions(
        ca=_path(options.ca),
        plain_http=options.plain_http,
        auth_file=_path(options.auth_file),
        token_servers=frozenset(options.token_server),
        environment=session.environment,
    )


def target_options(options: argparse.Namespace, session: Session) -> TargetOptions:
    """Return what the command line says about targets.

    Raises:
        UsageError: a rule for names is none.
    """
    from bundle.oci.mapping import NameMap
    from bundle.target.options import DEFAULT_KEEP, OnExisting, TargetOptions

    staging = _path(options.staging) or session.state / "targets"
    return TargetOptions(
        copy=options.copy,
        staging=staging,
        environment=session.environment,
        prune=options.prune,
        keep=options.keep_releases or DEFAULT_KEEP,
        s3=bucket_connection(options, session),
        clock=session.clock,
        registry=registry_options(options, session, *options.to),
        names=NameMap.parse(options.map),
        existing=OnExisting(options.on_existing_tag or OnExisting.OVERWRITE),
    )


def bucket_connection(options: argparse.Namespace, session: Session) -> Connection:
    """Return how object storage is reached."""
    from bundle.s3.options import Connection

    return Connection(
        endpoint_url=options.endpoint_url,
        region=options.region,
        ca=_path(options.ca),
        addressing=options.addressing or "auto",
        environment=session.environment,
    )


def bucket_store(text: str, options: argparse.Namespace, session: Session) -> S3Store:
    """Return the store that ``s3://BUCKET/PREFIX`` names; nothing is asked yet.

    Raises:
        UsageError: it names no place in a bucket.
    """
    from bundle.s3.address import parse_address
    from bundle.store.s3 import S3Store
    from bundle.store.s3_place import S3Place

    home = session.environment.get("HOME") or "~"
    cache = session.environment.get("XDG_CACHE_HOME") or f"{home}/.cache"
    place = S3Place(parse_address(text), bucket_connection(options, session))
    return S3Store(place, Path(cache).expanduser() / "bundle" / "stores")


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
