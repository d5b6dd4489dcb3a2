"""Envelopes, detached signatures and keys (chapters 20 and 21)."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import le
from spec.vectors.generator.container import Repeat, Vector, accept, refuse
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.signing import (
    MANIFEST_TYPE,
    RELEASE_TYPE,
    base64,
    envelope,
    key,
    keyid,
    pae,
    public,
    signature,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spec.vectors.generator.container import Body
    from spec.vectors.generator.statements import JSON

PAYLOAD: Final = b"{}"


ORDER: Final = (1 << 252) + 27742317777372353535851937790883648493
"""The order of the group: what the second half of a signature is below."""


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _good()
    for name, (rules, body, comment, *names) in _bad_forms().items():
        yield _bad(name, rules, body, comment, names="".join(names))
    yield from _not_signed()
    yield from _detached()


def _given(*numbers: int, threshold: int = 1) -> JSON:
    return {
        "payloadType": RELEASE_TYPE,
        "keys": [public(number) for number in numbers or (1,)],
        "threshold": threshold,
    }


def _accepted(
    name: str,
    rules: str,
    body: Body,
    comment: str,
    *,
    signed: Sequence[int] = (1,),
    given: JSON | None = None,
    payload: bytes = PAYLOAD,
) -> Vector:
    value = {
        "payload": payload.hex(),
        "signed": sorted(keyid(number) for number in signed),
    }
    return accept(
        "envelope", name, rules, body, comment, given=given or _given(), value=value
    )


def _good() -> Iterator[Vector]:
    good = envelope(PAYLOAD, RELEASE_TYPE, 1)
    comment = "The example of chapter 20."
    yield _accepted("by_one_key", "20.1.2 20.2.1 20.3.6", dumps(good), comment)
    empty = envelope(b"", RELEASE_TYPE, 1)
    comment = "What it is good for is for the reader of the payload to say."
    yield _accepted("of_no_bytes", "20.1.6", dumps(empty), comment, payload=b"")
    two = envelope(PAYLOAD, RELEASE_TYPE, 3, 1)
    comment = "Two of three."
    given = _given(1, 2, 3, threshold=2)
    yield _accepted(
        "by_two_of_three", "20.3.2", dumps(two), comment, signed=(1, 3), given=given
    )
    many = envelope(PAYLOAD, RELEASE_TYPE, *range(1, 17))
    comment = "One key of the role, and fifteen that nobody knows."
    yield _accepted("with_sixteen_signatures", "20.1.3 20.3.1", dumps(many), comment)
    message = pae(RELEASE_TYPE, PAYLOAD)
    wrong = good | {
        "signatures": [signature(1, message), signature(1, message, name=keyid(2))]
    }
    comment = "The second is wrong under its name, and does not count; one is enough."
    given = _given(1, 2)
    yield _accepted(
        "with_a_wrong_signature_too_many", "20.3.1", dumps(wrong), comment, given=given
    )


def _bad(
    name: str,
    rules: str,
    body: Body,
    comment: str,
    *,
    exit: int = 10,  # noqa: A002 - the word of the header
    names: str = "",
    given: JSON | None = None,
) -> Vector:
    return refuse(
        "envelope",
        name,
        rules,
        body,
        comment,
        exit=exit,
        names=names,
        given=given or _given(),
    )


def _changed(**changes: Any) -> bytes:
    return dumps(envelope(PAYLOAD, RELEASE_TYPE, 1) | changes)


def _signed_as(**changes: Any) -> bytes:
    (one,) = envelope(PAYLOAD, RELEASE_TYPE, 1)["signatures"]
    return _changed(signatures=[one | changes])


def _bad_forms() -> dict[str, tuple[str, Body, str] | tuple[str, Body, str, str]]:
    good = envelope(PAYLOAD, RELEASE_TYPE, 1)
    (one,) = good["signatures"]
    whole = dumps(good)
    braces = envelope(PAYLOAD, "{", *range(1, 17))
    unused = one["sig"][:-3] + chr(ord(one["sig"][-3]) + 1) + "=="
    return {
        "over_64_mib": ("20.1.1", (whole, Repeat(b" ", 64 << 20)), "Of blanks."),
        "an_array": ("20.1.2", b"[" + whole + b"]", "No object."),
        "without_a_type": (
            "20.1.2",
            dumps({name: good[name] for name in ("payload", "signatures")}),
            "What would it be?",
        ),
        "with_another_member": (
            "20.1.2",
            _changed(comment="hello"),
            "Nobody signed it.",
        ),
        "with_another_member_of_a_signature": (
            "20.1.2",
            _signed_as(cert=""),
            "DSSE allows it, this format does not.",
        ),
        "with_two_payloads": (
            "20.1.2 2.5.2",
            whole.replace(b"{", b'{"payload":"e31="'.replace(b"31", b"30") + b",", 1),
            "Which of them was signed?",
        ),
        "with_a_signature_that_is_a_text": (
            "20.1.2",
            _changed(signatures=["a"]),
            "Object.",
        ),
        "with_no_list_of_signatures": (
            "20.1.2",
            _changed(signatures=one),
            "One object.",
        ),
        "cut_off": ("20.1.2 2.5.1", whole[:-1], "It stops."),
        "with_seventeen_signatures": (
            "20.1.3",
            dumps(envelope(PAYLOAD, RELEASE_TYPE, *range(1, 18))),
            "One too many.",
        ),
        "with_a_million_empty_objects": (
            "20.1.3 2.1.4",
            (b'{"signatures":[', Repeat(b"{},", 1_000_000), b"{}]}"),
            "Counted before it is parsed.",
        ),
        "with_a_brace_in_the_type": (
            "20.1.3",
            dumps(braces),
            "The eighteenth; no type of payload has one.",
        ),
        "a_key_id_in_upper_case": (
            "20.1.4",
            _signed_as(keyid=keyid(1).upper()),
            "a to f.",
        ),
        "a_key_id_of_63_digits": (
            "20.1.4",
            _signed_as(keyid=keyid(1)[1:]),
            "One short.",
        ),
        "an_empty_key_id": ("20.1.4", _signed_as(keyid=""), "DSSE allows it."),
        "two_signatures_under_one_id": (
            "20.1.5",
            _changed(signatures=[one, one]),
            "Whoever counts signatures counts two.",
        ),
        "a_payload_without_padding": (
            "20.1.6",
            _changed(payload="e30"),
            "It has padding.",
        ),
        "a_payload_with_too_much_padding": (
            "20.1.6",
            _changed(payload="e30=="),
            "One.",
        ),
        "a_payload_with_a_line_end": (
            "20.1.6",
            _changed(payload="e3\n0="),
            "No blanks.",
        ),
        "a_payload_with_a_blank_after_it": (
            "20.1.6",
            _changed(payload="e30= "),
            "None.",
        ),
        "a_payload_in_the_alphabet_of_urls": (
            "20.1.6",
            _changed(payload=base64(b"\xff\xff\xff").replace("/", "_")),
            "A slash is a slash.",
        ),
        "a_payload_that_is_no_base64": ("20.1.6", _changed(payload="{}"), "As it is."),
        "a_payload_with_bits_left_over": (
            "20.1.7",
            _changed(payload="e31="),
            "It decodes to the same bytes as e30=.",
        ),
        "a_signature_with_bits_left_over": (
            "20.1.7",
            _signed_as(sig=unused),
            "The same.",
        ),
        "a_signature_of_63_bytes": (
            "20.1.8",
            _signed_as(sig=base64(bytes(63))),
            "Short.",
        ),
        "a_signature_of_65_bytes": (
            "20.1.8",
            _signed_as(sig=base64(bytes(65))),
            "Long.",
        ),
        "with_a_blank": ("20.1.9", whole.replace(b",", b", ", 1), "After a comma."),
        "with_a_line_feed_after_it": ("20.1.9", whole + b"\n", "Editors add one."),
        "with_an_escape": (
            "20.1.9",
            whole.replace(b"/", b"\\/", 1),
            "A slash is a slash.",
        ),
        "with_an_escape_in_a_name": (
            "20.1.9",
            whole.replace(b"payload", b"p\\u0061yload", 1),
            "The same name.",
        ),
        "with_members_in_another_order": (
            "20.1.9",
            dumps(
                {name: good[name] for name in ("payloadType", "payload", "signatures")}
            ),
            "The payload comes first.",
        ),
        "with_members_of_a_signature_in_another_order": (
            "20.1.9",
            _changed(signatures=[{"sig": one["sig"], "keyid": one["keyid"]}]),
            "The id comes first.",
        ),
    }


def _over(message: bytes, number: int = 1) -> bytes:
    return _signed_as(sig=base64(key(number).sign(message)))


def _not_signed() -> Iterator[Vector]:
    raw = b64decode(envelope(PAYLOAD, RELEASE_TYPE, 1)["signatures"][0]["sig"])
    large = int.from_bytes(raw[32:], "little") + ORDER
    message = pae(RELEASE_TYPE, PAYLOAD)
    other = pae(MANIFEST_TYPE, PAYLOAD)
    bad_type = dumps(envelope(PAYLOAD, MANIFEST_TYPE, 1))
    renamed = signature(1, message, name=keyid(2))
    cases: dict[str, tuple[str, bytes, str, JSON]] = {
        "signed_without_the_type": ("20.2.1", _over(PAYLOAD), "The payload alone.", {}),
        "signed_as_another_type": ("20.2.1", _over(other), "As a manifest.", {}),
        "signed_as_base64": (
            "20.2.1",
            _over(pae(RELEASE_TYPE, b"e30=")),
            "What is signed is the decoded payload.",
            {},
        ),
        "signed_by_an_older_scheme": (
            "20.2.1",
            _over(message.replace(b"DSSEv1", b"DSSEv0")),
            "Another prefix.",
            {},
        ),
        "with_another_payload": ("20.2.1", _changed(payload="W10="), "[] for {}.", {}),
        "a_signature_with_a_large_half": (
            "20.2.2",
            _signed_as(sig=base64(raw[:32] + le(32, large))),
            "The order of the group was added to its second half.",
            {},
        ),
        "a_signature_of_zeros": (
            "20.2.2",
            _signed_as(sig=base64(bytes(64))),
            "None.",
            {},
        ),
        "under_the_id_of_another_key": (
            "20.3.1",
            _changed(signatures=[renamed]),
            "Right for a key of the role, but not for the one it names.",
            _given(1, 2),
        ),
        "by_a_stranger": ("20.3.1", _changed(), "No key of the role.", _given(2)),
        "by_one_key_listed_twice": (
            "20.3.2",
            _changed(),
            "The threshold is 2; the list of keys has the same one twice.",
            _given(1, 1, threshold=2),
        ),
        "by_one_of_two": (
            "20.3.3",
            _changed(),
            "Two are needed.",
            _given(1, 2, threshold=2),
        ),
        "by_nobody": ("20.3.3", _changed(signatures=[]), "No signature.", {}),
    }
    for name, (rules, body, comment, given) in cases.items():
        names = "" if rules == "20.3.3" else "20.3.3"
        yield _bad(
            name, rules, body, comment, exit=12, names=names, given=given or None
        )
    comment = "Truly signed, for another place."
    yield _bad("of_another_type", "20.3.5", bad_type, comment, exit=12)


def _detached() -> Iterator[Vector]:
    one = signature(1, pae(RELEASE_TYPE, PAYLOAD))
    value = {"keyid": keyid(1), "sig": key(1).sign(pae(RELEASE_TYPE, PAYLOAD)).hex()}
    comment = "Over the payload of the example of chapter 20."
    yield accept("signature", "by_one_key", "20.4.1", dumps(one), comment, value=value)
    whole = dumps(one)
    cases: dict[str, tuple[str, Body, str]] = {
        "over_4096_bytes": ("20.4.1", (whole, Repeat(b" ", 4096)), "Of blanks."),
        "with_another_member": (
            "20.4.1",
            dumps(one | {"role": "approver"}),
            "No others.",
        ),
        "without_a_key_id": ("20.4.1", dumps({"sig": one["sig"]}), "Whose is it?"),
        "cut_off": ("20.4.1 2.5.1", whole[:-1], "It stops."),
        "an_envelope": ("20.4.1", dumps(envelope(PAYLOAD, RELEASE_TYPE, 1)), "Whole."),
        "a_key_id_of_65_digits": (
            "20.1.4",
            dumps(one | {"keyid": keyid(1) + "0"}),
            "Long.",
        ),
        "that_is_no_base64": ("20.1.6", dumps(one | {"sig": "?"}), "Another alphabet."),
        "with_a_line_feed_after_it": (
            "20.1.9 20.4.1",
            whole + b"\n",
            "Editors add one.",
        ),
        "of_32_bytes": (
            "20.1.8",
            dumps(one | {"sig": base64(bytes(32))}),
            "Half of it.",
        ),
    }
    for name, (rules, body, comment) in cases.items():
        yield refuse("signature", name, rules, body, comment)
