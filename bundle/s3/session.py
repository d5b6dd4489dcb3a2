"""A connection to an endpoint, as AWS's own tools would make it.

Credentials are those of the usual chain: the environment, the profile, a web
identity of the cluster, the machine. Retries are not the library's: they are ours,
around each operation, so that what is sent again is counted and what is broken is
named.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.parsers import ResponseParserError

from bundle.s3.failures import Doing, s3_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bundle.s3.options import Connection

_CONNECT_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 120
"""How long a server may say nothing: composing a large object takes a while."""

_DEFAULT_REGION: Final = "us-east-1"
_KEY, _SECRET, _TOKEN = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


@contextlib.asynccontextmanager
async def connect(connection: Connection, connections: int) -> AsyncIterator[Any]:
    """Return aiobotocore's client for S3 while the block lasts.

    ``connections`` are those kept open at once.

    Raises:
        TargetError: the profile, the certificates or the region make no sense.
        UsageError: the endpoint is no URL.
    """
    environment = connection.environment
    doing = Doing("connect", connection.endpoint or "AWS S3")
    async with contextlib.AsyncExitStack() as stack:
        with s3_errors(doing):
            named = None if environment.get(_KEY) else environment.get("AWS_PROFILE")
            session = AioSession(profile=named)
            client = await stack.enter_async_context(
                session.create_client(
                    "s3",
                    region_name=_region(connection, session),
                    endpoint_url=connection.endpoint,
                    verify=_verify(connection),
                    config=_config(connection, connections),
                    **_credentials(environment),
                )
            )
            events = client.meta.events
            events.register_first("before-parse.s3", _refuse_page)
            if not connection.is_aws:
                events.register("before-call.s3", _stay)
        yield client


def _refuse_page(response_dict: Mapping[str, Any], **_: object) -> None:
    """Refuse a web page that says that all is well, before it counts as an error.

    Raises:
        ResponseParserError: it is one.
    """
    body = response_dict.get("body")
    # The library makes 500 of a 200 that it cannot read, to try it again; what sits
    # before a server and cannot reach it says 502, 503 or 504.
    if response_dict.get("status_code") in (200, 500) and isinstance(body, bytes):
        start = body[:64].lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")):
            raise ResponseParserError("a web page")


def _stay(params: Mapping[str, Any], **_: object) -> None:
    """Follow no redirect: where an endpoint is named, nobody else is asked."""
    params["context"].setdefault("s3_redirect", {})["redirected"] = True


def _config(connection: Connection, connections: int) -> AioConfig:
    """Return settings that servers of every age understand."""
    # Checksums in trailers, the library's default, are refused by older servers
    # over TLS; Content-MD5 is what they check.
    checksums = "when_supported" if connection.is_aws else "when_required"
    return AioConfig(
        s3={"addressing_style": connection.style},
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        max_pool_connections=connections,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        retries={"total_max_attempts": 1},
    )


def _region(connection: Connection, session: AioSession) -> str:
    environment = connection.environment
    return (
        connection.region
        or environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION")
        or session.get_config_variable("region")
        or _DEFAULT_REGION
    )


def _verify(connection: Connection) -> str | None:
    if connection.ca is not None:
        return str(connection.ca)
    return connection.environment.get("AWS_CA_BUNDLE") or None


def _credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials that the environment holds itself, or none."""
    if not environment.get(_KEY):
        return {}
    given = {
        "aws_access_key_id": environment.get(_KEY),
        "aws_secret_access_key": environment.get(_SECRET),
        "aws_session_token": environment.get(_TOKEN),
    }
    return {name: value for name, value in given.items() if value}
