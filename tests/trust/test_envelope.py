"""Envelopes: one way to write each, and nothing believed before it is signed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Key  # type: ignore[attr-defined]

from bundle.errors import BundleError, FormatError, LimitError, TrustError
from bundle.limits import MAX_SIGNATURES
from bundle.trust import envelope
from bundle.trust.envelope import Verification
from tests.trust.ceremony import key

TYPE = envelope.RELEASE_TYPE
KEYS = [key(1).public, key(2).public, key(3).public]
LIMIT = 1 << 20


def changed(**members: object) -> bytes:
    """Return a good envelope with some members replaced."""
    document = json.loads(envelope.sign(b"payload", TYPE, [key(1)]))
    return spelt({**document, **members})


def spelt(document: object) -> bytes:
    """Return ``document`` as JSON without blanks and escapes (20.1.9)."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def signature(**members: object) -> dict[str, Any]:
    document = json.loads(envelope.sign(b"payload", TYPE, [key(1)]))
    return {**document["signatures"][0], **members}


def verify(data: bytes, threshold: int = 1) -> bytes:
    return envelope.verify(data, TYPE, KEYS, threshold, limit=LIMIT).payload


def test_the_vector_of_the_dsse_protocol() -> None:
    """Its first example: https://github.com/secure-systems-lab/dsse."""
    assert (
        envelope.pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert envelope.pae("", b"") == b"DSSEv1 0  0 "
    assert envelope.pae("\xe9", b"\0") == b"DSSEv1 2 \xc3\xa9 1 \0"


@given(st.binary(max_size=300), st.sets(st.integers(1, 3), min_size=1))
def test_what_is_signed_is_verified(payload: bytes, numbers: set[int]) -> None:
    data = envelope.sign(payload, TYPE, [key(number) for number in numbers])
    verified = envelope.verify(data, TYPE, KEYS, len(numbers), limit=LIMIT)
    assert verified.payload == payload
    assert len(verified.verification.signed) == len(numbers)


def test_the_same_input_gives_the_same_envelope() -> None:
    one = envelope.sign(b"payload", TYPE, [key(1), key(2)])
    assert one == envelope.sign(b"payload", TYPE, [key(2), key(1)])


def test_another_implementation_agrees() -> None:
    data = envelope.sign(b"payload", TYPE, [key(1), key(2)])
    kind = {"keytype": "ed25519", "scheme": "ed25519"}
    keys = [
        Key.from_dict(one.keyid, {**kind, "keyval": {"public": one.raw.hex()}})
        for one in KEYS
    ]
    theirs = Envelope.from_dict(json.loads(data))
    assert set(theirs.verify(keys, 2)) == {key(1).public.keyid, key(2).public.keyid}


# -- bytes ---------------------------------------------------------------------


def test_every_flipped_bit_of_an_envelope_is_refused() -> None:
    data = envelope.sign(b"{}", TYPE, [key(1)])
    assert verify(data) == b"{}"
    for position in range(len(data)):
        for bit in range(8):
            mutant = bytearray(data)
            mutant[position] ^= 1 << bit
            with pytest.raises(BundleError):
                verify(bytes(mutant))


def test_every_truncated_envelope_is_refused() -> None:
    data = envelope.sign(b"{}", TYPE, [key(1)])
    for length in range(len(data)):
        with pytest.raises(BundleError):
            verify(data[:length])


@pytest.mark.parametrize("tail", [b"{}", b"\0", b",", b"]", b'"', b"x" * 64])
def test_anything_after_an_envelope_is_refused(tail: bytes) -> None:
    with pytest.raises(FormatError):
        verify(envelope.sign(b"{}", TYPE, [key(1)]) + tail)


def test_an_envelope_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitError, match=r"rule 20\.1\.1"):
        envelope.verify(b"\xff" * 1001, TYPE, KEYS, 1, limit=1000)


def respelt(data: bytes, before: str, after: str) -> bytes:
    assert before.encode() in data
    return data.replace(before.encode(), after.encode(), 1)


SPELLINGS = {
    "a blank first": ("{", " {"),
    "a blank inside": (":", ": "),
    "a line end last": ("]}", "]}\n"),
    "a slash that is escaped": ("/", "\\/"),
    "a letter that is escaped": ("application", "\\u0061pplication"),
    "a key that is escaped": ('"keyid"', '"\\u006beyid"'),
}


@pytest.mark.parametrize(("before", "after"), SPELLINGS.values(), ids=SPELLINGS)
def test_there_is_one_way_to_write_an_envelope(before: str, after: str) -> None:
    """Any JSON reader takes these for the same document."""
    data = envelope.sign(b"payload", TYPE, [key(1)])
    mutant = respelt(data, before, after)
    assert json.loads(mutant) == json.loads(data)
    with pytest.raises(FormatError, match=r"rule 20\.1\.9"):
        verify(mutant)


def test_members_have_an_order() -> None:
    document = json.loads(envelope.sign(b"payload", TYPE, [key(1)]))
    with pytest.raises(FormatError, match=r"rule 20\.1\.9"):
        verify(spelt(dict(reversed(document.items()))))


# -- members -------------------------------------------------------------------

MALFORMED: dict[str, bytes] = {
    "not JSON": b"payload",
    "a list": b"[]",
    "null": b"null",
    "no payload": b'{"payloadType":"t","signatures":[]}',
    "no type": b'{"payload":"","signatures":[]}',
    "no signatures": b'{"payload":"","payloadType":"t"}',
    "a member too many": changed(extra=1),
    "a comment member": changed(_comment="hello"),
    "payload twice": b'{"payload":"","payload":"","payloadType":"t","signatures":[]}',
    "a member in another case": b'{"Payload":"","payloadType":"t","signatures":[]}',
    "payload is null": changed(payload=None),
    "payload is a list of bytes": changed(payload=[1, 2]),
    "type is a number": changed(payloadType=1),
    "signatures are an object": changed(signatures={}),
    "a signature is a string": changed(signatures=["x"]),
    "a signature without a key id": changed(signatures=[{"sig": signature()["sig"]}]),
    "a signature without bytes": changed(signatures=[{"keyid": signature()["keyid"]}]),
    "a signature with a certificate": changed(signatures=[signature(cert="x")]),
    "an empty key id": changed(signatures=[signature(keyid="")]),
    "a key id in capitals": changed(
        signatures=[signature(keyid=signature()["keyid"].upper())]
    ),
    "a key id that is a path": changed(signatures=[signature(keyid="../x")]),
    "a short key id": changed(signatures=[signature(keyid="ab" * 31)]),
    "a signature of 63 bytes": changed(
        signatures=[signature(sig=base64.b64encode(bytes(63)).decode())]
    ),
    "a signature of 65 bytes": changed(
        signatures=[signature(sig=base64.b64encode(bytes(65)).decode())]
    ),
    "an empty signature": changed(signatures=[signature(sig="")]),
    "a signature in hexadecimal": changed(signatures=[signature(sig="ab" * 64)]),
    "one key id twice": changed(signatures=[signature(), signature()]),
    "one key id with two signatures": changed(
        signatures=[signature(), signature(sig=base64.b64encode(bytes(64)).decode())]
    ),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"rule 20\."):
        verify(data)


# -- base64 --------------------------------------------------------------------

NOT_BASE64 = {
    "no padding for one byte": "YQ",
    "half the padding": "YQ=",
    "three signs of padding": "YQ===",
    "padding where none belongs": "YWJj=",
    "four signs of padding": "YWJj====",
    "padding alone": "=",
    "only padding": "====",
    "padding first": "=YWJ",
    "padding inside": "YQ==YWJj",
    "two texts joined": "YQ==YQ==",
    "one letter": "Y",
    "five letters": "YWJjZ",
    "loose bits after one byte": "YR==",
    "all loose bits after one byte": "Yf==",
    "loose bits after two bytes": "YWK=",
    "the alphabet for URLs, minus": "-_8=",
    "the alphabet for URLs, underscore": "__8=",
    "a mixed alphabet": "+_8=",
    "a blank inside": "YW Jj",
    "a blank first": " YWJj",
    "a blank last": "YWJj ",
    "a newline last": "YWJj\n",
    "a newline every 4": "YWJj\nYWJj",
    "a carriage return": "YWJj\r\n",
    "a tab": "YW\tJj",
    "a NUL": "YWJj\0",
    "a dot": "YW.Jj",
    "a comma": "YW,j",
    "an exclamation mark": "!!!!",
    "a letter outside ASCII": "YWJ\xe9",
    "fullwidth letters": "\N{FULLWIDTH LATIN CAPITAL LETTER Y}WJj",
    "percent encoding": "YQ%3D%3D",
    "a prefix": "data:;base64,YWJj",
    "base32": "MFRGG===",
}
BASE64 = {"": b"", "YQ==": b"a", "YWI=": b"ab", "YWJj": b"abc", "+/8=": b"\xfb\xff"}


@pytest.mark.parametrize("text", NOT_BASE64.values(), ids=NOT_BASE64)
def test_not_the_only_base64(text: str) -> None:
    with pytest.raises(FormatError, match=r"rule 20\.1\.[367]"):
        envelope.parse(changed(payload=text), limit=LIMIT)


@pytest.mark.parametrize(("text", "payload"), BASE64.items())
def test_base64(text: str, payload: bytes) -> None:
    assert envelope.parse(changed(payload=text), limit=LIMIT).payload == payload


# -- thresholds ----------------------------------------------------------------


def test_a_signature_is_good_for_one_type_of_payload_alone() -> None:
    """A bundle's manifest must never pass for a release."""
    data = envelope.sign(b"payload", envelope.MANIFEST_TYPE, [key(1)])
    with pytest.raises(TrustError, match=r"rule 20\.3\.5"):
        verify(data)
    relabelled = json.loads(data)
    relabelled["payloadType"] = TYPE
    with pytest.raises(TrustError, match=r"rule 20\.3\.3"):
        verify(spelt(relabelled))


def test_length_and_type_cannot_be_shifted_into_each_other() -> None:
    assert envelope.pae("a 1 b", b"c") != envelope.pae("a", b"b 1 c")


def test_an_envelope_without_signatures_is_refused() -> None:
    with pytest.raises(TrustError, match=r"signed by none: 0 of 1 .*rule 20\.3\.3"):
        verify(changed(signatures=[]))


def test_a_stranger_does_not_count() -> None:
    with pytest.raises(TrustError, match="0 of 1"):
        verify(envelope.sign(b"payload", TYPE, [key(9)]))


def test_a_stranger_beside_a_signer_does_no_harm() -> None:
    assert verify(envelope.sign(b"payload", TYPE, [key(9), key(1)])) == b"payload"


def test_too_few_keys() -> None:
    with pytest.raises(TrustError, match="1 of 2"):
        verify(envelope.sign(b"payload", TYPE, [key(1), key(9)]), threshold=2)


def test_a_stranger_under_a_known_name_does_not_count() -> None:
    """A key id is a hint: what counts is that the key's signature verifies."""
    stolen = json.loads(envelope.sign(b"payload", TYPE, [key(1), key(9)]))
    for item in stolen["signatures"]:
        if item["keyid"] == key(9).public.keyid:
            item["keyid"] = key(2).public.keyid
    with pytest.raises(TrustError, match="1 of 2"):
        verify(spelt(stolen), threshold=2)


def test_one_key_listed_twice_counts_once() -> None:
    data = envelope.sign(b"payload", TYPE, [key(1)])
    with pytest.raises(TrustError, match="1 of 2"):
        envelope.verify(data, TYPE, [KEYS[0], KEYS[0]], 2, limit=LIMIT)


def test_one_signature_repeated_by_a_library_counts_once() -> None:
    parsed = envelope.parse(envelope.sign(b"", TYPE, [key(1)]), limit=LIMIT)
    doubled = envelope.Envelope(b"", TYPE, parsed.signatures * 2)
    assert envelope.check(doubled, KEYS, 2).missing == 1


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_of_nothing_is_the_callers_mistake(threshold: int) -> None:
    data = envelope.sign(b"payload", TYPE, [key(9)])
    with pytest.raises(ValueError, match="at least 1"):
        envelope.verify(data, TYPE, KEYS, threshold, limit=LIMIT)


def test_no_keys_verify_nothing() -> None:
    with pytest.raises(TrustError):
        envelope.verify(envelope.sign(b"", TYPE, [key(1)]), TYPE, [], 1, limit=LIMIT)


def test_as_many_signatures_as_allowed() -> None:
    keys = [key(number) for number in range(1, MAX_SIGNATURES + 1)]
    data = envelope.sign(b"payload", TYPE, keys)
    everyone = [member.public for member in keys]
    verified = envelope.verify(data, TYPE, everyone, MAX_SIGNATURES, limit=LIMIT)
    assert verified.verification.missing == 0


def test_one_signature_too_many() -> None:
    items = [signature(keyid=f"{number:064x}") for number in range(MAX_SIGNATURES + 1)]
    with pytest.raises(LimitError, match=r"rule 20\.1\.3"):
        verify(changed(signatures=items))


@pytest.mark.parametrize(
    "filler",
    [b"{},", b"[],", b"0,", b'"",', b'{"keyid":"","sig":""},'],
    ids=["objects", "lists", "numbers", "strings", "signatures"],
)
def test_a_million_of_anything_is_refused_before_it_is_parsed(filler: bytes) -> None:
    data = b'{"payload":"","payloadType":"","signatures":[' + filler * 40_000
    with pytest.raises(LimitError, match=r"rule 20\.1\.3"):
        verify(data[:-1] + b"]}")


def test_a_verification_explains_itself() -> None:
    result = Verification(3, ("ab" * 32, "cd" * 32))
    assert (result.verified, result.missing) == (False, 1)
    assert str(result) == f"signed by {'ab' * 8}, {'cd' * 8}: 2 of 3 needed"
    assert Verification(1, ("ab" * 32, "cd" * 32)).missing == 0


@pytest.mark.parametrize(
    "numbers", [[], [1, 1], range(1, MAX_SIGNATURES + 2)], ids=["none", "twice", "many"]
)
def test_signers_that_no_reader_would_take(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="1 to 16 distinct signers"):
        envelope.sign(b"", TYPE, [key(number) for number in numbers])


# -- detached signatures -------------------------------------------------------


def test_a_detached_signature_is_the_one_of_an_envelope() -> None:
    data = envelope.sign_detached(b"payload", TYPE, key(1))
    detached = envelope.parse_detached(data)
    whole = envelope.parse(envelope.sign(b"payload", TYPE, [key(1)]), limit=LIMIT)
    assert whole.signatures == (detached,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        spelt(signature(extra=1)),
        spelt([signature()]),
        spelt(signature(keyid="x")),
        spelt(signature()) + b" ",
        spelt(signature()) + b" " * 4096,
    ],
    ids=[
        "empty",
        "no members",
        "a member more",
        "a list",
        "a bad id",
        "a blank more",
        "too long",
    ],
)
def test_malformed_detached(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"rule 20\."):
        envelope.parse_detached(data)
