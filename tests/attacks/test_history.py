"""Old bundles, second bundles of one number, bundles for others, bundles by others."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from bundle.errors import BundleError, TrustError
from bundle.state.receiver import NOT_CHECKED, read_marks
from bundle.trust.envelope import RELEASE_TYPE, parse, sign, sign_detached
from tests.attacks.forgery import STREAM_ID, Forgery, digest_text, frame, volume, whole
from tests.bundles import STREAM, Site, snapshot, trust_files, write_tree
from tests.trust.ceremony import founded, key

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.state.receiver import TrustChoice

HOUR = 3600
DAY = 24 * HOUR
OLD, NEW = {"file": b"old and vulnerable"}, {"file": b"new"}


def _refused(site: Site, bundle: Path, trust: TrustChoice, reason: str) -> None:
    """Neither verb takes it, for a reason of one line, and nothing changes.

    But roles that the trusted root vouches for are kept: they are true whatever
    becomes of the bundle (30.4.1). An alarm is kept too (23.3.1).
    """
    before = _all_but_roles(site)
    for verb in (site.verify, site.unpack):
        with pytest.raises(TrustError, match=rf"{reason}.*\(rule [0-9.]+\)$") as caught:
            verb(bundle, trust=trust)
        assert caught.value.exit_code == 12
        assert str(caught.value).isprintable()
    assert _all_but_roles(site) == before


def _all_but_roles(site: Site) -> dict[str, tuple[object, ...]]:
    return {
        name: entry
        for name, entry in snapshot(site.path).items()
        if not name.startswith(("receiver/trust/", "receiver/alarms"))
    }


# -- roll-back ------------------------------------------------------------------------


def test_a_release_that_was_replaced_does_not_come_back(tmp_path: Path) -> None:
    site = Site(tmp_path)
    old, new = site.packed(OLD), site.packed(NEW)
    trust = site.enrolled()
    site.unpack(new, trust=trust)
    _refused(site, old, trust, "roll-back: release 1 of models-prod, release 2 was")
    assert (site.target / "file").read_bytes() == b"new"


def test_a_release_that_is_older_than_the_mark_and_was_never_here_is_refused_too(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    trust = site.enrolled()
    bundles = [site.packed({"file": b"%d" % number}) for number in range(4)]
    site.unpack(bundles[0], trust=trust)
    report = site.unpack(bundles[3], trust=trust)
    assert any("between them was not read" in one for one in report.warnings)
    for bundle in bundles[:3]:
        _refused(site, bundle, trust, "roll-back")


def test_without_a_memory_nobody_sees_a_roll_back_and_every_run_says_so(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    old, new = site.packed(OLD), site.packed(NEW)
    assert NOT_CHECKED in site.unpack(new).warnings
    assert NOT_CHECKED in site.unpack(old).warnings
    assert NOT_CHECKED in site.verify(old).warnings
    assert not site.receiver.exists()


def test_the_same_release_again_changes_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle, trust = site.packed(), site.enrolled()
    first = site.unpack(bundle, trust=trust)
    before = snapshot(site.path)
    again = site.unpack(bundle, trust=trust)
    assert first.placed[0].written_files == 3
    assert (again.placed[0].written_files, again.placed[0].written_bytes) == (0, 0)
    assert snapshot(site.path) == before
    assert [mark.seq for mark in read_marks(site.receiver)] == [1]


def test_what_is_refused_leaves_the_mark_where_it_was(tmp_path: Path) -> None:
    site = Site(tmp_path)
    trust = site.enrolled()
    site.unpack(site.packed(OLD), trust=trust)
    new = site.packed({"file": b"new" * 100})
    volume_file = new / "vol-00001.bdv"
    volume_file.write_bytes(volume_file.read_bytes()[:-1] + b"x")
    before = snapshot(site.path)
    with pytest.raises(BundleError, match="rule"):
        site.unpack(new, trust=trust)
    assert snapshot(site.path) == before
    assert [mark.seq for mark in read_marks(site.receiver)] == [1]


def test_a_number_far_ahead_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path)
    trust = site.enrolled()
    recipes, volumes = [whole({"file": b"1" * 200})], [volume(frame(b"1" * 200))]
    site.unpack(Forgery(recipes, volumes).write(site), trust=trust)
    ahead = {"seq": 1002, "prev": digest_text(b"")}
    bundle = Forgery(recipes, volumes, release=ahead).write(site, "ahead")
    _refused(site, bundle, trust, "over 1000 ahead")


# -- two releases of one number ------------------------------------------------


def test_two_releases_of_one_number_are_an_alarm(tmp_path: Path) -> None:
    site = Site(tmp_path)
    trust = site.enrolled()
    site.unpack(site.packed(OLD), trust=trust)
    shutil.copytree(site.sender, tmp_path / "stolen")
    second = site.packed(NEW)
    site.unpack(second, trust=trust)
    other = site.packed(
        {"file": b"evil"}, state=tmp_path / "stolen", out=tmp_path / "elsewhere"
    )
    assert other.name == second.name
    _refused(site, other, trust, "ALARM, equivocation: two releases 2")
    assert (site.target / "file").read_bytes() == b"new"


def test_a_new_stream_of_a_known_name_is_announced(tmp_path: Path) -> None:
    """Its numbers start afresh, so the marks of the other do not protect it."""
    site = Site(tmp_path)
    trust = site.enrolled()
    site.unpack(site.packed(NEW), trust=trust)
    forged = Forgery([whole({"file": b"1" * 200})], [volume(frame(b"1" * 200))])
    report = site.unpack(forged.write(site), trust=trust)
    assert any(
        f"{STREAM} is a new stream {STREAM_ID} here" in one for one in report.warnings
    )


# -- for others ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "audience"),
    [(None, ("berlin",)), ("bonn", ("berlin",)), ("bonn", ("bonn-2", "berlin"))],
    ids=["a receiver without a name", "another site", "a site with a longer name"],
)
def test_a_bundle_for_another_site_is_refused(
    tmp_path: Path, here: str | None, audience: tuple[str, ...]
) -> None:
    site = Site(tmp_path)
    bundle = site.packed(audience=audience)
    _refused(site, bundle, site.enrolled(site=here), "the release is for")


@pytest.mark.parametrize("audience", [(), ("bonn",), ("berlin", "bonn")])
def test_a_bundle_for_this_site_is_taken(
    tmp_path: Path, audience: tuple[str, ...]
) -> None:
    site = Site(tmp_path)
    bundle = site.packed(audience=audience)
    assert site.unpack(bundle, trust=site.enrolled(site="bonn")).left == ()


# -- by others -----------------------------------------------------------------


def test_another_organisation_is_a_stranger(tmp_path: Path) -> None:
    site = Site(tmp_path)
    other = Site(tmp_path / "other", keys=trust_files((11,), root=2), key=11)
    bundle = other.packed()
    _refused(site, bundle, site.enrolled(), "roles 1 by root 1")
    _refused(site, bundle, site.stateless, "roles 1 by root 1")


def test_a_packer_that_only_a_second_roles_file_of_one_number_names_is_refused(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    trust = site.enrolled()
    site.unpack(site.packed(), trust=trust)
    other = Site(tmp_path / "other", keys=trust_files((11,)), key=11)
    _refused(site, other.packed(), trust, "0 of 1 needed")


def test_a_packer_that_was_replaced_signs_no_more(tmp_path: Path) -> None:
    organisation = founded(
        root_keys=[key(1)], root_threshold=1, roles={"packer": ([key(10)], 1)}
    )
    site = Site(tmp_path, keys=dict(organisation.files))
    trust = site.enrolled()
    site.unpack(site.packed(), trust=trust)
    organisation.roles = {"packer": ([key(11)], 1)}
    organisation.sign_roles()
    new = Site(tmp_path / "new", keys=organisation.files, key=11)
    site.unpack(new.packed(), trust=trust)
    _refused(site, site.packed(NEW), trust, "0 of 1 needed")


def test_a_medium_without_the_newer_roles_is_asked_for_them(tmp_path: Path) -> None:
    site = Site(tmp_path)
    forged = Forgery([whole({})], release={"trustVersion.roles": 2})
    _refused(site, forged.write(site), site.enrolled(), "made under roles 2")


ENVELOPES = {"the release": "release.json", "the manifest": "bundle.json"}


@pytest.mark.parametrize("name", ENVELOPES.values(), ids=ENVELOPES)
def test_another_key_signs_the_same(tmp_path: Path, name: str) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    good = parse((bundle / name).read_bytes(), limit=1 << 20)
    (bundle / name).write_bytes(sign(good.payload, good.payload_type, [key(99)]))
    _refused(site, bundle, site.enrolled(), "0 of 1 needed; it names 1 signatures")


def test_a_manifest_does_not_pass_for_a_release(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    shutil.copy(bundle / "bundle.json", bundle / "release.json")
    _refused(site, bundle, site.enrolled(), "the payload is")


def test_nobody_is_trusted_before_somebody_is_enrolled(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    choice = type(site.stateless)(None, site.receiver)
    _refused(site, bundle, choice, "no trust root is enrolled here")
    with pytest.raises(TrustError) as caught:
        site.verify(bundle, choice)
    assert "bundle trust enrol" in caught.value.advice


# -- approvals -----------------------------------------------------------------


@pytest.fixture
def approved(tmp_path: Path) -> tuple[Site, Path, bytes]:
    """A site whose releases one of two approvers has to sign, and a bundle."""
    organisation = founded(
        root_keys=[key(1)],
        root_threshold=1,
        roles={"packer": ([key(10)], 1), "approver": ([key(20), key(21)], 1)},
    )
    site = Site(tmp_path, keys=organisation.files)
    bundle = site.packed()
    (bundle / "sig").mkdir()
    payload = parse((bundle / "release.json").read_bytes(), limit=1 << 20).payload
    return site, bundle, payload


def _approve(bundle: Path, payload: bytes, number: int) -> Path:
    path = bundle / "sig" / f"{key(number).public.keyid}.json"
    path.write_bytes(sign_detached(payload, RELEASE_TYPE, key(number)))
    return path


def test_a_release_needs_an_approver_where_there_is_one(
    approved: tuple[Site, Path, bytes],
) -> None:
    site, bundle, payload = approved
    _refused(site, bundle, site.enrolled(), "the release is not approved")
    _approve(bundle, payload, 99)
    _refused(site, bundle, site.enrolled(), "the release is not approved")
    _approve(bundle, payload, 21)
    assert site.unpack(bundle, trust=site.enrolled()).left == ()


def test_an_approval_of_another_release_is_none(
    approved: tuple[Site, Path, bytes],
) -> None:
    site, bundle, payload = approved
    _approve(bundle, payload + b" ", 20)
    _refused(site, bundle, site.enrolled(), "the release is not approved")


SPOILT: dict[str, bytes | None] = {
    "nothing": b"",
    "garbage": b"\0" * 100,
    "another's signature": sign_detached(b"x", RELEASE_TYPE, key(99)),
    "far too much": b" " * 5000,
    "a directory": None,
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_approval_does_not_take_a_good_one_away(
    approved: tuple[Site, Path, bytes], spoilt: bytes | None
) -> None:
    """Whoever has the medium in hand can add files; ``verify`` says that they did."""
    site, bundle, payload = approved
    _approve(bundle, payload, 21)
    path = bundle / "sig" / f"{key(20).public.keyid}.json"
    if spoilt is None:
        path.mkdir()
    else:
        path.write_bytes(spoilt)
    for number in range(40):
        (bundle / "sig" / f"{number:064x}.json").write_bytes(b"{}")
    site.unpack(bundle, trust=site.enrolled())
    with pytest.raises(BundleError, match=r"\(rule"):
        site.verify(bundle, trust=site.enrolled())


# -- time ----------------------------------------------------------------------


def test_a_release_from_the_future_is_held_and_moves_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle, trust = site.packed(), site.enrolled()
    made, site.now = site.now, site.now - 48 * HOUR - 60
    _refused(site, bundle, trust, "held: the release is dated")
    site.now = made - 48 * HOUR + 60
    site.unpack(bundle, trust=trust)
    assert [mark.trusted_time for mark in read_marks(site.receiver)] == [0]


def test_a_clock_that_was_set_back_does_not_bring_an_expired_release_to_life(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    short = site.packed(OLD, expires_days=1, stream="short")
    site.now += 3 * DAY
    site.unpack(site.packed(NEW), trust=site.enrolled())
    site.now -= 3 * DAY
    report = site.verify(short, site.enrolled())
    assert any("the release expired on" in one for one in report.warnings)
    _refused(site, short, site.enrolled(strict=True), "the release expired on")


def test_dates_only_warn_unless_asked_to_be_strict(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed(expires_days=1)
    assert site.unpack(bundle, trust=site.enrolled(strict=True)).warnings == ()
    site.now += 2 * DAY
    write_tree(site.target, {"empty": b"x"})
    assert any("expired" in one for one in site.unpack(bundle).warnings)
    _refused(site, bundle, site.enrolled(strict=True), "the release expired on")
