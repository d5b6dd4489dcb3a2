"""Drafts: who may sign them, who still has to, and what a change makes of a role."""

from __future__ import annotations

import pytest

from bundle.errors import FormatError, TrustError, UsageError
from bundle.trust import drafts
from bundle.trust.drafts import ROOT, TARGETS, find_key
from bundle.trust.roles import Role, parse_roles, parse_root, read_root
from tests.trust.ceremony import NOW, key


def role(name: str, threshold: int, *numbers: int) -> Role:
    return Role(name, tuple(key(number).public for number in numbers), threshold)


def root() -> bytes:
    members = {ROOT: role(ROOT, 2, 1, 2, 3), TARGETS: role(TARGETS, 1, 4, 5)}
    return drafts.draw_up_root(1, NOW, "mars", members)


def test_a_draft_says_what_it_will_and_counts_for_nothing() -> None:
    said = parse_root(root())
    assert (said.version, said.expires, said.name) == (1, NOW, "mars")
    assert said.by_name[ROOT] == role(ROOT, 2, 1, 2, 3)
    assert said.by_name[TARGETS] == role(TARGETS, 1, 4, 5)
    with pytest.raises(TrustError, match="0 of 2 needed"):
        read_root(root())


def test_who_still_has_to_sign() -> None:
    data = root()
    own = parse_root(data).by_name[ROOT]
    for number in (2, 3):
        before = drafts.need(data, "root 1", own, data)
        assert key(number).public in before.waiting
        data = drafts.sign(data, key(number), [before])
    after = drafts.need(data, "root 1", own, data)
    assert after.waiting == (key(1).public,)
    assert after.verification.verified
    assert after.verification.signed == tuple(
        sorted(key(number).public.keyid for number in (2, 3))
    )
    assert read_root(data).version == 1


def test_roles_are_signed_by_the_other_role_of_the_root() -> None:
    data = drafts.draw_up_roles(3, NOW, {"packer": role("packer", 1, 10)})
    assert parse_roles(data).version == 3
    asked = drafts.need(root(), "x", role(TARGETS, 1, 4, 5), data)
    with pytest.raises(TrustError, match=r"has no part.*rule 22\.6\.3"):
        drafts.sign(data, key(1), [asked])
    assert not drafts.is_signed(root(), TARGETS, data)
    signed = drafts.sign(data, key(5), [asked])
    assert drafts.is_signed(root(), TARGETS, signed)
    assert not drafts.is_signed(root(), ROOT, signed)


def test_a_new_role_has_one_key_and_asks_for_it() -> None:
    assert drafts.added(None, "relay", key(7).public) == role("relay", 1, 7)
    with pytest.raises(FormatError, match=r"rule 22\.3\.2"):
        drafts.added(None, "Relay", key(7).public)
    with pytest.raises(FormatError, match=r"rule 22\.3\.2"):
        drafts.added(None, "site:", key(7).public)


def test_a_key_more_leaves_the_threshold() -> None:
    assert drafts.added(role("relay", 2, 7, 8), "relay", key(9).public) == role(
        "relay", 2, 7, 8, 9
    )


def test_a_role_has_fifteen_keys_and_one_more() -> None:
    fifteen = role("relay", 1, *range(100, 115))
    assert len(drafts.added(fifteen, "relay", key(200).public).keys) == 16


def test_the_last_key_leaves_nothing() -> None:
    assert drafts.removed(role("relay", 1, 7), "relay", key(7).public) is None
    with pytest.raises(UsageError, match="does not have the key"):
        drafts.removed(None, "relay", key(7).public)


@pytest.mark.parametrize("threshold", [1, 2])
def test_every_threshold_that_can_be_met(threshold: int) -> None:
    asked = drafts.asking(role("relay", 1, 7, 8), "relay", threshold)
    assert asked == role("relay", threshold, 7, 8)


def test_a_key_is_found_by_its_text_and_by_its_id() -> None:
    known = role("relay", 1, 7, 8)
    one = key(7).public
    for text in (one.raw.hex(), one.keyid, one.keyid[:8]):
        assert find_key(known, "relay", text) == one
    for text in ("", one.keyid[:7], "f" * 64, one.raw.hex()[:32]):
        with pytest.raises(UsageError, match="is not one key of the role relay"):
            find_key(known, "relay", text)
    with pytest.raises(UsageError):
        find_key(None, "relay", one.keyid)
