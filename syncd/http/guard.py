"""Who may ask for what: checked before a handler sees the request.

In this order: the Host header names this daemon (against DNS rebinding), a request
that changes something comes from no other site (against CSRF: browsers send the
credentials of a page on their own), then a token with the scope of the route.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bundle.errors import BundleError, UsageError
from syncd.http.gate import gated
from syncd.http.tokens import Scope, Token, identify

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Iterable,
        Mapping,
        Set as AbstractSet,
    )

    from aiohttp.typedefs import Handler, Middleware

_log: Final = logging.getLogger(__name__)

BODY_SECONDS: Final = 60
"""Seconds for the body of a request that is no upload."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Under no-referrer the forms of our own page come with "Origin: null" (Fetch §3.2).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "syncd",
}
"""What every answer carries."""

SCOPES: Final = web.AppKey("scopes", dict)
"""The scope that each route needs, by method and path; None for nobody's."""

CALLER: Final = web.RequestKey("caller", Token)
"""The key under which a request has its token."""


def host_allowed(hosts: AbstractSet[str]) -> Middleware:
    """Refuse requests that name another host (421, RFC 9110 §15.5.20)."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        named = request.headers.getall("Host", [])
        if len(named) != 1 or named[0].lower() not in hosts:
            return problem(421, "this daemon does not answer to that host")
        return await handler(request)

    return check


def same_site() -> Middleware:
    """Refuse what changes something and was sent by a page of another site."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in ("GET", "HEAD"):
            return await handler(request)
        site = request.headers.get("Sec-Fetch-Site", "none")
        origin = request.headers.get("Origin")
        if site not in ("none", "same-origin") or (
            origin is not None and origin.partition("://")[2] != request.host
        ):
            return problem(403, "a page of another site asked for this")
        return await handler(request)

    return check


def allowed(tokens: Callable[[], Iterable[Token]]) -> Middleware:
    """Refuse requests without a token that has the scope of the route."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None:
            return await handler(request)
        name = f"{request.method} {resource.canonical}"
        needed: Scope | None = request.app[SCOPES][name]
        if needed is None:
            return await handler(request)
        token = identify(tokens(), _presented(request))
        if token is None:
            answer = problem(401, "a token is needed; 'syncd token' makes one")
            answer.headers["WWW-Authenticate"] = 'Basic realm="syncd", charset="UTF-8"'
            return answer
        if needed not in token.scopes:
            return problem(403, f"this needs the scope {needed}")
        request[CALLER] = token
        return await handler(request)

    return check


def answered() -> Middleware:
    """Keep the time, and turn what went wrong into an answer."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = gated(request.transport)
        if connection is not None:
            connection.working()
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = problem(error.status, error.reason)
        except UsageError as error:
            response = problem(400, str(error), error.advice)
        except BundleError as error:
            response = problem(409, str(error), error.advice)
        except TimeoutError:
            response = problem(408, "the request did not arrive in time")
        except Exception:  # noqa: BLE001 - told, and no more of it than that
            _log.exception("%s %s", request.method, request.path)
            response = problem(500, "a mistake of ours; the log has it")
        finally:
            if connection is not None:
                connection.awaiting()
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    return check


async def body(request: web.Request) -> bytes:
    """Return the body of a small request.

    Raises:
        TimeoutError: it does not arrive within ``BODY_SECONDS``.
        HTTPException: it is too large, or no JSON was announced.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    async with asyncio.timeout(BODY_SECONDS):
        return await request.read()


def problem(status: int, title: str, detail: str = "") -> web.Response:
    """Return an answer about a problem (RFC 9457)."""
    document = {"title": title, "status": status}
    if detail:
        document["detail"] = detail
    return web.json_response(
        document, status=status, content_type="application/problem+json"
    )


def _presented(request: web.Request) -> str:
    """Return the token of a request: bearer, or the password of basic."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return text.strip()
    if kind.lower() == "basic":
        try:
            pair = base64.b64decode(text, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            return ""
        return pair.partition(":")[2]
    return ""
