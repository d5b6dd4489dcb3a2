"""Whether a registry is there and lets us in, before anything is asked of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bundle.limits import MAX_REGISTRY_WORDS
from bundle.registry.connection import Request

if TYPE_CHECKING:
    from bundle.registry.connection import Registry


async def ping(registry: Registry, *, attempts: int | None = None) -> str:
    """Return what a registry says that it is; often nothing, and nothing to rely on.

    Raises:
        DeniedError: it wants a login that is not known, or not that one.
        UnavailableError: it does not answer.
        StoreError: it is no registry.
    """
    request = Request(method="GET", url=registry.url(""), where=registry.host)

    async def once() -> str:
        _, response = await registry.body(request, MAX_REGISTRY_WORDS)
        return response.headers.get("Docker-Distribution-Api-Version", "")

    pace = registry.pace
    if attempts is not None:
        pace = replace(pace, attempts=attempts)
    return await pace.keep_trying(once)
