"""Roots, roles, chains of them, and the first root of a receiver (chapter 22)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spec.vectors.generator.binary import b3
from spec.vectors.generator.container import (
    Repeat,
    Vector,
    accept,
    refuse,
)
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.keys import ORDER_8
from spec.vectors.generator.signing import (
    ROOT,
    ROOT_FILE,
    SECOND_ROOT,
    STRANGER,
    canonical,
    key,
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
    from collections.abc import Iterator

    from spec.vectors.generator.container import Body
    from spec.vectors.generator.statements import JSON


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _roots()
    yield from _bad_roots()
    yield from _enrolments()


def fingerprint(signed: JSON) -> str:
    """Return the fingerprint of a root (22.2.7) as 64 digits."""
    return b3(canonical(signed)).hex()


def spoken(signed: JSON) -> str:
    """Return a fingerprint as it is read aloud."""
    digits = fingerprint(signed)
    return " ".join(digits[start : start + 4] for start in range(0, 64, 4))


def _value(signed: JSON, seconds: int = 2082758400) -> JSON:
    return {
        "version": signed["version"],
        "expires": seconds,
        "name": signed.get("x-bundle-name"),
        "fingerprint": f"blake3:{fingerprint(signed)}",
        "spoken": spoken(signed),
    }


def _roots() -> Iterator[Vector]:
    value = _value(root())
    comment = "One key, which is the whole of every role."
    rules = "22.1.2 22.2.1 22.2.2 22.2.7"
    yield accept("root", "of_one_key", rules, ROOT_FILE, comment, value=value)
    signed = root(members=(1, 2, 3), threshold=2)
    data = dumps(metadata(signed, 1, 3))
    comment = "Two of three keys signed it."
    value = _value(signed)
    yield accept("root", "of_three_keys", "22.1.6 22.2.2", data, comment, value=value)
    signed = root(name="acme", note=[1, {"a": None}])
    data = dumps(metadata(signed, ROOT))
    comment = "It has a name, and a member that nobody knows is signed like any other."
    value = _value(signed)
    yield accept("root", "with_a_name", "22.2.6 22.1.2", data, comment, value=value)
    data = dumps(metadata(root(), ROOT, STRANGER))
    value = _value(root())
    comment = "More signatures leave the fingerprint as it is."
    yield accept("root", "signed_once_more", "22.2.7", data, comment, value=value)


def _bad_roots() -> Iterator[Vector]:
    whole = root()
    twice = {**keys_of(ROOT), "0" * 64: key_object(public(ROOT))}
    small = {
        **keys_of(ROOT),
        "0" * 64: key_object(f"{ORDER_8.to_bytes(32, 'little').hex()}"),
    }
    rsa = {**keys_of(ROOT), "0" * 64: key_object(public(2)) | {"keytype": "rsa"}}
    cases: dict[str, tuple[str, int, str, JSON, str]] = {
        "version_0": ("22.1.3", 10, "22.2.1", root(0), "Counted from 1."),
        "version_2_to_the_53": ("22.1.3", 10, "22.2.1", root(1 << 53), "Too large."),
        "a_threshold_of_0": (
            "22.1.3",
            10,
            "22.2.1",
            replaced(whole, "roles.targets.threshold", 0),
            "Everybody would meet it.",
        ),
        "a_threshold_of_17": (
            "22.1.3",
            10,
            "22.2.1",
            replaced(whole, "roles.targets.threshold", 17),
            "No file has so many signatures.",
        ),
        "expires_with_a_fraction": (
            "22.1.3",
            10,
            "",
            root(expires="2036-01-01T00:00:00.0Z"),
            "Whole seconds.",
        ),
        "without_a_version": (
            "22.1.2",
            10,
            "22.2.1",
            without(whole, "version"),
            "Which?",
        ),
        "of_tuf_2": (
            "22.1.2",
            12,
            "22.1.7",
            root(spec_version="2.0.0"),
            "A later one.",
        ),
        "a_key_of_rsa": ("22.1.4", 10, "22.2.1", root(keys=rsa), "No role uses it."),
        "a_key_of_small_order": (
            "21.1.3 22.1.4",
            12,
            "",
            root(keys=small),
            "No role uses it.",
        ),
        "a_key_of_31_bytes": (
            "21.1.1 22.1.4",
            10,
            "",
            replaced(whole, f"keys.{keyid(ROOT)}.keyval.public", public(ROOT)[2:]),
            "A byte short.",
        ),
        "one_key_under_two_ids": (
            "22.1.5",
            12,
            "",
            root(keys=twice),
            "It would count twice.",
        ),
        "a_role_that_lists_a_key_twice": (
            "22.1.6",
            12,
            "",
            replaced(whole, "roles.root", seats([ROOT, ROOT], 2)),
            "It would count twice.",
        ),
        "a_role_with_an_unknown_key": (
            "22.1.6",
            10,
            "",
            replaced(whole, "roles.targets", seats([ROOT, SECOND_ROOT])),
            "The file does not have it.",
        ),
        "a_role_that_can_never_be_met": (
            "22.1.6",
            12,
            "",
            replaced(root(keys=keys_of(1, 2)), "roles.targets", seats([1, 2], 3)),
            "Three of two.",
        ),
        "a_role_too_few": (
            "22.2.1",
            12,
            "22.1.7",
            without(whole, "roles.timestamp"),
            "A root has four.",
        ),
        "a_role_too_many": (
            "22.2.1",
            12,
            "22.1.7",
            replaced(whole, "roles.packer", seats([ROOT])),
            "Roles are for the other file.",
        ),
        "roles_in_its_place": ("22.2.1", 10, "", roles(), "The other kind of file."),
        "a_name_that_is_no_slug": (
            "22.2.6 2.2.1",
            10,
            "",
            root(name="Acme, Inc."),
            "It is shown to people who decide by it.",
        ),
        "a_name_that_is_no_text": (
            "22.2.6",
            10,
            "22.2.1",
            root(name=7),
            "A number.",
        ),
    }
    for name, (rules, code, names, signed, comment) in cases.items():
        data = dumps(metadata(signed, ROOT))
        yield refuse("root", name, rules, data, comment, exit=code, names=names)
    yield from _badly_signed_roots()


def _badly_signed_roots() -> Iterator[Vector]:
    whole = metadata(root(), ROOT)
    text = dumps(whole)
    many = metadata(root(), *range(1, 18))
    three = root(members=(1, 2, 3), threshold=2)
    (good,) = whole["signatures"]
    cases: dict[str, tuple[str, int, str, Body, str]] = {
        "over_512000_bytes": (
            "22.1.1",
            10,
            "22.2.1",
            (text, Repeat(b" ", 512_000)),
            "Of blanks.",
        ),
        "with_seventeen_signatures": (
            "22.1.1",
            10,
            "22.2.1",
            dumps(many),
            "One too many.",
        ),
        "without_signatures": (
            "22.1.2",
            10,
            "22.2.1",
            dumps({"signed": root()}),
            "Not even an empty list.",
        ),
        "a_member_twice": (
            "22.1.2 2.5.2",
            10,
            "22.2.1",
            text.replace(b'"version":1', b'"version":1,"version":1'),
            "Readers disagree on which counts.",
        ),
        "cut_off": ("22.1.2 2.5.1", 10, "22.2.1", text[:-1], "It stops."),
        "a_signature_that_is_not_hexadecimal": (
            "22.2.2 22.1.7",
            12,
            "22.2.2",
            dumps(whole | {"signatures": [good | {"sig": "zz"}]}),
            "It does not count.",
        ),
        "two_signatures_under_one_id": (
            "22.1.7",
            12,
            "",
            dumps(whole | {"signatures": [good, good]}),
            "TUF has one for each id.",
        ),
        "signed_by_nobody": (
            "22.2.2",
            12,
            "",
            dumps(metadata(root())),
            "No signature.",
        ),
        "signed_by_a_stranger": (
            "22.2.2",
            12,
            "",
            dumps(metadata(root(), STRANGER)),
            "Not by a key of its own.",
        ),
        "signed_by_one_of_two": (
            "22.2.2",
            12,
            "",
            dumps(metadata(three, 2)),
            "Two needed.",
        ),
        "changed_after_it_was_signed": (
            "22.2.2",
            12,
            "",
            text.replace(b"2036", b"2046"),
            "Another date.",
        ),
        "signed_over_another_json": (
            "22.2.2 22.1.2",
            12,
            "22.2.2",
            _signed_over(dumps(root()) + b"\n"),
            "With a line feed; what is signed is canonical.",
        ),
    }
    for name, (rules, code, names, body, comment) in cases.items():
        yield refuse("root", name, rules, body, comment, exit=code, names=names)


def _signed_over(message: bytes) -> bytes:
    one = {"keyid": keyid(ROOT), "sig": key(ROOT).sign(message).hex()}
    return dumps({"signatures": [one], "signed": root()})


def _enrolments() -> Iterator[Vector]:
    other = dumps(metadata(root(1, (STRANGER,)), STRANGER))
    value = _value(root())
    grouped = spoken(root()).replace(" ", "-").upper()
    comment = "Groups, dashes and case do not count."
    given = {"fingerprint": grouped}
    yield accept(
        "enrolment",
        "by_fingerprint",
        "22.5.2 22.2.7",
        ROOT_FILE,
        comment,
        given=given,
        value=value,
    )
    given = {"enrolled": "of_one_key"}
    comment = "It is enrolled already; nothing changes."
    yield accept(
        "enrolment", "once_more", "22.5.3", ROOT_FILE, comment, given=given, value=value
    )
    comment = "Compared whole, not to the first group that fits."
    given = {"fingerprint": spoken(root())[:-1] + "0"}
    yield refuse(
        "enrolment",
        "by_another_fingerprint",
        "22.5.2",
        ROOT_FILE,
        comment,
        exit=12,
        given=given,
    )
    given = {"fingerprint": spoken(root())[:19]}
    comment = "Four groups of sixteen."
    yield refuse(
        "enrolment",
        "by_part_of_a_fingerprint",
        "22.5.2 22.2.7",
        ROOT_FILE,
        comment,
        exit=12,
        given=given,
    )
    given = {"enrolled": "of_one_key"}
    comment = "One state holds one chain."
    yield refuse(
        "enrolment",
        "of_another_organisation",
        "22.5.3",
        other,
        comment,
        exit=12,
        given=given,
    )
