"""One prefix of a bucket: the objects of a store, by their names in it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Self

from bundle.durable import target_errors
from bundle.limits import MIB
from bundle.s3.client import Listed, S3Client
from bundle.s3.upload import Uploads

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from bundle.flow.pace import Pace
    from bundle.s3.address import Address
    from bundle.s3.options import Connection
    from bundle.s3.upload import Content

_STEP: Final = 8 * MIB
"""Bytes of an object that are fetched at a time."""


class S3Place:
    """The objects below one address; used inside ``async with``."""

    def __init__(
        self, address: Address, connection: Connection, pace: Pace | None = None
    ) -> None:
        self.address = address
        self.client = S3Client(address.bucket, connection)
        if pace is not None:
            self.client.pace = pace
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            TargetError: the settings make no sense.
        """
        await self._stack.enter_async_context(self.client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._stack.__aexit__(kind, error, trace)

    async def list(self, prefix: str) -> list[Listed]:
        """Return the objects whose names begin with ``prefix``, in order.

        Raises:
            TargetError, TransientError: the server does not say.
        """
        base = len(self.address.key(""))
        return [
            Listed(one.key[base:], one.size)
            async for one in self.client.list(self.address.key(prefix))
        ]

    async def get(self, name: str, limit: int) -> bytes:
        """Return an object of at most ``limit`` bytes.

        Raises:
            NotFoundError: there is none.
            TargetError, TransientError: it cannot be read.
        """
        return await self.client.get(self.address.key(name), limit)

    async def part(self, name: str, offset: int, length: int) -> bytes:
        """Return ``length`` bytes of an object, or fewer where it ends.

        Raises:
            NotFoundError: there is none.
            TargetError, TransientError: it cannot be read.
        """
        return await self.client.get_range(self.address.key(name), offset, length)

    async def fetch(self, name: str, size: int, path: Path) -> None:
        """Write an object of ``size`` bytes into a new file.

        Raises:
            NotFoundError: there is none.
            TargetError: this machine cannot take it, or the server not give it.
            TransientError: the server does not manage to send it.
        """
        with target_errors(path), path.open("xb") as file:
            while file.tell() < size:
                data = await self.part(
                    name, file.tell(), min(_STEP, size - file.tell())
                )
                if not data:
                    break
                file.write(data)

    async def put(self, name: str, data: bytes) -> None:
        """Put a small object, and look at it again.

        Raises:
            TargetError, TransientError: the server does not take it.
        """
        await self.client.put_object(self.address.key(name), data)

    async def upload(self, name: str, content: Content, journals: Path) -> None:
        """Put a file; ``journals`` is where unfinished uploads are noted.

        Raises:
            TargetError: the server does not take it.
            TransientError: it does not manage to; what arrived is not sent again.
        """
        uploads = Uploads(self.client, journals)
        await uploads.send(self.address.key(name), content)

    async def delete(self, name: str) -> None:
        """Remove an object; one that is gone is fine.

        Raises:
            TargetError, TransientError: the server does not do it.
        """
        await self.client.delete(self.address.key(name))

    def text(self, name: str = "") -> str:
        """Return what messages call an object."""
        return self.client.place(self.address.key(name))
