"""From an enrolled root to the roles in force, and to what they let pass."""

from __future__ import annotations

import pytest

from bundle.errors import FormatError, TrustError
from bundle.trust import chain, envelope
from bundle.trust.chain import Trust, expiry_warnings, follow_roots, newest_roles
from bundle.trust.roles import Root, read_root
from tests.trust.ceremony import NOW, Ceremony, founded, key


def anchor(ceremony: Ceremony, version: int = 1) -> Root:
    return read_root(ceremony.files[f"{version}.root.json"])


def trust(ceremony: Ceremony) -> Trust:
    root = anchor(ceremony)
    for newer in follow_roots(root, ceremony.files):
        root = newer
    return Trust(root, newest_roles(root, ceremony.files), (), stateless=True)


# -- roots ---------------------------------------------------------------------


def test_the_chain_is_walked_one_by_one() -> None:
    ceremony = founded()
    for first in (4, 5, 6, 7):
        ceremony.rotate([key(first), key(first + 1), key(first + 2)], 2)
    walked = [root.version for root in follow_roots(anchor(ceremony), ceremony.files)]
    assert walked == [2, 3, 4, 5]


def test_a_missing_root_ends_the_chain() -> None:
    ceremony = founded()
    for _ in range(3):
        ceremony.root()
    del ceremony.files["3.root.json"]
    walked = [root.version for root in follow_roots(anchor(ceremony), ceremony.files)]
    assert walked == [2]


def test_roots_up_to_the_forged_one_stand() -> None:
    """The forged root 3 is refused; root 2 was yielded before it was tried."""
    ceremony = founded()
    ceremony.rotate([key(4)], 1)
    ceremony.root_keys = [key(66)]
    ceremony.root()
    walked = follow_roots(anchor(ceremony), ceremony.files)
    assert next(walked).version == 2
    with pytest.raises(TrustError, match="root 3 by root 2: signed by none"):
        next(walked)


def test_a_root_in_the_place_of_another_is_refused() -> None:
    ceremony = founded()
    ceremony.files["2.root.json"] = ceremony.files["1.root.json"]
    with pytest.raises(TrustError, match="root 1 does not follow root 1"):
        list(follow_roots(anchor(ceremony), ceremony.files))


def test_roots_before_the_enrolled_one_are_never_looked_at() -> None:
    ceremony = founded()
    ceremony.root()
    second = anchor(ceremony, 2)
    ceremony.files["1.root.json"] = b"rubbish"
    assert list(follow_roots(second, ceremony.files)) == []


def test_an_endless_chain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "MAX_ROOTS", 3)
    ceremony = founded(root_keys=[key(1)], root_threshold=1)
    for _ in range(3):
        ceremony.root()
    assert len(list(follow_roots(anchor(ceremony), ceremony.files))) == 3
    ceremony.root()
    with pytest.raises(TrustError, match=r"over 3 roots.*rule 22\.2\.4"):
        list(follow_roots(anchor(ceremony), ceremony.files))


def test_an_intermediate_root_may_be_expired() -> None:
    ceremony = founded(expires=NOW - 1)
    ceremony.root()
    ceremony.expires = NOW + 1
    ceremony.root()
    ceremony.sign_roles()
    held = trust(ceremony)
    assert held.root.version == 3
    assert expiry_warnings(held.root, held.roles, NOW) == ()


# -- roles ---------------------------------------------------------------------


def test_the_newest_roles_count() -> None:
    ceremony = founded()
    for number in (11, 12, 13):
        ceremony.roles["packer"] = ([key(number)], 1)
        ceremony.sign_roles()
    roles = newest_roles(anchor(ceremony), ceremony.files)
    assert roles.version == 4
    assert roles.role("packer").keys == (key(13).public,)


def test_versions_are_numbers_and_not_text() -> None:
    ceremony = founded(roles_version=8)
    ceremony.sign_roles()
    assert newest_roles(anchor(ceremony), ceremony.files).version == 10


def test_roll_back_of_the_roles() -> None:
    """A medium that hides the newest roles file would bring a packer back."""
    ceremony = founded()
    with pytest.raises(
        TrustError, match=r"roles 1 are older than roles 2.*rule 22\.3\.5"
    ):
        newest_roles(anchor(ceremony), ceremony.files, kept=2)
    assert newest_roles(anchor(ceremony), ceremony.files, kept=1).version == 1


def test_newer_roles_that_do_not_verify_are_not_passed_over() -> None:
    ceremony = founded()
    ceremony.sign_roles([key(66)])
    with pytest.raises(TrustError, match="roles 2 by root 1"):
        newest_roles(anchor(ceremony), ceremony.files)


def test_roles_under_another_number_are_refused() -> None:
    ceremony = founded()
    ceremony.files["7.roles.json"] = ceremony.files["1.roles.json"]
    with pytest.raises(TrustError, match=r"7\.roles\.json says it is version 1"):
        newest_roles(anchor(ceremony), ceremony.files)


def test_no_roles_at_all() -> None:
    with pytest.raises(TrustError, match="no roles file comes with root 1"):
        newest_roles(anchor(founded()), {})


def test_roles_signed_by_root_keys_that_left() -> None:
    ceremony = founded()
    ceremony.rotate([key(4), key(5)], 2)
    with pytest.raises(TrustError, match="roles 1 by root 2: signed by none"):
        trust(ceremony)
    ceremony.sign_roles()
    assert trust(ceremony).roles.version == 2


NOT_NAMES = [
    "0.roles.json",
    "01.roles.json",
    "-1.roles.json",
    "+1.roles.json",
    "1.roles.json\n",
    "1.roles.json.bak",
    "x1.roles.json",
    "1.ROLES.json",
    "\N{ARABIC-INDIC DIGIT ONE}.roles.json",
    "1" * 17 + ".roles.json",
    "../1.roles.json",
    "roles.json",
]


@pytest.mark.parametrize("name", NOT_NAMES)
def test_files_with_other_names_are_not_looked_at(name: str) -> None:
    ceremony = founded()
    assert chain.file_versions([name], "roles") == []
    ceremony.files[name] = b"rubbish"
    assert newest_roles(anchor(ceremony), ceremony.files).version == 1


def test_dates_of_root_and_roles_are_told() -> None:
    held = trust(founded(expires=NOW))
    assert expiry_warnings(held.root, held.roles, NOW - 1) == ()
    assert expiry_warnings(held.root, held.roles, NOW) == (
        "root 1 expired on 2027-01-15T08:00:00Z",
        "roles 1 expired on 2027-01-15T08:00:00Z",
    )


# -- releases and manifests ----------------------------------------------------

FULL = {
    "packer": ([key(10), key(11)], 1),
    "relay": ([key(12)], 1),
    "site:moon": ([key(15)], 1),
}
APPROVED = {**FULL, "approver": ([key(13), key(14)], 2)}


def release(*numbers: int) -> bytes:
    signers = [key(number) for number in numbers]
    return envelope.sign(b"release", envelope.RELEASE_TYPE, signers)


def manifest(*numbers: int) -> bytes:
    signers = [key(number) for number in numbers]
    return envelope.sign(b"manifest", envelope.MANIFEST_TYPE, signers)


def approval(number: int, payload: bytes = b"release") -> bytes:
    return envelope.sign_detached(payload, envelope.RELEASE_TYPE, key(number))


def test_a_packer_signs_releases_and_manifests() -> None:
    held = trust(founded(roles=FULL))
    assert held.verify_release(release(11)).payload == b"release"
    assert held.verify_manifest(manifest(10)).payload == b"manifest"


def test_a_relay_signs_manifests_and_no_releases() -> None:
    held = trust(founded(roles=FULL))
    assert held.verify_manifest(manifest(12)).payload == b"manifest"
    with pytest.raises(TrustError, match=r"rule 20\.3\.3"):
        held.verify_release(release(12))


@pytest.mark.parametrize("number", [1, 15, 66], ids=["root", "site", "stranger"])
def test_nobody_else_signs_either(number: int) -> None:
    held = trust(founded(roles=FULL))
    with pytest.raises(TrustError, match=r"rule 20\.3\.3"):
        held.verify_release(release(number))
    with pytest.raises(TrustError, match=r"rule 20\.3\.3"):
        held.verify_manifest(manifest(number))


def test_half_a_packer_and_half_a_relay_make_no_signature() -> None:
    roles = {"packer": ([key(10), key(11)], 2), "relay": ([key(12), key(13)], 2)}
    held = trust(founded(roles=roles))
    with pytest.raises(TrustError):
        held.verify_manifest(manifest(10, 12))
    assert held.verify_manifest(manifest(12, 13)).payload == b"manifest"


def test_a_manifest_in_the_place_of_a_release() -> None:
    held = trust(founded(roles=FULL))
    with pytest.raises(TrustError, match=r"rule 20\.3\.5"):
        held.verify_release(manifest(10))
    with pytest.raises(TrustError, match=r"rule 20\.3\.5"):
        held.verify_manifest(release(10))


def test_a_packer_that_was_revoked() -> None:
    ceremony = founded(roles=FULL)
    trust(ceremony).verify_release(release(10))
    ceremony.roles = {"packer": ([key(11)], 1)}
    ceremony.sign_roles()
    with pytest.raises(TrustError, match=r"rule 20\.3\.3"):
        trust(ceremony).verify_release(release(10))


def test_one_laptop_cannot_ship_alone() -> None:
    held = trust(founded(roles=APPROVED))
    with pytest.raises(
        TrustError, match=r"not approved: signed by none.*rule 22\.4\.3"
    ):
        held.verify_release(release(10, 11))
    with pytest.raises(TrustError, match=r"1 of 2 needed.*rule 22\.4\.3"):
        held.verify_release(release(10), [approval(13)])
    held.verify_release(release(10), [approval(13), approval(14)])


def test_approvals_are_of_approvers_and_of_this_release() -> None:
    held = trust(founded(roles=APPROVED))
    for second in (approval(13), approval(10), approval(14, b"another release")):
        with pytest.raises(TrustError, match=r"1 of 2 needed.*rule 22\.4\.3"):
            held.verify_release(release(10), [approval(13), second])


def test_an_approval_does_not_pack() -> None:
    held = trust(founded(roles=APPROVED))
    with pytest.raises(TrustError, match=r"rule 20\.3\.3"):
        held.verify_release(release(13, 14), [approval(13), approval(14)])


def test_a_broken_approval_is_refused() -> None:
    held = trust(founded(roles=APPROVED))
    with pytest.raises(FormatError, match=r"rule 20\.4\.1"):
        held.verify_release(release(10), [b"rubbish"])


def test_approvals_are_not_asked_for_where_no_role_approves() -> None:
    held = trust(founded(roles=FULL))
    assert held.verify_release(release(10), [b"rubbish"]).payload == b"release"
