"""Our client of object storage by itself: ``python -m benchmarks.upload DIR PLACE``.

Puts every file below DIR under PLACE (``s3://BUCKET/PREFIX``), as a target does that
was handed verified files: what is uploaded is looked at again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from bundle.flow.together import together
from bundle.s3.address import parse_address
from bundle.s3.client import S3Client
from bundle.s3.options import Connection
from bundle.s3.upload import Content, Uploads


async def upload(root: Path, place: str, journals: Path) -> None:
    """Put every file below ``root``."""
    address = parse_address(place)
    files = await asyncio.to_thread(_files, root)

    async def put(path: Path) -> None:
        content = await asyncio.to_thread(_content, path)
        await uploads.send(address.key(path.relative_to(root).as_posix()), content)

    async with S3Client(address.bucket, Connection(environment=os.environ)) as client:
        uploads = Uploads(client, journals)
        await together(put, files, at_once=4)


def _files(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.is_file()]


def _content(path: Path) -> Content:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return Content(path, file.tell(), digest)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as journals:
        asyncio.run(upload(Path(sys.argv[1]), sys.argv[2], Path(journals)))
