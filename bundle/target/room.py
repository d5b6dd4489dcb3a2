"""Whether what is about to be written fits, before the first byte of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bundle.durable import target_errors
from bundle.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bundle.format.recipe import Recipe
    from bundle.target.base import Target


@dataclass(slots=True)
class Room:
    """A file system: what is free and what is asked of it."""

    device: int
    location: str
    bytes: int
    block: int
    files: int | None
    needed_bytes: int = 0
    needed_files: int = 0

    @classmethod
    def at(cls, location: str, place: Path) -> Self:
        """Return the room of the file system that the directory ``place`` is on.

        Raises:
            TargetError: it cannot be looked at.
        """
        with target_errors(place):
            status = os.statvfs(place)
            device = place.stat().st_dev
        return cls(
            device=device,
            location=location,
            bytes=status.f_bavail * (status.f_frsize or status.f_bsize or 4096),
            block=status.f_frsize or status.f_bsize or 4096,
            files=status.f_favail if status.f_files else None,
        )

    def check(self) -> None:
        """Refuse what is asked of it, if that is more than is free.

        Raises:
            SpaceError: bytes or files are lacking.
        """
        if self.needed_bytes > self.bytes:
            raise SpaceError(
                f"{self.location}: {self.needed_bytes} bytes are needed and "
                f"{self.bytes} are free",
                advice=f"free {self.needed_bytes - self.bytes} bytes there, or choose "
                "another target",
            )
        if self.files is not None and self.needed_files > self.files:
            raise SpaceError(
                f"{self.location}: {self.needed_files} files are needed and the file "
                f"system has room for {self.files}",
                advice="remove files there, or choose another target",
            )


def require_space(needs: Iterable[tuple[Target, Recipe, Sequence[int]]]) -> None:
    """Refuse work that would not fit, counting whole blocks and file entries.

    Targets on one file system share its room. ``needs`` are recipes and the
    indices that their targets are missing.

    Raises:
        SpaceError: it needs more than there is; nothing was written.
        TargetError: a target or the directory above it does not exist.
    """
    rooms: dict[int, Room] = {}
    for target, recipe, missing in needs:
        found = target.room()
        room = rooms.setdefault(found.device, found)
        for size in target.needed_sizes(recipe, missing):
            room.needed_bytes += -(-size // room.block) * room.block
            room.needed_files += 1
    for room in rooms.values():
        room.check()
