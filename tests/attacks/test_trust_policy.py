"""Releases that are rightly signed, and still not what this receiver wants."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import BundleError, IntegrityError, TargetError, TrustError
from bundle.state import audit
from bundle.state.decisions import alarm_of, end_alarm, waive
from bundle.state.receiver import read_marks
from bundle.trust.policy import WAIVABLE, Waiver
from bundle.trust.terms import Policy, StreamTerms
from tests.attacks.forgery import STREAM_ID, Forgery, digest_text, frame, volume, whole
from tests.attacks.trusting import refused
from tests.bundles import STREAM, Site, write_tree
from tests.trust.ceremony import key

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.state.receiver import TrustChoice

OLD, NEW = {"file": b"old and vulnerable" * 20}, {"file": b"new" * 100}


def forged(**release: Any) -> Forgery:  # noqa: ANN401 - members of a release
    """A bundle that says of itself what a stolen key likes it to say."""
    one = b"1" * 200
    return Forgery([whole({"file": one})], [volume(frame(one))], release=release)


def marks(site: Site) -> list[tuple[str, int]]:
    return [(mark.name, mark.seq) for mark in read_marks(site.receiver)]


# -- numbers -------------------------------------------------------------------


def test_roll_back(tmp_path: Path) -> None:
    site = Site(tmp_path)
    old, new = site.packed(OLD), site.packed(NEW)
    trust = site.enrolled()
    site.unpack(new, trust=trust)
    refused(site, old, trust, "roll-back: release 1 of models-prod, release 2 was")
    assert (site.target / "file").read_bytes() == NEW["file"]


@pytest.mark.parametrize("seq", [1002, 1 << 40, (1 << 53) - 1])
def test_fast_forward(tmp_path: Path, seq: int) -> None:
    """A stolen key cannot use up the numbers: those that follow are taken still."""
    site = Site(tmp_path)
    trust = site.enrolled()
    site.unpack(forged().write(site), trust=trust)
    ahead = forged(seq=seq, prev=digest_text(b"")).write(site, "ahead")
    refused(site, ahead, trust, "over 1000 ahead of release 1")
    assert marks(site) == [(STREAM, 1)]
    second = forged(seq=2, prev=digest_text(b"")).write(site, "second")
    site.unpack(second, trust=trust)


def test_fast_forward_by_less_than_the_terms_allow(tmp_path: Path) -> None:
    site = Site(tmp_path)
    trust = site.enrolled(policy=Policy(jump=5))
    site.unpack(forged().write(site), trust=trust)
    ahead = forged(seq=7, prev=digest_text(b"")).write(site, "ahead")
    refused(site, ahead, trust, "over 5 ahead of release 1")


def test_a_medium_that_was_held_back(tmp_path: Path) -> None:
    """Someone takes the second of three media away; strict terms notice."""
    site = Site(tmp_path)
    first, _, third = (site.packed({"file": b"%d" % number}) for number in range(3))
    trust = site.enrolled(policy=Policy(gaps="refuse"))
    site.unpack(first, trust=trust)
    refused(site, third, trust, "a medium between them was not read")
    report = site.unpack(third, trust=site.enrolled())
    assert any("was not read" in one for one in report.warnings)


def test_freeze(tmp_path: Path) -> None:
    """Old media for ever: dates pass, and who asks for it is told or protected."""
    site = Site(tmp_path)
    bundle = site.packed(expires_days=30)
    site.unpack(bundle, trust=site.enrolled())
    site.now += 31 * 24 * 3600
    report = site.unpack(bundle, trust=site.enrolled())
    assert any("the release expired on" in one for one in report.warnings)
    terms = site.enrolled(policy=Policy(expired="refuse"))
    refused(site, bundle, terms, "the release expired on")


def test_freeze_of_roots_and_roles(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    site.now += 2 * 365 * 24 * 3600
    warnings = site.unpack(bundle, trust=site.enrolled()).warnings
    assert [one.split()[0] for one in warnings if "expired" in one] == ["root", "roles"]
    terms = site.enrolled(policy=Policy(expired="refuse"))
    refused(site, bundle, terms, "root 1 expired on")


# -- mixtures ------------------------------------------------------------------


MIXTURES = ["release.json", "bundle.json", "recipes.bdr", "shards.bds", "vol-00001.bdv"]


@pytest.mark.parametrize("name", MIXTURES)
def test_mix_and_match(tmp_path: Path, name: str) -> None:
    """One file of an older bundle in a newer one: each is rightly signed."""
    site = Site(tmp_path)
    old, new = site.packed(OLD), site.packed(NEW)
    shutil.copy(old / name, new / name)
    for verb in (site.verify, site.unpack):
        with pytest.raises(BundleError) as caught:
            verb(new, trust=site.enrolled())
        assert isinstance(caught.value, IntegrityError), caught.value
    assert not (site.target / "file").exists()
    assert marks(site) == []


def test_mix_and_match_of_both_envelopes(tmp_path: Path) -> None:
    """Then it is the older release, with volumes of the newer."""
    site = Site(tmp_path)
    old, new = site.packed(OLD), site.packed(NEW)
    for name in ("release.json", "bundle.json"):
        shutil.copy(old / name, new / name)
    with pytest.raises(IntegrityError):
        site.unpack(new, trust=site.enrolled())
    assert marks(site) == []


# -- places --------------------------------------------------------------------


def test_replay_at_another_site(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed(audience=("hall-7",))
    refused(site, bundle, site.enrolled(site="hall-8"), "the release is for hall-7")
    refused(site, bundle, site.enrolled(), "this receiver has no site name")
    named = site.enrolled(policy=Policy(site="hall-8"))
    refused(site, bundle, named, "this is hall-8")
    site.unpack(bundle, trust=site.enrolled(policy=Policy(site="hall-7")))


def test_a_release_for_everyone_where_that_is_not_wanted(tmp_path: Path) -> None:
    site = Site(tmp_path)
    terms = site.enrolled(policy=Policy(site="hall-7", audience="required"))
    refused(site, site.packed(), terms, "the release names no site")


# -- a second line of releases -------------------------------------------------


def _listed(site: Site, bundle: Path, **changes: Any) -> TrustChoice:  # noqa: ANN401 - fields of StreamTerms
    """Terms that list the stream of this bundle and no other."""
    stream = site.verify(bundle).release
    assert stream
    opened = json.loads((bundle / "release.json").read_bytes())
    assert opened["signatures"]
    (mark,) = [one for one in read_marks(site.receiver) if one.name == STREAM]
    listed = StreamTerms(id=mark.stream, **changes)
    return site.enrolled(policy=Policy(stream=(listed,)))


def test_second_stream_over_the_same_names(tmp_path: Path) -> None:
    """A stolen packer key, the same artifact, another id: its marks start afresh."""
    site = Site(tmp_path)
    good = site.packed(NEW)
    site.unpack(good, trust=site.enrolled())
    evil = forged().write(site, "evil")
    report = site.verify(evil, trust=site.enrolled())
    assert any("that name" in one for one in report.warnings)
    refused(site, evil, _listed(site, good), f"stream {STREAM_ID} .* is not listed")
    site.unpack(good, trust=_listed(site, good))


CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "another name": ({"names": ("manuals/*",)}, "may not publish tree tree here"),
    "another kind": ({"kinds": ("hf-model",)}, "may not publish tree tree here"),
    "another stream's name": ({"name": "models-dev"}, "is not listed here"),
    "another key": ({"keys": ("ab" * 8,)}, "is not taken from the keys that signed"),
}


@pytest.mark.parametrize(("changes", "reason"), CLAIMS.values(), ids=CLAIMS)
def test_a_stream_that_publishes_what_is_not_its_own(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    site.unpack(bundle, trust=site.enrolled())
    refused(site, bundle, _listed(site, bundle, **changes), reason)


def test_a_stream_that_publishes_what_it_is_listed_with(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    site.unpack(bundle, trust=site.enrolled())
    keyid = key(10).public.keyid
    own = {"kinds": ("tree",), "names": ("tr*",), "keys": (keyid[:16],), "name": STREAM}
    site.unpack(bundle, trust=_listed(site, bundle, **own))


def test_two_packers_with_one_seq(tmp_path: Path) -> None:
    """An alarm, and the stream stands still until somebody says otherwise."""
    site = Site(tmp_path)
    trust = site.enrolled()
    site.unpack(site.packed(OLD), trust=trust)
    shutil.copytree(site.sender, tmp_path / "stolen")
    site.unpack(site.packed(NEW), trust=trust)
    evil = site.packed(
        {"file": b"evil"}, state=tmp_path / "stolen", out=tmp_path / "elsewhere"
    )
    refused(site, evil, trust, "ALARM, equivocation: two releases 2")
    third = site.packed({"file": b"third" * 100})
    refused(site, third, trust, "the stream models-prod stands still since")
    (mark,) = read_marks(site.receiver)
    alarm = alarm_of(site.receiver, mark.stream)
    assert alarm is not None
    assert (alarm.seq, alarm.marked) == (2, mark.release)
    end_alarm(site.receiver, mark.stream, "A. Operator", "key replaced", site.now)
    site.unpack(third, trust=trust)
    refused(site, evil, trust, "roll-back")
    events = [
        json.loads(line)["event"]
        for line in (site.receiver / audit.NAME).read_text().splitlines()
    ]
    assert events.count("alarm") == events.count("alarm-ended") == 1
    audit.verify(site.receiver)


def test_an_alarm_that_was_damaged_still_stops_the_stream(tmp_path: Path) -> None:
    site = Site(tmp_path)
    trust = site.enrolled()
    site.unpack(site.packed(OLD), trust=trust)
    (mark,) = read_marks(site.receiver)
    (site.receiver / "alarms").mkdir()
    (site.receiver / "alarms" / f"{mark.stream}.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match=r"rule 23\.3\.1"):
        site.unpack(site.packed(NEW), trust=trust)


# -- waivers -------------------------------------------------------------------


def _waived(site: Site, bundle: Path, *rules: str) -> None:
    release = site.verify(bundle).release
    waiver = Waiver(release, rules, "A. Operator", "known", int(site.now))
    waive(site.receiver, waiver, "0" * 32)


EVERYTHING = (*WAIVABLE, "20.3.3", "22.4.3", "23.2.1", "23.2.2", "25.1.1", "25.2.1")


def test_a_waiver_lets_nothing_through_but_what_is_held(tmp_path: Path) -> None:
    """One that was made by hand, over every rule there is."""
    site = Site(tmp_path)
    old, new = site.packed(OLD), site.packed(NEW)
    trust = site.enrolled()
    site.unpack(new, trust=trust)
    for bundle in (old, new):
        _waived(site, bundle, *EVERYTHING)
    refused(site, old, trust, "roll-back")
    away = replace(trust, policy=Policy(stream=(StreamTerms(id="0" * 32),)))
    refused(site, new, away, "is not listed here")
    stranger = site.packed(audience=("mars",), stream="other")
    _waived_unread(site, stranger)
    refused(site, stranger, trust, "the release is for mars")


def _waived_unread(site: Site, bundle: Path) -> None:
    release = site.verify(bundle, replace(site.stateless, site="mars")).release
    waiver = Waiver(release, EVERYTHING, "A. Operator", "known", int(site.now))
    waive(site.receiver, waiver, "0" * 32)


def test_a_waiver_is_for_one_release(tmp_path: Path) -> None:
    site = Site(tmp_path)
    write_tree(site.path / "tree", {"model.pt": b"x" * 300})
    first, second = (site.packed({"model.pt": b"%d" % one * 300}) for one in (1, 2))
    terms = site.enrolled(policy=Policy(pickles="refuse"))
    refused(site, first, terms, "may be pickles")
    _waived(site, first, "25.2.7")
    report = site.unpack(first, trust=terms)
    assert any("let through by A. Operator: known" in one for one in report.warnings)
    refused(site, second, terms, "may be pickles")


@pytest.mark.parametrize(
    "name", ["model.bin", "a/b/x.PT", "x.ckpt", "x.pkl", "x.pth", "x.joblib"]
)
def test_pickled_weights(tmp_path: Path, name: str) -> None:
    site = Site(tmp_path)
    bundle = site.packed({name: b"x" * 300, "model.safetensors": b"y" * 300})
    terms = site.enrolled(policy=Policy(pickles="refuse"))
    refused(site, bundle, terms, f"tree: may be pickles.*{name}")
    warn = site.enrolled(policy=Policy(pickles="warn"))
    assert any(name in one for one in site.verify(bundle, trust=warn).warnings)
    assert site.verify(bundle, trust=site.enrolled()).warnings == ()


def test_a_refusal_that_cannot_be_logged_is_a_refusal(tmp_path: Path) -> None:
    site = Site(tmp_path)
    trust = site.enrolled()
    site.unpack(site.packed(OLD), trust=trust)
    (site.receiver / audit.NAME).unlink()
    (site.receiver / audit.NAME).mkdir()
    bundle = site.packed(NEW, audience=("mars",))
    with pytest.raises(TrustError, match="the release is for mars") as caught:
        site.unpack(bundle, trust=trust)
    assert any("audit.jsonl" in note for note in caught.value.__notes__)
    good = site.packed(NEW)
    with pytest.raises(TargetError, match=r"audit\.jsonl"):
        site.unpack(good, trust=trust)
    assert (site.target / "file").read_bytes() == OLD["file"]
