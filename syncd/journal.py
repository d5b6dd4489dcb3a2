"""What the daemon knows, in SQLite: every step is noted before the next begins.

One writer, the daemon; ``syncd status`` and the operator's commands are further
processes that read, or leave a request. With ``journal_mode=WAL`` and
``synchronous=FULL`` a change is on the disk when its method returns.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from bundle.errors import TargetError
from syncd.mounts import NETWORK, mount_of, parse_mounts
from syncd.phases import Event, Need, Phase, after
from syncd.plan import Arrival, Placement, Return

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NAME: Final = "journal.sqlite"

MAX_EVENTS: Final = 10_000
"""Events kept: months of a busy bastion; the oldest go first."""

_BUSY_SECONDS: Final = 30

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS arrivals (
    bundle TEXT PRIMARY KEY, phase TEXT NOT NULL, need TEXT, seen_at REAL NOT NULL,
    stream TEXT NOT NULL DEFAULT '', name TEXT NOT NULL DEFAULT '',
    seq INTEGER NOT NULL DEFAULT 0, release TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', advice TEXT NOT NULL DEFAULT '',
    retry_at REAL NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS places (
    directory TEXT PRIMARY KEY, bundle TEXT NOT NULL, stamp TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS placements (
    stream TEXT NOT NULL, target TEXT NOT NULL, release TEXT NOT NULL DEFAULT '',
    failures INTEGER NOT NULL DEFAULT 0, retry_at REAL NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', advice TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (stream, target)
) STRICT;
CREATE TABLE IF NOT EXISTS returns (
    stream TEXT PRIMARY KEY, release TEXT NOT NULL, above INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,
    verb TEXT NOT NULL, members TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,
    kind TEXT NOT NULL, members TEXT NOT NULL
) STRICT;
"""


class Journal:
    """The journal in a state directory; safe to use from several threads."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, state: Path, mountinfo: str) -> Self:
        """Return the journal in the directory ``state``, made if there is none.

        ``mountinfo`` is the text of /proc/self/mountinfo.

        Raises:
            TargetError: it is on a network file system, or cannot be opened.
        """
        mount = mount_of(str(state), parse_mounts(mountinfo))
        if mount is not None and mount.kind in NETWORK:
            raise TargetError(
                f"{state}: a journal on {mount.kind} is not safe",
                advice="keep the state on a local disk; stores and targets may be "
                "anywhere",
            )
        path = state / NAME
        with _said(path):
            connection = sqlite3.connect(
                path,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(_TABLES)
        return cls(connection, path)

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make what the block notes durable at once, all of it or nothing.

        Raises:
            TargetError: it could not be written.
        """
        with self._lock, _said(self.path):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def arrivals(self) -> tuple[Arrival, ...]:
        """Return every bundle that was ever seen, the oldest first."""
        places: dict[str, list[str]] = {}
        for row in self._all("SELECT * FROM places ORDER BY directory"):
            places.setdefault(row["bundle"], []).append(row["directory"])
        rows = self._all("SELECT * FROM arrivals ORDER BY seen_at, bundle")
        return tuple(_arrival(row, places.get(row["bundle"], ())) for row in rows)

    def stamps(self) -> dict[str, tuple[str, str]]:
        """Return for each directory its bundle and what it looked like."""
        rows = self._all("SELECT * FROM places")
        return {row["directory"]: (row["bundle"], row["stamp"]) for row in rows}

    def appeared(self, bundle: str, directory: str, stamp: str, now: float) -> None:
        """Note that a directory has a bundle, or that what it has has changed.

        Raises:
            TargetError: it could not be written.
        """
        with self.together():
            self._run(
                "INSERT OR REPLACE INTO places VALUES (?, ?, ?)",
                (directory, bundle, stamp),
            )
            before = self._phase(bundle)
            if before is None:
                self._run(
                    "INSERT INTO arrivals (bundle, phase, seen_at) VALUES (?, ?, ?)",
                    (bundle, Phase.SEEN, now),
                )
            else:
                phase = after(before, Event.CHANGED)
                self._run(
                    "UPDATE arrivals SET phase = ? WHERE bundle = ?", (phase, bundle)
                )

    def vanished(self, directory: str) -> None:
        """Note that a directory is there no more.

        Raises:
            TargetError: it could not be written.
        """
        with self.together():
            self._run("DELETE FROM places WHERE directory = ?", (directory,))

    def happened(self, bundle: str, event: Event, **members: Any) -> None:  # noqa: ANN401 - columns of every type
        """Move a bundle on by one event, and note what was learnt of it.

        Raises:
            ValueError: the event cannot happen to it.
            TargetError: it could not be written.
        """
        with self.together():
            before = self._phase(bundle)
            if before is None:
                raise ValueError(f"bundle {bundle} was never seen")
            learnt = {
                "need": None,
                "reason": "",
                "advice": "",
                "retry_at": 0,
                **members,
            }
            learnt["phase"] = after(before, event)
            columns = ", ".join(f"{name} = :{name}" for name in learnt)
            self._run(
                f"UPDATE arrivals SET {columns} WHERE bundle = :bundle",  # noqa: S608 - names of columns are ours
                {**learnt, "bundle": bundle},
            )

    def placements(self) -> tuple[Placement, ...]:
        """Return what every target has of every stream."""
        rows = self._all("SELECT * FROM placements ORDER BY stream, target")
        return tuple(Placement(**dict(row)) for row in rows)

    def placed(self, placement: Placement) -> None:
        """Note what a target has of a stream, or why it has not.

        Raises:
            TargetError: it could not be written.
        """
        with self.together():
            self._run(
                "INSERT OR REPLACE INTO placements VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    placement.stream,
                    placement.target,
                    placement.release,
                    placement.failures,
                    placement.retry_at,
                    placement.reason,
                    placement.advice,
                ),
            )

    def returns(self) -> tuple[Return, ...]:
        """Return the streams that an operator took back to an earlier release."""
        rows = self._all("SELECT * FROM returns ORDER BY stream")
        return tuple(Return(**dict(row)) for row in rows)

    def returned(self, back: Return) -> None:
        """Note that a stream goes back to an earlier release.

        Raises:
            TargetError: it could not be written.
        """
        with self.together():
            self._run(
                "INSERT OR REPLACE INTO returns VALUES (?, ?, ?)",
                (back.stream, back.release, back.above),
            )

    def note(self, name: str) -> str:
        """Return what was written down under ``name``, empty at first."""
        rows = self._all("SELECT value FROM notes WHERE name = ?", (name,))
        return str(rows[0]["value"]) if rows else ""

    def write_note(self, name: str, value: str) -> None:
        """Write something down.

        Raises:
            TargetError: it could not be written.
        """
        with self.together():
            self._run("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def ask(self, verb: str, members: dict[str, Any], now: float) -> None:
        """Leave a request for the daemon.

        Raises:
            TargetError: it could not be written.
        """
        with self.together():
            self._run(
                "INSERT INTO requests (at, verb, members) VALUES (?, ?, ?)",
                (now, verb, json.dumps(members)),
            )

    def requests(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Return the requests that nobody has answered: number, verb, members."""
        rows = self._all("SELECT * FROM requests ORDER BY id")
        return [(row["id"], row["verb"], json.loads(row["members"])) for row in rows]

    def answered(self, number: int) -> None:
        """Strike a request out; its effect was noted together with this.

        Raises:
            TargetError: it could not be written.
        """
        with self.together():
            self._run("DELETE FROM requests WHERE id = ?", (number,))

    def tell(self, kind: str, members: dict[str, Any], now: float) -> None:
        """Add an event to the history, of which the oldest go.

        Raises:
            TargetError: it could not be written.
        """
        with self.together():
            self._run(
                "INSERT INTO events (at, kind, members) VALUES (?, ?, ?)",
                (now, kind, json.dumps(members)),
            )
            self._run(
                "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?",
                (MAX_EVENTS,),
            )

    def history(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest events, the newest first."""
        rows = self._all("SELECT * FROM events ORDER BY id DESC LIMIT ?", (limit,))
        return [
            {"at": row["at"], "kind": row["kind"], **json.loads(row["members"])}
            for row in rows
        ]

    def _phase(self, bundle: str) -> Phase | None:
        rows = self._all("SELECT phase FROM arrivals WHERE bundle = ?", (bundle,))
        return Phase(rows[0]["phase"]) if rows else None

    def _run(self, text: str, values: Any) -> None:  # noqa: ANN401 - what sqlite3 takes
        self._connection.execute(text, values)

    def _all(self, text: str, values: Iterable[Any] = ()) -> list[sqlite3.Row]:
        with self._lock, _said(self.path):
            return self._connection.execute(text, tuple(values)).fetchall()


def _arrival(row: sqlite3.Row, places: Iterable[str]) -> Arrival:
    members = dict(row)
    members["phase"] = Phase(members["phase"])
    members["need"] = None if members["need"] is None else Need(members["need"])
    return Arrival(**members, places=tuple(places))


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say which file it is that SQLite could not use."""
    try:
        yield
    except sqlite3.Error as error:
        raise TargetError(
            f"{path}: {error}",
            advice="check the disk and the rights of the state directory",
        ) from error
