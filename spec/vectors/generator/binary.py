"""The binary files of a bundle, packed by hand so that any byte can be wrong.

Every function writes what the specification says; keyword arguments replace one
value of it and leave checks and digests right. Nothing of the package is used:
this is a second writer, and what it writes the package has to read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB: Final = 1 << 20
FRAME_MAGIC: Final = b"\xf1BDF"
VOLUME_MAGIC: Final = b"\x89BDV\r\n\x1a\n"
RECIPE_MAGIC: Final = b"\x89BDR\r\n\x1a\n"
RECIPES_MAGIC: Final = b"\x89BDC\r\n\x1a\n"
SHARDS_MAGIC: Final = b"\x89BDS\r\n\x1a\n"
TAIL_MAGIC: Final = b"BDV-TAIL"


def le(width: int, *values: int) -> bytes:
    """Return unsigned integers of ``width`` bytes, little-endian."""
    return b"".join(value.to_bytes(width, "little") for value in values)


def b3(data: bytes) -> bytes:
    """Return the 32-byte digest of ``data``."""
    return blake3(data).digest()


def record(magic: bytes, *fields: bytes) -> bytes:
    """Return 64 bytes: magic, fields, and the check of both."""
    body = magic + b"".join(fields)
    assert len(body) == 56, len(body)
    return body + blake3(body).digest(8)


def patch(data: bytes, offset: int, new: bytes) -> bytes:
    """Return ``data`` with other bytes at ``offset``; checks stay as they are."""
    return data[:offset] + new + data[offset + len(new) :]


def volume_header(number: int = 1, **changes: Any) -> bytes:
    """Return the header of a volume (5.1)."""
    values: dict[str, Any] = {
        "magic": VOLUME_MAGIC,
        "format": 1,
        "flags": 0,
        "reserved": bytes(40),
        **changes,
    }
    return record(
        values["magic"],
        le(2, values["format"], values["flags"]),
        le(4, number),
        values["reserved"],
    )


def frame(chunks: Sequence[bytes], /, **changes: Any) -> bytes:
    """Return a frame (5.2): raw, unless told otherwise."""
    plain = b"".join(chunks)
    payload: bytes = changes.pop("payload", plain)
    values: dict[str, Any] = {
        "magic": FRAME_MAGIC,
        "encoding": 0,
        "width": 0,
        "rotate": 0,
        "flags": 0,
        "stored": len(payload),
        "plain": len(plain),
        "count": len(chunks),
        "reserved": bytes(4),
        "digest": b3(payload),
        "ids": [b3(chunk) for chunk in chunks],
        "lengths": [len(chunk) for chunk in chunks],
        **changes,
    }
    coding = (values["encoding"], values["width"], values["rotate"], values["flags"])
    fixed = values["magic"] + le(1, *coding)
    fixed += le(4, values["stored"], values["plain"], values["count"])
    fixed += values["reserved"] + values["digest"]
    table = b"".join(
        name + le(4, length)
        for name, length in zip(values["ids"], values["lengths"], strict=True)
    )
    check = blake3(fixed + table).digest(8)
    return b"".join([fixed, check, table, payload])


Entry = tuple[bytes, int, int, int]
"""A record of an index: id, frame, offset, length."""


def index(entries: Sequence[Entry], **changes: Any) -> bytes:
    """Return the index (5.3) of entries, sorted unless ``ordered`` is given."""
    rows: Sequence[Entry] = changes.pop("ordered", None) or sorted(entries)
    firsts = [row[0][0] for row in rows]
    counts = [sum(first <= byte for first in firsts) for byte in range(256)]
    fanout = changes.pop("fanout", counts)
    reserved = changes.pop("reserved", 0)
    assert not changes
    return le(4, *fanout) + b"".join(
        name + le(4, place, offset, length, reserved)
        for name, place, offset, length in rows
    )


def tail(offset: int, frames: int, chunks: int, digest: bytes) -> bytes:
    """Return the tail of a volume (5.4)."""
    return record(TAIL_MAGIC, le(8, offset), le(4, frames, chunks), digest)


def entries_of(frames: Sequence[Sequence[bytes]], start: int = 64) -> list[Entry]:
    """Return where the chunks of raw frames lie, one frame after another."""
    found: list[Entry] = []
    for chunks in frames:
        offset = 0
        for chunk in chunks:
            found.append((b3(chunk), start, offset, len(chunk)))
            offset += len(chunk)
        start += 64 + 36 * len(chunks) + offset
    return found


def ending(body: bytes, entries: Sequence[Entry], frames: int) -> bytes:
    """Return the index and the tail that end a volume which begins with ``body``."""
    table = index(entries)
    return table + tail(len(body), frames, len(entries), b3(table))


def volume(*frames: Sequence[bytes], number: int = 1) -> bytes:
    """Return a volume of raw frames."""
    body = volume_header(number) + b"".join(frame(chunks) for chunks in frames)
    return body + ending(body, entries_of(frames), len(frames))


@dataclass(frozen=True)
class File:
    """A row of a recipe; ``parts`` are runs (lists of chunks) and literals."""

    path: bytes
    parts: tuple[list[bytes] | bytes, ...] = ()
    mode: int = 0
    git: bytes = bytes(20)

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return b"".join(
            part if isinstance(part, bytes) else b"".join(part) for part in self.parts
        )

    @property
    def sha256(self) -> bytes:
        """The digest of the content, or zeros for a directory."""
        return bytes(32) if self.mode == 2 else hashlib.sha256(self.content).digest()


def git_sha1(content: bytes) -> bytes:
    """Return the SHA-1 that Git gives to a file."""
    blob = b"blob %d\0" % len(content) + content
    return hashlib.sha1(blob, usedforsecurity=False).digest()


WIDTHS: Final = {
    "path_end": 4,
    "segment_end": 4,
    "size": 8,
    "mode": 1,
    "sha256": 0,
    "git_sha1": 0,
    "segment_kind": 1,
    "segment_count": 4,
    "segment_size": 8,
    "chunk_id": 0,
    "chunk_length": 4,
    "literals": 0,
    "path_table": 0,
}
"""The columns of a recipe in their order, with the width of integers; 0 for bytes."""


def columns_of(files: Sequence[File]) -> dict[str, list[Any]]:
    """Return the columns of a recipe (6.2) before they are packed."""
    parts = [part for file in files for part in file.parts]
    chunks = [chunk for part in parts if isinstance(part, list) for chunk in part]
    return {
        "path_end": _running([len(file.path) for file in files]),
        "segment_end": _running([len(file.parts) for file in files]),
        "size": [len(file.content) for file in files],
        "mode": [file.mode for file in files],
        "sha256": [file.sha256 for file in files],
        "git_sha1": [file.git for file in files],
        "segment_kind": [int(isinstance(part, bytes)) for part in parts],
        "segment_count": [len(part) for part in parts],
        "segment_size": [
            len(part) if isinstance(part, bytes) else sum(map(len, part))
            for part in parts
        ],
        "chunk_id": [b3(chunk) for chunk in chunks],
        "chunk_length": [len(chunk) for chunk in chunks],
        "literals": [part for part in parts if isinstance(part, bytes)],
        "path_table": [file.path for file in files],
    }


def recipe(files: Sequence[File], /, **changes: Any) -> bytes:
    """Return a recipe (6); a change is a column, a field of the header, or ``gap``.

    The header counts what the changed columns hold, unless it is changed itself.
    """
    columns = columns_of(files)
    columns |= {name: changes.pop(name) for name in set(columns) & set(changes)}
    gap: bytes = changes.pop("gap", b"\0")
    header: dict[str, Any] = {
        "magic": RECIPE_MAGIC,
        "format": 1,
        "flags": 0,
        "files": len(columns["mode"]),
        "segments": len(columns["segment_kind"]),
        "transforms": 0,
        "chunks": len(columns["chunk_length"]),
        "literal_bytes": sum(map(len, columns["literals"])),
        "path_bytes": sum(map(len, columns["path_table"])),
        "total": sum(columns["size"]),
        **changes,
    }
    data = recipe_header(**header)
    for name, width in WIDTHS.items():
        rows = columns[name]
        data += gap * (-len(data) % 8)
        data += le(width, *rows) if width else b"".join(rows)
    return data


def recipe_header(**header: Any) -> bytes:
    """Return the header of a recipe (6.1)."""
    counts = ("files", "segments", "transforms")
    sizes = ("chunks", "literal_bytes", "path_bytes", "total")
    return record(
        header["magic"],
        le(2, header["format"], header["flags"]),
        le(4, *(header[name] for name in counts)),
        le(8, *(header[name] for name in sizes)),
    )


def recipes(
    held: Sequence[bytes],
    contents: bytes,
    required: Sequence[bytes] = (),
    **changes: Any,
) -> bytes:
    """Return recipes.bdr (7); a change is a field, the ``table`` or the ``gap``."""
    end = _aligned(64 + 48 * len(held))
    table = []
    for data in held:
        table.append((b3(data), end, len(data)))
        end = _aligned(end + len(data))
    values: dict[str, Any] = {
        "magic": RECIPES_MAGIC,
        "format": 1,
        "flags": 0,
        "recipes": len(held),
        "required_count": len(required),
        "table": table,
        "gap": b"\0",
        **changes,
    }
    data = record(
        values["magic"],
        le(2, values["format"], values["flags"]),
        le(4, values["recipes"]),
        le(8, values["required_count"]),
        contents,
    )
    data += b"".join(name + le(8, *place) for name, *place in values["table"])
    for piece in (*held, b""):
        data += values["gap"] * (_aligned(len(data)) - len(data)) + piece
    return data + b"".join(required)


def shards(digests: Sequence[bytes], **changes: Any) -> bytes:
    """Return shards.bds (3.3)."""
    values: dict[str, Any] = {
        "magic": SHARDS_MAGIC,
        "format": 1,
        "flags": 0,
        "size": MIB,
        "count": len(digests),
        "reserved": bytes(32),
        **changes,
    }
    head = record(
        values["magic"],
        le(2, values["format"], values["flags"]),
        le(4, values["size"]),
        le(8, values["count"]),
        values["reserved"],
    )
    return head + b"".join(digests)


def shards_of(*files: bytes) -> list[bytes]:
    """Return the digests of the shards of payload files (3.3.10)."""
    return [
        b3(data[start : start + MIB])
        for data in files
        for start in range(0, len(data), MIB)
    ]


def _running(counts: Sequence[int]) -> list[int]:
    return [sum(counts[: end + 1]) for end in range(len(counts))]


def _aligned(offset: int) -> int:
    return -(-offset // 64) * 64
