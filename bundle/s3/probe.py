"""What an endpoint really does, found out by trying: servers promise much.

A few small objects are put below a prefix and removed again. Nothing here decides
whether content is right; it tells which ways of sending less are open, and whoever
runs the endpoint what it ignores.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.errors import (
    BundleError,
    ExistsError,
    NotFoundError,
    TargetError,
    TransientError,
)
from bundle.s3.client import content_md5
from bundle.s3.failures import SmallPartError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundle.s3.client import S3Client

_BODY: Final = b"bundle probes what this endpoint does\n"
_OTHER: Final = b"bundle puts this over it\n"


@dataclass(frozen=True, slots=True)
class Truth:
    """What one endpoint does with one bucket.

    ``conditional_put``: a put that asks for there to be nothing is refused where
    there is something. ``checks_content``: a body that is not what its Content-MD5
    says is refused. ``part_copy``: parts of objects can be copied on the server.
    ``small_parts``: parts below 5 MiB that are not the last are taken.
    """

    conditional_put: bool
    checks_content: bool
    part_copy: bool
    small_parts: bool


class Probe:
    """Finds out once, when it is first asked, and remembers while it lasts."""

    def __init__(self, client: S3Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._lock = asyncio.Lock()
        self._truth: Truth | None = None

    async def truth(self) -> Truth:
        """Return what the endpoint does.

        Raises:
            TargetError, TransientError: nothing can be put there at all.
        """
        async with self._lock:
            if self._truth is None:
                self._truth = await self._find_out()
            return self._truth

    async def _find_out(self) -> Truth:
        key = f"{self._prefix}{secrets.token_hex(8)}"
        joined = f"{key}.joined"
        try:
            await self._client.put_object(key, _BODY)
            return Truth(
                conditional_put=not await self._overwrites(key),
                checks_content=not await self._takes_damage(f"{key}.damaged"),
                part_copy=await self._joins(joined, key, copied=(True,)),
                small_parts=await self._joins(joined, key, copied=(False, False)),
            )
        finally:
            for one in (key, joined, f"{key}.damaged"):
                with contextlib.suppress(TargetError, TransientError):
                    await self._client.delete(one)

    async def _overwrites(self, key: str) -> bool:
        try:
            await self._client.put_object(key, _OTHER, only_new=True)
        except (ExistsError, UnsupportedError):
            return False
        # Put what is copied from here on.
        await self._client.put_object(key, _BODY)
        return True

    async def _takes_damage(self, key: str) -> bool:
        md5 = await content_md5(_OTHER)
        try:
            await self._client.once("PutObject", key, Body=_BODY, ContentMD5=md5)
        except (TargetError, TransientError):
            return False
        return True

    async def _joins(self, key: str, source: str, copied: Sequence[bool]) -> bool:
        """Return whether an object can be made of such parts."""
        ask = self._client.ask
        upload = str((await ask("CreateMultipartUpload", key)).get("UploadId") or "")
        try:
            parts = [
                {
                    "PartNumber": number,
                    "ETag": await self._part(key, upload, number, source, copy=copy),
                }
                for number, copy in enumerate(copied, 1)
            ]
            await ask(
                "CompleteMultipartUpload",
                key,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
            )
            return await self._is(key, _BODY * len(copied))
        except (UnsupportedError, SmallPartError, NotFoundError):
            with contextlib.suppress(BundleError):
                await ask("AbortMultipartUpload", key, UploadId=upload)
            return False

    async def _part(
        self, key: str, upload: str, number: int, source: str, *, copy: bool
    ) -> str:
        client = self._client
        if not copy:
            answer = await client.ask(
                "UploadPart",
                key,
                UploadId=upload,
                PartNumber=number,
                Body=_BODY,
                ContentMD5=await content_md5(_BODY),
            )
            return str(answer.get("ETag"))
        answer = await client.ask(
            "UploadPartCopy",
            key,
            UploadId=upload,
            PartNumber=number,
            CopySource={"Bucket": client.bucket, "Key": source},
            CopySourceRange=f"bytes=0-{len(_BODY) - 1}",
        )
        return str((answer.get("CopyPartResult") or {}).get("ETag"))

    async def _is(self, key: str, body: bytes) -> bool:
        return await self._client.get(key, len(body) + 1) == body
