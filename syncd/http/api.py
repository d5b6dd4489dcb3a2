"""What the API answers: ``/api/v1``, health, and metrics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiohttp import web

from bundle.errors import BundleError, UsageError
from syncd.http.guard import CALLER, body, problem
from syncd.http.metrics import metrics_text
from syncd.http.openapi import PREFIX, Reconcile, Retry, Rollback, document
from syncd.http.tokens import Scope

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from syncd.http.service import Service

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method: what answers, and the scope it needs, None for nobody's."""

    method: str
    path: str
    handler: Handler
    scope: Scope | None


@dataclass(frozen=True, slots=True)
class Api:
    """Answers for one daemon."""

    service: Service

    def routes(self) -> list[Route]:
        """Return every route of the API."""
        return [
            Route("GET", "/healthz", self.healthz, None),
            Route("GET", "/readyz", self.readyz, None),
            Route("GET", "/metrics", self.metrics, Scope.READ),
            Route("GET", f"{PREFIX}/status", self.status, Scope.READ),
            Route("GET", f"{PREFIX}/receipt", self.receipt, Scope.READ),
            Route("GET", f"{PREFIX}/openapi.json", self.openapi, None),
            Route("POST", f"{PREFIX}/retry", self.retry, Scope.OPERATE),
            Route("POST", f"{PREFIX}/rollback", self.rollback, Scope.OPERATE),
            Route("POST", f"{PREFIX}/reconcile", self.reconcile, Scope.OPERATE),
        ]

    async def healthz(self, _: web.Request) -> web.Response:
        """Say that the process goes round."""
        return web.json_response({"alive": True})

    async def readyz(self, _: web.Request) -> web.Response:
        """Say whether journal and store can be used; tells nobody why they cannot."""
        try:
            await self.service.status()
        except BundleError:
            return problem(503, "the journal or the store cannot be used")
        return web.json_response({"ready": True})

    async def metrics(self, _: web.Request) -> web.Response:
        """Return the metrics."""
        text = metrics_text(await self.service.status(), self.service.connections)
        return web.Response(body=text, content_type="text/plain", charset="utf-8")

    async def status(self, _: web.Request) -> web.Response:
        """Return how things stand."""
        return _answer(await self.service.status())

    async def receipt(self, _: web.Request) -> web.Response:
        """Return the newest receipt, to be carried to the sender."""
        path = await asyncio.to_thread(self.service.newest_receipt)
        if path is None:
            return problem(404, "there is no receipt yet")
        return web.Response(
            body=await asyncio.to_thread(path.read_bytes),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{path.name}"'},
        )

    async def openapi(self, _: web.Request) -> web.Response:
        """Return the description of this API."""
        return _answer(document())

    async def retry(self, request: web.Request) -> web.Response:
        """Look at a bundle again."""
        asked = await _read(request, Retry)
        self.service.retry(asked.bundle, request[CALLER].name)
        return _accepted()

    async def rollback(self, request: web.Request) -> web.Response:
        """Publish an earlier release again."""
        asked = await _read(request, Rollback)
        caller = request[CALLER].name
        await self.service.rollback(asked.stream, asked.seq, asked.reason, caller)
        return _accepted()

    async def reconcile(self, request: web.Request) -> web.Response:
        """Hash what targets have and restore it."""
        asked = await _read(request, Reconcile)
        self.service.reconcile(asked.target, request[CALLER].name)
        return _accepted()


async def _read(request: web.Request, type_: type[_T]) -> _T:
    """Return the body of a request as a ``type_``.

    Raises:
        UsageError: it is none.
    """
    try:
        return msgspec.json.decode(await body(request), type=type_)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"the body is not as it should be: {error}") from None


def _answer(value: Any) -> web.Response:  # noqa: ANN401 - whatever msgspec encodes
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json"
    )


def _accepted() -> web.Response:
    return web.json_response({"accepted": True}, status=202)
