"""What a receiver accepts, decided on facts alone (spec §23 to §25).

``judge`` takes what a verified release says about itself, what the receiver
remembers of its stream and the time, and either refuses or says what a person
should know. It changes nothing: marks advance after publication.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from bundle.errors import TrustError
from bundle.limits import MAX_CLOCK_AHEAD, MAX_SEQ_JUMP
from bundle.wire import write_moment

if TYPE_CHECKING:
    from bundle.digest import Digest


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What the policy looks at in a release; times in seconds since 1970.

    ``prev`` is the text of a digest or ``genesis``; ``root_version`` and
    ``roles_version`` are the newest that its packer had.
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


@dataclass(frozen=True, slots=True)
class Receiver:
    """What the receiver is and remembers when a release is judged.

    ``mark`` is None for a stream that was never seen; ``namesakes`` are the ids
    of other streams with its name. ``site`` is None where the receiver has no
    name. ``clock`` is in seconds since 1970.
    """

    mark: Mark | None
    site: str | None
    clock: float
    trusted_time: int
    root_version: int
    roles_version: int
    namesakes: tuple[str, ...] = ()
    strict: bool = False

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
    _check_audience(release, receiver.site)
    _check_versions(release, receiver)
    _check_not_ahead(release, receiver.now)
    warnings = [*_expiry(release, receiver)]
    replay = False
    if receiver.mark is None:
        warnings += _namesakes(release, receiver.namesakes)
    else:
        replay = _is_replay(release, receiver.mark)
        if not replay:
            warnings += _sequence(release, receiver.mark)
    return Decision(tuple(warnings), replay)


def next_mark(release: ReleaseFacts, receiver: Receiver) -> Mark:
    """Return the mark to keep once ``release`` is published.

    Only a release that is not dated ahead moves the trusted time, so that no
    row of releases can push it away from the clock (rule 24.1.3).
    """
    time = receiver.trusted_time
    if release.created <= receiver.now:
        time = max(time, release.created)
    return Mark(release.stream, release.name, release.seq, str(release.digest), time)


def _check_audience(release: ReleaseFacts, site: str | None) -> None:
    if release.audience and site not in release.audience:
        here = "this receiver has no site name" if site is None else f"this is {site}"
        raise TrustError(
            f"the release is for {', '.join(release.audience[:8])}; {here}",
            rule="25.1.1",
            advice="give the site's name, if it is one of those"
            if site is None
            else "",
        )


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


def _check_not_ahead(release: ReleaseFacts, now: float) -> None:
    if release.created > now + MAX_CLOCK_AHEAD:
        raise TrustError(
            f"held: the release is dated {write_moment(release.created)}, "
            f"here it is {write_moment(now)}",
            rule="24.1.2",
            advice="set the clock of this machine, or wait",
        )


def _expiry(release: ReleaseFacts, receiver: Receiver) -> list[str]:
    if release.expires is None or release.expires > receiver.now:
        return []
    message = f"the release expired on {write_moment(release.expires)}"
    if receiver.strict:
        raise TrustError(message, rule="24.2.2", advice="ask for a newer bundle")
    return [message]


def _is_replay(release: ReleaseFacts, mark: Mark) -> bool:
    """Say whether it is the marked release again; refuse an older or a second one."""
    if release.seq < mark.seq:
        raise TrustError(
            f"roll-back: release {release.seq} of {release.name}, "
            f"release {mark.seq} was published here",
            rule="23.2.1",
            advice="read the newest medium of this stream",
        )
    if release.seq > mark.seq:
        return False
    if str(release.digest) != mark.release:
        raise TrustError(
            f"ALARM, equivocation: two releases {release.seq} of {release.name}: "
            f"{mark.release} was published here, this is {release.digest}",
            rule="23.2.2",
            advice="publish nothing; find out who else holds the packer's key",
        )
    return True


def _namesakes(release: ReleaseFacts, others: tuple[str, ...]) -> list[str]:
    """Warn of a second stream of a known name: its marks start afresh (23.2.6)."""
    if not others:
        return []
    new = f"{release.name} is a new stream {release.stream} here"
    return [f"{new}: stream {others[0]} had that name, its mark does not protect this"]


def _sequence(release: ReleaseFacts, mark: Mark) -> list[str]:
    if release.seq - mark.seq > MAX_SEQ_JUMP:
        raise TrustError(
            f"release {release.seq} of {release.name} is over {MAX_SEQ_JUMP} "
            f"ahead of release {mark.seq}, published here",
            rule="23.2.4",
            advice="if that is right, start a new stream",
        )
    if release.prev == mark.release:
        return []
    gap = f"release {release.seq} of {release.name} does not follow release {mark.seq}"
    return [f"{gap}, published here: a medium between them was not read"]
