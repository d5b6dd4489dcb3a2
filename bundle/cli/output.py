"""Where a verb's results go: tables for people, JSON lines for programs.

A verb says both, ``event`` and ``table`` or ``say``, and the output takes the
one that was asked for. Results go to stdout, all else to stderr; with
``--json`` every event goes to stdout, errors too (spec §40).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from bundle.cli.escape import escape
from bundle.errors import SpaceError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

_WIDTH_OF_A_FILE: Final = 100_000


class OutputClosedError(Exception):
    """Whoever read our output has gone; there is nobody left to tell."""


@dataclass(frozen=True, slots=True)
class Output:
    """The two streams of one run and how they are to be written."""

    stdout: TextIO
    stderr: TextIO
    environment: Mapping[str, str]
    as_json: bool = False
    quiet: bool = False
    _warned: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _refused: threading.Event = field(default_factory=threading.Event)

    @property
    def takes_events(self) -> bool:
        """Whether JSON lines were asked for and stdout still takes them."""
        return self.as_json and not self._refused.is_set()

    def event(self, event: str, /, **members: object) -> None:
        """Write one JSON line; members are written in camelCase."""
        if self.as_json:
            document = _plain({"event": event} | members)
            self._write(json.dumps(document, separators=(",", ":")))
            self.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table, unless ``--quiet``; see ``listing``."""
        if not self.quiet:
            self.listing(columns, rows)

    def listing(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table that was asked for; ``>`` before a title sets it right."""
        if self.as_json:
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            right = column.startswith(">")
            table.add_column(
                column.removeprefix(">"),
                justify="right" if right else "left",
                no_wrap=right,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(Text(escape(cell)) for cell in row))
        console = self.console(self.stdout)
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            self._write(line.rstrip())

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Print lines of a heading and what it says, which were asked for."""
        width = max(len(heading) for heading, _ in facts)
        for heading, fact in facts:
            self.answer(f"{heading:<{width}}  {fact}")

    def say(self, text: str) -> None:
        """Print a line of the result, escaped, unless ``--quiet``."""
        if not self.quiet:
            self.answer(text)

    def answer(self, text: str) -> None:
        """Print a line that is printed even with ``--quiet``: what was asked for."""
        if not self.as_json:
            self._write(escape(text))

    def hint(self, text: str) -> None:
        """Tell a person what to do next, on stderr."""
        if not (self.as_json or self.quiet):
            self.complain(text)

    def warn(self, message: str) -> None:
        """Print a warning, once however often it comes."""
        if self.is_new(message):
            self.event("warning", message=message)
            self.hint(f"bundle: warning: {message}")

    def is_new(self, message: str) -> bool:
        """Return whether nobody was warned of this yet; somebody is now."""
        with self._lock:
            known = message in self._warned
            self._warned.add(message)
        return not known

    def complain(self, text: str) -> None:
        """Print one escaped line to stderr; a closed stderr is no error."""
        try:
            print(escape(text), file=self.stderr, flush=True)
        except (OSError, ValueError):
            return

    def raw(self, data: bytes) -> None:
        """Write bytes to stdout as they are.

        Raises:
            OutputClosedError: nobody reads them any more.
        """
        with self._writing():
            self.stdout.flush()
            self.stdout.buffer.write(data)

    def flush(self) -> None:
        """Hand on what is buffered.

        Raises:
            OutputClosedError: nobody reads it any more.
            TargetError: it could not be written.
        """
        with self._writing():
            self.stdout.flush()

    def console(self, stream: TextIO) -> Console:
        """Return a rich console on ``stream`` that interprets no markup."""
        from rich.console import Console

        terminal = stream.isatty()
        return Console(
            file=stream,
            force_terminal=terminal,
            color_system=None if self.environment.get("NO_COLOR") else "auto",
            width=None if terminal else _WIDTH_OF_A_FILE,
            markup=False,
            emoji=False,
            highlight=False,
            _environ=self.environment,
        )

    def _write(self, line: str) -> None:
        """Write one line to stdout, whole."""
        with self._lock, self._writing():
            self.stdout.write(f"{line}\n")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what stdout refuses into our errors, and then write there no more.

        Raises:
            OutputClosedError: the reader has gone.
            SpaceError: the disk it goes to is full.
            TargetError: anything else.
        """
        try:
            yield
        except BrokenPipeError:
            self._discard()
            raise OutputClosedError from None
        except OSError as error:
            self._discard()
            kind = SpaceError if error.errno == errno.ENOSPC else TargetError
            raise kind(
                f"standard output: {error.strerror}",
                advice="what was printed so far is incomplete",
            ) from error

    def _discard(self) -> None:
        """Point stdout nowhere: what it still buffers would be refused again."""
        self._refused.set()
        with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), self.stdout.fileno())


def _camel(name: str) -> str:
    """Return a member's name as JSON has it.

    >>> _camel("new_bytes")
    'newBytes'
    """
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _plain(value: object) -> object:
    """Return ``value`` as JSON can hold it; a name that is not UTF-8 is escaped."""
    match value:
        case None | bool() | int():
            return value
        case dict():
            return {_camel(key): _plain(member) for key, member in value.items()}
        case list() | tuple():
            return [_plain(member) for member in value]
        case os.PathLike():
            return _plain(os.fsdecode(value))
        case _:
            return str(value).encode("utf-8", "backslashreplace").decode()
