"""A bucket in memory, for stores: as S3 is described, in no time at all.

Real servers are asked in other tests; here every order of requests can be tried.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from bundle.errors import NotFoundError
from bundle.s3.address import parse_address
from bundle.s3.client import Listed
from bundle.s3.options import Connection
from bundle.store.s3 import S3Store
from bundle.store.s3_place import S3Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import Any

    from bundle.s3.upload import Content


class ShelfPlace(S3Place):
    """The objects of one store; ``objects`` may be shared by many."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(parse_address("s3://memory/estate"), Connection())
        self.objects = objects
        self.overwritten: list[str] = []
        self.before: Callable[[str, str], Awaitable[None]] | None = None
        """Called with the operation and the name, before each request."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def list(self, prefix: str) -> list[Listed]:
        await self._ask("list", prefix)
        return [
            Listed(name, len(data))
            for name, data in sorted(self.objects.items())
            if name.startswith(prefix)
        ]

    async def get(self, name: str, limit: int) -> bytes:
        await self._ask("get", name)
        data = self._held(name)
        assert len(data) <= limit
        return data

    async def part(self, name: str, offset: int, length: int) -> bytes:
        await self._ask("part", name)
        return self._held(name)[offset : offset + length]

    async def put(self, name: str, data: bytes) -> None:
        await self._ask("put", name)
        if self.objects.get(name, data) != data:
            self.overwritten.append(name)
        self.objects[name] = data

    async def upload(self, name: str, content: Content, journals: Path) -> None:  # noqa: ARG002 - nothing is left unfinished
        await self.put(name, await asyncio.to_thread(content.path.read_bytes))

    async def delete(self, name: str) -> None:
        await self._ask("delete", name)
        self.objects.pop(name, None)

    def text(self, name: str = "") -> str:
        return f"s3://memory/estate/{name}"

    def _held(self, name: str) -> bytes:
        try:
            return self.objects[name]
        except KeyError:
            raise NotFoundError(f"{name}: there is no such object") from None

    async def _ask(self, operation: str, name: str) -> None:
        if self.before is not None:
            await self.before(operation, name)


def store_on(objects: dict[str, bytes], cache: Path) -> S3Store:
    """Return a store whose objects are in a dictionary."""
    return S3Store(ShelfPlace(objects), cache)


async def at_once(work: Callable[..., object], *given: Any, **more: Any) -> object:  # noqa: ANN401
    """Do here what is meant for a thread: nothing but requests is waited for."""
    return work(*given, **more)
