"""A daemon that listens on a free port of the loopback, and clients of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from syncd.config import HttpSettings
from syncd.http.server import TOKENS, serving
from syncd.http.service import Service
from syncd.http.tokens import Scope, new_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from syncd.daemon import Daemon
    from tests.bundles import Site
    from tests.syncd.bastion import Bastion

WATCHER, WATCHER_LINE = new_token("watcher", [Scope.READ])
OPERATOR, OPERATOR_LINE = new_token("operator", [Scope.READ, Scope.OPERATE])


@dataclass(frozen=True)
class Listening:
    """A daemon that listens; ``client`` sends nobody's token."""

    daemon: Daemon
    service: Service
    port: int
    client: aiohttp.ClientSession

    def headers(self, token: str | None, **more: str) -> dict[str, str]:
        bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
        return {**bearer, **more}

    async def get(
        self, path: str, token: str | None = WATCHER, **headers: str
    ) -> tuple[int, str]:
        """Return the status and the text of an answer."""
        sent = self.headers(token, **headers)
        async with self.client.get(path, headers=sent) as answer:
            return answer.status, await answer.text()

    async def post(
        self,
        path: str,
        document: Any,  # noqa: ANN401 - any JSON
        token: str | None = OPERATOR,
        **headers: str,
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and the document of an answer."""
        sent = self.headers(token, **headers)
        async with self.client.post(path, json=document, headers=sent) as answer:
            return answer.status, await answer.json(content_type=None)


@contextlib.asynccontextmanager
async def listening(
    bastion: Bastion,
    site: Site,
    **changes: Any,  # noqa: ANN401 - fields of HttpSettings
) -> AsyncIterator[Listening]:
    """Give a daemon that listens until the block ends; it does nothing by itself."""
    with bastion.daemon(site) as daemon:
        tokens = Path(daemon.config.state) / TOKENS
        tokens.write_text(WATCHER_LINE + OPERATOR_LINE)
        service = Service(daemon)
        daemon.told = service.changes.note
        settings = HttpSettings(port=0, **changes)
        async with (
            serving(settings, service) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        ):
            yield Listening(daemon, service, port, client)
