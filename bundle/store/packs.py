"""All packs of a store, under numbers of the store's own (spec §50.2)."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.codec.codec import Decoder
from bundle.durable import flush_directory, make_directory, target_errors
from bundle.errors import StoreError
from bundle.store.pack import Pack

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.format.columns import Words
    from bundle.format.frame import FrameHeader

_NAME: Final = re.compile(r"([0-9]{10})\.bdv", re.ASCII)
_MOST: Final = (1 << 32) - 1
_OPEN: Final = 64
"""Packs that are kept open."""

_KEPT: Final = 8
"""Decoded frames that are kept, at most 32 MiB."""

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})


class Packs:
    """The packs in one directory; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._packs: OrderedDict[int, Pack] = OrderedDict()
        self._frames: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._decoder = Decoder()
        self._lock = threading.RLock()

    def path(self, number: int) -> Path:
        """Return where pack ``number`` is."""
        return self._directory / f"{number:010d}.bdv"

    def numbers(self) -> Words:
        """Return the numbers of all packs, ascending.

        Raises:
            StoreError: the directory cannot be read.
        """
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise StoreError(f"{self._directory}: {error.strerror}") from error
        matches = filter(None, map(_NAME.fullmatch, names))
        found = (int(match[1]) for match in matches)
        return np.array(sorted(one for one in found if one <= _MOST), np.uint32)

    def adopt(self, temporary: Path, above: int) -> int:
        """Give a flushed file the next number and return it; durable on return.

        It is higher than that of any pack, and than ``above``: a number that some
        segment still names would lead into the wrong pack (rule 50.2.3).

        Raises:
            TargetError: the file system refuses.
        """
        make_directory(self._directory)
        numbers = self.numbers()
        number = max(int(numbers[-1]) if len(numbers) else 0, above) + 1
        with target_errors(self.path(number)):
            while not name_once(temporary, self.path(number)):
                number += 1
            flush_directory(self._directory)
        return number

    def remove(self, number: int) -> None:
        """Drop a pack; one that is gone is fine.

        Raises:
            TargetError: the file system refuses.
        """
        with self._lock:
            pack = self._packs.pop(number, None)
            if pack is not None:
                pack.close()
        with target_errors(self.path(number)):
            self.path(number).unlink(missing_ok=True)

    def flush(self) -> None:
        """Make removals durable.

        Raises:
            TargetError: the file system refuses.
        """
        if self._directory.is_dir():
            with target_errors(self._directory):
                flush_directory(self._directory)

    def frame(self, number: int, offset: int) -> bytes:
        """Return the plain bytes of the frame at ``offset`` of a pack.

        Raises:
            NotFoundError, StoreError: it cannot be read.
            FormatError, IntegrityError: it is damaged.
        """
        with self._lock:
            key = number, offset
            plain = self._frames.pop(key, None)
            if plain is None:
                plain = self._open(number).decode(offset, self._decoder)[1]
            self._frames[key] = plain
            if len(self._frames) > _KEPT:
                self._frames.popitem(last=False)
            return plain

    def stored(self, number: int, offset: int) -> tuple[FrameHeader, bytes]:
        """Return the header and the payload of a frame as a pack stores it.

        Raises:
            NotFoundError, StoreError: it cannot be read.
            FormatError, IntegrityError: it is damaged.
        """
        with self._lock:
            return self._open(number).stored(offset)

    def close(self) -> None:
        """Give descriptors back."""
        with self._lock:
            for pack in self._packs.values():
                pack.close()
            self._packs.clear()
            self._frames.clear()

    def _open(self, number: int) -> Pack:
        pack = self._packs.pop(number, None) or Pack(self.path(number))
        self._packs[number] = pack
        if len(self._packs) > _OPEN:
            self._packs.popitem(last=False)[1].close()
        return pack


def name_once(temporary: Path, path: Path) -> bool:
    """Give a file its name unless the name is taken; say whether it has it now.

    Raises:
        OSError: the file system refuses.
    """
    try:
        os.link(temporary, path, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        temporary.rename(path)
    else:
        temporary.unlink()
    return True
