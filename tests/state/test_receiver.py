"""What a receiver remembers: its root, its roles, its marks and the time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bundle.digest import digest_of
from bundle.errors import BundleError, FormatError, TrustError
from bundle.limits import MAX_CLOCK_AHEAD
from bundle.state.files import names_in
from bundle.state.judgement import recall
from bundle.state.receiver import (
    NOT_CHECKED,
    TrustChoice,
    enrol,
    enrolled_root,
    load_trust,
    read_mark,
    read_marks,
    record_applied,
    trusted_time,
)
from bundle.trust.policy import ReleaseFacts, judge
from bundle.trust.roles import fingerprint_text, read_root
from tests.trust.ceremony import NOW, Ceremony, founded, key

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "ab" * 16
RELEASE = ReleaseFacts(
    stream=STREAM,
    name="models-prod",
    seq=1,
    digest=digest_of(b"release 1"),
    prev="genesis",
    audience=(),
    created=NOW - 3600,
    expires=None,
    root_version=1,
    roles_version=1,
)


def release(seq: int, **changes: Any) -> ReleaseFacts:  # noqa: ANN401 - fields of it
    digest = digest_of(b"release %d" % seq)
    return replace(RELEASE, seq=seq, digest=digest, **changes)


@pytest.fixture
def choice(tmp_path: Path) -> TrustChoice:
    return TrustChoice(None, tmp_path / "state")


@pytest.fixture
def ceremony() -> Ceremony:
    return founded()


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != "audit.jsonl"
    }


# -- enrolment -----------------------------------------------------------------


def test_a_root_is_enrolled_by_its_fingerprint(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    data = ceremony.files["1.root.json"]
    told = fingerprint_text(read_root(data))
    assert enrolled_root(choice.state) is None
    enrol(choice.state, data, told)
    assert enrolled_root(choice.state) == read_root(data)


def test_another_fingerprint_enrols_nothing(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    other = fingerprint_text(read_root(founded(expires=NOW).files["1.root.json"]))
    with pytest.raises(TrustError, match=r"not what was given.*rule 22\.5\.2"):
        enrol(choice.state, ceremony.files["1.root.json"], other)
    assert enrolled_root(choice.state) is None


def test_a_root_that_does_not_verify_is_not_enrolled(choice: TrustChoice) -> None:
    with pytest.raises(TrustError, match=r"rule 22\.2\.2"):
        enrol(choice.state, Ceremony().root([key(1)]))
    assert not choice.state.exists()


def test_the_same_root_again_is_fine(choice: TrustChoice, ceremony: Ceremony) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    before = snapshot(choice.state)
    enrol(choice.state, ceremony.files["1.root.json"])
    assert snapshot(choice.state) == before


def test_a_root_of_the_chain_again_is_fine_after_a_rotation(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    ceremony.rotate([key(4), key(5)], 1)
    ceremony.sign_roles()
    load_trust(choice, ceremony.files, NOW)
    enrol(choice.state, ceremony.files["1.root.json"])
    enrol(choice.state, ceremony.files["2.root.json"])
    held = enrolled_root(choice.state)
    assert held is not None
    assert held.version == 2


@pytest.mark.parametrize("version", [1, 2], ids=["the same number", "a newer one"])
def test_another_root_over_an_enrolled_one(
    choice: TrustChoice, ceremony: Ceremony, version: int
) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    before = snapshot(choice.state)
    other = Ceremony(root_keys=[key(7), key(8)], root_version=version - 1).root()
    with pytest.raises(TrustError, match="another root is enrolled") as caught:
        enrol(choice.state, other)
    first = read_root(ceremony.files["1.root.json"])
    assert fingerprint_text(first) in str(caught.value)
    assert snapshot(choice.state) == before


def test_without_a_root_there_is_advice(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    with pytest.raises(TrustError, match=r"no trust root is enrolled") as caught:
        load_trust(choice, ceremony.files, NOW)
    assert caught.value.advice.startswith("run: bundle trust enrol ROOT.json")
    assert not choice.state.exists()


# -- the chain -----------------------------------------------------------------


def test_newer_roots_and_roles_are_kept(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    ceremony.rotate([key(4), key(5)], 1)
    ceremony.rotate([key(6)], 1)
    ceremony.sign_roles()
    trust = load_trust(choice, ceremony.files, NOW)
    assert (trust.root.version, trust.roles.version, trust.stateless) == (3, 2, False)
    assert load_trust(choice, {}, NOW) == trust
    kept = ["1.root.json", "2.root.json", "2.roles.json", "3.root.json"]
    assert names_in(choice.state / "trust") == sorted(kept)
    for _ in range(3):
        ceremony.sign_roles()
        load_trust(choice, ceremony.files, NOW)
    kept = [name for name in names_in(choice.state / "trust") if "roles" in name]
    assert kept == ["4.roles.json", "5.roles.json"]


def test_looking_keeps_nothing(choice: TrustChoice, ceremony: Ceremony) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    before = snapshot(choice.state)
    ceremony.rotate([key(4)], 1)
    ceremony.sign_roles()
    trust = load_trust(choice, ceremony.files, NOW, keep=False)
    assert (trust.root.version, trust.roles.version) == (2, 2)
    assert snapshot(choice.state) == before


def test_a_root_that_failed_the_check_is_not_kept(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    """A refused root that stays on the disk is trusted on the next run."""
    enrol(choice.state, ceremony.files["1.root.json"])
    load_trust(choice, ceremony.files, NOW)
    before = snapshot(choice.state)
    forged = Ceremony(root_keys=[key(66)], root_threshold=1, root_version=1)
    forged.root()
    forged.sign_roles()
    for _ in range(2):
        with pytest.raises(TrustError, match=r"rule 22\.2\.3"):
            load_trust(choice, {**ceremony.files, **forged.files}, NOW)
        assert snapshot(choice.state) == before
    assert load_trust(choice, ceremony.files, NOW).root.version == 1


def test_roots_before_a_forged_one_are_kept(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    ceremony.rotate([key(4)], 1)
    ceremony.sign_roles()
    files = {**ceremony.files, "3.root.json": b"rubbish"}
    with pytest.raises(FormatError):
        load_trust(choice, files, NOW)
    assert names_in(choice.state / "trust") == ["1.root.json", "2.root.json"]


def test_roles_that_failed_the_check_are_not_kept(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    load_trust(choice, ceremony.files, NOW)
    before = snapshot(choice.state)
    ceremony.sign_roles([key(66)])
    with pytest.raises(TrustError, match=r"rule 22\.3\.3"):
        load_trust(choice, ceremony.files, NOW)
    assert snapshot(choice.state) == before


def test_a_revoked_packer_stays_revoked(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    """An old medium, or one whose newest files were taken out, brings nobody back."""
    enrol(choice.state, ceremony.files["1.root.json"])
    old = dict(ceremony.files)
    ceremony.roles["packer"] = ([key(11)], 1)
    ceremony.sign_roles()
    load_trust(choice, ceremony.files, NOW)
    roles = load_trust(choice, old, NOW).roles
    assert roles.version == 2
    assert roles.role("packer").keys == (key(11).public,)


def test_other_roles_of_a_kept_number_are_not_taken(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    load_trust(choice, ceremony.files, NOW)
    other = founded(roles={"packer": ([key(66)], 1)})
    roles = load_trust(choice, other.files, NOW).roles
    assert roles.role("packer").keys == (key(10).public,)


def test_a_rotation_whose_roles_are_missing(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    """A crash between the two files: the next complete medium mends it."""
    enrol(choice.state, ceremony.files["1.root.json"])
    load_trust(choice, ceremony.files, NOW)
    ceremony.rotate([key(4)], 1)
    with pytest.raises(TrustError, match="roles 1 by root 2"):
        load_trust(choice, ceremony.files, NOW)
    with pytest.raises(TrustError, match="roles 1 by root 2"):
        load_trust(choice, {}, NOW)
    ceremony.sign_roles()
    assert load_trust(choice, ceremony.files, NOW).roles.version == 2


def test_a_leftover_of_a_crash_is_not_a_root(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    (choice.state / "trust/.2.root.json.0a0b0c0d.tmp").write_bytes(b"half a ro")
    assert load_trust(choice, ceremony.files, NOW).root.version == 1


def test_a_damaged_state_is_refused(choice: TrustChoice, ceremony: Ceremony) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    path = choice.state / "trust/1.root.json"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FormatError):
        load_trust(choice, ceremony.files, NOW)


# -- without a state -----------------------------------------------------------


def test_a_stateless_run_says_what_it_does_not_check(
    tmp_path: Path, ceremony: Ceremony
) -> None:
    path = tmp_path / "root.json"
    path.write_bytes(ceremony.files["1.root.json"])
    ceremony.rotate([key(4)], 1)
    ceremony.sign_roles()
    choice = TrustChoice(path, tmp_path / "state")
    trust = load_trust(choice, ceremony.files, NOW)
    assert (trust.root.version, trust.roles.version) == (2, 2)
    assert (trust.stateless, trust.warnings) == (True, (NOT_CHECKED,))
    record_applied(choice, RELEASE, NOW)
    assert recall(choice, trust, RELEASE, NOW).mark is None
    assert not choice.state.exists()


def test_a_stateless_run_trusts_the_root_it_was_given_alone(
    tmp_path: Path, ceremony: Ceremony
) -> None:
    path = tmp_path / "root.json"
    path.write_bytes(Ceremony(root_keys=[key(7), key(8)]).root())
    with pytest.raises(TrustError, match=r"rule 22\.3\.3"):
        load_trust(TrustChoice(path, tmp_path / "state"), ceremony.files, NOW)


def test_a_root_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file"):
        load_trust(TrustChoice(tmp_path / "no", tmp_path / "state"), {}, NOW)


# -- dates ---------------------------------------------------------------------


def test_expired_files_warn_or_refuse(choice: TrustChoice, ceremony: Ceremony) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    trust = load_trust(choice, ceremony.files, ceremony.expires)
    assert len(trust.warnings) == 2
    strict = replace(choice, strict=True)
    with pytest.raises(TrustError, match=r"root 1 expired.*rule 24\.2\.2"):
        load_trust(strict, ceremony.files, ceremony.expires)
    assert load_trust(strict, ceremony.files, NOW).warnings == ()


def test_a_clock_that_was_set_back_does_not_renew_a_root(
    choice: TrustChoice, ceremony: Ceremony
) -> None:
    enrol(choice.state, ceremony.files["1.root.json"])
    late = ceremony.expires + 1
    record_applied(choice, replace(RELEASE, created=late), late)
    assert trusted_time(choice.state) == late
    assert len(load_trust(choice, ceremony.files, 0).warnings) == 2


# -- marks ---------------------------------------------------------------------


@pytest.fixture
def trusting(choice: TrustChoice, ceremony: Ceremony) -> TrustChoice:
    enrol(choice.state, ceremony.files["1.root.json"])
    load_trust(choice, ceremony.files, NOW)
    return choice


def decide(choice: TrustChoice, facts: ReleaseFacts, clock: float = NOW) -> Any:  # noqa: ANN401
    trust = load_trust(choice, {}, clock)
    return judge(facts, recall(choice, trust, facts, clock))


def test_publication_and_nothing_else_moves_the_mark(trusting: TrustChoice) -> None:
    assert decide(trusting, RELEASE).replay is False
    assert read_mark(trusting.state, STREAM) is None
    record_applied(trusting, RELEASE, NOW)
    assert decide(trusting, RELEASE).replay is True
    mark = read_mark(trusting.state, STREAM)
    assert mark is not None
    assert (mark.seq, mark.release) == (1, str(RELEASE.digest))


def test_recording_twice_changes_nothing(trusting: TrustChoice) -> None:
    record_applied(trusting, release(3), NOW)
    before = snapshot(trusting.state)
    record_applied(trusting, release(3), NOW + 10)
    assert snapshot(trusting.state) == before


def test_a_mark_never_goes_back(trusting: TrustChoice) -> None:
    """Two runs at once: the slower one published the older release."""
    record_applied(trusting, release(5), NOW)
    record_applied(trusting, release(4), NOW)
    mark = read_mark(trusting.state, STREAM)
    assert mark is not None
    assert mark.seq == 5


def test_two_releases_of_one_number_at_once(trusting: TrustChoice) -> None:
    record_applied(trusting, release(5), NOW)
    other = replace(release(5), digest=digest_of(b"another release 5"))
    with pytest.raises(TrustError, match=r"ALARM.*rule 23\.2\.2"):
        record_applied(trusting, other, NOW)
    mark = read_mark(trusting.state, STREAM)
    assert mark is not None
    assert mark.release == str(release(5).digest)


def test_the_highest_mark_counts_whatever_a_crash_left(trusting: TrustChoice) -> None:
    record_applied(trusting, release(5), NOW)
    directory = trusting.state / "streams" / STREAM
    record_applied(trusting, release(6), NOW)
    assert names_in(directory) == ["0000000000000005.json", "0000000000000006.json"]
    (directory / ".0000000000000007.json.0a0b0c0d.tmp").write_bytes(b"{")
    mark = read_mark(trusting.state, STREAM)
    assert mark is not None
    assert mark.seq == 6


def test_streams_have_marks_of_their_own(trusting: TrustChoice) -> None:
    record_applied(trusting, release(5), NOW)
    other = release(1, stream="cd" * 16)
    (warning,) = decide(trusting, other).warnings
    assert "is a new stream" in warning
    record_applied(trusting, other, NOW)
    assert [mark.seq for mark in read_marks(trusting.state)] == [5, 1]
    assert decide(trusting, replace(other, seq=2, prev=str(other.digest))) is not None


def test_a_release_dated_ahead_does_not_move_the_time(trusting: TrustChoice) -> None:
    record_applied(trusting, release(1), NOW)
    ahead = release(2, created=NOW + MAX_CLOCK_AHEAD, prev=str(RELEASE.digest))
    assert decide(trusting, ahead).warnings == ()
    record_applied(trusting, ahead, NOW)
    assert trusted_time(trusting.state) == RELEASE.created


@pytest.mark.parametrize(
    "stream", ["", "..", "../../../etc", "AB" * 16, "ab" * 15, "ab" * 16 + "\n"]
)
def test_a_stream_id_is_never_a_path(trusting: TrustChoice, stream: str) -> None:
    before = snapshot(trusting.state.parent)
    with pytest.raises(TrustError, match=r"rule 23\.1\.[12]"):
        record_applied(trusting, release(1, stream=stream), NOW)
    assert snapshot(trusting.state.parent) == before


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{}", b'{"seq": "5"}', b"x" * 70_000], ids=range(5)
)
def test_a_damaged_mark_is_refused_and_not_forgotten(
    trusting: TrustChoice, data: bytes
) -> None:
    record_applied(trusting, release(5), NOW)
    path = trusting.state / "streams" / STREAM / "0000000000000005.json"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"rule 23\.1\.[12]"):
        decide(trusting, release(4))


def test_the_state_is_for_its_owner_alone(trusting: TrustChoice) -> None:
    record_applied(trusting, RELEASE, NOW)
    for path in trusting.state.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
