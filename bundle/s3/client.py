"""One bucket, in the few verbs that are needed of it.

Nothing that a server says of itself is believed: what was uploaded is looked at
again, its size and our own digest in its metadata; an ETag is a word without
meaning. Whatever a retry may help is tried again, and what fails for good names
the operation, the key and what to do.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Mapping  # noqa: TC003 - dataclass fields are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bundle.errors import ExistsError, NotFoundError, TargetError, TransientError
from bundle.limits import MAX_OBJECT_PAGES, MIB
from bundle.s3.bucket import Bucket
from bundle.s3.failures import Doing, UnsupportedError, not_s3

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SHA256: Final = "bundle-sha256"
"""The metadata that holds the SHA-256 of an object, in hexadecimal (rule 92.1.2)."""

_HEX: Final = frozenset("0123456789abcdef")
_READ: Final = 1 * MIB


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing names it; a common prefix has size -1."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What an object says of itself; ``sha256`` is None where we did not put it."""

    key: str
    size: int
    sha256: bytes | None
    metadata: Mapping[str, str]
    etag: str


class S3Client(Bucket):
    """What is done with the objects of a bucket."""

    async def put_object(
        self,
        key: str,
        body: bytes,
        *,
        sha256: bytes | None = None,
        metadata: Mapping[str, str] | None = None,
        only_new: bool = False,
    ) -> None:
        """Put a small object, and look at it again.

        ``sha256`` is that of ``body``, reckoned here where it is not given. With
        ``only_new`` the server is asked to refuse when there is one; many do not
        listen.

        Raises:
            ExistsError: there is one already, and the server said so.
            TargetError: it cannot be put.
            TransientError: the server does not manage to take it.
        """
        digest = sha256
        if digest is None:
            digest = await asyncio.to_thread(_sha256, body)
        held = {**(metadata or {}), SHA256: digest.hex()}
        condition = {"IfNoneMatch": "*"} if only_new else {}
        md5 = await content_md5(body)

        async def put() -> None:
            try:
                await self.once(
                    "PutObject",
                    key,
                    Body=body,
                    Metadata=held,
                    ContentMD5=md5,
                    **condition,
                )
            except ExistsError:
                # An attempt whose answer was lost may have put it.
                if not only_new or not await self._arrived(key, len(body), held):
                    raise
            await self.verify(key, len(body), held)

        await self.pace.keep_trying(put)
        self.count_sent(len(body))

    async def head(self, key: str) -> Facts | None:
        """Return what an object says of itself, None where there is none.

        Raises:
            TargetError, TransientError: the server does not say.
        """
        try:
            answer = await self.ask("HeadObject", key)
        except NotFoundError:
            return None
        return _facts(key, answer)

    async def get(self, key: str, limit: int) -> bytes:
        """Return an object of at most ``limit`` bytes.

        Raises:
            NotFoundError: there is none.
            TargetError: it is larger.
            TransientError: the server does not manage to send it.
        """
        data = await self.pace.keep_trying(lambda: self._get(key, None, limit + 1))
        if len(data) > limit:
            raise TargetError(
                f"{self.place(key)}: over {limit} bytes", advice="remove it"
            )
        return data

    async def get_range(
        self, key: str, offset: int, length: int, etag: str | None = None
    ) -> bytes:
        """Return ``length`` bytes of an object from ``offset``, or fewer at its end.

        With an ``etag`` the object has to be the one that had it.

        Raises:
            NotFoundError: there is none.
            ExistsError: there is another one.
            TransientError: the server does not manage to send it.
        """
        if not length:
            return b""
        condition = {} if etag is None else {"IfMatch": etag}
        wanted = f"bytes={offset}-{offset + length - 1}"
        return await self.pace.keep_trying(
            lambda: self._get(key, (offset, wanted), length, **condition)
        )

    async def list(self, prefix: str, delimiter: str = "") -> AsyncIterator[Listed]:
        """Yield the objects whose keys begin with ``prefix``, in order of keys.

        With a ``delimiter`` what is behind the next one is not listed: common
        prefixes come in its place.

        Raises:
            TargetError, TransientError: the server does not say.
        """
        asked: dict[str, str] = {"Delimiter": delimiter} if delimiter else {}
        for _ in range(MAX_OBJECT_PAGES):
            answer = await self.ask("ListObjectsV2", prefix, keyed="Prefix", **asked)
            if "IsTruncated" not in answer:
                raise not_s3(Doing("ListObjectsV2", self.place(prefix)))
            for one in answer.get("CommonPrefixes", ()):
                yield Listed(str(one["Prefix"]), -1)
            for one in answer.get("Contents", ()):
                yield Listed(str(one["Key"]), int(one["Size"]))
            token = answer.get("NextContinuationToken")
            if not answer["IsTruncated"]:
                return
            if not token or token == asked.get("ContinuationToken"):
                break
            asked["ContinuationToken"] = token
        raise TargetError(
            f"{self.place(prefix)}: ListObjectsV2: the listing has no end",
            advice="choose a prefix with fewer objects, or another endpoint",
        )

    async def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is fine.

        Raises:
            TargetError, TransientError: the server does not do it.
        """
        with contextlib.suppress(NotFoundError):
            await self.ask("DeleteObject", key)

    async def copy(
        self, source: str, key: str, size: int, metadata: Mapping[str, str]
    ) -> None:
        """Copy one object to another key, with metadata of its own, on the server.

        For objects of at most 5 GiB; ``compose`` copies larger ones.

        Raises:
            UnsupportedError: the server has no such thing.
            NotFoundError: ``source`` is gone.
            TargetError, TransientError: the server does not do it.
        """

        async def copied() -> None:
            await self.once(
                "CopyObject",
                key,
                CopySource={"Bucket": self.bucket, "Key": source},
                Metadata=metadata,
                MetadataDirective="REPLACE",
            )
            await self.verify(key, size, metadata)

        await self.pace.keep_trying(copied)
        self.count_copied(size)

    async def verify(self, key: str, size: int, metadata: Mapping[str, str]) -> None:
        """Look at an object that was just put.

        Raises:
            TransientError: it is not what was put.
        """
        if not await self._arrived(key, size, metadata):
            raise TransientError(
                f"{self.place(key)}: HeadObject: what is there is not what was put",
                advice="run again; let nothing else write there, and no proxy change "
                "requests",
            )

    async def _arrived(self, key: str, size: int, metadata: Mapping[str, str]) -> bool:
        try:
            facts = _facts(key, await self.once("HeadObject", key))
        except NotFoundError:
            return False
        return facts.size == size and facts.metadata.get(SHA256) == metadata[SHA256]

    async def _get(
        self, key: str, part: tuple[int, str] | None, most: int, **condition: str
    ) -> bytes:
        """Return at most ``most`` bytes of an object, or of the ``part`` of it."""
        doing = Doing("GetObject", self.place(key))
        asked = {} if part is None else {"Range": part[1]}
        async with self.asking(doing) as client:
            answer = await client.get_object(
                Bucket=self.bucket, Key=key, **asked, **condition
            )
            async with answer["Body"] as stream:
                if part is not None and part[0]:
                    _check_part(doing, answer, part[0])
                data = bytearray()
                while len(data) < most and (
                    piece := await stream.read(min(_READ, most - len(data)))
                ):
                    data += piece
        if len(data) < min(most, int(answer.get("ContentLength") or 0)):
            raise TransientError(f"{doing}: the answer stops too soon")
        self.traffic.read += len(data)
        return bytes(data)


async def content_md5(body: bytes) -> str:
    """Return the Content-MD5 of a body (RFC 1864): what old servers check."""

    def reckon() -> bytes:
        return hashlib.md5(body, usedforsecurity=False).digest()

    digest = reckon() if len(body) < _READ else await asyncio.to_thread(reckon)
    return base64.b64encode(digest).decode()


def _sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _facts(key: str, answer: Mapping[str, Any]) -> Facts:
    metadata = {
        str(name).lower(): str(value)
        for name, value in (answer.get("Metadata") or {}).items()
    }
    said = metadata.get(SHA256, "")
    known = len(said) == 64 and set(said) <= _HEX
    return Facts(
        key=key,
        size=int(answer.get("ContentLength") or 0),
        sha256=bytes.fromhex(said) if known else None,
        metadata=metadata,
        etag=str(answer.get("ETag") or ""),
    )


def _check_part(doing: Doing, answer: Mapping[str, Any], offset: int) -> None:
    """Refuse an answer that does not begin where it was asked to.

    Raises:
        UnsupportedError: the server sends whole objects only.
    """
    if not str(answer.get("ContentRange") or "").startswith(f"bytes {offset}-"):
        raise UnsupportedError(
            f"{doing}: the server does not send parts of objects",
            advice="choose another endpoint",
        )
