"""Runs a function as a user whom file modes bind, which root is not."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534


@contextmanager
def open_directory() -> Iterator[Path]:
    """Give a directory that every user may enter, in one that is removed with it."""
    around = Path(tempfile.mkdtemp())
    path = around / "open"
    path.mkdir()
    try:
        for each in (around, path):
            each.chmod(0o755)
        yield path
    finally:
        for directory, names, _ in os.walk(around):
            for name in names:
                if not (Path(directory) / name).is_symlink():
                    (Path(directory) / name).chmod(0o700)
        shutil.rmtree(around)


def as_nobody(function: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return what ``function`` returns in a process of a user without rights."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer: Any = "the function raised"
        try:
            if os.geteuid() == 0:
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            answer = function()
        finally:
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = json.loads(stream.read())
    os.waitpid(child, 0)
    return answer
