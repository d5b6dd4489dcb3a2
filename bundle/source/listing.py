"""The files of one artifact while they are gathered, and what is wrong with them.

A listing checks every path by the rules of the format, so that a source cannot
list what a recipe cannot hold: names that some system would not keep (2.3) and
names that some system would take for one another (2.4). The first problem stops
it, unless it was told to keep going: then what has a problem is left out.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from bundle.errors import FormatError, SourceError
from bundle.limits import MAX_FILES
from bundle.paths import check_path, collision_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundle.source.base import SourceFile
    from bundle.source.filter import ListOptions


_READABLE: Final = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_SHOWN: Final = 5


class Listing:
    """Gathers files, empty directories and problems of one artifact."""

    def __init__(self, kind: str, name: str, options: ListOptions) -> None:
        self._kind = kind
        self._name = name
        self._options = options
        self._files: dict[str, SourceFile] = {}
        self._directories: set[str] = set()
        self._problems: dict[str, None] = {}
        self._known: dict[str, str] = {}

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """What was gathered, sorted by path."""
        return tuple(self._files[path] for path in sorted(self._files))

    @property
    def directories(self) -> tuple[str, ...]:
        """The empty directories, sorted."""
        return tuple(sorted(self._directories))

    @property
    def problems(self) -> tuple[str, ...]:
        """What was left out and why, in the order it was met, each once."""
        return tuple(self._problems)

    @property
    def filters(self) -> bool:
        """Whether there are patterns of what is wanted."""
        return self._options.filters

    def wants(self, path: str) -> bool:
        """Say whether the options take ``path``."""
        return self._options.takes(self._kind, self._name, path)

    def add(self, file: SourceFile, shown: str) -> None:
        """Take in a file; ``shown`` is what a person calls it.

        Raises:
            SourceError: its path cannot be part of an artifact.
        """
        if self._admit(file.path, shown):
            self._files[file.path] = file
        if len(self._files) > MAX_FILES:
            raise SourceError(f"{shown}: one artifact holds at most {MAX_FILES} files")

    def missing(self, directory: str, names: Iterable[str]) -> list[str]:
        """Return which of ``names`` were not gathered in ``directory``."""
        return [name for name in names if directory + name not in self._files]

    def add_directory(self, path: str, shown: str) -> None:
        """Take in an empty directory; ``shown`` is what a person calls it.

        Raises:
            SourceError: its path cannot be part of an artifact.
        """
        if self._admit(path, shown):
            self._directories.add(path)

    def problem(self, error: SourceError) -> None:
        """Note a problem and go on.

        Raises:
            SourceError: ``error`` itself, unless told to keep going.
        """
        error = _printable(error)
        if not self._options.keep_going:
            raise error
        self._problems[one_line(error)] = None

    @contextlib.contextmanager
    def guard(self, shown: str, path: str | None = None) -> Iterator[None]:
        """Note what goes wrong inside, as a problem with ``shown``.

        What happens to a ``path`` that is excluded anyway is no problem.

        Raises:
            SourceError: something went wrong, and this was not told to keep going.
        """
        try:
            yield
        except (SourceError, OSError) as error:
            self.failed(error, shown, path)

    def failed(
        self, error: SourceError | OSError, shown: str, path: str | None = None
    ) -> None:
        """Note ``error`` as a problem, unless ``path`` is excluded anyway.

        Raises:
            SourceError: this was not told to keep going.
        """
        if path is not None and not self.wants(path):
            return
        if isinstance(error, OSError):
            error = unreadable(shown, error)
        self.problem(error)

    def _admit(self, path: str, shown: str) -> bool:
        if not self.wants(path):
            return False
        try:
            check_path(path, rule="2.3")
        except FormatError as error:
            self.problem(
                SourceError(
                    f"{shown}: cannot be carried: {error}",
                    advice="rename it, or leave it out with --exclude",
                )
            )
            return False
        other = self._collision(path)
        if other is None:
            return True
        self.problem(
            SourceError(
                f"{shown}: some systems take {path!r} and {other!r} for one name "
                "(rule 2.4)",
                advice="rename one of them, or leave it out with --exclude",
            )
        )
        return False

    def _collision(self, path: str) -> str | None:
        """Return the other path that ``path`` or a directory above it collides with."""
        fresh: list[tuple[str, str]] = []
        current = path
        while current:
            key = collision_key(current)
            known = self._known.get(key)
            if known is not None and known != current:
                return known
            if known is not None:
                break
            fresh.append((key, current))
            current = current.rpartition("/")[0]
        self._known.update(fresh)
        return None


def some(names: Iterable[object]) -> str:
    """Return the first few of ``names``, for a message."""
    texts = sorted(str(name) for name in names)
    return ", ".join(texts[:_SHOWN]) + (", …" if len(texts) > _SHOWN else "")


def one_line(error: SourceError) -> str:
    """Return an error and its advice as one line."""
    text = f"{error}; {error.advice}" if error.advice else str(error)
    return " ".join(text.split())


def _printable(error: SourceError) -> SourceError:
    """Return ``error``, with names that are not Unicode text written in ASCII."""
    message = str(error)
    if message.isascii():
        return error
    clean = message.encode("utf-8", "backslashreplace").decode()
    return error if clean == message else SourceError(clean, advice=error.advice)


def unreadable(shown: str, error: OSError) -> SourceError:
    """Return the error for a file or directory that the system refuses to read."""
    if isinstance(error, PermissionError):
        return SourceError(
            f"{shown}: permission denied",
            advice="make it readable for this user, or run as the user who owns it",
        )
    if isinstance(error, FileNotFoundError):
        return SourceError(
            f"{shown}: no such file or directory", advice="check the path"
        )
    return SourceError(f"{shown}: {error.strerror or error}")


def check_readable(path: str, mode: int, shown: str) -> None:
    """Check that this user may read a file, before hours of work depend on it.

    Files that everyone may read by their ``mode`` are not asked about.

    Raises:
        SourceError: it is not readable.
    """
    if mode & _READABLE != _READABLE and not os.access(path, os.R_OK):
        raise unreadable(shown, PermissionError())
