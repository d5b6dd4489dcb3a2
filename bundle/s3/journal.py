"""What is known of an unfinished upload, so that the next run goes on with it.

One file of lines: who it is about, then a line for each part that arrived. The file
is a hint. Each part in it has to be there, with the same ETag and size, for it to
count; a line that is damaged is a part that is sent again.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - dataclass fields are read at run time
from typing import Final, Self

import msgspec
from blake3 import blake3

from bundle.durable import make_directory, target_errors

_NAME_BYTES: Final = 16


class Head(msgspec.Struct, frozen=True):
    """Which upload it is: of what to where, cut how (``plan`` is a digest)."""

    bucket: str
    key: str
    plan: str
    upload: str


@dataclass(slots=True)
class Journal:
    """The notes on one upload; ``parts`` are ETags by the numbers of parts."""

    path: Path
    head: Head
    parts: dict[int, str] = field(default_factory=dict)

    @classmethod
    def path_of(cls, directory: Path, bucket: str, key: str) -> Path:
        """Return where the notes on an upload to ``key`` are."""
        name = blake3(f"{bucket}/{key}".encode()).hexdigest(length=_NAME_BYTES)
        return directory / f"{name}.upload"

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return the notes at ``path``, None where there are none to understand."""
        try:
            lines = path.read_bytes().split(b"\n")
            journal = cls(path, msgspec.json.decode(lines[0], type=Head))
        except (OSError, msgspec.DecodeError, RecursionError, ValueError):
            return None
        for line in lines[1:]:
            with contextlib.suppress(msgspec.DecodeError, RecursionError, ValueError):
                number, etag = msgspec.json.decode(line, type=tuple[int, str])
                journal.parts[number] = etag
        return journal

    @classmethod
    def begin(cls, path: Path, head: Head) -> Self:
        """Begin new notes.

        Raises:
            TargetError: they cannot be written.
        """
        make_directory(path.parent)
        with target_errors(path):
            path.write_bytes(msgspec.json.encode(head) + b"\n")
        return cls(path, head)

    def note(self, number: int, etag: str) -> None:
        """Note a part that arrived.

        Raises:
            TargetError: it cannot be written.
        """
        self.parts[number] = etag
        line = msgspec.json.encode((number, etag)) + b"\n"
        with target_errors(self.path):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)

    def drop(self) -> None:
        """Forget it: it is finished, or will never be."""
        self.path.unlink(missing_ok=True)
