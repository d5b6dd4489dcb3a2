"""What is not signed by those who may, and looks as if it were (20, 21, 22.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import Attack, attack
from spec.vectors.generator.binary import le
from spec.vectors.generator.bundles import APPROVERS
from spec.vectors.generator.container import Content, Repeat
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.envelopes import ORDER
from spec.vectors.generator.medium import BASE_FILES, Bundle, statement
from spec.vectors.generator.signing import (
    APPROVER,
    MANIFEST_TYPE,
    PACKER,
    RELAY,
    RELEASE_TYPE,
    SECOND_APPROVER,
    SECOND_PACKER,
    SECOND_RELAY,
    STRANGER,
    base64,
    envelope,
    key,
    keyid,
    pae,
    signature,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spec.vectors.generator.statements import JSON

RECEIPT_TYPE: Final = "application/vnd.bundle.receipt.v1+json"

HELM: Final = "CVE-2026-35205 (Helm: no signature file, no refusal)"
COSIGN: Final = "CVE-2026-39395 (cosign: an error while parsing was a success)"
GO_TUF: Final = (
    "CVE-2026-23992 (go-tuf: a threshold met wrongly); GO-2022-1004 (go-tuf)"
)
SIGSTORE: Final = "CVE-2024-45395 (sigstore-go: endless signatures)"

PAYLOAD: Final = Bundle().payload
GOOD: Final = envelope(PAYLOAD, RELEASE_TYPE, PACKER)
ONE: Final[JSON] = GOOD["signatures"][0]
MESSAGE: Final = pae(RELEASE_TYPE, PAYLOAD)
WHOLE: Final = dumps(GOOD)


def _with(**changes: Any) -> bytes:
    return dumps(GOOD | changes)


def _signed(**changes: Any) -> bytes:
    return _with(signatures=[ONE | changes])


def _over(message: bytes, number: int = PACKER) -> bytes:
    return _signed(sig=base64(key(number).sign(message)))


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    yield from _forms()
    yield from _unsigned()
    yield from _wrong_people()
    yield from _approvals()


def _forms() -> Iterator[Attack]:
    """Envelopes that one reader takes and another takes for something else."""
    unused = ONE["sig"][:-3] + chr(ord(ONE["sig"][-3]) + 1) + "=="
    other = dumps(statement(seq=7))
    cases: dict[str, tuple[str, bytes, str, str]] = {
        "two_payloads": (
            "20.1.2 2.5.2",
            WHOLE.replace(b"{", b'{"payload":"' + base64(other).encode() + b'",', 1),
            "One is verified, the other is used.",
            "CVE-2021-41190 (OCI manifests)",
        ),
        "two_types": (
            "20.1.2 2.5.2",
            WHOLE.replace(b'"signatures"', b'"payloadType":"a","signatures"', 1),
            "One is verified, the other is used.",
            "",
        ),
        "a_member_that_nobody_signed": (
            "20.1.2",
            _with(trusted=True),
            "Some reader may look at it.",
            "",
        ),
        "a_certificate": (
            "20.1.2",
            _signed(cert="MIIB"),
            "A certificate that vouches for the key.",
            "",
        ),
        "signatures_as_one_object": (
            "20.1.2",
            _with(signatures=ONE),
            "A loop over its members finds none.",
            COSIGN,
        ),
        "signatures_of_nothing": (
            "20.1.2",
            _with(signatures=None),
            "Null: nothing to check.",
            COSIGN,
        ),
        "no_list_of_signatures": (
            "20.1.2",
            dumps({name: GOOD[name] for name in ("payload", "payloadType")}),
            "Not even an empty list.",
            HELM,
        ),
        "a_payload_of_null": (
            "20.1.2",
            _with(payload=None),
            "Null: nothing to parse.",
            COSIGN,
        ),
        "an_array_of_envelopes": (
            "20.1.2",
            b"[" + WHOLE + b"]",
            "One good one among others.",
            "",
        ),
        "two_envelopes": (
            "20.1.2 2.5.1",
            WHOLE + WHOLE,
            "The second is never looked at.",
            "",
        ),
        "a_byte_order_mark": (
            "20.1.2 2.5.1",
            b"\xef\xbb\xbf" + WHOLE,
            "Some readers drop it.",
            "",
        ),
        "utf16": (
            "20.1.2 2.5.1",
            WHOLE.decode().encode("utf-16"),
            "JSON of another encoding.",
            "",
        ),
        "seventeen_signatures": (
            "20.1.3",
            dumps(envelope(PAYLOAD, RELEASE_TYPE, *range(PACKER, PACKER + 17))),
            "One too many.",
            SIGSTORE,
        ),
        "a_key_id_in_upper_case": (
            "20.1.4",
            _signed(keyid=keyid(PACKER).upper()),
            "The same key to some, another to others.",
            GO_TUF,
        ),
        "no_key_id": ("20.1.4", _signed(keyid=""), "Every key is tried.", ""),
        "one_signature_twice": (
            "20.1.5",
            _with(signatures=[ONE, ONE]),
            "Whoever counts signatures counts two.",
            GO_TUF,
        ),
        "the_alphabet_of_urls": (
            "20.1.6",
            _with(payload=base64(b"\xff\xff\xff").replace("/", "_")),
            "DSSE allows both, and two spellings of one envelope.",
            "",
        ),
        "a_payload_without_padding": (
            "20.1.6",
            _with(payload=GOOD["payload"].rstrip("=") + "e30"),
            "Decoders disagree.",
            "",
        ),
        "a_payload_with_line_ends": (
            "20.1.6",
            _with(payload=GOOD["payload"][:76] + "\n" + GOOD["payload"][76:]),
            "Decoders skip what is not in the alphabet.",
            "",
        ),
        "a_payload_with_garbage": (
            "20.1.6",
            _with(payload="!" + GOOD["payload"]),
            "Decoders skip what is not in the alphabet.",
            "",
        ),
        "a_signature_with_bits_left_over": (
            "20.1.7",
            _signed(sig=unused),
            "Two spellings of one signature.",
            "",
        ),
        "a_signature_of_63_bytes": (
            "20.1.8",
            _signed(sig=base64(bytes(63))),
            "Short.",
            "",
        ),
        "a_signature_of_128_bytes": (
            "20.1.8",
            _signed(sig=base64(key(PACKER).sign(MESSAGE) * 2)),
            "The first half is right.",
            "",
        ),
        "a_blank": (
            "20.1.9",
            WHOLE.replace(b",", b", ", 1),
            "Another file of the same meaning.",
            "",
        ),
        "a_line_feed_after_it": ("20.1.9", WHOLE + b"\n", "The same.", ""),
        "an_escape": ("20.1.9", WHOLE.replace(b"/", b"\\/", 1), "The same.", ""),
        "members_in_another_order": (
            "20.1.9",
            dumps(
                {name: GOOD[name] for name in ("signatures", "payload", "payloadType")}
            ),
            "The same.",
            "",
        ),
    }
    for name, (rules, data, comment, known) in cases.items():
        yield attack(
            "signatures",
            f"envelope_with_{name}",
            rules,
            {"release.json": data},
            comment,
            known=known,
        )
    million: dict[str, Content] = {
        "release.json": (b'{"signatures":[', Repeat(b"{},", 1_000_000), b"{}]}")
    }
    yield attack(
        "signatures",
        "envelope_with_a_million_signatures",
        "20.1.3 2.1.4",
        million,
        "Each would be verified.",
        known=SIGSTORE,
    )
    for name, data, comment in (
        ("nothing", b"", "No byte."),
        ("half_of_it", WHOLE[: len(WHOLE) // 2], "It stops."),
        ("zeros", bytes(512), "A hole in a file."),
        ("a_web_page", b"<!DOCTYPE html>", "What a proxy put in its place."),
    ):
        yield attack(
            "signatures",
            f"envelope_of_{name}",
            "20.1.2 2.5.1",
            {"release.json": data},
            comment,
            known=COSIGN,
        )


def _unsigned() -> Iterator[Attack]:
    """Well-formed envelopes whose signatures are none."""
    raw = key(PACKER).sign(MESSAGE)
    large = le(32, int.from_bytes(raw[32:], "little") + ORDER)
    identity = le(32, 1)
    other = dumps(statement(seq=7))
    cases: dict[str, tuple[str, bytes, str, str]] = {
        "by_nobody": (
            "20.3.3",
            _with(signatures=[]),
            "An empty list: whoever asks all of them is satisfied.",
            HELM,
        ),
        "by_zeros": ("20.2.2", _signed(sig=base64(bytes(64))), "64 zero bytes.", ""),
        "by_the_identity": (
            "20.2.2 21.1.3",
            _signed(sig=base64(identity + bytes(32))),
            "It verifies under a key of small order for any message.",
            "",
        ),
        "with_a_large_half": (
            "20.2.2",
            _signed(sig=base64(raw[:32] + large)),
            "A second signature made from a good one without the key.",
            "",
        ),
        "with_its_halves_exchanged": (
            "20.2.2",
            _signed(sig=base64(raw[32:] + raw[:32])),
            "The right bytes in another order.",
            "",
        ),
        "over_the_payload_alone": (
            "20.2.1",
            _over(PAYLOAD),
            "The type was not signed.",
            "",
        ),
        "over_the_base64": (
            "20.2.1",
            _over(pae(RELEASE_TYPE, GOOD["payload"].encode())),
            "What is signed is what was decoded.",
            "",
        ),
        "over_another_type": (
            "20.2.1",
            _over(pae(MANIFEST_TYPE, PAYLOAD)),
            "Signed as a manifest, told to be a release.",
            "",
        ),
        "over_an_older_scheme": (
            "20.2.1",
            _over(MESSAGE.replace(b"DSSEv1", b"DSSEv0")),
            "Another prefix.",
            "",
        ),
        "over_another_payload": (
            "20.2.1",
            _with(payload=base64(other)),
            "A good signature, and another release under it.",
            "",
        ),
        "over_a_longer_payload": (
            "20.2.1",
            _with(payload=base64(PAYLOAD + b" ")),
            "A blank more.",
            "",
        ),
    }
    for name, (rules, data, comment, known) in cases.items():
        names = "" if rules == "20.3.3" else "20.3.3"
        yield attack(
            "signatures",
            f"release_signed_{name}",
            rules,
            {"release.json": data},
            comment,
            exit=12,
            names=names,
            known=known,
        )
    files: dict[str, Content] = {"release.json": BASE_FILES["bundle.json"]}
    yield attack(
        "signatures",
        "manifest_as_a_release",
        "20.3.5",
        files,
        "Truly signed, for another place.",
        exit=12,
    )
    files = {"bundle.json": BASE_FILES["release.json"]}
    yield attack(
        "signatures",
        "release_as_a_manifest",
        "20.3.5",
        files,
        "Truly signed, for another place.",
        exit=12,
    )
    for name, kind, comment in (
        ("receipt", RECEIPT_TYPE, "A packer's key was made to sign a receipt."),
        ("type_in_capitals", RELEASE_TYPE.upper(), "Types are compared byte by byte."),
        ("type_with_a_parameter", f"{RELEASE_TYPE}; v=1", "Types are compared whole."),
        ("type_of_nothing", "", "No type fits all."),
    ):
        data = dumps(envelope(PAYLOAD, kind, PACKER))
        yield attack(
            "signatures",
            f"release_as_a_{name}",
            "20.3.5",
            {"release.json": data},
            comment,
            exit=12,
        )
    bare = BASE_FILES["bundle.json"]
    assert isinstance(bare, bytes)
    for name, file in (("release", "release.json"), ("manifest", "bundle.json")):
        plain: dict[str, Content] = {
            file: PAYLOAD if name == "release" else dumps(Bundle().document)
        }
        comment = "The payload itself, with no envelope around it."
        yield attack(
            "signatures",
            f"{name}_without_an_envelope",
            "20.1.2",
            plain,
            comment,
            known=HELM,
        )


def _wrong_people() -> Iterator[Attack]:
    """True signatures of keys that do not count here."""
    both = {"packer": ([PACKER, SECOND_PACKER], 2), "relay": ([RELAY, SECOND_RELAY], 2)}
    packers = [PACKER, SECOND_PACKER]
    carried = Bundle(roles=APPROVERS, carriers=[APPROVER])
    renamed = signature(STRANGER, MESSAGE, name=keyid(PACKER))
    second = signature(PACKER, MESSAGE, name=keyid(SECOND_PACKER))
    cases: dict[str, tuple[str, Bundle | dict[str, Content], str, str]] = {
        "release_by_a_stranger": (
            "22.4.1",
            Bundle(packers=[STRANGER]),
            "A good signature of a key that nobody listed.",
            "",
        ),
        "release_by_a_relay": (
            "22.4.1",
            Bundle(roles=both, packers=[RELAY, SECOND_RELAY], carriers=packers),
            "Relays carry, they do not pack.",
            "",
        ),
        "release_by_an_approver": (
            "22.4.1",
            Bundle(roles=APPROVERS, packers=[APPROVER]),
            "Approvers approve, they do not pack.",
            "",
        ),
        "release_by_the_root": (
            "22.4.1",
            Bundle(packers=[1]),
            "The root says who packs; it does not pack.",
            "",
        ),
        "release_by_one_of_two": (
            "22.4.1",
            Bundle(roles=both, packers=[PACKER], carriers=packers),
            "The threshold is two.",
            GO_TUF,
        ),
        "release_by_one_and_a_stranger": (
            "22.4.1",
            Bundle(roles=both, packers=[PACKER, STRANGER], carriers=packers),
            "Two signatures, one that counts.",
            GO_TUF,
        ),
        "release_by_one_under_two_names": (
            "22.4.1 20.3.1",
            Bundle(roles=both, packers=packers, carriers=packers).changed()
            | {"release.json": _with(signatures=[ONE, second])},
            "One key signs twice, once under the other's name.",
            GO_TUF,
        ),
        "release_by_a_stranger_under_a_name": (
            "22.4.1 20.3.1",
            {"release.json": _with(signatures=[renamed])},
            "The id is a hint, and a lie.",
            "",
        ),
        "manifest_by_a_stranger": (
            "22.4.2",
            Bundle(carriers=[STRANGER]),
            "Whoever carries it chooses the volumes.",
            "",
        ),
        "manifest_by_a_packer_and_a_relay": (
            "22.4.2",
            Bundle(roles=both, packers=packers, carriers=[PACKER, RELAY]),
            "One of two each; they are not added up.",
            GO_TUF,
        ),
        "manifest_by_an_approver": (
            "22.4.2",
            carried.changed(**{_place(APPROVER): _detached(APPROVER, carried.payload)}),
            "Approvers do not carry.",
            "",
        ),
    }
    for name, (rules, what, comment, known) in cases.items():
        yield attack(
            "signatures",
            name,
            rules,
            what,
            comment,
            exit=12,
            names="20.3.3",
            known=known,
        )


def _approvals() -> Iterator[Attack]:
    """Releases that somebody has to approve, and nobody did."""
    asked = Bundle(roles=APPROVERS)
    good = signature(APPROVER, pae(RELEASE_TYPE, asked.payload))
    cases: dict[str, tuple[dict[str, Content], str, str]] = {
        "by_nobody": ({}, "There is an approver.", HELM),
        "by_a_stranger": (
            {_place(STRANGER): _detached(STRANGER, asked.payload)},
            "A file that nobody asked for.",
            "",
        ),
        "by_another_approver_elsewhere": (
            {_place(SECOND_APPROVER): _detached(SECOND_APPROVER, asked.payload)},
            "Not one of this receiver's.",
            "",
        ),
        "by_the_packer": (
            {_place(PACKER): _detached(PACKER, asked.payload)},
            "Who packs does not approve.",
            "",
        ),
        "under_another_name": (
            {
                _place(APPROVER): dumps(
                    signature(
                        STRANGER, pae(RELEASE_TYPE, asked.payload), name=keyid(APPROVER)
                    )
                )
            },
            "Not its key.",
            "",
        ),
        "of_another_release": (
            {_place(APPROVER): _detached(APPROVER, asked.payload + b" ")},
            "Of the one before.",
            "",
        ),
        "as_a_manifest": (
            {
                _place(APPROVER): dumps(
                    signature(APPROVER, pae(MANIFEST_TYPE, asked.payload))
                )
            },
            "Another type.",
            "",
        ),
        "in_a_file_of_another": (
            {_place(STRANGER): dumps(good)},
            "Only the files of approvers are opened.",
            "",
        ),
        "by_an_envelope": (
            {_place(APPROVER): dumps(envelope(asked.payload, RELEASE_TYPE, APPROVER))},
            "Another form.",
            "",
        ),
        "by_garbage": (
            {_place(APPROVER): b"\0" * 100},
            "A spoilt file is none.",
            COSIGN,
        ),
        "in_the_release_itself": (
            {
                "release.json": dumps(
                    envelope(asked.payload, RELEASE_TYPE, PACKER, APPROVER)
                )
            },
            "Whoever approves does not sign the packer's file.",
            "",
        ),
    }
    for name, (files, comment, known) in cases.items():
        body = asked.changed(**files)
        yield attack(
            "signatures",
            f"approved_{name}",
            "22.4.3",
            body,
            comment,
            exit=12,
            known=known,
        )
    two = {"packer": ([PACKER], 1), "approver": ([APPROVER, SECOND_APPROVER], 2)}
    alone = Bundle(roles=two)
    again = {
        _place(number): _detached(APPROVER, alone.payload)
        for number in (APPROVER, SECOND_APPROVER)
    }
    comment = "One approver's signature in two files; two are needed."
    yield attack(
        "signatures",
        "approved_by_one_twice",
        "22.4.3",
        alone.changed(**again),
        comment,
        exit=12,
        known=GO_TUF,
    )


def _place(number: int) -> str:
    return f"sig/{keyid(number)}.json"


def _detached(number: int, payload: bytes) -> bytes:
    return dumps(signature(number, pae(RELEASE_TYPE, payload)))
