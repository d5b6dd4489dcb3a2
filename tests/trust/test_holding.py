"""What is held, what lets it through, what stops a stream, and what is listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bundle.digest import digest_of
from bundle.errors import TrustError
from bundle.trust.policy import (
    WAIVABLE,
    Alarm,
    Mark,
    Receiver,
    ReleaseFacts,
    Waiver,
    judge,
    judge_files,
    next_mark,
)
from bundle.trust.terms import Policy, StreamTerms
from tests.trust.ceremony import NOW

HOUR = 3600
STREAM = "ab" * 16
HERE = digest_of(b"release 5")
RELEASE = ReleaseFacts(
    stream=STREAM,
    name="models-prod",
    seq=6,
    digest=digest_of(b"release 6"),
    prev=str(HERE),
    audience=(),
    created=NOW - HOUR,
    expires=NOW + HOUR,
    root_version=1,
    roles_version=1,
    artifacts=(("hf-model", "org/a"), ("tree", "manuals")),
    signers=("aa" * 32,),
)
RECEIVER = Receiver(
    mark=Mark(STREAM, "models-prod", 5, str(HERE), NOW - 2 * HOUR),
    site="moon",
    clock=NOW,
    trusted_time=NOW - 2 * HOUR,
    root_version=1,
    roles_version=1,
)


def release(**changes: Any) -> ReleaseFacts:  # noqa: ANN401 - fields of a release
    return replace(RELEASE, **changes)


def receiver(policy: Policy | None = None, **changes: Any) -> Receiver:  # noqa: ANN401 - fields of it
    return replace(RECEIVER, policy=policy or Policy(), **changes)


def waived(*rules: str) -> Waiver:
    return Waiver(str(RELEASE.digest), rules, "A. Operator", "known", NOW)


# -- waivers -------------------------------------------------------------------


HELD: dict[str, tuple[ReleaseFacts, Receiver, str]] = {
    "dated ahead": (
        release(created=NOW + 49 * HOUR, expires=None),
        receiver(),
        "held: the release is dated 2027-01-17T09:00:00Z, here it is 2027-01-15T08:00",
    ),
    "expired": (
        release(expires=NOW),
        receiver(strict=True),
        "the release expired on 2027-01-15T08:00:00Z",
    ),
    "expired, by the terms": (
        release(expires=NOW),
        receiver(Policy(expired="refuse")),
        "the release expired on 2027-01-15T08:00:00Z",
    ),
    "too far ahead": (
        release(seq=1006),
        receiver(),
        "release 1006 of models-prod is over 1000 ahead of release 5",
    ),
    "a gap": (
        release(seq=7, prev=str(digest_of(b"6"))),
        receiver(Policy(gaps="refuse")),
        "release 7 of models-prod does not follow release 5",
    ),
}
RULES = ["24.1.2", "24.2.2", "24.2.2", "23.2.4", "25.2.6"]
ROWS = [(*row, rule) for row, rule in zip(HELD.values(), RULES, strict=True)]


@pytest.mark.parametrize(("facts", "here", "said", "rule"), ROWS, ids=HELD)
def test_what_is_held_until_somebody_lets_it_through(
    facts: ReleaseFacts, here: Receiver, said: str, rule: str
) -> None:
    with pytest.raises(TrustError) as caught:
        judge(facts, here)
    assert caught.value.rule == rule
    assert str(caught.value.args[0]).startswith(said)
    assert caught.value.advice.endswith("let it through: bundle trust release BUNDLE")
    assert "; or " in caught.value.advice
    others = tuple(one for one in WAIVABLE if one != rule)
    with pytest.raises(TrustError):
        judge(facts, replace(here, waiver=waived(*others)))
    (warning,) = judge(facts, replace(here, waiver=waived(rule))).warnings
    assert warning.startswith(said)
    assert warning.endswith(": let through by A. Operator: known")


EDGES: dict[str, tuple[ReleaseFacts, Receiver]] = {
    "48 hours ahead": (release(created=NOW + 48 * HOUR, expires=None), receiver()),
    "as far ahead as the terms say": (
        release(created=NOW + 2 * HOUR, expires=None),
        receiver(Policy(ahead_hours=2)),
    ),
    "expires in a second": (release(expires=NOW + 1), receiver(strict=True)),
    "as many numbers as the terms say": (
        release(seq=8),
        receiver(Policy(jump=3, gaps="refuse")),
    ),
    "for everyone where that is fine": (release(), receiver(Policy())),
    "for this site where one is needed": (
        release(audience=("moon",)),
        receiver(Policy(audience="required")),
    ),
}


@pytest.mark.parametrize(("facts", "here"), EDGES.values(), ids=EDGES)
def test_what_is_just_not_held(facts: ReleaseFacts, here: Receiver) -> None:
    assert judge(facts, here).warnings == ()


def test_one_second_and_one_number_more_are_held() -> None:
    for facts, here in (
        (
            release(created=NOW + 2 * HOUR + 1, expires=None),
            receiver(Policy(ahead_hours=2)),
        ),
        (release(seq=9), receiver(Policy(jump=3))),
    ):
        with pytest.raises(TrustError):
            judge(facts, here)


def test_a_release_that_was_let_through_moves_no_clock() -> None:
    facts = release(created=NOW + 100 * HOUR, expires=None)
    here = receiver(waiver=waived("24.1.2"))
    judge(facts, here)
    assert next_mark(facts, here).trusted_time == RECEIVER.trusted_time


# -- going back ----------------------------------------------------------------


def test_going_back_has_to_be_asked_for() -> None:
    older = release(seq=4, prev=str(digest_of(b"3")))
    with pytest.raises(TrustError, match="roll-back") as caught:
        judge(older, RECEIVER)
    assert (caught.value.rule, "--roll-back" in caught.value.advice) == ("23.2.1", True)
    decision = judge(older, receiver(rolls_back=True))
    (warning,) = decision.warnings
    assert warning.startswith("rolled back on purpose: release 4 of models-prod")
    assert not decision.replay


@pytest.mark.parametrize("seq", [5, 6])
def test_nothing_to_go_back_to(seq: int) -> None:
    facts = release(seq=seq, digest=HERE if seq == 5 else RELEASE.digest)
    for mark in (RECEIVER.mark, None):
        with pytest.raises(TrustError, match=r"nothing to roll back.*rule 23\.4\.1"):
            judge(facts, receiver(rolls_back=True, mark=mark))


def test_two_of_one_number_are_an_alarm_also_where_somebody_goes_back() -> None:
    with pytest.raises(TrustError, match="ALARM") as caught:
        judge(release(seq=5), receiver(rolls_back=True))
    assert caught.value.rule == "23.2.2"


# -- alarms --------------------------------------------------------------------


def test_a_stream_that_stands_still_takes_nothing() -> None:
    alarm = Alarm(STREAM, "models-prod", 5, str(HERE), str(RELEASE.digest), NOW)
    for facts in (RELEASE, release(seq=5, digest=HERE), release(seq=4)):
        with pytest.raises(TrustError) as caught:
            judge(facts, receiver(alarm=alarm, rolls_back=True))
        assert caught.value.rule == "23.3.2"
        assert f"bundle trust release {STREAM} --by" in caught.value.advice
        assert "since 2027-01-15T08:00:00Z" in str(caught.value)


# -- terms ---------------------------------------------------------------------


OTHER = StreamTerms(id="cd" * 16)
LISTED: dict[str, tuple[StreamTerms, str | None]] = {
    "everything of it": (StreamTerms(id=STREAM), None),
    "both its names": (StreamTerms(id=STREAM, names=("org/*", "manuals")), None),
    "its own name": (StreamTerms(id=STREAM, name="models-prod"), None),
    "its signer": (StreamTerms(id=STREAM, keys=("aa" * 8,)), None),
    "one of two signers": (StreamTerms(id=STREAM, keys=("bb" * 8, "aa" * 9)), None),
    "another id": (StreamTerms(id="ef" * 16), "25.2.1"),
    "another stream's name": (StreamTerms(id=STREAM, name="models-dev"), "25.2.1"),
    "one of its names": (StreamTerms(id=STREAM, names=("org/*",)), "25.2.2"),
    "one of its kinds": (StreamTerms(id=STREAM, kinds=("tree",)), "25.2.2"),
    "another signer": (StreamTerms(id=STREAM, keys=("bb" * 8,)), "25.2.3"),
}


@pytest.mark.parametrize(("terms", "rule"), LISTED.values(), ids=LISTED)
def test_what_is_listed(terms: StreamTerms, rule: str | None) -> None:
    here = receiver(Policy(stream=(OTHER, terms)))
    if rule is None:
        assert judge(RELEASE, here).warnings == ()
        return
    with pytest.raises(TrustError) as caught:
        judge(RELEASE, here)
    assert caught.value.rule == rule
    assert STREAM in str(caught.value)
    with pytest.raises(TrustError):
        judge(RELEASE, replace(here, waiver=waived(rule, *WAIVABLE)))


def test_a_release_for_everyone_where_a_site_is_needed() -> None:
    with pytest.raises(TrustError, match="names no site") as caught:
        judge(RELEASE, receiver(Policy(audience="required")))
    assert caught.value.rule == "25.2.4"


@pytest.mark.parametrize(
    ("approvers", "signers", "needed", "taken"),
    [
        ((), ("a",), 0, True),
        ((), ("a",), 1, False),
        (("b",), ("a",), 1, True),
        (("a",), ("a",), 1, False),
        (("a", "b"), ("a",), 2, False),
        (("b", "c"), ("a",), 2, True),
        (("b", "b"), ("a",), 2, False),
    ],
)
def test_approvers_who_are_not_the_packers(
    approvers: tuple[str, ...], signers: tuple[str, ...], needed: int, *, taken: bool
) -> None:
    facts = release(approvers=approvers, signers=signers)
    here = receiver(Policy(approvers=needed))
    if taken:
        judge(facts, here)
        return
    with pytest.raises(TrustError, match=rf"{needed} are needed here") as caught:
        judge(facts, here)
    assert caught.value.rule == "25.2.5"


def test_pickles() -> None:
    paths = ["config.json", "a.bin", "b.PT"]
    assert judge_files(RELEASE, RECEIVER, "m", paths) == ()
    warn = receiver(Policy(pickles="warn"))
    said = "m: may be pickles, which run code when loaded: a.bin and 1 more"
    assert judge_files(RELEASE, warn, "m", paths) == (said,)
    assert judge_files(RELEASE, warn, "m", paths[:1]) == ()
    assert judge_files(RELEASE, warn, "m", paths[:2]) == (said[: -len(" and 1 more")],)
    refuse = receiver(Policy(pickles="refuse"))
    with pytest.raises(TrustError) as caught:
        judge_files(RELEASE, refuse, "m", paths)
    assert caught.value.rule == "25.2.7"
    through = replace(refuse, waiver=waived("25.2.7"))
    (warning,) = judge_files(RELEASE, through, "m", paths)
    assert warning == f"{said}: let through by A. Operator: known"
