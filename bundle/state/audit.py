"""What was decided here and by whom: one line each, each bound to the one before.

``audit.jsonl`` in the state directory. A line is JSON and names the digest of the
line before it, so none can be changed, dropped or put in between unnoticed; whoever
keeps the newest digest elsewhere notices a log that was cut off too (spec §27).
Lines hold digests, names, rules and what people gave as reasons, never secrets.
"""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.digest import digest_of
from bundle.durable import flush_names, make_directory, target_errors, write_all
from bundle.errors import FormatError, IntegrityError
from bundle.limits import MAX_AUDIT_LINE
from bundle.state.files import PRIVATE_DIRECTORY, PRIVATE_FILE
from bundle.wire import read_json, write_json, write_moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

NAME: Final = "audit.jsonl"
GENESIS: Final = "genesis"

_TEXT: Final = 1000
_ITEMS: Final = 32
_ITEM: Final = 200
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EINVAL})

Detail = str | int | None | tuple[str, ...]


class Entry(msgspec.Struct, frozen=True):
    """What every line has: its number, its time, what happened, what came before."""

    seq: int
    time: str
    event: str
    prev: str


@dataclass(frozen=True, slots=True)
class Audited:
    """A log that holds together; ``head`` is the digest of its last line.

    ``unfinished`` are the bytes that a crash left after that line.
    """

    entries: int
    head: str
    unfinished: int


def append(state: Path, event: str, clock: float, **details: Detail) -> None:
    """Add a line to the log of ``state``; durable on return.

    ``clock`` is in seconds since 1970. Long texts and lists are cut.

    Raises:
        IntegrityError: the last line is damaged; nothing was added.
        TargetError: it could not be written.
    """
    make_directory(state, mode=PRIVATE_DIRECTORY)
    path = state / NAME
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with (
        target_errors(path),
        os.fdopen(os.open(path, flags, PRIVATE_FILE), "r+b") as log,
    ):
        _lock(log)
        last, end = _last(log, path)
        head = None if last is None else _read(last, path)
        entry = {name: _cut(value) for name, value in details.items()}
        line = write_json(
            {
                **entry,
                "seq": 1 if head is None else head.seq + 1,
                "time": write_moment(clock),
                "event": event,
                "prev": GENESIS if last is None else str(digest_of(last)),
            }
        )
        # What a crash left behind was never acknowledged.
        log.truncate(end)
        write_all(log.fileno(), line + b"\n", end)
        os.fsync(log.fileno())
        if head is None:
            directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
            try:
                flush_names(directory)
            finally:
                os.close(directory)


def verify(state: Path, head: str | None = None) -> Audited:
    """Check that every line follows from the one before.

    ``head`` is the digest of a line that was noted before: it must still be there.

    Raises:
        IntegrityError: a line was changed, dropped, put in or cut off; names it.
        TargetError: the log could not be read.
    """
    path = state / NAME
    prev, seq, unfinished, seen = GENESIS, 0, 0, head in (None, GENESIS)
    for line in _lines(path):
        if not line.endswith(b"\n") and len(line) <= MAX_AUDIT_LINE:
            unfinished = len(line)
            break
        entry = _read(line.removesuffix(b"\n"), path)
        if entry.seq != seq + 1 or entry.prev != prev:
            raise IntegrityError(
                f"{path}: line {seq + 1} does not follow the one before it",
                rule="27.2.1",
                advice="somebody changed this log: compare it with a copy",
            )
        prev, seq = str(digest_of(line[:-1])), entry.seq
        seen = seen or prev == head
    if not seen:
        raise IntegrityError(
            f"{path}: no line has the digest {head}: the log was cut off or replaced",
            rule="27.2.2",
            advice="compare it with a copy",
        )
    return Audited(seq, prev, unfinished)


def _lines(path: Path) -> Iterator[bytes]:
    with target_errors(path):
        try:
            with path.open("rb") as log:
                while line := log.readline(MAX_AUDIT_LINE + 1):
                    yield line
        except FileNotFoundError:
            return


def _read(line: bytes, path: Path) -> Entry:

    try:
        return read_json(line, Entry, limit=MAX_AUDIT_LINE, rule="27.1.1")
    except FormatError as error:
        raise IntegrityError(
            f"{path}: a line is damaged: {error.args[0]}",
            rule="27.2.1",
            advice="compare it with a copy; to begin a new log, move this one away",
        ) from None


def _last(log: BinaryIO, path: Path) -> tuple[bytes | None, int]:
    """Return the last whole line, without its end, and where the next one goes."""
    size = log.seek(0, os.SEEK_END)
    start = max(0, size - 2 * (MAX_AUDIT_LINE + 1))
    log.seek(start)
    tail = log.read(size - start)
    end = tail.rfind(b"\n")
    if end < 0 and start:
        raise IntegrityError(f"{path}: its end has no line", rule="27.2.1")
    if end < 0:
        return None, 0
    return tail[tail.rfind(b"\n", 0, end) + 1 : end], start + end + 1


def _lock(log: BinaryIO) -> None:
    """Keep two processes from writing one line; where there are no locks, go on."""
    try:
        fcntl.flock(log, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _cut(value: Detail, limit: int = _TEXT) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()[:limit]
    if isinstance(value, tuple):
        return [_cut(one, _ITEM) for one in value[:_ITEMS]]
    return value
