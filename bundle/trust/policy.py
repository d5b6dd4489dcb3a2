"""What a receiver accepts, decided on facts alone (spec §23 to §25).

``judge`` takes what a verified release says about itself, what the receiver
remembers of its stream, its terms and the time, and either refuses or says what a
person should know. It changes nothing: marks advance after publication.

What is merely *held*, for a date, a number or a kind of file, a named operator may
let through by a waiver, for that one release. Nobody can waive a signature, an
audience, a roll-back or two releases of one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.errors import TrustError
from bundle.format.pickles import is_pickle
from bundle.trust.terms import OPEN, Policy
from bundle.wire import write_moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.digest import Digest

EQUIVOCATION: Final = "23.2.2"
WAIVABLE: Final = ("23.2.4", "24.1.2", "24.2.2", "25.2.6", "25.2.7")
"""Rules of what is held, and may be let through for one release (23.5.1)."""

_SHOWN: Final = 8
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What the policy looks at in a release; times in seconds since 1970.

    ``prev`` is the text of a digest or ``genesis``; ``root_version`` and
    ``roles_version`` are the newest that its packer had. ``artifacts`` are kinds and
    names; ``signers`` and ``approvers`` the ids of the keys that verified.
    """

    stream: str
    name: str
    seq: int
    digest: Digest
    prev: str
    audience: tuple[str, ...]
    created: int
    expires: int | None
    root_version: int
    roles_version: int
    artifacts: tuple[tuple[str, str], ...] = ()
    signers: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()


class Mark(msgspec.Struct, frozen=True, rename="camel"):
    """The newest release of one stream that was published here.

    ``trusted_time`` is the highest time, in seconds since 1970, that any
    release had proved when this mark was made.
    """

    stream: str
    name: str
    seq: int
    release: str
    trusted_time: int


class Waiver(msgspec.Struct, frozen=True):
    """What a named operator let through for one release, and why.

    ``rules`` are those of ``WAIVABLE`` that do not hold it any more; ``time`` is in
    seconds since 1970.
    """

    release: str
    rules: tuple[str, ...]
    by: str
    reason: str
    time: int


class Alarm(msgspec.Struct, frozen=True):
    """Two releases of one number were seen: the stream stands still.

    ``marked`` was published here, ``found`` came after it; ``time`` is in seconds
    since 1970.
    """

    stream: str
    name: str
    seq: int
    marked: str
    found: str
    time: int


@dataclass(frozen=True, slots=True)
class Receiver:
    """What the receiver is and remembers when a release is judged.

    ``mark`` is None for a stream that was never seen; ``namesakes`` are the ids
    of other streams with its name. ``site`` is None where the receiver has no
    name. ``clock`` is in seconds since 1970. ``rolls_back`` says that somebody asked
    for an older release on purpose.
    """

    mark: Mark | None
    site: str | None
    clock: float
    trusted_time: int
    root_version: int
    roles_version: int
    namesakes: tuple[str, ...] = ()
    strict: bool = False
    policy: Policy = OPEN
    waiver: Waiver | None = None
    alarm: Alarm | None = None
    rolls_back: bool = False

    @property
    def now(self) -> float:
        """The time to judge by: the clock or the trusted time, the later (24.1.1)."""
        return max(self.clock, self.trusted_time)


@dataclass(frozen=True, slots=True)
class Decision:
    """A release is accepted; ``replay`` means that it is the one already here."""

    warnings: tuple[str, ...]
    replay: bool


def judge(release: ReleaseFacts, receiver: Receiver) -> Decision:
    """Return on what terms ``receiver`` accepts ``release``.

    Raises:
        TrustError: it does not, by the rule that it names.
    """
    _check_audience(release, receiver)
    _check_versions(release, receiver)
    _check_terms(release, receiver.policy)
    _check_approved(release, receiver.policy)
    _check_alarm(receiver.alarm)
    warnings = [*_dated_ahead(release, receiver), *_expiry(release, receiver)]
    replay = False
    if receiver.mark is None:
        _refuse_no_roll_back(receiver)
        warnings += _namesakes(release, receiver.namesakes)
    elif release.seq < receiver.mark.seq:
        warnings += _roll_back(release, receiver.mark, wanted=receiver.rolls_back)
    else:
        replay = _is_replay(release, receiver.mark)
        _refuse_no_roll_back(receiver)
        if not replay:
            warnings += _sequence(release, receiver.mark, receiver)
    return Decision(tuple(warnings), replay)


def judge_files(
    release: ReleaseFacts, receiver: Receiver, name: str, paths: Iterable[str]
) -> tuple[str, ...]:
    """Return what to know about the files of the artifact ``name`` of a release.

    Raises:
        TrustError: the receiver takes no files like one of them (rule 25.2.7).
    """
    answer = receiver.policy.pickles_of(release.stream)
    if answer is None:
        return ()
    found = [path for path in paths if is_pickle(path)]
    if not found:
        return ()
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    message = f"{name}: may be pickles, which run code when loaded: {found[0]}{more}"
    if answer == "warn":
        return (message,)
    return _held(
        TrustError(message, rule="25.2.7", advice="ask for safetensors"), receiver
    )


def next_mark(release: ReleaseFacts, receiver: Receiver) -> Mark:
    """Return the mark to keep once ``release`` is published.

    Only a release that is not dated ahead moves the trusted time, so that no
    row of releases can push it away from the clock (rule 24.1.3).
    """
    time = receiver.trusted_time
    if release.created <= receiver.now:
        time = max(time, release.created)
    return Mark(release.stream, release.name, release.seq, str(release.digest), time)


def _held(refusal: TrustError, receiver: Receiver) -> tuple[str, ...]:
    """Raise a refusal, or return it as a warning where an operator waived it.

    Raises:
        TrustError: nobody did.
    """
    waiver = receiver.waiver
    if waiver is None or refusal.rule not in waiver.rules:
        refusal.advice = "; or ".join(
            filter(
                None, (refusal.advice, "let it through: bundle trust release BUNDLE")
            )
        )
        raise refusal
    return (f"{refusal.args[0]}: let through by {waiver.by}: {waiver.reason}",)


def _check_audience(release: ReleaseFacts, receiver: Receiver) -> None:
    site = receiver.site
    if release.audience and site not in release.audience:
        here = "this receiver has no site name" if site is None else f"this is {site}"
        raise TrustError(
            f"the release is for {', '.join(release.audience[:_SHOWN])}; {here}",
            rule="25.1.1",
            advice="give the site's name, if it is one of those"
            if site is None
            else "",
        )
    if not release.audience and receiver.policy.audience == "required":
        raise TrustError(
            "the release names no site, and only those that do are taken here",
            rule="25.2.4",
            advice="pack it with --audience",
        )


def _check_terms(release: ReleaseFacts, policy: Policy) -> None:
    """Refuse a stream, a name, a kind or a signer that is not listed."""
    if not policy.stream:
        return
    terms = policy.of(release.stream)
    stream = f"stream {release.stream} ({release.name})"
    if terms is None or terms.name not in (None, release.name):
        raise TrustError(
            f"{stream} is not listed here",
            rule="25.2.1",
            advice="if it is wanted, list it in trust.toml",
        )
    for kind, name in release.artifacts:
        if not terms.covers(kind, name):
            raise TrustError(
                f"{stream} may not publish {kind} {name} here", rule="25.2.2"
            )
    if not any(map(terms.takes, release.signers)):
        raise TrustError(
            f"{stream} is not taken from the keys that signed this release",
            rule="25.2.3",
        )


def _check_approved(release: ReleaseFacts, policy: Policy) -> None:
    """Refuse a release that too few people other than its packers approved."""
    needed = policy.approvers_of(release.stream)
    others = sorted(set(release.approvers) - set(release.signers))
    if len(others) < needed:
        raise TrustError(
            f"the release is approved by {len(others)}, {needed} are needed here",
            rule="25.2.5",
            advice="let others approve it: bundle approve BUNDLE --key KEY",
        )


def _check_alarm(alarm: Alarm | None) -> None:
    if alarm is not None:
        raise TrustError(
            f"the stream {alarm.name} stands still since {write_moment(alarm.time)}: "
            f"there are two releases {alarm.seq}, {alarm.marked} and {alarm.found}",
            rule="23.3.2",
            advice="find out who else holds the packer's key; then: "
            f"bundle trust release {alarm.stream} --by NAME --reason TEXT",
        )


def _refuse_no_roll_back(receiver: Receiver) -> None:
    if receiver.rolls_back:
        raise TrustError(
            "nothing to roll back: no newer release was published here", rule="23.4.1"
        )


def _roll_back(release: ReleaseFacts, mark: Mark, *, wanted: bool) -> tuple[str, ...]:
    what = f"release {release.seq} of {release.name}, release {mark.seq}"
    if not wanted:
        raise TrustError(
            f"roll-back: {what} was published here",
            rule="23.2.1",
            advice="read the newest medium of this stream; to go back on purpose: "
            "--roll-back REASON",
        )
    return (f"rolled back on purpose: {what} stays the newest known here",)


def _check_versions(release: ReleaseFacts, receiver: Receiver) -> None:
    for what, needed, here in (
        ("root", release.root_version, receiver.root_version),
        ("roles", release.roles_version, receiver.roles_version),
    ):
        if needed > here:
            raise TrustError(
                f"the release was made under {what} {needed}, "
                f"the newest verified here is {here}",
                rule="23.2.7",
                advice="read a complete medium: trust/ holds every newer file",
            )


def _dated_ahead(release: ReleaseFacts, receiver: Receiver) -> tuple[str, ...]:
    now = receiver.now
    if release.created <= now + receiver.policy.ahead_hours * _HOUR:
        return ()
    refusal = TrustError(
        f"held: the release is dated {write_moment(release.created)}, "
        f"here it is {write_moment(now)}",
        rule="24.1.2",
        advice="set the clock of this machine, or wait",
    )
    return _held(refusal, receiver)


def _expiry(release: ReleaseFacts, receiver: Receiver) -> tuple[str, ...]:
    if release.expires is None or release.expires > receiver.now:
        return ()
    message = f"the release expired on {write_moment(release.expires)}"
    if not receiver.strict and receiver.policy.expired == "warn":
        return (message,)
    refusal = TrustError(message, rule="24.2.2", advice="ask for a newer bundle")
    return _held(refusal, receiver)


def _is_replay(release: ReleaseFacts, mark: Mark) -> bool:
    """Say whether it is the marked release again; refuse a second one of its number."""
    if release.seq > mark.seq:
        return False
    if str(release.digest) != mark.release:
        raise TrustError(
            f"ALARM, equivocation: two releases {release.seq} of {release.name}: "
            f"{mark.release} was published here, this is {release.digest}",
            rule=EQUIVOCATION,
            advice="publish nothing; find out who else holds the packer's key",
        )
    return True


def _namesakes(release: ReleaseFacts, others: tuple[str, ...]) -> list[str]:
    """Warn of a second stream of a known name: its marks start afresh (23.2.6)."""
    if not others:
        return []
    new = f"{release.name} is a new stream {release.stream} here"
    return [f"{new}: stream {others[0]} had that name, its mark does not protect this"]


def _sequence(release: ReleaseFacts, mark: Mark, receiver: Receiver) -> tuple[str, ...]:
    policy = receiver.policy
    if release.seq - mark.seq > policy.jump:
        refusal = TrustError(
            f"release {release.seq} of {release.name} is over {policy.jump} "
            f"ahead of release {mark.seq}, published here",
            rule="23.2.4",
            advice="if that is right, start a new stream",
        )
        return _held(refusal, receiver)
    if release.prev == mark.release:
        return ()
    message = (
        f"release {release.seq} of {release.name} does not follow release {mark.seq}, "
        "published here: a medium between them was not read"
    )
    if policy.gaps_of(release.stream) == "warn":
        return (message,)
    refusal = TrustError(message, rule="25.2.6", advice="read that medium first")
    return _held(refusal, receiver)
