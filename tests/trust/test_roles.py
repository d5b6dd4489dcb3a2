"""Roots and roles files: who vouches for whom, and what no file may say."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import BundleError, FormatError, TrustError
from bundle.limits import MAX_TRUST_FILE
from bundle.trust import metadata
from bundle.trust.roles import (
    fingerprint_matches,
    fingerprint_text,
    read_next_root,
    read_roles,
    read_root,
)
from tests.trust.ceremony import NOW, YEAR, Ceremony, founded, key, resign

if TYPE_CHECKING:
    from collections.abc import Callable

    from bundle.trust.keys import PrivateKey


ROOT_KEYS = [key(1), key(2), key(3)]


def edited(
    data: bytes, edit: Callable[[dict[str, Any]], object], signers: list[PrivateKey]
) -> bytes:
    """Return ``data`` with ``edit`` done to what is signed, and truly signed again."""
    document = json.loads(data)
    edit(document["signed"])
    return resign(document, signers)


# -- roots ---------------------------------------------------------------------


def test_a_root_is_read() -> None:
    root = read_root(founded().files["1.root.json"])
    assert (root.version, root.expires, root.name) == (1, NOW + YEAR, None)


def test_a_root_needs_its_own_threshold() -> None:
    ceremony = Ceremony()
    data = ceremony.root([key(1)])
    with pytest.raises(TrustError, match=r"1 of 2 needed.*rule 22\.2\.2"):
        read_root(data)
    assert read_root(metadata.add_signatures(data, [key(2)])).version == 1


def test_every_flipped_bit_of_a_root_is_refused_or_changes_nothing() -> None:
    """A signature more than needed may break; what the root says may not."""
    ceremony = Ceremony(root_keys=[key(1)], root_threshold=1)
    data = ceremony.root()
    fingerprint = read_root(data).fingerprint
    survivors = 0
    for position in range(len(data)):
        mutant = bytearray(data)
        mutant[position] ^= 1
        try:
            survivors += read_root(bytes(mutant)).fingerprint == fingerprint
        except BundleError:
            continue
    assert survivors == 0


def rename_key(signed: dict[str, Any]) -> None:
    """Put the first root key under a second id, and let both ids count."""
    (first, *_) = signed["roles"]["root"]["keyids"]
    signed["keys"]["ab" * 32] = signed["keys"][first]
    for role in signed["roles"].values():
        role["keyids"].append("ab" * 32)


def set_key(text: str) -> Callable[[dict[str, Any]], object]:
    def edit(signed: dict[str, Any]) -> None:
        signed["keys"]["ab" * 32] = {
            "keytype": "ed25519",
            "scheme": "ed25519",
            "keyval": {"public": text},
        }

    return edit


def in_role(**members: object) -> Callable[[dict[str, Any]], object]:
    return lambda signed: signed["roles"]["root"].update(members)


BAD_ROOTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "one key under two ids": (rename_key, r"are one key \(rule 22\.1\.5\)"),
    "a key of small order, in no role": (set_key("01" + "00" * 31), "small order"),
    "a key that is no point": (set_key("02" + "00" * 31), r"rule 21\.1\.2"),
    "a key in capitals": (set_key("AB" * 32), r"rule 21\.1\.1"),
    "a key id twice in a role": (
        lambda signed: signed["roles"]["root"]["keyids"].append(key(1).public.keyid),
        r"lists a key twice",
    ),
    "a key id without a key": (
        lambda signed: signed["roles"]["root"]["keyids"].append("cd" * 32),
        "no key has the id",
    ),
    "a threshold of zero": (in_role(threshold=0), "threshold"),
    "a negative threshold": (in_role(threshold=-1), "threshold"),
    "a threshold over the signatures there may be": (
        in_role(threshold=17),
        "threshold",
    ),
    "a threshold over the keys": (in_role(threshold=4), r"never meet 4"),
    "a threshold as text": (in_role(threshold="2"), "threshold"),
    "a threshold as truth": (in_role(threshold=True), "threshold"),
    "version zero": (lambda signed: signed.update(version=0), "version"),
    "a version too large": (lambda signed: signed.update(version=2**53), "integer"),
    "a role is missing": (lambda signed: signed["roles"].pop("targets"), "22.1.7"),
    "a role too many": (
        lambda signed: signed["roles"].update(packer=signed["roles"]["root"]),
        "22.1.7",
    ),
    "another type": (lambda signed: signed.update(_type="targets"), "22.2.1"),
    "another major version of TUF": (
        lambda signed: signed.update(spec_version="2.0.0"),
        "22.1.7",
    ),
    "a date without a zone": (
        lambda signed: signed.update(expires="2030-01-01T00:00:00"),
        "date",
    ),
    "a name that is a path": (
        lambda signed: signed.update({"x-bundle-name": "../../etc"}),
        "22.2.6",
    ),
    "a name with an escape": (
        lambda signed: signed.update({"x-bundle-name": "\x1b[2J"}),
        "22.2.6",
    ),
}


@pytest.mark.parametrize(("edit", "words"), BAD_ROOTS.values(), ids=BAD_ROOTS)
def test_a_bad_root_is_refused_however_well_signed(
    edit: Callable[[dict[str, Any]], object], words: str
) -> None:
    data = founded().files["1.root.json"]
    read_root(edited(data, lambda signed: signed, ROOT_KEYS))
    with pytest.raises((FormatError, TrustError), match=words):
        read_root(edited(data, edit, ROOT_KEYS))


OTHER_KEYS = {
    "RSA": ("rsa", "rsassa-pss-sha256"),
    "ECDSA": ("ecdsa", "ecdsa-sha2-nistp256"),
    "sigstore": ("sigstore-oidc", "Fulcio"),
    "Ed25519 over a hash": ("ed25519", "ed25519ph"),
    "no scheme that exists": ("none", "none"),
}


@pytest.mark.parametrize(("keytype", "scheme"), OTHER_KEYS.values(), ids=OTHER_KEYS)
def test_a_key_of_another_kind_is_refused(keytype: str, scheme: str) -> None:
    def edit(signed: dict[str, Any]) -> None:
        signed["keys"][key(1).public.keyid].update(keytype=keytype, scheme=scheme)

    with pytest.raises(FormatError, match=r"rule 22\.2\.1"):
        read_root(edited(founded().files["1.root.json"], edit, ROOT_KEYS))


def test_signatures_by_one_key_under_many_ids_count_once() -> None:
    """Two of three must sign; one signs twice under names of its choice."""
    document = json.loads(Ceremony().root([key(1)]))
    (only,) = document["signatures"]
    document["signatures"].append({**only, "keyid": key(2).public.keyid})
    with pytest.raises(TrustError, match="1 of 2"):
        read_root(json.dumps(document).encode())


def test_too_many_signatures_are_refused() -> None:
    document = json.loads(founded().files["1.root.json"])
    document["signatures"] += [
        {"keyid": f"{number:064x}", "sig": "00" * 64} for number in range(14)
    ]
    with pytest.raises(FormatError):
        read_root(json.dumps(document).encode())


def test_a_root_over_the_limit_is_refused() -> None:
    data = founded().files["1.root.json"]
    read_root(data + b" " * (MAX_TRUST_FILE - len(data)))
    with pytest.raises(FormatError):
        read_root(data + b" " * (MAX_TRUST_FILE - len(data) + 1))


def test_members_that_nobody_knows_are_signed_too() -> None:
    data = founded().files["1.root.json"]
    more = edited(data, lambda signed: signed.update(later={"a": [1]}), ROOT_KEYS)
    assert read_root(more).version == 1
    document = json.loads(more)
    document["signed"]["later"] = {"a": [2]}
    with pytest.raises(TrustError, match="0 of 2"):
        read_root(json.dumps(document).encode())


@pytest.mark.parametrize(
    "sig", ["", "zz", "00" * 63, "00" * 65, "00" * 10_000, "\ud83d\ude00"]
)
def test_a_malformed_signature_is_a_refusal_and_never_a_crash(sig: str) -> None:
    document = json.loads(founded().files["1.root.json"])
    for item in document["signatures"]:
        item["sig"] = sig
    with pytest.raises(TrustError):
        read_root(json.dumps(document).encode())


NOT_ROOTS = {
    "nothing": b"",
    "text": b"hello",
    "null": b"null",
    "a list": b"[]",
    "no signatures": b'{"signed": {}}',
    "deep": b"[" * 100_000,
    "a member twice": b'{"signed": {}, "signed": {}, "signatures": []}',
}


@pytest.mark.parametrize("data", NOT_ROOTS.values(), ids=NOT_ROOTS)
def test_not_a_root(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"rule 22\.2\.1"):
        read_root(data)


# -- fingerprints --------------------------------------------------------------


def test_a_fingerprint_can_be_read_aloud() -> None:
    root = read_root(founded().files["1.root.json"])
    text = fingerprint_text(root)
    assert [len(group) for group in text.split(" ")] == [4] * 16
    for spoken in (text, text.upper(), text.replace(" ", "-"), f"\n{text}\n"):
        assert fingerprint_matches(root, spoken)
    assert fingerprint_matches(root, str(root.fingerprint))


def test_a_fingerprint_is_compared_whole() -> None:
    root = read_root(founded().files["1.root.json"])
    text = fingerprint_text(root)
    wrong = ("0" if text[0] != "0" else "1") + text[1:]
    for spoken in (text[:-1], text[:9], text + "0", "", wrong):
        assert not fingerprint_matches(root, spoken)


def test_one_more_signature_leaves_the_fingerprint() -> None:
    data = Ceremony().root([key(1), key(2)])
    more = metadata.add_signatures(data, [key(3)])
    assert more != data
    assert read_root(more).fingerprint == read_root(data).fingerprint


# -- the next root -------------------------------------------------------------


def test_a_root_is_followed_by_one_that_both_sign() -> None:
    ceremony = founded()
    ceremony.rotate([key(4), key(5), key(6)], 2)
    first = read_root(ceremony.files["1.root.json"])
    assert read_next_root(first, ceremony.files["2.root.json"]).version == 2


HALF_SIGNED = {
    "the new keys alone": [4, 5, 6],
    "the old keys alone": [1, 2, 3],
    "one of the old": [1, 4, 5, 6],
    "one of the new": [1, 2, 3, 4],
    "one of each": [1, 4],
    "nobody": [],
}


@pytest.mark.parametrize("numbers", HALF_SIGNED.values(), ids=HALF_SIGNED)
def test_a_next_root_that_only_half_of_them_sign(numbers: list[int]) -> None:
    ceremony = founded()
    first = read_root(ceremony.files["1.root.json"])
    ceremony.root_keys = [key(4), key(5), key(6)]
    data = ceremony.root([key(number) for number in numbers])
    with pytest.raises(TrustError, match=r"rule 22\.2\.[23]"):
        read_next_root(first, data)


@pytest.mark.parametrize("version", [1, 3, 9])
def test_a_root_that_is_not_the_next(version: int) -> None:
    ceremony = founded()
    first = read_root(ceremony.files["1.root.json"])
    ceremony.root_version = version - 1
    with pytest.raises(TrustError, match=r"does not follow.*rule 22\.2\.3"):
        read_next_root(first, ceremony.root())


# -- roles ---------------------------------------------------------------------


def roles_of(ceremony: Ceremony) -> Any:  # noqa: ANN401 - Roles
    root = read_root(ceremony.files[f"{ceremony.root_version}.root.json"])
    return read_roles(root, ceremony.files[f"{ceremony.roles_version}.roles.json"])


def test_roles_are_read() -> None:
    members = {
        "packer": ([key(10), key(11)], 1),
        "relay": ([key(12)], 1),
        "approver": ([key(13), key(14)], 2),
        "site:mars-base.1": ([key(15)], 1),
    }
    roles = roles_of(founded(roles=members))
    assert set(roles.by_name) == set(members)
    assert roles.role("approver").threshold == 2
    assert roles.role("packer").keys == (key(10).public, key(11).public)
    with pytest.raises(TrustError, match=r"give no keys to 'site:moon'.*22\.3\.7"):
        roles.role("site:moon")


def test_roles_need_the_roots_threshold() -> None:
    ceremony = Ceremony()
    ceremony.root()
    ceremony.sign_roles([key(1)])
    with pytest.raises(TrustError, match=r"1 of 2 needed.*rule 22\.3\.3"):
        roles_of(ceremony)


def test_packers_cannot_make_packers() -> None:
    ceremony = Ceremony()
    ceremony.root()
    ceremony.sign_roles([key(10), key(11)])
    with pytest.raises(TrustError, match="signed by none"):
        roles_of(ceremony)


def test_a_root_is_no_roles_file_and_the_reverse() -> None:
    ceremony = founded()
    root = read_root(ceremony.files["1.root.json"])
    with pytest.raises(FormatError, match=r"rule 22\.3\.1"):
        read_roles(root, ceremony.files["1.root.json"])
    with pytest.raises(FormatError, match=r"rule 22\.2\.1"):
        read_root(ceremony.files["1.roles.json"])


def first_role(signed: dict[str, Any]) -> dict[str, Any]:
    role: dict[str, Any] = signed["delegations"]["roles"][0]
    return role


def same_key_twice(signed: dict[str, Any]) -> None:
    keys = signed["delegations"]["keys"]
    keys["ab" * 32] = copy.deepcopy(keys[key(10).public.keyid])
    first_role(signed)["keyids"].append("ab" * 32)
    first_role(signed)["threshold"] = 2


def skeleton_key(signed: dict[str, Any]) -> None:
    keys = signed["delegations"]["keys"]
    keys[key(10).public.keyid]["keyval"]["public"] = "01" + "00" * 31


BAD_ROLES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "one key under two ids": (same_key_twice, r"are one key \(rule 22\.1\.5\)"),
    "a skeleton key": (skeleton_key, "small order"),
    "no delegations": (lambda signed: signed.pop("delegations"), "22.3.1"),
    "a threshold of zero": (
        lambda signed: first_role(signed).update(threshold=0),
        "threshold",
    ),
    "a threshold over the keys": (
        lambda signed: first_role(signed).update(threshold=2),
        "never meet 2",
    ),
    "a role twice": (
        lambda signed: signed["delegations"]["roles"].append(first_role(signed)),
        "is there twice",
    ),
    "a role that is a path": (
        lambda signed: first_role(signed).update(name="site:../../x"),
        "22.3.2",
    ),
    "a role in capitals": (
        lambda signed: first_role(signed).update(name="Packer"),
        "22.3.2",
    ),
    "hash bins": (
        lambda signed: signed["delegations"].update(
            succinct_roles={
                "keyids": [key(10).public.keyid],
                "threshold": 1,
                "bit_length": 8,
                "name_prefix": "packer",
            }
        ),
        "22.1.7",
    ),
    "version zero": (lambda signed: signed.update(version=0), "version"),
}


@pytest.mark.parametrize(("edit", "words"), BAD_ROLES.values(), ids=BAD_ROLES)
def test_bad_roles_are_refused_however_well_signed(
    edit: Callable[[dict[str, Any]], object], words: str
) -> None:
    ceremony = founded()
    root = read_root(ceremony.files["1.root.json"])
    data = ceremony.files["1.roles.json"]
    read_roles(root, edited(data, lambda signed: signed, ROOT_KEYS))
    with pytest.raises((FormatError, TrustError), match=words):
        read_roles(root, edited(data, edit, ROOT_KEYS))


def test_nobody_packs_and_approves_with_one_key() -> None:
    members = {"packer": ([key(10)], 1), "approver": ([key(11), key(10)], 1)}
    with pytest.raises(TrustError, match=r"is packer and approver.*rule 22\.3\.6"):
        roles_of(founded(roles=members))


def test_a_foreign_exception_becomes_a_refusal() -> None:
    words = r"ZeroDivisionError.*rule 22\.1\.7"
    with pytest.raises(TrustError, match=words), metadata.refusing():
        raise ZeroDivisionError


def test_a_refusal_of_our_own_keeps_its_words() -> None:
    words = r"bad key \(rule 21\.1\.1\)"
    with pytest.raises(FormatError, match=words), metadata.refusing():
        raise FormatError("bad key", rule="21.1.1")
