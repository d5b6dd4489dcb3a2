"""Stolen, lost and weak keys; chains with pieces left out, put in, or gone back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bundle.errors import BundleError, FormatError, TrustError
from bundle.state.receiver import TrustChoice, enrol, read_marks
from bundle.trust.envelope import parse, sign
from tests.attacks.trusting import (
    carry,
    kept,
    key_directory,
    organisation,
    refused,
)
from tests.bundles import FILES, Site
from tests.trust.ceremony import Ceremony, key, resign

if TYPE_CHECKING:
    from pathlib import Path

NEW = {"file": b"new" * 200}


@pytest.fixture
def people() -> Ceremony:
    return organisation()


@pytest.fixture
def site(tmp_path: Path, people: Ceremony) -> Site:
    return Site(tmp_path, keys=dict(people.files))


def replaced(people: Ceremony) -> dict[str, bytes]:
    """Packer 11 in place of 10."""
    people.roles["packer"] = ([key(11)], 1)
    people.sign_roles()
    return dict(people.files)


# -- a stolen packer key -------------------------------------------------------


def test_stolen_packer_key_then_rotation(site: Site, people: Ceremony) -> None:
    """Once roles 2 were seen, the thief's key is worth nothing, whatever he carries."""
    trust = site.enrolled()
    site.unpack(site.packed(), trust=trust)
    good = key_directory(site.path / "new", replaced(people), 11)
    by_thief = site.packed(NEW, out=site.path / "thief")
    site.unpack(site.packed(NEW, key=good), trust=trust)
    refused(site, by_thief, trust, "0 of 1 needed")
    carry(by_thief, people.files)
    refused(site, by_thief, trust, "0 of 1 needed")
    assert kept(site) == ["1.roles.json", "1.root.json", "2.roles.json"]


def test_the_news_of_the_theft_comes_with_any_medium(
    site: Site, people: Ceremony
) -> None:
    """Also with one that is refused for something else."""
    trust = site.enrolled()
    good = key_directory(site.path / "new", replaced(people), 11)
    elsewhere = site.packed(key=good, audience=("mars",), out=site.path / "mars")
    with pytest.raises(TrustError, match="the release is for mars"):
        site.unpack(elsewhere, trust=trust)
    refused(site, site.packed(out=site.path / "thief"), trust, "0 of 1 needed")


def test_a_thief_of_one_root_key_of_two_makes_no_roles(
    site: Site, people: Ceremony
) -> None:
    trust = site.enrolled()
    people.roles["packer"] = ([key(66)], 1)
    people.sign_roles([key(1)])
    bundle = carry(site.packed(), people.files)
    refused(site, bundle, trust, "roles 2 by root 1: signed by .* 1 of 2 needed")
    assert kept(site) == ["1.root.json"]


def test_a_release_that_claims_newer_roles_than_it_brings(
    site: Site, people: Ceremony
) -> None:
    """Roles 2 were left out of a medium, so that nobody hears of the theft."""
    before = dict(people.files)
    good = key_directory(site.path / "new", replaced(people), 11)
    bundle = carry(site.packed(key=good), before)
    refused(site, bundle, site.enrolled(), "0 of 1 needed")
    people.roles["packer"] = ([key(11), key(10)], 1)
    people.sign_roles()
    both = key_directory(site.path / "both", people.files, 10)
    bundle = carry(site.packed(key=both, out=site.path / "cut"), before)
    refused(site, bundle, site.enrolled(), "made under roles 3, the newest .* is 1")


# -- chains --------------------------------------------------------------------


def test_old_root_chain_with_the_newest_root_left_out(
    site: Site, people: Ceremony
) -> None:
    trust = site.enrolled()
    old = site.packed()
    people.rotate([key(4), key(5), key(6)], 2)
    files = replaced(people)
    good = key_directory(site.path / "new", files, 11)
    site.unpack(site.packed(NEW, key=good), trust=trust)
    refused(site, old, trust, "0 of 1 needed")
    first = {name: files[name] for name in ("1.root.json", "1.roles.json")}
    carry(old, first)
    refused(site, old, trust, "0 of 1 needed")
    assert "2.root.json" in kept(site)


def test_who_never_saw_the_newest_root_is_told_that_it_is_missing(
    site: Site, people: Ceremony
) -> None:
    before = dict(people.files)
    people.rotate([key(1), key(2), key(3), key(4)], 2)
    people.sign_roles()
    newer = key_directory(site.path / "new", people.files, 10)
    bundle = carry(site.packed(key=newer), before)
    refused(site, bundle, site.enrolled(), "made under root 2, the newest .* is 1")


def test_a_chain_with_a_root_missing_in_the_middle(
    site: Site, people: Ceremony
) -> None:
    people.rotate([key(4), key(5)], 2)
    people.rotate([key(6), key(7)], 2)
    people.sign_roles()
    files = {name: data for name, data in people.files.items() if name[0] != "2"}
    files["2.roles.json"] = people.files["2.roles.json"]
    refused(site, carry(site.packed(), files), site.enrolled(), "roles 2 by root 1")
    assert kept(site) == ["1.root.json"]


def test_a_root_that_was_refused_is_not_kept(site: Site, people: Ceremony) -> None:
    """The next good medium is read as if the bad one had never been."""
    trust = site.enrolled()
    people.root_keys = [key(66), key(67)]
    forged = people.root([key(66), key(67), key(1)])
    bad = carry(site.packed(), {**site.keys, "2.root.json": forged})
    refused(site, bad, trust, "root 2 by root 1: signed by .* 1 of 2 needed")
    assert kept(site) == ["1.root.json"]
    site.unpack(site.packed(NEW), trust=trust)


def test_steps_before_a_bad_root_are_kept(site: Site, people: Ceremony) -> None:
    people.rotate([key(4), key(5)], 2)
    people.root_keys, people.root_threshold = [key(66)], 1
    people.root([key(66)])
    with pytest.raises(TrustError, match="root 3"):
        site.unpack(carry(site.packed(), people.files), trust=site.enrolled())
    assert kept(site) == ["1.root.json", "2.root.json"]


def test_roles_that_go_back(site: Site, people: Ceremony) -> None:
    trust = site.enrolled()
    first = dict(people.files)
    people.roles["relay"] = ([key(40)], 1)
    people.sign_roles()
    site.unpack(carry(site.packed(), people.files), trust=trust)
    site.unpack(carry(site.packed(NEW), first), trust=trust)
    assert kept(site)[-1] == "2.roles.json"


# -- lost root keys ------------------------------------------------------------


def test_lost_root_key(site: Site, people: Ceremony) -> None:
    """Two of the three replace it; nobody has to be visited."""
    trust = site.enrolled()
    people.root_keys = [key(2), key(3), key(4)]
    people.root([key(2), key(3)])
    people.sign_roles([key(3), key(4)])
    bundle = carry(site.packed(), people.files)
    site.unpack(bundle, trust=trust)
    assert kept(site) == ["1.root.json", "2.roles.json", "2.root.json"]


def test_lost_root_keys_below_the_threshold(site: Site, people: Ceremony) -> None:
    """Then there is no way on but a new ceremony, and a new state."""
    trust = site.enrolled()
    people.root_keys = [key(3), key(4), key(5)]
    people.root([key(3), key(4), key(5)])
    bundle = carry(site.packed(), people.files)
    refused(site, bundle, trust, "root 2 by root 1: .* 1 of 2 needed")
    again = organisation(root_keys=[key(31), key(32), key(33)])
    with pytest.raises(TrustError, match="another root is enrolled"):
        enrol(site.receiver, again.files["1.root.json"])
    state = site.path / "fresh"
    enrol(state, again.files["1.root.json"])
    fresh = key_directory(site.path / "fresh-keys", again.files, 10)
    new = site.packed(key=fresh, out=site.path / "again")
    site.unpack(new, trust=TrustChoice(None, state))


# -- keys that count more than once, or for anybody ----------------------------


def test_key_counted_twice_in_a_release(tmp_path: Path) -> None:
    people = organisation(roles={"packer": ([key(10), key(11)], 2)})
    site = Site(tmp_path, keys=people.files)
    bundle = site.packed()
    path = bundle / "release.json"
    refused(site, bundle, site.enrolled(), "1 of 2 needed")
    document = json.loads(path.read_bytes())
    (one,) = document["signatures"]
    other = {"keyid": key(11).public.keyid, "sig": one["sig"]}
    document["signatures"] = sorted((one, other), key=lambda each: each["keyid"])
    path.write_bytes(json.dumps(document, separators=(",", ":")).encode())
    refused(site, bundle, site.enrolled(), "1 of 2 needed; it names 2 signatures")
    document["signatures"] = [one, one]
    path.write_bytes(json.dumps(document, separators=(",", ":")).encode())
    with pytest.raises(FormatError, match=r"rule 20\.1\.5"):
        site.unpack(bundle, trust=site.enrolled())


def test_key_counted_twice_in_a_root(site: Site, people: Ceremony) -> None:
    people.root()
    document = json.loads(people.files["2.root.json"])
    one = document["signed"]["keys"][key(1).public.keyid]
    document["signed"]["keys"]["ff" * 32] = one
    document["signed"]["roles"]["root"]["keyids"].append("ff" * 32)
    signed = json.loads(resign(document, [key(1)]))
    copy = {"keyid": "ff" * 32, "sig": signed["signatures"][0]["sig"]}
    signed["signatures"].append(copy)
    data = json.dumps(signed).encode()
    bundle = carry(site.packed(), {**site.keys, "2.root.json": data})
    refused(site, bundle, site.enrolled(), "are one key")


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_root_that_asks_for_no_signature(
    site: Site, people: Ceremony, threshold: int
) -> None:
    people.root()
    document = json.loads(people.files["2.root.json"])
    document["signed"]["roles"]["targets"]["threshold"] = threshold
    data = resign(document, [key(1), key(2)])
    bundle = carry(site.packed(), {**site.keys, "2.root.json": data})
    for verb in (site.verify, site.unpack):
        with pytest.raises(BundleError, match=r"threshold.*\(rule 22") as caught:
            verb(bundle, trust=site.enrolled())
        assert caught.value.exit_code in (10, 12)
    assert kept(site) == ["1.root.json"]


SKELETON = bytes([1]) + bytes(31)
"""The key for which a constant signature is good for every message."""


def test_a_skeleton_key_among_the_packers(site: Site, people: Ceremony) -> None:
    """The roots themselves put it there, and still nobody can sign with it."""
    people.sign_roles()
    document = json.loads(people.files["2.roles.json"])
    delegations = document["signed"]["delegations"]
    (role,) = delegations["roles"]
    delegations["keys"]["ee" * 32] = {
        "keytype": "ed25519",
        "scheme": "ed25519",
        "keyval": {"public": SKELETON.hex()},
    }
    role["keyids"].append("ee" * 32)
    data = resign(document, [key(1), key(2)])
    bundle = carry(site.packed(), {**site.keys, "2.roles.json": data})
    refused(site, bundle, site.enrolled(), "a point of small order")
    assert kept(site) == ["1.root.json"]


# -- by nobody, or as something else -------------------------------------------


def test_unsigned(site: Site) -> None:
    bundle = site.packed()
    for name in ("release.json", "bundle.json"):
        data = (bundle / name).read_bytes()
        document = json.loads(data)
        document["signatures"] = []
        (bundle / name).write_bytes(
            json.dumps(document, separators=(",", ":")).encode()
        )
        refused(site, bundle, site.enrolled(), "0 of 1 needed; it names 0 signatures")
        (bundle / name).write_bytes(data)
    site.unpack(bundle, trust=site.enrolled())


def test_unsigned_by_leaving_the_envelope_out(site: Site) -> None:
    """A payload without its envelope is not a release, and neither is nothing."""
    bundle = site.packed()
    path = bundle / "release.json"
    data = path.read_bytes()
    for content in (b"", b"{}", parse(data, limit=1 << 20).payload):
        path.write_bytes(content)
        with pytest.raises(FormatError):
            site.unpack(bundle, trust=site.enrolled())
    assert not site.target.exists()
    assert read_marks(site.receiver) == []


WRONG_TYPES = [
    "application/vnd.bundle.manifest.v1+json",
    "application/vnd.bundle.receipt.v1+json",
    "application/vnd.in-toto+json ",
    "",
]


@pytest.mark.parametrize("wrong", WRONG_TYPES)
def test_wrongly_typed_payload(site: Site, wrong: str) -> None:
    """The packer's own key signed it, as something that it is not."""
    bundle = site.packed(FILES)
    payload = parse((bundle / "release.json").read_bytes(), limit=1 << 20).payload
    (bundle / "release.json").write_bytes(sign(payload, wrong, [key(10)]))
    refused(site, bundle, site.enrolled(), "the payload is .*, not")
