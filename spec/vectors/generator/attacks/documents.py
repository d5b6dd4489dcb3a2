"""JSON that two readers take differently, or that costs one dearly (2.5, 8, 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import Attack, attack
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.medium import Bundle, statement
from spec.vectors.generator.statements import replaced, without

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD: Final = Bundle().payload
TWO: Final = "CVE-2021-41190 (OCI manifests: two meanings)"
DIGITS: Final = "CVE-2020-10735 (Python: digits)"
DEEP: Final = "CVE-2026-26209 (cbor2); CVE-2026-42328 (go-ipld-prime)"


def _put(old: bytes, new: bytes) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


FORMS: Final[dict[str, tuple[str, bytes, str, str]]] = {
    "member_twice": (
        "2.5.2",
        _put(b'"seq":1', b'"seq":9,"seq":1'),
        "Readers take the first or the last.",
        TWO,
    ),
    "member_twice_by_an_escape": (
        "2.5.2",
        _put(b'"seq":1', b'"seq":1,"\\u0073eq":9'),
        "The same name in other letters.",
        TWO,
    ),
    "number_of_5000_digits": (
        "2.5.3",
        _put(b'"seq":1', b'"seq":' + b"1" * 5000),
        "Time that grows with the square.",
        DIGITS,
    ),
    "number_with_an_exponent": (
        "2.5.3",
        _put(b'"seq":1', b'"seq":1e400'),
        "Infinity to some.",
        DIGITS,
    ),
    "number_with_a_fraction": (
        "2.5.3",
        _put(b'"seq":1', b'"seq":1.0'),
        "1 to some.",
        "",
    ),
    "number_that_is_none": (
        "2.5.1",
        _put(b'"seq":1', b'"seq":NaN'),
        "Equal to nothing, so it fails no comparison.",
        "",
    ),
    "number_without_an_end": (
        "2.5.1",
        _put(b'"seq":1', b'"seq":Infinity'),
        "Above every mark.",
        "",
    ),
    "number_of_minus_0": ("8.3.3", _put(b'"seq":1', b'"seq":-0'), "0 to some.", ""),
    "nesting_of_17_levels": (
        "2.5.4",
        _put(b'"required":[]', b'"required":' + b"[" * 17 + b"]" * 17),
        "One too many.",
        DEEP,
    ),
    "nesting_of_4000_levels": (
        "2.5.4",
        b"[" * 4000 + b"]" * 4000,
        "Each costs a parser its stack.",
        DEEP,
    ),
    "nesting_without_an_end": ("2.5.4", b'{"a":' * 2000, "It never closes.", DEEP),
    "byte_order_mark": ("2.5.1", b"\xef\xbb\xbf" + GOOD, "Some drop it.", ""),
    "utf16": ("2.5.1", GOOD.decode().encode("utf-16-le"), "Some guess.", ""),
    "half_a_surrogate_pair": (
        "2.5.1",
        _put(b'"models-prod"', b'"models\\ud800"'),
        "Some replace it.",
        "",
    ),
    "byte_that_is_not_utf8": (
        "2.5.1",
        _put(b'"models-prod"', b'"models\xff"'),
        "Some replace it.",
        "",
    ),
    "nul_after_it": ("2.5.1", GOOD + b"\0", "C stops there.", ""),
    "second_document": ("2.5.1", GOOD + GOOD, "Some read the last.", TWO),
    "comment": ("2.5.1", GOOD + b"//", "Some allow it.", ""),
    "comma_too_many": (
        "2.5.1",
        _put(b'"audience":[]', b'"audience":[,]'),
        "Some allow it.",
        "",
    ),
    "control_character_in_a_text": (
        "2.5.1",
        _put(b'"models-prod"', b'"models\n-prod"'),
        "Some allow it.",
        "",
    ),
    "null_in_its_place": ("8.1.1", b"null", "No object.", "CVE-2026-39395 (cosign)"),
}
"""Payloads that are truly signed and are no release."""

MEMBERS: Final[dict[str, tuple[str, str, Any, str]]] = {
    "type_of_another_statement": (
        "8.1.1",
        "predicateType",
        "https://slsa.dev/provenance/v1",
        "A statement about something else, by the same key.",
    ),
    "type_of_another_document": (
        "8.1.1",
        "_type",
        "https://in-toto.io/Statement/v0.1",
        "An older one.",
    ),
    "subject_of_another": (
        "8.1.3",
        "subject.0.digest.blake3",
        "0" * 64,
        "Tools that read subjects check something else.",
    ),
    "no_subject": ("8.1.3", "subject", [], "Tools that read subjects check nothing."),
    "unknown_feature": (
        "8.2.4",
        "predicate.features.required",
        ["encrypted"],
        "A reader that ignores it takes ciphertext for content.",
    ),
    "later_format": (
        "8.2.1",
        "predicate.format",
        2,
        "Another meaning of the same members.",
    ),
    "format_as_a_text": ("8.2.1", "predicate.format", "1", "Another type."),
    "artifacts_as_an_object": (
        "8.1.2",
        "predicate.artifacts",
        {},
        "A loop over it finds none.",
    ),
    "artifact_twice": (
        "8.4.6",
        "predicate.artifacts",
        [statement()["predicate"]["artifacts"][0]] * 2,
        "Published twice, or the last one counts.",
    ),
    "count_below_0": (
        "8.4.4",
        "predicate.artifacts.0.bytes",
        -1,
        "It makes room where there is none.",
    ),
    "count_of_null": ("8.1.2", "predicate.artifacts.0.bytes", None, "No number."),
    "text_over_4_kib": (
        "8.4.5",
        "predicate.artifacts.0.licence",
        "x" * 4097,
        "A page that hides the next line.",
    ),
    "text_with_an_escape": (
        "8.4.5",
        "predicate.artifacts.0.source",
        "\u001b]0;owned\u0007",
        "The terminal of the reviewer obeys.",
    ),
    "text_that_reads_backwards": (
        "8.4.5",
        "predicate.artifacts.0.source",
        "tree:\u202egnp.exe",
        "The reviewer reads something else.",
    ),
    "audience_as_a_text": (
        "8.1.2",
        "predicate.audience",
        "site-a",
        "A site called s is in it.",
    ),
    "trust_version_of_0": (
        "8.3.6",
        "predicate.trustVersion.root",
        0,
        "Older than any.",
    ),
    "expiry_as_a_number": ("8.1.2", "predicate.expires", 0, "Never, to some."),
}
"""Members of a release that is truly signed."""


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    for name, (rules, payload, comment, known) in FORMS.items():
        bundle = Bundle(release_payload=payload)
        named = "2.5" if rules.startswith("2.5") else ""
        yield attack(
            "documents",
            f"release_with_a_{name}",
            rules,
            bundle,
            comment,
            names=named,
            known=known,
        )
    for name, (rules, member, value, comment) in MEMBERS.items():
        told = replaced(statement(), member, value)
        yield attack(
            "documents",
            f"release_with_a_{name}",
            rules,
            Bundle(release_payload=dumps(told)),
            comment,
        )
    for member in (
        "seq",
        "prev",
        "audience",
        "artifacts",
        "budgets",
        "trustVersion",
        "features",
    ):
        told = without(statement(), f"predicate.{member}")
        comment = (
            f"There is no {member}: a reader that has a default for it takes that."
        )
        rules = "8.2.1" if member == "features" else "8.1.2"
        yield attack(
            "documents",
            f"release_without_{member.lower()}",
            rules,
            Bundle(release_payload=dumps(told)),
            comment,
            known="CVE-2026-39395 (cosign)",
        )
    yield from _manifests()


def _manifests() -> Iterator[Attack]:
    base = Bundle().document
    cases: dict[str, tuple[str, str, Any, str]] = {
        "encryption": (
            "9.1.1 9.1.3",
            "encryption",
            "none",
            "A reader that ignores it takes ciphertext for content.",
        ),
        "transforms": (
            "9.1.3",
            "transforms",
            ["gzip"],
            "A program that makes the bytes.",
        ),
        "unknown_feature": (
            "8.2.4",
            "features.required",
            ["encrypted"],
            "A reader that ignores it reads something else.",
        ),
        "later_format": ("8.2.1", "format", 2, "Another meaning of the same members."),
        "bytes_of_0": ("9.3.6", "bytes", 0, "Room is checked against 0."),
        "volume_of_4_gib": (
            "9.3.2",
            "volumes.0.size",
            1 << 32,
            "More than a stick takes.",
        ),
        "volume_of_nothing": ("9.3.2", "volumes.0.size", 0, "No byte."),
        "volume_of_minus_1": ("3.2.2", "volumes.0.size", -1, "Below 0."),
        "shards_for_more": ("9.3.4", "shards.size", 160, "3 for 2."),
        "shards_for_fewer": (
            "9.3.4",
            "shards.size",
            96,
            "1 for 2: the volume is checked against nothing.",
        ),
        "requires_of_minus_1": ("9.4.1", "requires.count", -1, "Below 0."),
        "approval_of_65_mib": (
            "9.3.5",
            "approval.size",
            (64 << 20) + 1,
            "A page that nobody reads to the end.",
        ),
    }
    for name, (rules, member, value, comment) in cases.items():
        bundle = Bundle(manifest=replaced(base, member, value))
        yield attack("documents", f"manifest_with_{name}", rules, bundle, comment)
    for name, payload, rules in (
        ("nesting", b"[" * 4000 + b"]" * 4000, "2.5.4"),
        (
            "member_twice",
            dumps(base).replace(b'"format":1', b'"format":1,"format":1', 1),
            "2.5.2",
        ),
        ("array_in_its_place", b"[]", "8.2.1 9.1.1"),
    ):
        named = "2.5" if rules.startswith("2.5") else ""
        yield attack(
            "documents",
            f"manifest_with_a_{name}",
            rules,
            Bundle(manifest_payload=payload),
            "Truly signed.",
            names=named,
            known=DEEP if name == "nesting" else TWO,
        )
