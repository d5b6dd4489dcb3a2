"""Roots and roles that whoever carries the medium would like to be in force (22)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import Attack, attack
from spec.vectors.generator.container import Absent, Content, Repeat
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.keys import FIELD, ORDER_8
from spec.vectors.generator.medium import Bundle, statement
from spec.vectors.generator.signing import (
    APPROVER,
    PACKER,
    RELAY,
    ROOT,
    SECOND_PACKER,
    SECOND_ROOT,
    STRANGER,
    key_object,
    keyid,
    keys_of,
    metadata,
    public,
    roles,
    root,
    seats,
)
from spec.vectors.generator.statements import replaced, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spec.vectors.generator.statements import JSON

KEPT: Final = "CVE-2020-15163 (python-tuf: a root that failed was kept)"
THRESHOLD: Final = "CVE-2026-23992 (go-tuf: thresholds of 0)"
TWICE: Final = (
    "CVE-2020-6174 (python-tuf: one key counted twice); GO-2022-1004 (go-tuf)"
)

EVIL: Final[Mapping[str, tuple[Any, int]]] = {"packer": ([STRANGER], 1)}


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    yield from _chains()
    yield from _second_roots()
    yield from _roles()
    yield from _weak_keys()


def _second(signed: JSON, *signers: int) -> dict[str, Content]:
    return {"trust/2.root.json": dumps(metadata(signed, *signers))}


def _chains() -> Iterator[Attack]:
    taken = root(2, (STRANGER,))
    cases: dict[str, tuple[str, dict[str, Content], str, str, str]] = {
        "by_a_stranger": (
            "22.2.3 22.2.2",
            _second(taken, STRANGER),
            "22.2.3",
            "It signs itself, and the one before does not.",
            KEPT,
        ),
        "by_the_old_key_alone": (
            "22.2.3 22.2.2",
            _second(taken, ROOT),
            "22.2.2",
            "One thief has the old key; the new keys never signed.",
            "",
        ),
        "by_the_new_key_alone": (
            "22.2.3",
            _second(root(2, (SECOND_ROOT,)), SECOND_ROOT),
            "",
            "The old root did not hand over.",
            KEPT,
        ),
        "of_version_3": (
            "22.2.3",
            _second(root(3), ROOT),
            "",
            "A jump over the root that withdrew a key.",
            "",
        ),
        "of_version_1": (
            "22.2.3",
            _second(root(1), ROOT),
            "",
            "The first again, under the name of the second.",
            "",
        ),
        "of_roles": (
            "22.2.1",
            _second(roles(version=2), ROOT),
            "",
            "The other kind of file, truly signed.",
            "",
        ),
        "of_nothing": (
            "22.1.2",
            {"trust/2.root.json": b""},
            "22.2.1",
            "An empty file.",
            "",
        ),
        "cut_off": (
            "22.1.2",
            {"trust/2.root.json": dumps(metadata(root(2), ROOT))[:-9]},
            "22.2.1",
            "A copy that was interrupted.",
            "",
        ),
        "over_512000_bytes": (
            "4.5 22.1.1 2.1.4",
            {
                "trust/2.root.json": (
                    dumps(metadata(root(2), ROOT)),
                    Repeat(b" ", 512_000),
                )
            },
            "",
            "Endless metadata.",
            "CVE-2024-45395 (sigstore-go)",
        ),
        "nested_a_thousand_deep": (
            "22.1.2 2.5.4",
            {"trust/2.root.json": b"[" * 1000 + b"]" * 1000},
            "22.2.1",
            "Each level costs a parser its stack.",
            "CVE-2026-26209 (cbor2)",
        ),
        "with_a_number_of_a_million_digits": (
            "22.1.2 2.5.3",
            {
                "trust/2.root.json": (
                    b'{"signatures":[],"signed":',
                    Repeat(b"9", 400_000),
                    b"}",
                )
            },
            "22.2.1",
            "Reading it takes time that grows with its square.",
            "CVE-2020-10735 (Python)",
        ),
    }
    for name, (rules, files, names, comment, known) in cases.items():
        code = 10 if rules.split()[0] in ("22.2.1", "22.1.2", "4.5") else 12
        yield attack(
            "trust",
            f"second_root_{name}",
            rules,
            files,
            comment,
            exit=code,
            names=names,
            known=known,
        )
    good = dumps(metadata(root(2), ROOT))
    third: dict[str, Content] = {
        "trust/2.root.json": good,
        "trust/3.root.json": dumps(metadata(root(3, (STRANGER,)), STRANGER)),
    }
    yield attack(
        "trust",
        "third_root_by_a_stranger",
        "22.2.4 22.2.3",
        third,
        "The second is good, and the third takes over.",
        exit=12,
        names="22.2.3",
        known=KEPT,
    )
    shared = root(2, (ROOT, SECOND_ROOT), threshold=2)
    yield attack(
        "trust",
        "second_root_by_one_of_its_two",
        "22.2.2",
        _second(shared, ROOT),
        "It asks for two signatures and has one.",
        exit=12,
        known=THRESHOLD,
    )
    other = {
        "trust/1.root.json": dumps(metadata(root(members=(STRANGER,)), STRANGER)),
        "trust/1.roles.json": dumps(metadata(roles(EVIL), STRANGER)),
    }
    whole = Bundle(packers=[STRANGER], carriers=[STRANGER]).changed(**other)
    yield attack(
        "trust",
        "whole_organisation_of_strangers",
        "22.3.3",
        whole,
        "Root, roles, release and bundle are consistent, and nobody enrolled them.",
        exit=12,
    )
    yield attack(
        "trust",
        "no_enrolled_root",
        "22.5.1",
        {},
        "Trust on first use: the root on the medium would vouch for itself.",
        exit=12,
        root=None,
    )
    rotated = _second(root(2, (SECOND_ROOT,)), ROOT, SECOND_ROOT)
    yield attack(
        "trust",
        "roles_by_a_retired_root",
        "22.3.3",
        rotated,
        "The key that signed these roles was withdrawn.",
        exit=12,
    )
    yield attack(
        "trust",
        "newest_root_left_out",
        "23.2.7",
        Bundle(release=statement(trustVersion={"root": 2, "roles": 1})),
        "The root that withdraws a key was taken off the medium.",
        exit=12,
    )
    yield attack(
        "trust",
        "newest_roles_left_out",
        "23.2.7",
        Bundle(release=statement(trustVersion={"root": 1, "roles": 2})),
        "The roles that withdraw a packer were taken off the medium.",
        exit=12,
    )


def _second_roots() -> Iterator[Attack]:
    """Roots that a root's owner could be talked into signing."""
    whole = root(2)
    twice = {**keys_of(ROOT), "0" * 64: key_object(public(ROOT))}
    cases: dict[str, tuple[str, int, str, JSON, str, str]] = {
        "threshold_of_0": (
            "22.1.3",
            10,
            "22.2.1",
            replaced(whole, "roles.targets.threshold", 0),
            "Everybody meets it.",
            THRESHOLD,
        ),
        "threshold_below_0": (
            "22.1.3",
            10,
            "22.2.1",
            replaced(whole, "roles.root.threshold", -1),
            "Everybody meets it.",
            THRESHOLD,
        ),
        "threshold_of_17": (
            "22.1.3",
            10,
            "22.2.1",
            replaced(whole, "roles.targets.threshold", 17),
            "Nobody meets it: no file has so many signatures.",
            "",
        ),
        "threshold_as_a_text": (
            "22.1.3",
            10,
            "22.2.1",
            replaced(whole, "roles.root.threshold", "1"),
            "Compared as a text it is met by anything.",
            "",
        ),
        "one_key_under_two_ids": (
            "22.1.5",
            12,
            "",
            replaced(
                root(2, keys=twice),
                "roles.root",
                {"keyids": [keyid(ROOT), "0" * 64], "threshold": 2},
            ),
            "One person signs for two.",
            TWICE,
        ),
        "a_role_with_one_key_twice": (
            "22.1.6",
            12,
            "",
            replaced(whole, "roles.root", seats([ROOT, ROOT], 2)),
            "One person signs for two.",
            TWICE,
        ),
        "a_role_of_a_key_that_is_not_there": (
            "22.1.6",
            10,
            "",
            replaced(whole, "roles.targets", seats([STRANGER])),
            "A key that is added later, by somebody.",
            "",
        ),
        "a_role_that_cannot_be_met": (
            "22.1.6",
            12,
            "",
            replaced(
                root(2, keys=keys_of(ROOT, 2)), "roles.targets", seats([ROOT, 2], 3)
            ),
            "Nobody can ever change it back.",
            "",
        ),
        "a_role_too_few": (
            "22.2.1",
            12,
            "22.1.7",
            without(whole, "roles.targets"),
            "Who signs the roles?",
            "",
        ),
        "a_role_too_many": (
            "22.2.1",
            12,
            "22.1.7",
            replaced(whole, "roles.packer", seats([ROOT])),
            "A role where no reader looks for one.",
            "",
        ),
        "version_2_to_the_53": (
            "22.1.3",
            10,
            "22.2.1",
            root(1 << 53),
            "No root can follow.",
            "",
        ),
        "a_name_that_is_a_sentence": (
            "22.2.6 2.2.1",
            10,
            "",
            root(2, name="Acme\u001b[2J"),
            "People decide by what a terminal shows them.",
            "CVE-2021-25743 (kubectl)",
        ),
    }
    for name, (rules, code, names, signed, comment, known) in cases.items():
        yield attack(
            "trust",
            f"root_with_{name}",
            rules,
            _second(signed, ROOT),
            comment,
            exit=code,
            names=names,
            known=known,
        )


def _roles() -> Iterator[Attack]:
    whole = roles(version=2)
    both = {"packer": ([PACKER], 1), "approver": ([APPROVER, PACKER], 1)}
    bins = {
        "bit_length": 4,
        "keyids": [keyid(PACKER)],
        "name_prefix": "bin",
        "threshold": 1,
    }
    cases: dict[str, tuple[str, int, JSON, tuple[int, ...], str, str]] = {
        "by_a_stranger": (
            "22.3.3",
            12,
            roles(EVIL, 2),
            (STRANGER,),
            "They name another packer.",
            "",
        ),
        "by_the_packer": (
            "22.3.3",
            12,
            roles({"packer": ([PACKER, SECOND_PACKER], 1)}, 2),
            (PACKER,),
            "A packer makes another one.",
            "",
        ),
        "by_nobody": ("22.3.3", 12, roles(EVIL, 2), (), "No signature.", THRESHOLD),
        "with_hash_bins": (
            "22.3.1",
            10,
            replaced(
                whole, "delegations", {"keys": keys_of(PACKER), "succinct_roles": bins}
            ),
            (ROOT,),
            "Roles that nobody named.",
            "",
        ),
        "without_a_packer": (
            "22.3.7 22.4.1",
            12,
            roles({"relay": ([RELAY], 1)}, 2),
            (ROOT,),
            "Whoever looks for no signature finds enough.",
            "CVE-2026-35205 (Helm)",
        ),
        "with_a_packer_that_approves": (
            "22.3.6",
            12,
            roles(both, 2),
            (ROOT,),
            "One laptop ships alone.",
            "",
        ),
        "with_a_role_twice": (
            "22.3.2",
            10,
            replaced(whole, "delegations.roles", whole["delegations"]["roles"] * 2),
            (ROOT,),
            "The last one counts to some.",
            "",
        ),
        "with_a_threshold_of_0": (
            "22.1.3",
            10,
            roles({"packer": ([PACKER], 0)}, 2),
            (ROOT,),
            "Everybody meets it.",
            THRESHOLD,
        ),
        "with_one_packer_twice": (
            "22.1.6",
            12,
            roles({"packer": ([PACKER, PACKER], 2)}, 2),
            (ROOT,),
            "It counts twice.",
            TWICE,
        ),
        "of_version_0": (
            "22.1.3",
            10,
            roles(version=0),
            (ROOT,),
            "Older than any.",
            "",
        ),
        "that_expire_on_no_day": (
            "22.1.3",
            10,
            roles(version=2, expires="2036-02-30T00:00:00Z"),
            (ROOT,),
            "Never.",
            "",
        ),
        "of_a_site_as_the_packer": (
            "22.3.7",
            12,
            roles({"site:packer": ([STRANGER], 1)}, 2),
            (ROOT,),
            "A site called packer.",
            "",
        ),
    }
    loose = ("22.1.3", "22.3.1")
    for name, (rules, code, signed, signers, comment, known) in cases.items():
        files: dict[str, Content] = {
            "trust/2.roles.json": dumps(metadata(signed, *signers))
        }
        names = {
            "without_a_packer": "22.3.7",
            "with_a_threshold_of_0": "22.3.1",
            "of_version_0": "22.3.1",
        }.get(name, "")
        assert code == 12 or rules in (*loose, "22.3.2")
        yield attack(
            "trust",
            f"roles_{name}",
            rules,
            files,
            comment,
            exit=code,
            names=names,
            known=known,
        )
    gone: dict[str, Content] = {"trust/1.roles.json": Absent()}
    yield attack(
        "trust",
        "roles_that_are_not_there",
        "22.3.4",
        gone,
        "Without roles nobody is a packer, or everybody.",
        exit=12,
        known="CVE-2026-35205 (Helm)",
    )
    yield attack(
        "trust",
        "roles_that_are_older",
        "22.3.5 22.4.1",
        Bundle(release=statement(seq=2)),
        "From before a packer was withdrawn: its roles list that packer still.",
        exit=12,
        names="20.3.3",
        given={"before": ["bundle/under_newer_roles"]},
    )
    retired = Bundle(release=statement(seq=2), packers=[PACKER]).changed()
    yield attack(
        "trust",
        "withdrawn_packer",
        "22.4.1",
        retired
        | {
            "trust/2.roles.json": dumps(
                metadata(roles({"packer": ([SECOND_PACKER], 1)}, 2), ROOT)
            )
        },
        "A stolen key signs on after it was withdrawn.",
        exit=12,
        names="20.3.3",
    )


def _weak_keys() -> Iterator[Attack]:
    points = {
        "the_neutral_point": 1,
        "the_neutral_point_over_the_field": FIELD + 1,
        "order_2": FIELD - 1,
        "order_4": 0,
        "order_4_over_the_field": FIELD,
        "order_8": ORDER_8,
        "order_8_the_other_half": FIELD - ORDER_8,
    }
    for name, y in points.items():
        for sign, end in ((0, ""), (1, "_with_the_sign")):
            text = (y | sign << 255).to_bytes(32, "little").hex()
            keys = {**keys_of(PACKER), "0" * 64: key_object(text)}
            signed = replaced(roles(version=2), "delegations.keys", keys)
            files: dict[str, Content] = {
                "trust/2.roles.json": dumps(metadata(signed, ROOT))
            }
            comment = "A signature is known that this key verifies for every message."
            yield attack(
                "trust",
                f"packer_key_of_{name}{end}",
                "21.1.3 22.1.4",
                files,
                comment,
                exit=12,
            )
    for name, material, rule, code, comment in (
        (
            "no_point",
            (2).to_bytes(32, "little").hex(),
            "21.1.2",
            12,
            "No point of the curve.",
        ),
        ("31_bytes", public(PACKER)[2:], "21.1.1", 10, "A byte short."),
        (
            "upper_case",
            public(PACKER).upper(),
            "21.1.1",
            10,
            "The same key under another id.",
        ),
    ):
        keys = {**keys_of(PACKER), "0" * 64: key_object(material)}
        files = {
            "trust/2.roles.json": dumps(
                metadata(replaced(roles(version=2), "delegations.keys", keys), ROOT)
            )
        }
        yield attack(
            "trust",
            f"packer_key_of_{name}",
            f"{rule} 22.1.4",
            files,
            comment,
            exit=code,
        )
    rsa = {**keys_of(PACKER), "0" * 64: key_object(public(PACKER)) | {"keytype": "rsa"}}
    files = {
        "trust/2.roles.json": dumps(
            metadata(replaced(roles(version=2), "delegations.keys", rsa), ROOT)
        )
    }
    yield attack(
        "trust",
        "packer_key_of_rsa",
        "22.1.4",
        files,
        "Another kind of key under the same name.",
        names="22.3.1",
    )
