"""A copy of objects in a directory here, kept so that a second run only asks.

What lies where is noted with what the bucket said of it. An object that says
another thing now, and one that was cut off, is fetched from where it still agrees.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - dataclass fields are read at run time
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.durable import make_directory, target_errors, write_file
from bundle.errors import ExistsError, SourceError
from bundle.flow.together import together
from bundle.limits import MAX_MIRROR_NOTES, MIB
from bundle.s3.bucket import AT_ONCE
from bundle.s3.client import Facts, S3Client  # noqa: TC001 - fields are read at run time

if TYPE_CHECKING:
    from collections.abc import Mapping

EXECUTABLE: Final = "bundle-executable"
"""The metadata of a file that may be run (rule 92.1.3)."""

_NOTES: Final = "objects.json"
_STEP: Final = 8 * MIB


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    """An object as it was when it was fetched."""

    size: int
    etag: str
    sha256: str


@dataclass(slots=True)
class Mirror:
    """A directory that holds what is below one prefix."""

    client: S3Client
    root: Path

    async def fetch(self, wanted: Mapping[str, str]) -> None:
        """Make the directory hold these objects and no others.

        ``wanted`` are keys by the paths of their files.

        Raises:
            SourceError: an object is not what it says it is, or is in the way of
                another.
            StoreError: the bucket does not answer.
            TargetError: the bucket does not let us read, or the files cannot be
                written.
        """
        await asyncio.to_thread(make_directory, self.root)
        before = await asyncio.to_thread(self._read_notes)
        seen: dict[str, _Seen] = {}

        async def one(path: str) -> None:
            seen[path] = await self._one(path, wanted[path], before.get(path))

        try:
            await together(one, wanted, AT_ONCE)
        finally:
            notes = msgspec.json.encode({**before, **seen})
            await asyncio.to_thread(write_file, self.root / _NOTES, notes)
        await asyncio.to_thread(self._drop_others, set(wanted))

    async def _one(self, path: str, key: str, seen: _Seen | None) -> _Seen:
        facts = await self.client.head(key)
        if facts is None:
            raise SourceError(
                f"{self.client.place(key)}: it was there a moment ago",
                advice="let nothing change the bucket and run again",
            )
        said = "" if facts.sha256 is None else facts.sha256.hex()
        now = _Seen(facts.size, facts.etag, said)
        file = self.root / path
        if seen != now or _size(file) != facts.size:
            await self._download(file, facts)
            runs = facts.metadata.get(EXECUTABLE) == "yes"
            with target_errors(file):
                file.chmod(0o755 if runs else 0o644)
        return now

    async def _download(self, file: Path, facts: Facts) -> None:
        """Fetch one object, from where an earlier run stopped."""
        mark = hashlib.blake2s(facts.etag.encode(), digest_size=8).hexdigest()
        part = file.with_name(f".{file.name}.{mark}.part")
        place = self.client.place(facts.key)
        make_directory(file.parent)
        digest = hashlib.sha256()
        with target_errors(part), part.open("a+b") as out:
            out.seek(0)
            while data := await asyncio.to_thread(out.read, _STEP):
                digest.update(data)
            offset = out.tell()
            while offset < facts.size:
                length = min(_STEP, facts.size - offset)
                data = await self._read(facts, offset, length)
                await asyncio.to_thread(out.write, data)
                await asyncio.to_thread(digest.update, data)
                offset += len(data)
            out.flush()
            os.fsync(out.fileno())
        if offset != facts.size or (
            facts.sha256 is not None and digest.digest() != facts.sha256
        ):
            part.unlink(missing_ok=True)
            raise SourceError(
                f"{place}: its content is not what its metadata says",
                advice="put it there again",
            )
        with target_errors(file):
            part.replace(file)

    async def _read(self, facts: Facts, offset: int, length: int) -> bytes:
        try:
            data = await self.client.get_range(facts.key, offset, length, facts.etag)
        except ExistsError:
            data = b""
        if not data:
            raise SourceError(
                f"{self.client.place(facts.key)}: it changed while it was read",
                advice="let nothing change the bucket and run again",
            )
        return data

    def _read_notes(self) -> dict[str, _Seen]:
        try:
            data = (self.root / _NOTES).read_bytes()
            if len(data) <= MAX_MIRROR_NOTES:
                return msgspec.json.decode(data, type=dict[str, _Seen])
        except (OSError, msgspec.DecodeError, RecursionError, ValueError):
            pass
        return {}

    def _drop_others(self, wanted: set[str]) -> None:
        """Remove the files of objects that are gone."""
        for above, _, names in os.walk(self.root):
            for name in names:
                path = os.path.relpath(os.path.join(above, name), self.root)  # noqa: PTH118 - for every file
                if path not in wanted and path != _NOTES:
                    with contextlib.suppress(OSError):
                        os.unlink(self.root / path)  # noqa: PTH108 - the same


def _size(file: Path) -> int:
    """Return the bytes of a file, -1 where there is none."""
    try:
        return file.lstat().st_size
    except OSError:
        return -1
