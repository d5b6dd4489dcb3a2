"""What a receiver accepts: audience, versions, time and the order of releases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bundle.digest import digest_of
from bundle.errors import TrustError
from bundle.limits import MAX_CLOCK_AHEAD, MAX_SEQ_JUMP
from bundle.trust.policy import (
    Mark,
    Receiver,
    ReleaseFacts,
    judge,
    next_mark,
)
from tests.trust.ceremony import NOW

STREAM = "ab" * 16
HERE = digest_of(b"release 5")
RELEASE = ReleaseFacts(
    stream=STREAM,
    name="models-prod",
    seq=6,
    digest=digest_of(b"release 6"),
    prev=str(HERE),
    audience=(),
    created=NOW - 3600,
    expires=NOW + 3600,
    root_version=1,
    roles_version=1,
)
RECEIVER = Receiver(
    mark=Mark(STREAM, "models-prod", 5, str(HERE), NOW - 7200),
    site="moon",
    clock=NOW,
    trusted_time=NOW - 7200,
    root_version=1,
    roles_version=1,
)
NEW = replace(RECEIVER, mark=None)


def release(**changes: Any) -> ReleaseFacts:  # noqa: ANN401 - fields of a release
    return replace(RELEASE, **changes)


def test_the_next_release_is_accepted_in_silence() -> None:
    decision = judge(RELEASE, RECEIVER)
    assert (decision.warnings, decision.replay) == ((), False)


# -- audience ------------------------------------------------------------------


@pytest.mark.parametrize("audience", [(), ("moon",), ("mars", "moon")])
def test_a_release_for_this_site(audience: tuple[str, ...]) -> None:
    assert judge(release(audience=audience), RECEIVER).warnings == ()


@pytest.mark.parametrize(
    "audience", [("mars",), ("Moon",), ("moon.",), ("moo",), ("moonbase",), ("",)]
)
def test_replay_at_another_site(audience: tuple[str, ...]) -> None:
    with pytest.raises(TrustError, match=r"this is moon.*rule 25\.1\.1"):
        judge(release(audience=audience), RECEIVER)


def test_a_receiver_without_a_name_is_in_no_audience() -> None:
    nameless = replace(RECEIVER, site=None)
    judge(RELEASE, nameless)
    with pytest.raises(TrustError, match=r"no site name.*rule 25\.1\.1"):
        judge(release(audience=("moon",)), nameless)


# -- versions ------------------------------------------------------------------


@pytest.mark.parametrize("what", ["root", "roles"])
def test_a_medium_that_withholds_newer_trust_files(what: str) -> None:
    with pytest.raises(TrustError, match=rf"under {what} 2.*rule 23\.2\.7"):
        judge(release(**{f"{what}_version": 2}), RECEIVER)


def test_an_older_release_under_newer_roles() -> None:
    receiver = replace(RECEIVER, root_version=9, roles_version=9)
    assert judge(RELEASE, receiver).warnings == ()


# -- order ---------------------------------------------------------------------


@pytest.mark.parametrize("seq", [1, 4])
def test_roll_back(seq: int) -> None:
    with pytest.raises(TrustError, match=r"roll-back.*rule 23\.2\.1"):
        judge(release(seq=seq), RECEIVER)


def test_equivocation() -> None:
    with pytest.raises(
        TrustError, match=r"ALARM, equivocation.*rule 23\.2\.2"
    ) as caught:
        judge(release(seq=5), RECEIVER)
    assert str(HERE) in str(caught.value)
    assert str(RELEASE.digest) in str(caught.value)


def test_the_same_release_again_is_nothing_to_do() -> None:
    decision = judge(release(seq=5, digest=HERE, prev="genesis"), RECEIVER)
    assert (decision.warnings, decision.replay) == ((), True)


def test_fast_forward() -> None:
    last = release(seq=5 + MAX_SEQ_JUMP)
    assert judge(last, RECEIVER).replay is False
    with pytest.raises(TrustError, match=r"rule 23\.2\.4"):
        judge(release(seq=6 + MAX_SEQ_JUMP), RECEIVER)
    with pytest.raises(TrustError, match=r"rule 23\.2\.4"):
        judge(release(seq=2**53 - 1), RECEIVER)


def test_a_gap_is_told() -> None:
    offered = release(seq=8, prev=str(digest_of(b"release 7")))
    (warning,) = judge(offered, RECEIVER).warnings
    assert "release 8 of models-prod does not follow release 5" in warning


def test_a_number_that_was_burnt_is_no_gap() -> None:
    assert judge(release(seq=9), RECEIVER).warnings == ()


@pytest.mark.parametrize("seq", [1, 6, 5000, 2**53 - 1])
def test_a_stream_may_be_joined_anywhere(seq: int) -> None:
    decision = judge(release(seq=seq, prev="genesis"), NEW)
    assert (decision.warnings, decision.replay) == ((), False)


def test_a_new_stream_under_a_known_name_is_told() -> None:
    (warning,) = judge(RELEASE, replace(NEW, namesakes=("cd" * 16,))).warnings
    assert "models-prod is a new stream" in warning
    assert "cd" * 16 in warning


# -- time ----------------------------------------------------------------------


def test_a_release_that_is_dated_ahead_is_held() -> None:
    judge(release(created=NOW + MAX_CLOCK_AHEAD), RECEIVER)
    with pytest.raises(TrustError, match=r"held.*rule 24\.1\.2"):
        judge(release(created=NOW + MAX_CLOCK_AHEAD + 1), RECEIVER)


def test_a_clock_that_was_set_back_is_not_believed() -> None:
    """Else an expired release would be fresh again, and a new one held."""
    stopped = replace(RECEIVER, clock=0)
    assert judge(release(expires=NOW - 7200), stopped).warnings
    judge(release(created=NOW - 7200 + MAX_CLOCK_AHEAD), stopped)
    with pytest.raises(TrustError, match=r"rule 24\.1\.2"):
        judge(release(created=NOW - 7199 + MAX_CLOCK_AHEAD), stopped)


def test_expiry_warns() -> None:
    assert judge(release(expires=NOW + 1), RECEIVER).warnings == ()
    assert judge(release(expires=NOW), RECEIVER).warnings == (
        "the release expired on 2027-01-15T08:00:00Z",
    )
    assert judge(release(expires=None), RECEIVER).warnings == ()


def test_expiry_refuses_where_strict() -> None:
    with pytest.raises(TrustError, match=r"rule 24\.2\.2"):
        judge(release(expires=NOW), replace(RECEIVER, strict=True))


def test_every_warning_is_told() -> None:
    decision = judge(release(expires=1, prev="genesis"), RECEIVER)
    assert len(decision.warnings) == 2


# -- the next mark -------------------------------------------------------------


def test_a_mark_says_what_was_published() -> None:
    mark = next_mark(RELEASE, RECEIVER)
    assert (mark.stream, mark.name, mark.seq) == (STREAM, "models-prod", 6)
    assert mark.release == str(RELEASE.digest)
    assert mark.trusted_time == RELEASE.created


def test_releases_cannot_push_the_time_ahead_of_the_clock() -> None:
    """A packer's stolen key dates each release as far ahead as it may."""
    receiver = RECEIVER
    for seq in range(6, 30):
        pushing = release(seq=seq, created=int(receiver.now) + MAX_CLOCK_AHEAD)
        judge(pushing, receiver)
        mark = next_mark(pushing, receiver)
        receiver = replace(receiver, mark=mark, trusted_time=mark.trusted_time)
    assert receiver.trusted_time <= NOW


def test_an_old_release_does_not_turn_the_time_back() -> None:
    assert next_mark(release(created=0), RECEIVER).trusted_time == NOW - 7200


@given(
    st.lists(
        st.tuples(st.integers(1, 3000), st.integers(-10, 10), st.integers(-10, 10))
    )
)
def test_marks_and_time_never_go_back(history: list[tuple[int, int, int]]) -> None:
    receiver = replace(NEW, clock=NOW, trusted_time=0)
    for seq, clock_days, created_days in history:
        receiver = replace(receiver, clock=NOW + clock_days * 86400)
        offered = release(
            seq=seq,
            digest=digest_of(f"{seq} {created_days}".encode()),
            created=NOW + created_days * 86400,
        )
        before = receiver
        try:
            decision = judge(offered, receiver)
        except TrustError:
            continue
        if not decision.replay:
            mark = next_mark(offered, receiver)
            receiver = replace(receiver, mark=mark, trusted_time=mark.trusted_time)
            assert before.mark is None or mark.seq > before.mark.seq
        assert receiver.trusted_time >= before.trusted_time
