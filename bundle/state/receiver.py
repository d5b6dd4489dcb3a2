"""What a receiver remembers (spec §23.1, §30.4).

::

    trust/N.root.json        the enrolled root and every root that followed it
    trust/N.roles.json       the newest roles, and the ones before
    streams/ID/SEQ.json      the mark of a stream, and the one before

What people decided lies beside it (``bundle.state.decisions``).

Every file appears whole, under a number that only rises, and the highest number
is what counts. So nothing is ever overwritten, no lock is needed, and a reader
that comes between two steps, or a crash, finds the state before or after. One
state holds one chain of roots: two organisations take two state directories.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.digest import digest_of
from bundle.durable import make_directory, write_file
from bundle.errors import TrustError
from bundle.limits import MAX_TRUST_FILE
from bundle.state import audit
from bundle.state.decisions import policy_of, stop, told
from bundle.state.files import (
    PRIVATE_DIRECTORY,
    PRIVATE_FILE,
    names_in,
    read_bounded,
    remove_files,
)
from bundle.trust.chain import (
    Trust,
    expiry_warnings,
    file_versions,
    follow_roots,
    newest_roles,
)
from bundle.trust.policy import (
    EQUIVOCATION,
    Mark,
    Receiver,
    ReleaseFacts,
    next_mark,
)
from bundle.trust.roles import Root, fingerprint_matches, fingerprint_text, read_root
from bundle.trust.terms import OPEN
from bundle.wire import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bundle.trust.policy import Waiver
    from bundle.trust.terms import Policy

NOT_CHECKED: Final = "revocation and roll-back not checked"

_MAX_MARK: Final = 64 * 1024
_STREAM: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MARK_NAME: Final = re.compile(r"([0-9]{16})\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reason:
    """Who wants something that is refused otherwise, and why."""

    by: str
    text: str


@dataclass(frozen=True, slots=True)
class TrustChoice:
    """Whom a run trusts: the state directory, or one root file and no memory.

    ``site`` is this receiver's name for audiences. ``strict`` makes refusals of
    what is otherwise a warning about dates. ``policy`` takes the place of what is in
    the state. ``signatures`` are further directories of approvals. ``roll_back``
    says that an older release is wanted; ``waiver`` stands in for one in the state.
    """

    root: Path | None
    state: Path
    site: str | None = None
    strict: bool = False
    policy: Policy | None = None
    signatures: tuple[Path, ...] = ()
    roll_back: Reason | None = None
    waiver: Waiver | None = None

    @property
    def terms(self) -> Policy:
        """The terms of this run: those given, else those in the state.

        Raises:
            UsageError: the state's are none.
        """
        if self.policy is not None:
            return self.policy
        return OPEN if self.root is not None else policy_of(self.state)


def enrol(
    state: Path,
    data: bytes,
    fingerprint: str | None = None,
    now: float | None = None,
) -> Root:
    """Make the root file ``data`` the one this receiver trusts, for good.

    ``fingerprint`` is what a person was told, in groups or not; None trusts the
    file as it is. Enrolling a root of the chain again changes nothing. ``now`` is the
    time that the audit log says, in seconds since 1970; None writes no line.

    Raises:
        FormatError: not a root file.
        TrustError: another fingerprint, or another root is enrolled.
    """
    root = read_root(data)
    if fingerprint is not None and not fingerprint_matches(root, fingerprint):
        raise TrustError(
            f"the root's fingerprint is {fingerprint_text(root)}, not what was given",
            rule="22.5.2",
            advice="ask for the fingerprint again, over another channel",
        )
    kept = _read_trust(state)
    versions = file_versions(kept, "root")
    if not versions:
        _keep(state, f"{root.version}.root.json", data)
        if now is not None:
            audit.append(
                state,
                "enrolled",
                now,
                root=root.version,
                fingerprint=str(root.fingerprint),
                compared="yes" if fingerprint is not None else "no",
            )
        return root
    known = kept.get(f"{root.version}.root.json")
    if known is None or read_root(known).fingerprint != root.fingerprint:
        raise TrustError(
            f"{state}: another root is enrolled, "
            f"{fingerprint_text(read_root(kept[f'{min(versions)}.root.json']))}",
            rule="22.5.3",
            advice="newer roots come with the media; for another organisation "
            "use another state directory",
        )
    return root


def enrolled_root(state: Path) -> Root | None:
    """Return the newest root of the chain in ``state``, None if none is enrolled.

    Raises:
        FormatError: the file is damaged.
        TrustError: the file is damaged.
    """
    kept = _read_trust(state)
    versions = file_versions(kept, "root")
    return read_root(kept[f"{max(versions)}.root.json"]) if versions else None


def load_trust(
    choice: TrustChoice, files: Mapping[str, bytes], now: float, *, keep: bool = True
) -> Trust:
    """Return the root and roles in force, taking newer ones from ``files``.

    ``files`` are a medium's ``trust/`` by name. In a state directory each newer
    file is kept as soon as it verified, and never before; without ``keep``
    nothing is written.

    Raises:
        FormatError: a newer file is not what its name says.
        TrustError: nothing to start from, or a newer file does not verify.
    """
    if choice.root is not None:
        root = read_root(read_bounded(choice.root, MAX_TRUST_FILE, rule="22.1.1"))
        for newer in follow_roots(root, files):
            root = newer
        trust = Trust(root, newest_roles(root, files), (NOT_CHECKED,), stateless=True)
    else:
        trust = _advance(choice.state, files, now, keep=keep)
        now = max(now, trusted_time(choice.state))
    expired = expiry_warnings(trust.root, trust.roles, now)
    if expired and (choice.strict or choice.terms.expired == "refuse"):
        raise TrustError(expired[0], rule="24.2.2", advice="renew it and read it again")
    return Trust(trust.root, trust.roles, trust.warnings + expired, trust.stateless)


def record_applied(choice: TrustChoice, release: ReleaseFacts, clock: float) -> None:
    """Advance the mark of a stream, after its release was published.

    A stateless run remembers nothing. A mark that is further on stays.

    Raises:
        TrustError: another release of this number was published meanwhile.
        TargetError: the mark could not be written.
    """
    if choice.root is not None:
        return
    mark = read_mark(choice.state, release.stream)
    if mark is not None and mark.seq >= release.seq:
        if mark.seq == release.seq and mark.release != str(release.digest):
            stop(choice.state, mark, release, clock)
            raise TrustError(
                f"ALARM, equivocation: two releases {mark.seq} of {mark.name}",
                rule=EQUIVOCATION,
                advice="find out who else holds the packer's key",
            )
        _log_applied(choice, release, clock, newest=mark.seq)
        return
    receiver = Receiver(
        mark=mark,
        site=None,
        clock=clock,
        trusted_time=trusted_time(choice.state),
        root_version=release.root_version,
        roles_version=release.roles_version,
    )
    directory = _stream_directory(choice.state, release.stream)
    make_directory(directory, mode=PRIVATE_DIRECTORY)
    name = f"{release.seq:016d}.json"
    data = write_json(next_mark(release, receiver))
    write_file(directory / name, data, mode=PRIVATE_FILE)
    # The one before stays for a reader that has just looked for the newest.
    older = [old for old in _mark_names(directory) if old < name]
    remove_files(directory, older[:-1])
    _log_applied(choice, release, clock, newest=release.seq)


def _log_applied(
    choice: TrustChoice, release: ReleaseFacts, clock: float, *, newest: int
) -> None:
    why: dict[str, str | int] = {}
    event = "published"
    if choice.roll_back is not None:
        event = "rolled-back"
        why = {
            "newest": newest,
            "by": choice.roll_back.by,
            "reason": choice.roll_back.text,
        }
    audit.append(choice.state, event, clock, **told(release), **why)


def read_mark(state: Path, stream: str) -> Mark | None:
    """Return the mark of ``stream``, None if nothing of it was published here.

    Raises:
        FormatError: the file is damaged, or ``stream`` is no stream id.
    """
    directory = _stream_directory(state, stream)
    names = _mark_names(directory)
    if not names:
        return None
    data = read_bounded(directory / names[-1], _MAX_MARK, rule="23.1.2")
    return read_json(data, Mark, limit=_MAX_MARK, rule="23.1.2")


def read_marks(state: Path) -> list[Mark]:
    """Return the marks of all streams that were ever published here.

    Raises:
        FormatError: one of the files is damaged.
    """
    streams = [name for name in names_in(state / "streams") if _STREAM.fullmatch(name)]
    marks = (read_mark(state, stream) for stream in streams)
    return [mark for mark in marks if mark is not None]


def trusted_time(state: Path) -> int:
    """Return the highest trusted time, in seconds since 1970; 0 at the start.

    Raises:
        FormatError: a mark is damaged.
    """
    return max((mark.trusted_time for mark in read_marks(state)), default=0)


def _advance(
    state: Path, files: Mapping[str, bytes], now: float, *, keep: bool
) -> Trust:
    """Walk from the kept root to the newest in ``files``, keeping each step."""
    kept = _read_trust(state)
    versions = file_versions(kept, "root")
    if not versions:
        raise TrustError(
            "no trust root is enrolled here",
            rule="22.5.1",
            advice="run: bundle trust enrol ROOT.json, or give --trust ROOT.json",
        )
    root = read_root(kept[f"{max(versions)}.root.json"])
    for newer in follow_roots(root, files):
        if keep:
            _keep(state, f"{newer.version}.root.json", newer.data)
            fingerprint = str(newer.fingerprint)
            audit.append(
                state, "root", now, root=newer.version, fingerprint=fingerprint
            )
        root = newer
    before = max(file_versions(kept, "roles"), default=0)
    roles = newest_roles(root, {**files, **kept}, kept=before)
    if keep and roles.version > before:
        _keep(state, f"{roles.version}.roles.json", roles.data)
        digest = str(digest_of(roles.data))
        audit.append(state, "roles", now, roles=roles.version, digest=digest)
        stale = [old for old in file_versions(kept, "roles") if old < before]
        remove_files(state / "trust", [f"{old}.roles.json" for old in stale])
    return Trust(root, roles, (), stateless=False)


def _read_trust(state: Path) -> dict[str, bytes]:
    directory = state / "trust"
    names = names_in(directory)
    newest = [
        f"{version}.{kind}.json"
        for kind in ("root", "roles")
        for version in file_versions(names, kind)
    ]
    return {
        name: read_bounded(directory / name, MAX_TRUST_FILE, rule="22.1.1")
        for name in newest
    }


def _keep(state: Path, name: str, data: bytes) -> None:
    make_directory(state / "trust", mode=PRIVATE_DIRECTORY)
    write_file(state / "trust" / name, data, mode=PRIVATE_FILE)


def _stream_directory(state: Path, stream: str) -> Path:
    if _STREAM.fullmatch(stream) is None:
        raise TrustError(f"not a stream id: {stream[:80]!r}", rule="23.1.1")
    return state / "streams" / stream


def _mark_names(directory: Path) -> list[str]:
    return [name for name in names_in(directory) if _MARK_NAME.fullmatch(name)]
