"""Runs that end at any write they make.

``Interruption`` stands between the code and the system. It counts the calls that
change what a disk holds and, at one of them, ends the run: as a power cut, after
which nothing more is written, not even by code that cleans up; or as an error
that the system reports once.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.target.base import Target

_OPEN: Final = Path("/proc/self/fd")
_CALLS: Final = ("rename", "symlink", "mkdir", "fsync", "fchmod", "unlink", "rmdir")


class PowerCut(BaseException):
    """Nothing catches this."""


@dataclass
class Interruption:
    """Ends a run at call number ``at``, counted from 1; never when it is None.

    ``error`` is the errno that the system reports there; without one the power
    is cut. ``events`` are the calls that were made, with the names they were
    made for.
    """

    at: int | None = None
    error: int | None = None
    calls: int = 0
    dead: bool = False
    events: list[tuple[str, str]] = field(default_factory=list)

    def step(self, call: str, name: str) -> None:
        if self.dead:
            raise PowerCut
        self.calls += 1
        if self.calls == self.at:
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            self.dead = True
            raise PowerCut
        self.events.append((call, name))

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Stand in the way of every call that changes what a disk holds."""
        with mock.patch.multiple(os, **{name: self._wrap(name) for name in _CALLS}):
            real_open = os.open

            def opening(path: Any, flags: int, *rest: Any, **more: Any) -> int:  # noqa: ANN401 - as os.open has them
                if flags & os.O_CREAT:
                    self.step("open", _place(path, more.get("dir_fd")))
                return real_open(path, flags, *rest, **more)

            with mock.patch.object(os, "open", opening):
                yield

    def _wrap(self, name: str) -> Any:  # noqa: ANN401 - any function of os
        real = getattr(os, name)

        def call(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - the same
            if name in ("rename", "symlink"):
                place = _place(arguments[1], more.get("dst_dir_fd", more.get("dir_fd")))
            else:
                place = _place(arguments[0], more.get("dir_fd"))
            self.step(name, place)
            return None if name == "fsync" else real(*arguments, **more)

        return call


def _place(path: Any, directory: int | None) -> str:  # noqa: ANN401 - a path or a handle
    """Return the path that a call is about."""
    if isinstance(path, int):
        return str(_OPEN.joinpath(str(path)).readlink())
    if directory is None:
        return str(path)
    return str(_OPEN.joinpath(str(directory)).readlink() / path)


def bury(target: Target) -> None:
    """Drop the lock of a run that was cut off, as the end of its process does."""
    workspace = target._workspace
    if workspace._lock is not None:
        os.close(workspace._lock)
        workspace._lock = None
