"""Requests to one bucket, each tried again while that may help."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (  # noqa: TC003 - dataclass fields are read at run time
    Callable,
    Mapping,
)
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from bundle.flow.pace import Pace
from bundle.s3.failures import Doing, s3_errors
from bundle.s3.options import Connection  # noqa: TC001 - dataclass fields are read at run time
from bundle.s3.session import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

AT_ONCE: Final = 16
"""Requests under way at once."""


@dataclass(slots=True)
class Traffic:
    """What went over the network, and what did not have to.

    ``sent`` and ``read`` are bytes of content that arrived, ``copied`` bytes that
    the server copied by itself; ``requests`` counts every attempt.
    """

    sent: int = 0
    copied: int = 0
    read: int = 0
    requests: int = 0


@dataclass(slots=True)
class Bucket:
    """A bucket of an endpoint, inside ``async with``."""

    bucket: str
    connection: Connection
    pace: Pace = field(default_factory=Pace)
    traffic: Traffic = field(default_factory=Traffic)
    watch: Callable[[int], None] = lambda _: None
    """Called with each number of bytes that arrived there or were copied."""

    _client: Any = None
    _stack: contextlib.AsyncExitStack | None = None
    _slots: asyncio.Semaphore = field(init=False)

    async def __aenter__(self) -> Self:
        """Connect; nothing is asked yet.

        Raises:
            TargetError: the settings make no sense.
        """
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._stack = contextlib.AsyncExitStack()
        self._client = await self._stack.enter_async_context(
            connect(self.connection, AT_ONCE)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        if self._stack is not None:
            await self._stack.__aexit__(kind, error, trace)

    async def ask(
        self,
        operation: str,
        key: str,
        *,
        keyed: str = "Key",
        **parameters: Any,  # noqa: ANN401 - AWS says what
    ) -> Mapping[str, Any]:
        """Return the answer to one request, tried again while that may help.

        ``parameters`` are those of the operation in the AWS reference.

        Raises:
            TargetError, TransientError, NotFoundError, ExistsError: see
                ``bundle.s3.failures``.
        """
        return await self.pace.keep_trying(
            lambda: self.once(operation, key, keyed=keyed, **parameters)
        )

    async def once(
        self,
        operation: str,
        key: str,
        *,
        keyed: str = "Key",
        **parameters: Any,  # noqa: ANN401 - AWS says what
    ) -> Mapping[str, Any]:
        """Return the answer to one request, tried once.

        Raises:
            TargetError, TransientError, NotFoundError, ExistsError: see
                ``bundle.s3.failures``.
        """
        parameters[keyed] = key
        send = getattr(self._client, _METHODS[operation])
        async with self.asking(Doing(operation, self.place(key))):
            answer: Mapping[str, Any] = await send(Bucket=self.bucket, **parameters)
        return answer

    @contextlib.asynccontextmanager
    async def asking(self, doing: Doing) -> AsyncIterator[Any]:
        """Return the library's client when it is this request's turn.

        Raises:
            TargetError, TransientError, NotFoundError, ExistsError: see
                ``bundle.s3.failures``.
        """
        async with self._slots:
            self.traffic.requests += 1
            with s3_errors(doing):
                yield self._client

    def count_sent(self, size: int) -> None:
        """Note bytes that arrived there."""
        self.traffic.sent += size
        self.watch(size)

    def count_copied(self, size: int) -> None:
        """Note bytes that the server copied by itself."""
        self.traffic.copied += size
        self.watch(size)

    def place(self, key: str) -> str:
        """Return what messages call an object."""
        return f"s3://{self.bucket}/{key}"


_METHODS: Final = {
    "AbortMultipartUpload": "abort_multipart_upload",
    "CompleteMultipartUpload": "complete_multipart_upload",
    "CopyObject": "copy_object",
    "CreateMultipartUpload": "create_multipart_upload",
    "DeleteObject": "delete_object",
    "HeadObject": "head_object",
    "ListMultipartUploads": "list_multipart_uploads",
    "ListObjectsV2": "list_objects_v2",
    "ListParts": "list_parts",
    "PutObject": "put_object",
    "UploadPart": "upload_part",
    "UploadPartCopy": "upload_part_copy",
}
