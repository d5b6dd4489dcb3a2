"""A release judged by what a receiver remembers, and what came of it (spec §23 to §27).

``bundle.trust.policy`` decides on facts alone; here the facts are gathered from the
state, and what was decided is written down before anybody acts on it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bundle.errors import BundleError, TrustError
from bundle.state import audit
from bundle.state.decisions import alarm_of, stop, told, waiver_of
from bundle.state.files import names_in
from bundle.state.receiver import read_marks
from bundle.trust.chain import file_versions
from bundle.trust.policy import EQUIVOCATION, Receiver, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.state.receiver import TrustChoice
    from bundle.trust.chain import Trust
    from bundle.trust.policy import Decision, ReleaseFacts


def recall(
    choice: TrustChoice, trust: Trust, release: ReleaseFacts, clock: float
) -> Receiver:
    """Return what is known here when ``release`` is judged.

    Raises:
        FormatError: the mark, a waiver or an alarm is damaged.
        UsageError: the terms in the state are none.
    """
    marks = [] if trust.stateless else read_marks(choice.state)
    others = (mark for mark in marks if mark.stream != release.stream)
    policy = choice.terms
    waiver, alarm = choice.waiver, None
    if not trust.stateless:
        waiver = waiver or waiver_of(choice.state, release.digest)
        alarm = alarm_of(choice.state, release.stream)
    return Receiver(
        mark=next((mark for mark in marks if mark.stream == release.stream), None),
        site=choice.site or policy.site,
        clock=clock,
        trusted_time=max((mark.trusted_time for mark in marks), default=0),
        root_version=trust.root.version,
        roles_version=trust.roles.version,
        namesakes=tuple(mark.stream for mark in others if mark.name == release.name),
        strict=choice.strict,
        policy=policy,
        waiver=waiver,
        alarm=alarm,
        rolls_back=choice.roll_back is not None,
    )


def decide(choice: TrustChoice, receiver: Receiver, release: ReleaseFacts) -> Decision:
    """Judge a release, and remember what came of it where there is a memory.

    Two releases of one number stop the stream (rule 23.3.1).

    Raises:
        TrustError: it is not accepted, by the rule that it names.
        TargetError: the audit log or the alarm could not be written.
    """
    try:
        decision = judge(release, receiver)
    except TrustError as error:
        mark = receiver.mark
        if error.rule == EQUIVOCATION and mark is not None and choice.root is None:
            stop(choice.state, mark, release, receiver.clock)
        raise
    if choice.root is None:
        audit.append(
            choice.state,
            "accepted",
            receiver.clock,
            **told(release),
            signers=release.signers,
            approvers=release.approvers,
            warnings=decision.warnings,
        )
    return decision


@contextlib.contextmanager
def noting_refusals(choice: TrustChoice, clock: float, name: str) -> Iterator[None]:
    """Log that the bundle ``name`` is refused, where there is a memory.

    Raises:
        TrustError: as it was raised.
    """
    try:
        yield
    except TrustError as error:
        if choice.root is None and file_versions(
            names_in(choice.state / "trust"), "root"
        ):
            try:
                audit.append(
                    choice.state,
                    "refused",
                    clock,
                    bundle=name,
                    rule=error.rule,
                    reason=str(error.args[0]),
                )
            except BundleError as second:
                error.add_note(f"and the audit log: {second}")
        raise
