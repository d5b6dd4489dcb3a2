"""The files of trust/: roots that follow one another, and roles (22.2, 22.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.container import (
    Absent,
    Content,
    Vector,
    accept,
    refuse,
)
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.signing import (
    APPROVER,
    PACKER,
    RELAY,
    ROLES_FILE,
    ROOT,
    ROOT_FILE,
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
)
from spec.vectors.generator.statements import replaced, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spec.vectors.generator.statements import JSON


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _chains()
    yield from _bad_chains()
    yield from _bad_roles()


BASE: Final = "trust/a_root_and_roles"
"""The vector whose files the others change."""


PAST: Final = "2026-01-01T00:00:00Z"


def _trusted(
    name: str, rules: str, files: Mapping[str, Content], comment: str, value: JSON
) -> Vector:
    given = {"base": BASE, "root": "1.root.json"}
    return accept("trust", name, rules, files, comment, given=given, value=value)


def _chains() -> Iterator[Vector]:
    yield accept(
        "trust",
        "a_root_and_roles",
        "22.3.1 22.3.3",
        {"1.root.json": ROOT_FILE, "1.roles.json": ROLES_FILE},
        "The directory trust/ of most bundles here.",
        given={"root": "1.root.json"},
        value={
            "root": 1,
            "roles": 1,
            "packer": {"keys": [public(PACKER)], "threshold": 1},
        },
    )
    packer = {"keys": [public(PACKER)], "threshold": 1}
    second = dumps(metadata(root(2, (SECOND_ROOT,)), ROOT, SECOND_ROOT))
    later = dumps(metadata(roles(version=2), SECOND_ROOT))
    yield _trusted(
        "a_second_root",
        "22.2.3 22.2.4",
        {"2.root.json": second, "2.roles.json": later},
        "Signed by the key before and by its own; its roles are signed by its own.",
        {"root": 2, "roles": 2, "packer": packer},
    )
    expired = root(2, expires=PAST)
    third = dumps(metadata(root(3, (SECOND_ROOT,)), ROOT, SECOND_ROOT))
    yield _trusted(
        "an_expired_root_on_the_way",
        "22.2.5 22.2.4",
        {
            "2.root.json": dumps(metadata(expired, ROOT)),
            "3.root.json": third,
            "1.roles.json": dumps(metadata(roles(), SECOND_ROOT)),
        },
        "The second had expired long ago; it leads to the third all the same.",
        {"root": 3, "roles": 1, "packer": packer},
    )
    yield _trusted(
        "a_root_after_a_gap",
        "22.2.4",
        {"3.root.json": third},
        "There is no second: nobody looks at the third.",
        {"root": 1, "roles": 1, "packer": packer},
    )
    many = {
        "packer": ([PACKER, SECOND_PACKER], 2),
        "relay": ([RELAY], 1),
        "site:a.b": ([40], 1),
        "archive": ([41], 1),
    }
    yield _trusted(
        "every_kind_of_role",
        "22.3.2",
        {"1.roles.json": dumps(metadata(roles(many), ROOT))},
        "Packers, a relay, a site, and a name that is reserved.",
        {
            "root": 1,
            "roles": 1,
            "packer": {"keys": [public(PACKER), public(SECOND_PACKER)], "threshold": 2},
        },
    )
    yield _trusted(
        "names_that_nobody_looks_at",
        "4.2 22.2.4",
        {"02.root.json": b"?", "2.root.json.bak": b"?", "0.roles.json": b"?"},
        "Numbers have no leading zeros.",
        {"root": 1, "roles": 1, "packer": packer},
    )


def _distrusted(
    name: str,
    rules: str,
    files: Mapping[str, Content],
    comment: str,
    *,
    exit: int = 12,  # noqa: A002 - the word of the header
    names: str = "",
    **given: Any,
) -> Vector:
    given = {"base": BASE, "root": "1.root.json", **given}
    return refuse(
        "trust", name, rules, files, comment, exit=exit, names=names, given=given
    )


def _bad_chains() -> Iterator[Vector]:
    second = root(2, (SECOND_ROOT,))
    for name, rules, signed, signers, names, comment in (
        (
            "a_second_root_by_itself",
            "22.2.3",
            second,
            [SECOND_ROOT],
            "",
            "The first did not sign.",
        ),
        (
            "a_second_root_by_the_first",
            "22.2.3 22.2.2",
            second,
            [ROOT],
            "22.2.2",
            "It did not sign itself.",
        ),
        (
            "a_second_root_of_version_3",
            "22.2.3",
            root(3),
            [ROOT],
            "",
            "The name says 2.",
        ),
        (
            "a_second_root_of_version_1",
            "22.2.3",
            root(1),
            [ROOT],
            "",
            "The name says 2.",
        ),
    ):
        files: dict[str, Content] = {"2.root.json": dumps(metadata(signed, *signers))}
        yield _distrusted(name, rules, files, comment, names=names)
    third = dumps(metadata(root(3, (STRANGER,)), STRANGER))
    good = dumps(metadata(root(2), ROOT))
    yield _distrusted(
        "a_third_root_by_a_stranger",
        "22.2.4 22.2.3",
        {"2.root.json": good, "3.root.json": third},
        "The second is good; the third refuses everything.",
        names="22.2.3",
    )
    yield _distrusted(
        "no_roles", "22.3.4", {"1.roles.json": Absent()}, "Nobody may sign."
    )
    yield _distrusted(
        "roles_by_the_root_before",
        "22.3.3",
        {"2.root.json": dumps(metadata(second, ROOT, SECOND_ROOT))},
        "The newest root has another key.",
    )
    yield _distrusted(
        "roles_of_another_number",
        "22.3.4",
        {"2.roles.json": ROLES_FILE},
        "2.roles.json says that it is version 1.",
    )
    yield _distrusted(
        "newest_roles_by_a_stranger",
        "22.3.4 22.3.3",
        {"2.roles.json": dumps(metadata(roles(version=2), STRANGER))},
        "A reader does not fall back to the first.",
        names="22.3.3",
    )
    yield _distrusted(
        "roles_older_than_those_kept",
        "22.3.5",
        {},
        "This receiver accepted version 2 before.",
        kept=2,
    )
    yield _distrusted(
        "a_role_that_is_not_there",
        "22.3.7",
        {"1.roles.json": dumps(metadata(roles({"relay": ([RELAY], 1)}), ROOT))},
        "Nobody is a packer.",
    )


def _bad_roles() -> Iterator[Vector]:
    whole = roles()
    bins = {
        "bit_length": 4,
        "keyids": [keyid(PACKER)],
        "name_prefix": "bin",
        "threshold": 1,
    }
    hashed = replaced(
        whole, "delegations", {"keys": keys_of(PACKER), "succinct_roles": bins}
    )
    twice = replaced(whole, "delegations.roles", whole["delegations"]["roles"] * 2)
    both = {"packer": ([PACKER], 1), "approver": ([APPROVER, PACKER], 1)}
    cases: dict[str, tuple[str, int, str, JSON, str]] = {
        "roles_in_hash_bins": ("22.3.1", 10, "", hashed, "Names that nobody chose."),
        "roles_without_delegations": (
            "22.3.1",
            10,
            "",
            without(whole, "delegations"),
            "None.",
        ),
        "a_root_in_place_of_roles": (
            "22.3.1",
            10,
            "",
            root(),
            "The other kind of file.",
        ),
        "a_role_in_upper_case": (
            "22.3.2",
            10,
            "",
            roles({"Packer": ([PACKER], 1)}),
            "No slug.",
        ),
        "a_role_of_a_site_without_a_name": (
            "22.3.2",
            10,
            "",
            roles({"site:": ([PACKER], 1)}),
            "Which?",
        ),
        "a_role_of_another_prefix": (
            "22.3.2",
            10,
            "",
            roles({"packer:a": ([PACKER], 1)}),
            "Sites only.",
        ),
        "a_role_twice": ("22.3.2", 10, "", twice, "Once."),
        "a_packer_that_approves": ("22.3.6", 12, "", roles(both), "One key is both."),
        "roles_with_a_key_of_small_order": (
            "21.1.3 22.1.4",
            12,
            "",
            replaced(
                whole,
                "delegations.keys",
                {
                    **keys_of(PACKER),
                    "0" * 64: key_object((1).to_bytes(32, "little").hex()),
                },
            ),
            "No role uses it.",
        ),
        "roles_that_list_a_key_twice": (
            "22.1.6",
            12,
            "",
            roles({"packer": ([PACKER, PACKER], 2)}),
            "It would count twice.",
        ),
        "roles_of_version_0": ("22.1.3", 10, "22.3.1", roles(version=0), "From 1."),
        "roles_that_expire_on_no_day": (
            "22.1.3",
            10,
            "",
            roles(expires="2036-02-30T00:00:00Z"),
            "February.",
        ),
    }
    for name, (rules, code, names, signed, comment) in cases.items():
        data = dumps(metadata(signed, ROOT))
        files: dict[str, Content] = {"1.roles.json": data}
        yield _distrusted(name, rules, files, comment, exit=code, names=names)
