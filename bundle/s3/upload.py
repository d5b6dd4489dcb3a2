"""Objects put together from parts: sent, copied on the server, resumed.

An upload that was cut off goes on where it stopped: see ``bundle.s3.journal``. What
it says is checked against the server's own list of parts. Whatever the server says
when an upload is complete, the object is looked at again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence  # noqa: TC003 - fields are read at run time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - dataclass fields are read at run time
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from bundle.durable import target_errors
from bundle.errors import NotFoundError, TargetError, TransientError
from bundle.flow.together import together
from bundle.limits import MIB
from bundle.s3.allowance import Allowance
from bundle.s3.bucket import AT_ONCE
from bundle.s3.client import SHA256, S3Client, content_md5
from bundle.s3.failures import Doing, NoUploadError, not_s3
from bundle.s3.journal import Head, Journal
from bundle.s3.parts import SEND_PART, Copy, Part, Send, plan_parts

if TYPE_CHECKING:
    from typing import Any

_MEMORY: Final = 64 * MIB
"""Bytes of parts that are in memory at once."""

_STARTS: Final = 3
"""How often an upload begins anew when the server forgot it."""


@dataclass(frozen=True, slots=True)
class Content:
    """A whole file that becomes an object; where all of it is copied none is read."""

    path: Path
    size: int
    sha256: bytes


class Uploads:
    """Puts files into a bucket; notes on unfinished uploads are in ``journals``."""

    def __init__(self, client: S3Client, journals: Path) -> None:
        self._client = client
        self._journals = journals
        self._memory = Allowance(_MEMORY)

    async def send(
        self, key: str, content: Content, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Put a file, whole.

        Raises:
            TargetError: it cannot be put.
            TransientError: the server does not manage to take it; what arrived is
                not sent again by the next call.
        """
        if content.size > SEND_PART:
            await self.compose(key, content, plan_parts(content.size), metadata)
            return
        async with self._memory.of(content.size):
            body = await asyncio.to_thread(_read, content, Send(0, content.size))
            await self._client.put_object(
                key, body, sha256=content.sha256, metadata=metadata
            )

    async def compose(
        self,
        key: str,
        content: Content,
        parts: Sequence[Part],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Put a file as ``parts``: what other objects have of it is copied there.

        Raises:
            UnsupportedError: the server cannot copy parts.
            NotFoundError: an object to copy from is gone.
            SmallPartError: the server does not take parts as small as these.
            TargetError: it cannot be put.
            TransientError: the server does not manage it; what arrived is not sent
                again by the next call with the same parts.
        """
        held = {**(metadata or {}), SHA256: content.sha256.hex()}
        for start in range(_STARTS):
            journal = await self._begin(key, content, parts, held)
            try:
                await self._fill(journal, content, parts)
                await self._complete(journal, content.size, held)
            except NoUploadError:
                journal.drop()
                if start == _STARTS - 1:
                    raise
            except TransientError:
                raise
            except TargetError:
                await self.abort(journal.head.key, journal.head.upload)
                journal.drop()
                raise
            else:
                journal.drop()
                return

    async def abort(self, key: str, upload: str) -> None:
        """End an upload that will never be finished; its parts are dropped there."""
        try:
            await self._client.ask("AbortMultipartUpload", key, UploadId=upload)
        except (TargetError, TransientError, NotFoundError):
            # It holds room and does no harm; ``abort_stale`` finds it again.
            return

    async def abort_stale(self, prefix: str, before: float) -> int:
        """End uploads below ``prefix`` that began before ``before`` and none resumes.

        Returns:
            How many there were; 0 where the server does not list them.
        """
        mine = set()
        if self._journals.is_dir():
            notes = map(Journal.read, self._journals.glob("*.upload"))
            mine = {one.head.upload for one in notes if one is not None}
        try:
            answer = await self._client.ask(
                "ListMultipartUploads", prefix, keyed="Prefix"
            )
        except (TargetError, TransientError, NotFoundError):
            return 0
        old = [
            one
            for one in answer.get("Uploads") or ()
            if one["UploadId"] not in mine and one["Initiated"].timestamp() < before
        ]
        for one in old:
            await self.abort(str(one["Key"]), str(one["UploadId"]))
        return len(old)

    async def _begin(
        self,
        key: str,
        content: Content,
        parts: Sequence[Part],
        held: Mapping[str, str],
    ) -> Journal:
        """Return the notes of an upload to go on with, or of a new one."""
        client, plan = self._client, _plan_digest(content, parts)
        path = Journal.path_of(self._journals, client.bucket, key)
        journal = Journal.read(path)
        if journal is not None:
            if journal.head == Head(client.bucket, key, plan, journal.head.upload):
                there = await self._parts_there(journal)
                if there is not None:
                    journal.parts = {
                        number: etag
                        for number, etag in journal.parts.items()
                        if 1 <= number <= len(parts)
                        and there.get(number) == (etag, parts[number - 1].size)
                    }
                    return journal
            else:
                await self.abort(journal.head.key, journal.head.upload)
        answer = await client.ask("CreateMultipartUpload", key, Metadata=held)
        if not answer.get("UploadId"):
            raise not_s3(Doing("CreateMultipartUpload", client.place(key)))
        return Journal.begin(
            path, Head(client.bucket, key, plan, str(answer["UploadId"]))
        )

    async def _parts_there(self, journal: Journal) -> dict[int, tuple[str, int]] | None:
        """Return ETags and sizes of the parts that arrived, None without the upload."""
        head = journal.head
        there: dict[int, tuple[str, int]] = {}
        marker: dict[str, Any] = {}
        try:
            while True:
                answer = await self._client.ask(
                    "ListParts", head.key, UploadId=head.upload, **marker
                )
                for one in answer.get("Parts") or ():
                    number = int(one["PartNumber"])
                    there[number] = str(one.get("ETag") or ""), int(one["Size"])
                last = int(answer.get("NextPartNumberMarker") or 0)
                if not answer.get("IsTruncated") or last <= marker.get(
                    "PartNumberMarker", 0
                ):
                    return there
                marker = {"PartNumberMarker": last}
        except (NoUploadError, TargetError, NotFoundError):
            return None

    async def _fill(
        self, journal: Journal, content: Content, parts: Sequence[Part]
    ) -> None:
        """Bring every part there that is not."""

        async def bring(number: int) -> None:
            part = parts[number - 1]
            if isinstance(part, Copy):
                etag = await self._copy(journal, number, part)
                self._client.count_copied(part.size)
            else:
                etag = await self._send(journal, number, content, part)
                self._client.count_sent(part.size)
            journal.note(number, etag)

        left = [
            number for number in range(1, len(parts) + 1) if number not in journal.parts
        ]
        await together(bring, left, AT_ONCE)

    async def _send(
        self, journal: Journal, number: int, content: Content, part: Send
    ) -> str:
        async with self._memory.of(part.size):
            body = await asyncio.to_thread(_read, content, part)
            answer = await self._client.ask(
                "UploadPart",
                journal.head.key,
                UploadId=journal.head.upload,
                PartNumber=number,
                Body=body,
                ContentMD5=await content_md5(body),
            )
        return self._etag("UploadPart", journal, answer)

    async def _copy(self, journal: Journal, number: int, part: Copy) -> str:
        client = self._client
        answer = await client.ask(
            "UploadPartCopy",
            journal.head.key,
            UploadId=journal.head.upload,
            PartNumber=number,
            CopySource={"Bucket": client.bucket, "Key": part.key},
            CopySourceRange=f"bytes={part.source}-{part.source + part.size - 1}",
        )
        return self._etag("UploadPartCopy", journal, answer.get("CopyPartResult") or {})

    def _etag(self, operation: str, journal: Journal, answer: Mapping[str, Any]) -> str:
        if not answer.get("ETag"):
            raise not_s3(Doing(operation, self._client.place(journal.head.key)))
        return str(answer["ETag"])

    async def _complete(
        self, journal: Journal, size: int, held: Mapping[str, str]
    ) -> None:
        """Make the parts an object, and look at it.

        Raises:
            NoUploadError: the upload is gone, and the object is not there.
            TransientError: something else is there.
        """
        head = journal.head
        listed = [
            {"PartNumber": number, "ETag": etag}
            for number, etag in sorted(journal.parts.items())
        ]
        try:
            await self._client.ask(
                "CompleteMultipartUpload",
                head.key,
                UploadId=head.upload,
                MultipartUpload={"Parts": listed},
            )
        except (NoUploadError, TransientError) as failed:
            # The answer to an attempt that did it may have been lost.
            try:
                await self._client.verify(head.key, size, held)
            except TransientError:
                raise failed from None
        else:
            await self._client.pace.keep_trying(
                lambda: self._client.verify(head.key, size, held)
            )


def _plan_digest(content: Content, parts: Sequence[Part]) -> str:
    digest = blake3(content.sha256)
    for part in parts:
        digest.update(part.size.to_bytes(8, "little"))
    return digest.hexdigest()


def _read(content: Content, part: Send) -> bytes:
    """Return the bytes of a part.

    Raises:
        TargetError: the file is not as long as it was, or cannot be read.
    """
    with target_errors(content.path):
        descriptor = os.open(content.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            body = os.pread(descriptor, part.size, part.offset)
        finally:
            os.close(descriptor)
    if len(body) < part.size:
        raise TargetError(
            f"{content.path}: it changed while it was sent", advice="run again"
        )
    return body
