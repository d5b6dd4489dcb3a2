"""Where the bytes of contents go while they are put together.

Staging keeps them in files that nobody else sees; discarding keeps nothing and
fetches a chunk again when its turn in a file comes late.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from bundle.durable import target_errors, write_all
from bundle.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bundle.unpacking.contents import Content, Contents

    Opener = Callable[[Path, int], int]

OPEN_FILES: Final = 200
"""Files of staging kept open at once, well under the usual limit of 1024."""


class Sink(ABC):
    """Takes verified chunks at their offsets; methods may run on any thread."""

    @abstractmethod
    def write(self, content: Content, offset: int, data: memoryview | bytes) -> None:
        """Keep ``data``, which belongs at ``offset`` of the content."""

    @abstractmethod
    def read(self, row: int) -> bytes:
        """Return the chunk of a row that was written before."""

    @abstractmethod
    def conclude(self, content: Content) -> None:
        """Make a complete and verified content durable."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is held; safe to call twice."""


class Staging(Sink):
    """Files below the targets' staging directories.

    ``openers`` open a file of a staging directory: others may write beside it, and
    exchange the directories that its path leads through.
    """

    def __init__(
        self, contents: Contents, openers: Mapping[Path, Opener] | None = None
    ) -> None:
        self._contents = contents
        self._openers = openers or {}
        self._made: set[Path] = set()
        self._open: dict[Path, int] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def write(self, content: Content, offset: int, data: memoryview | bytes) -> None:
        """Write to every place of the content.

        One thread at a time: in the kernel, others would wait at full speed.

        Raises:
            TargetError: a target is full or refuses.
        """

        def store(file: int) -> None:
            with self._writing:
                write_all(file, data, offset)

        for place in content.places:
            self._with_file(place, store)

    def read(self, row: int) -> bytes:
        """Read back from the first place of the row's content.

        Raises:
            TargetError: the target lost what was written.
        """
        content = self._contents.all[self._contents.owners[row]]
        offset = int(self._contents.offsets[row])
        size = int(self._contents.lengths[row])
        data = b""

        def load(file: int) -> None:
            nonlocal data
            data = os.pread(file, size, offset)

        self._with_file(content.places[0], load)
        if len(data) != size:
            raise TargetError(
                f"{content.places[0]}: {size} bytes written at {offset} are gone",
                advice="check the target's disk",
            )
        return data

    def conclude(self, content: Content) -> None:
        """Flush every place of the content.

        Raises:
            TargetError: a flush failed; nothing of it may be used.
        """
        for place in content.places:
            self._with_file(place, os.fsync)
            with self._lock:
                file = self._open.pop(place, -1)
            if file >= 0:
                os.close(file)

    def close(self) -> None:
        """Give all descriptors back."""
        with self._lock:
            files, self._open = self._open, {}
        for file in files.values():
            os.close(file)

    def _with_file(self, place: Path, use: Callable[[int], None]) -> None:
        """Use a file that stays open until its content is concluded, if it may."""
        with target_errors(place):
            with self._lock:
                file = self._open.get(place, -1)
                if file < 0:
                    file = self._take(place)
                    keep = len(self._open) < OPEN_FILES
                    if keep:
                        self._open[place] = file
                else:
                    keep = True
            if keep:
                use(file)
                return
            try:
                use(file)
                os.fsync(file)
            finally:
                os.close(file)

    def _take(self, place: Path) -> int:
        """Open a file; the first time it is made, and was not there before."""
        flags = os.O_RDWR
        if place not in self._made:
            flags |= os.O_CREAT | os.O_EXCL
        file = self._openers.get(place.parent, _open)(place, flags)
        self._made.add(place)
        return file


def _open(place: Path, flags: int) -> int:
    """Open a file of a directory that nobody else writes to."""
    return os.open(place, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o664)


class Discard(Sink):
    """Keeps nothing; ``fetch`` returns the plain bytes of a row once more."""

    def __init__(self, fetch: Callable[[int], bytes]) -> None:
        self._fetch = fetch

    def write(self, content: Content, offset: int, data: memoryview | bytes) -> None:
        """Do nothing."""

    def read(self, row: int) -> bytes:
        """Fetch the chunk of the row again from the bundle."""
        return self._fetch(row)

    def close(self) -> None:
        """Do nothing."""

    def conclude(self, content: Content) -> None:
        """Do nothing."""
