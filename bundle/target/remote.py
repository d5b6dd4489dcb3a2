"""Targets that are somewhere else: what they need of this machine.

Files on their way, the ledger and the recipes are in a working directory here::

    <staging>/<16 hex of the BLAKE3 of the location>/
      .bundle/        see ``bundle.target.workspace``
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from bundle.durable import make_directory
from bundle.target.base import Target
from bundle.target.room import Room
from bundle.target.workspace import Workspace

if TYPE_CHECKING:
    from bundle.target.options import TargetOptions


class RemoteTarget(Target):
    """Stages here and publishes over a network.

    ``place`` names what the ledger is about where ``location`` does not say it all.
    """

    remote: ClassVar = True

    def __init__(
        self, location: str, options: TargetOptions, *, place: str = ""
    ) -> None:
        directory = options.working_directory(place or location)
        super().__init__(location, Workspace(directory))

    async def begin(self) -> None:
        """Make the working directory and clear what killed runs left there.

        Raises:
            TargetError: it cannot be made.
        """
        await asyncio.to_thread(make_directory, self._workspace.root)
        await super().begin()

    def room(self) -> Room:
        """Return what is free where the working directory is, or will be.

        Raises:
            TargetError: it cannot be looked at.
        """
        place = self._workspace.root
        while not place.is_dir():
            place = place.parent
        return Room.at(self.location, place)
