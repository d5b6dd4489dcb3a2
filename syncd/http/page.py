"""The page for people: made here, live by events, and the same without script.

Templates, style and script come with the package and are read once. Every value is
escaped by the templates; the script never makes markup out of text.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import jinja2
from aiohttp import web

from bundle.cli.units import duration_text, size_text
from bundle.errors import UsageError
from syncd.http.api import Route
from syncd.http.changes import MAX_LISTENERS
from syncd.http.guard import BODY_SECONDS, CALLER, HEADERS, problem
from syncd.http.tokens import Scope

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from syncd.http.service import Service
    from syncd.view import Status

EVENT_SECONDS: Final = 2.0
"""Seconds between two events while something is being done: rates and bars move."""

_ASSETS: Final = {
    "style.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Page:
    """The page of one daemon."""

    service: Service

    def routes(self) -> list[Route]:
        """Return every route of the page."""
        return [
            Route("GET", "/", self.show, Scope.READ),
            Route("GET", "/changes", self.changes, Scope.READ),
            Route("POST", "/ask", self.ask, Scope.OPERATE),
            *(
                Route("GET", f"/assets/{name}", _asset(name, kind), None)
                for name, kind in _ASSETS.items()
            ),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Return the page as it is now."""
        status = await self.service.status()
        text = render(status, operates=Scope.OPERATE in request[CALLER].scopes)
        return web.Response(text=text, content_type="text/html")

    async def changes(self, request: web.Request) -> web.StreamResponse:
        """Send an event whenever the page would look different."""
        changes = self.service.changes
        if changes.listeners >= MAX_LISTENERS:
            return problem(503, "too many listen already")
        response = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/event-stream"}
        )
        await response.prepare(request)
        changes.listeners += 1
        try:
            with contextlib.suppress(ConnectionError):
                number = -1
                while True:
                    number = await changes.after(number, EVENT_SECONDS)
                    busy = bool(self.service.daemon.doing)
                    await response.write(f"data: {number} {busy:d}\n\n".encode())
        finally:
            changes.listeners -= 1
        return response

    async def ask(self, request: web.Request) -> web.Response:
        """Do what a form of the page asks for, and show the page again."""
        async with asyncio.timeout(BODY_SECONDS):
            form = await request.post()
        fields = {name: str(value) for name, value in form.items()}
        verb, caller = fields.get("verb"), request[CALLER].name
        if verb == "retry":
            self.service.retry(fields.get("bundle", ""), caller)
        elif verb == "reconcile":
            self.service.reconcile(fields.get("target") or None, caller)
        elif verb == "rollback":
            seq = fields.get("seq", "")
            await self.service.rollback(
                fields.get("stream", ""),
                int(seq) if seq.isdecimal() and len(seq) < 16 else 0,
                fields.get("reason", ""),
                caller,
            )
        else:
            raise UsageError("that is nothing that is done here")
        return web.Response(status=303, headers={"Location": "/"})


def render(status: Status, *, operates: bool) -> str:
    """Return the page as text; ``operates`` shows what an operator may do."""
    return _TEMPLATES.get_template("page.html").render(status=status, operates=operates)


def _asset(name: str, kind: str) -> Handler:
    content = files("syncd.web").joinpath(name).read_bytes()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=kind)

    return answer


def _share(part: int, whole: int) -> int:
    """Return a part of a whole in percent, 0 to 100."""
    return min(100, max(0, round(100 * part / whole))) if whole else 0


_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("syncd", "web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(size=size_text, duration=duration_text)
_TEMPLATES.globals.update(share=_share)
