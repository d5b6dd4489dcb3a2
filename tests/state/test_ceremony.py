"""Drafts that several people sign, and what it takes to put one into force."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bundle.errors import BundleError, ExistsError, MissingError, TrustError, UsageError
from bundle.state import ceremony, keydir
from bundle.state.files import names_in
from bundle.trust.chain import follow_roots, newest_roles
from bundle.trust.drafts import ROOT, added, asking, removed
from bundle.trust.keys import PublicKey
from bundle.trust.roles import Role, read_root
from tests.trust.ceremony import NOW, YEAR, key, resign

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.trust.roles import Roles, Root

EXPIRES = NOW + YEAR


def public(number: int) -> PublicKey:
    return key(number).public


def role(name: str, threshold: int, *numbers: int) -> Role:
    return Role(name, tuple(public(number) for number in numbers), threshold)


def begun(directory: Path) -> Path:
    """Two of three root keys, one packer: drawn up, not signed."""
    directory.mkdir()
    packers = {"packer": role("packer", 1, 10)}
    ceremony.found(directory, "mars", role(ROOT, 2, 1, 2, 3), packers, EXPIRES)
    return directory


def founded(directory: Path) -> Path:
    begun(directory)
    for number in (1, 2):
        ceremony.sign(directory, key(number))
    assert ceremony.publish(directory) == ("1.root.json", "1.roles.json")
    return directory


def in_force(directory: Path) -> tuple[Root, Roles]:
    """What a receiver that enrolled the first root makes of these files."""
    files = {name: (directory / name).read_bytes() for name in names_in(directory)}
    root = read_root(files["1.root.json"])
    for newer in follow_roots(root, files):
        root = newer
    return root, newest_roles(root, files)


def add(directory: Path, name: str, number: int) -> None:
    ceremony.change_roles(
        directory, name, lambda old: added(old, name, public(number)), EXPIRES
    )


def change_root(directory: Path, number: int, *, out: int | None = None) -> None:
    """Put one root key in, and another out."""

    def change(old: Role | None) -> Role | None:
        assert old is not None
        new = added(old, old.name, public(number))
        return new if out is None else removed(new, old.name, public(out))

    ceremony.change_root(directory, change, EXPIRES)


# -- the first root ------------------------------------------------------------


def test_several_people_make_the_first_root(tmp_path: Path) -> None:
    directory = begun(tmp_path / "keys")
    assert names_in(directory) == ["1.roles.json.draft", "1.root.json.draft"]
    with pytest.raises(TrustError, match=r"0 of 2 needed.*rule 22\.6\.4"):
        ceremony.publish(directory)
    ceremony.sign(directory, key(3))
    with pytest.raises(TrustError, match="1 of 2 needed"):
        ceremony.publish(directory)
    ceremony.sign(directory, key(1))
    ceremony.publish(directory)
    assert names_in(directory) == ["1.roles.json", "1.root.json"]
    root, roles = in_force(directory)
    assert (root.version, root.name, root.expires) == (1, "mars", EXPIRES)
    assert roles.role("packer").keys == (public(10),)


def test_one_person_who_signs_twice_counts_once(tmp_path: Path) -> None:
    directory = begun(tmp_path / "keys")
    for _ in range(3):
        ceremony.sign(directory, key(1))
    with pytest.raises(TrustError, match="1 of 2 needed"):
        ceremony.publish(directory)


def test_a_stranger_has_no_part_in_it(tmp_path: Path) -> None:
    directory = begun(tmp_path / "keys")
    before = {name: (directory / name).read_bytes() for name in names_in(directory)}
    with pytest.raises(TrustError, match=r"has no part.*rule 22\.6\.3"):
        ceremony.sign(directory, key(99))
    for name, data in before.items():
        assert (directory / name).read_bytes() == data


def test_a_second_first_root_is_refused(tmp_path: Path) -> None:
    for directory in (begun(tmp_path / "one"), founded(tmp_path / "two")):
        with pytest.raises(ExistsError, match="are there already"):
            ceremony.found(directory, None, role(ROOT, 1, 5), {}, EXPIRES)


def test_what_init_made_goes_on_as_a_ceremony(tmp_path: Path) -> None:
    keydir.init(tmp_path, None, NOW)
    add(tmp_path, "site:hall-7", 30)
    assert ceremony.look(tmp_path).next_roles is not None
    with pytest.raises(TrustError, match="has no part"):
        ceremony.sign(tmp_path, key(1))


# -- roles ---------------------------------------------------------------------


def test_a_change_of_roles_takes_the_threshold_of_the_root(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    add(directory, "site:hall-7", 30)
    ceremony.sign(directory, key(2))
    with pytest.raises(TrustError, match="1 of 2"):
        ceremony.publish(directory)
    assert in_force(directory)[1].version == 1
    ceremony.sign(directory, key(3))
    assert ceremony.publish(directory) == ("2.roles.json",)
    _, roles = in_force(directory)
    assert roles.role("site:hall-7").keys == (public(30),)
    assert (directory / "1.roles.json").exists()


def test_changes_of_one_draft_add_up_and_drop_its_signatures(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    add(directory, "approver", 20)
    ceremony.sign(directory, key(1))
    add(directory, "approver", 21)
    now = ceremony.look(directory)
    assert now.next_roles is not None
    assert now.next_roles.said.by_name["approver"].keys == (public(20), public(21))
    assert [one.verification.signed for one in now.next_roles.needs] == [()]
    assert now.next_roles.said.version == 2


def test_the_last_key_takes_its_role_along(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    now = ceremony.change_roles(
        directory, "packer", lambda old: removed(old, "packer", public(10)), EXPIRES
    )
    assert now.next_roles is not None
    assert not now.next_roles.said.by_name


def test_a_packer_cannot_be_made_approver(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    with pytest.raises(TrustError, match=r"is packer and approver.*rule 22\.3\.6"):
        add(directory, "approver", 10)
    assert names_in(directory) == ["1.roles.json", "1.root.json"]


REFUSED = {
    "a key that is there": lambda old: added(old, "packer", public(10)),
    "a key that is not there": lambda old: removed(old, "packer", public(11)),
    "a threshold of zero": lambda old: asking(old, "packer", 0),
    "a threshold over the keys": lambda old: asking(old, "packer", 2),
    "a threshold for nobody": lambda _: asking(None, "packer", 1),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_what_a_role_cannot_be(tmp_path: Path, change: ceremony.Change) -> None:
    directory = founded(tmp_path / "keys")
    with pytest.raises(UsageError):
        ceremony.change_roles(directory, "packer", change, EXPIRES)
    assert names_in(directory) == ["1.roles.json", "1.root.json"]


def test_a_key_goes_only_while_the_others_meet_the_threshold() -> None:
    both = role("packer", 2, 10, 11)
    with pytest.raises(UsageError, match="would never meet"):
        removed(both, "packer", public(10))
    assert removed(role("packer", 1, 10, 11), "packer", public(10)) == role(
        "packer", 1, 11
    )


def test_a_role_of_sixteen_keys_is_full() -> None:
    full = role("relay", 1, *range(100, 116))
    with pytest.raises(UsageError, match="16 keys"):
        added(full, "relay", public(200))


SMALL = [
    (0).to_bytes(32, "little"),
    (1).to_bytes(32, "little"),
    ((1 << 255) - 20).to_bytes(32, "little"),
    ((1 << 255) - 19).to_bytes(32, "little"),
    ((1 << 255) - 18).to_bytes(32, "little"),
    ((1 << 255) | 1).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
]


@pytest.mark.parametrize("raw", SMALL, ids=bytes.hex)
def test_a_key_of_small_order_gets_no_role(raw: bytes) -> None:
    with pytest.raises(TrustError, match=r"rule 21\.1\.[23]"):
        added(None, "packer", PublicKey(raw))


# -- the next root -------------------------------------------------------------


def test_a_next_root_takes_the_thresholds_of_both(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    change_root(directory, 4, out=1)
    for number in (4, 2):
        ceremony.sign(directory, key(number))
    now = ceremony.look(directory)
    assert now.next_root is not None
    old, new = now.next_root.needs
    assert (old.verification.missing, new.verification.missing) == (1, 0)
    with pytest.raises(TrustError, match="by root 1: signed by"):
        ceremony.publish(directory)
    ceremony.sign(directory, key(1))
    ceremony.publish(directory)
    root, roles = in_force(directory)
    assert (root.version, roles.role("packer").keys) == (2, (public(10),))


def test_roles_are_drawn_up_again_where_the_new_root_would_refuse_them(
    tmp_path: Path,
) -> None:
    directory = founded(tmp_path / "keys")
    change_root(directory, 4, out=1)
    now = ceremony.look(directory)
    assert [draft.name for draft in now.drafts] == ["2.root.json", "2.roles.json"]
    change_root(directory, 5)
    for number in (1, 2, 3):
        ceremony.sign(directory, key(number))
    assert ceremony.publish(directory) == ("2.root.json", "2.roles.json")
    assert in_force(directory)[1].version == 2


def test_roles_stay_where_the_new_root_takes_them(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    change_root(directory, 4)
    now = ceremony.look(directory)
    assert [draft.name for draft in now.drafts] == ["2.root.json"]


def test_a_root_key_that_is_lost_is_replaced_by_the_others(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    change_root(directory, 4, out=1)
    for number in (2, 3):
        ceremony.sign(directory, key(number))
    ceremony.publish(directory)
    assert in_force(directory)[0].version == 2


def test_two_root_keys_that_are_lost_are_not_replaced(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    change_root(directory, 4, out=1)
    for number in (3, 4):
        ceremony.sign(directory, key(number))
    with pytest.raises(TrustError, match="by root 1"):
        ceremony.publish(directory)
    assert in_force(directory)[0].version == 1


def test_renewal_moves_both_dates(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    ceremony.change_root(directory, None, EXPIRES + YEAR)
    for number in (1, 2):
        ceremony.sign(directory, key(number))
    ceremony.publish(directory)
    root, roles = in_force(directory)
    assert {root.expires, roles.expires} == {EXPIRES + YEAR}


def test_a_publication_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    """The root is there already, and the roles under it are not."""
    directory = founded(tmp_path / "keys")
    change_root(directory, 4, out=1)
    for number in (1, 2, 4):
        ceremony.sign(directory, key(number))
    draft = directory / "2.root.json.draft"
    (directory / "2.root.json").write_bytes(draft.read_bytes())
    assert ceremony.publish(directory) == ("2.roles.json",)
    assert in_force(directory)[0].version == 2
    assert not [name for name in names_in(directory) if name.endswith(".draft")]


# -- drafts that lie -----------------------------------------------------------


def _bend(directory: Path, name: str, **changes: object) -> None:
    path = directory / name
    document = json.loads(path.read_bytes())
    document["signed"].update(changes)
    path.write_bytes(resign(document, [key(1), key(2)]))


def test_a_draft_of_another_version_is_refused(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    add(directory, "relay", 40)
    _bend(directory, "2.roles.json.draft", version=7)
    with pytest.raises(TrustError, match=r"says it is version 7.*rule 22\.6\.2"):
        ceremony.publish(directory)


def test_a_draft_with_a_threshold_of_zero_is_refused(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    change_root(directory, 4)
    document = json.loads((directory / "2.root.json.draft").read_bytes())
    for one in document["signed"]["roles"].values():
        one["threshold"] = 0
    (directory / "2.root.json.draft").write_bytes(resign(document, [key(1), key(2)]))
    with pytest.raises(BundleError, match="threshold"):
        ceremony.publish(directory)
    assert in_force(directory)[0].version == 1


def test_a_draft_with_one_key_under_two_ids_is_refused(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    change_root(directory, 4)
    document = json.loads((directory / "2.root.json.draft").read_bytes())
    keys = document["signed"]["keys"]
    keys["ab" * 32] = keys[public(1).keyid]
    (directory / "2.root.json.draft").write_bytes(resign(document, [key(1), key(2)]))
    with pytest.raises(TrustError, match=r"are one key.*rule 22\.1\.5"):
        ceremony.publish(directory)


def test_where_there_is_no_draft(tmp_path: Path) -> None:
    directory = founded(tmp_path / "keys")
    with pytest.raises(MissingError, match="there is no draft to sign"):
        ceremony.sign(directory, key(1))
    with pytest.raises(MissingError, match="there is no draft to publish"):
        ceremony.publish(directory)


def test_nothing_is_changed_where_there_is_no_root(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no root"):
        add(tmp_path, "relay", 40)
    with pytest.raises(MissingError, match="there is no root"):
        change_root(tmp_path, 4)
