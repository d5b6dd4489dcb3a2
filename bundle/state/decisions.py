"""What people decided about one state: its terms, waivers, and alarms that stand.

::

    trust.toml               whose releases of what are taken (spec §25.2)
    waivers/DIGEST.json      what a named operator let through, for one release
    alarms/STREAM.json       two releases of one number: the stream stands still
    audit.jsonl              all of it, in order

A file here that cannot be read refuses what it is about: it never counts as absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.digest import Digest
from bundle.durable import make_directory, write_file
from bundle.errors import ExistsError, MissingError
from bundle.limits import MAX_SETTINGS
from bundle.settings import read_settings
from bundle.state import audit
from bundle.state.files import (
    PRIVATE_DIRECTORY,
    PRIVATE_FILE,
    create_file,
    names_in,
    read_bounded,
    remove_files,
)
from bundle.trust.policy import Alarm, Waiver
from bundle.trust.terms import OPEN, Policy
from bundle.wire import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.trust.policy import Mark, ReleaseFacts

TERMS: Final = "trust.toml"

_MAX: Final = 64 * 1024


def read_policy(path: Path) -> Policy:
    """Return the terms in the file ``path``.

    Raises:
        MissingError: there is no such file.
        UsageError: it is none, or asks for what there is not; names the line.
    """
    data = read_bounded(path, MAX_SETTINGS, rule="25.2.8")
    return read_settings(data, Policy, str(path))


def policy_of(state: Path) -> Policy:
    """Return the terms in ``state``, open ones where there is no ``trust.toml``.

    Raises:
        UsageError: the file there is none, or asks for what there is not.
    """
    if TERMS not in names_in(state):
        return OPEN
    return read_policy(state / TERMS)


def waive(state: Path, waiver: Waiver, stream: str) -> None:
    """Let one release through as ``waiver`` says; durable on return.

    Raises:
        TargetError: it could not be written.
    """
    # Before it counts: a log that cannot be written lets nothing through.
    audit.append(
        state,
        "released",
        waiver.time,
        release=waiver.release,
        stream=stream,
        rules=waiver.rules,
        by=waiver.by,
        reason=waiver.reason,
    )
    make_directory(state / "waivers", mode=PRIVATE_DIRECTORY)
    path = state / "waivers" / _name(waiver.release)
    write_file(path, write_json(waiver), mode=PRIVATE_FILE)


def waiver_of(state: Path, release: Digest) -> Waiver | None:
    """Return what was let through for a release, None if nothing was.

    Raises:
        FormatError: the file is damaged.
    """
    name = _name(str(release))
    if name not in names_in(state / "waivers"):
        return None
    data = read_bounded(state / "waivers" / name, _MAX, rule="23.5.2")
    return read_json(data, Waiver, limit=_MAX, rule="23.5.2")


def raise_alarm(state: Path, alarm: Alarm) -> None:
    """Stop a stream until somebody releases it; the first alarm is the one kept.

    Raises:
        TargetError: it could not be written.
    """
    try:
        create_file(state / "alarms" / f"{alarm.stream}.json", write_json(alarm))
    except ExistsError:
        return
    audit.append(
        state,
        "alarm",
        alarm.time,
        stream=alarm.stream,
        name=alarm.name,
        number=alarm.seq,
        published=alarm.marked,
        found=alarm.found,
    )


def stop(state: Path, mark: Mark, release: ReleaseFacts, clock: float) -> None:
    """Raise the alarm about a release of the number that ``mark`` has.

    Raises:
        TargetError: it could not be written.
    """
    alarm = Alarm(
        stream=mark.stream,
        name=mark.name,
        seq=mark.seq,
        marked=mark.release,
        found=str(release.digest),
        time=int(clock),
    )
    raise_alarm(state, alarm)


def told(release: ReleaseFacts) -> dict[str, str | int]:
    """Return what the audit log says of a release."""
    return {
        "stream": release.stream,
        "name": release.name,
        "number": release.seq,
        "release": str(release.digest),
    }


def alarm_of(state: Path, stream: str) -> Alarm | None:
    """Return the alarm that stands on a stream, None where none does.

    Raises:
        FormatError: the file is damaged.
    """
    name = f"{stream}.json"
    if name not in names_in(state / "alarms"):
        return None
    data = read_bounded(state / "alarms" / name, _MAX, rule="23.3.1")
    return read_json(data, Alarm, limit=_MAX, rule="23.3.1")


def alarms_in(state: Path) -> list[Alarm]:
    """Return the alarms that stand.

    Raises:
        FormatError: one of the files is damaged.
    """
    names = [name for name in names_in(state / "alarms") if not name.startswith(".")]
    found = (alarm_of(state, name.removesuffix(".json")) for name in names)
    return [alarm for alarm in found if alarm is not None]


def end_alarm(state: Path, stream: str, by: str, reason: str, clock: float) -> Alarm:
    """Let a stream that stands still go on; its mark stays where it is.

    Raises:
        MissingError: no alarm stands on it.
        TargetError: it could not be written.
    """
    alarm = alarm_of(state, stream)
    if alarm is None:
        raise MissingError(
            f"no alarm stands on the stream {stream}", advice="see: bundle trust show"
        )
    audit.append(
        state,
        "alarm-ended",
        clock,
        stream=stream,
        name=alarm.name,
        number=alarm.seq,
        by=by,
        reason=reason,
    )
    remove_files(state / "alarms", [f"{stream}.json"])
    return alarm


def _name(release: str) -> str:
    return f"{Digest.parse(release).raw.hex()}.json"
