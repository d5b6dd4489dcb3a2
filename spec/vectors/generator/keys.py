"""Public and private keys (chapter 21)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spec.vectors.generator.binary import le
from spec.vectors.generator.container import Vector, accept, refuse
from spec.vectors.generator.signing import (
    base64,
    id_of,
    keyid,
    public,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _keys()
    yield from _private_keys()


FIELD: Final = (1 << 255) - 19


ORDER_8: Final = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "little",
)
"""The y of a point of order 8."""


def _encoding(y: int, sign: int = 0) -> str:
    return le(32, y | sign << 255).hex()


def _keys() -> Iterator[Vector]:
    for number in (1, 10):
        text = public(number)
        value = {"keyid": keyid(number)}
        comment = f"The key whose private bytes are {number}."
        yield accept(
            "key",
            f"number_{number}",
            "21.1.1 21.1.4",
            text.encode(),
            comment,
            value=value,
        )
    text = _encoding(3, 1)
    value = {"keyid": id_of(text)}
    comment = "A point with an odd x; nobody knows its private key."
    yield accept(
        "key", "a_point_with_an_odd_x", "21.1.2", text.encode(), comment, value=value
    )
    texts = {
        "in_upper_case": (public(1).upper(), "a to f."),
        "of_62_digits": (public(1)[2:], "31 bytes."),
        "of_66_digits": (public(1) + "00", "33 bytes."),
        "of_63_digits": (public(1)[1:], "No bytes at all."),
        "with_blanks": (
            " ".join(public(1)[i : i + 2] for i in range(0, 64, 2)),
            "None.",
        ),
        "in_base64": (base64(bytes.fromhex(public(1))), "Not hexadecimal."),
    }
    for name, (text, comment) in texts.items():
        yield refuse("key", name, "21.1.1", text.encode(), comment)
    for name, y, rule, comment in (
        ("that_is_no_point", 2, "21.1.2", "No x has y = 2 on the curve."),
        ("with_a_y_over_the_field", FIELD + 3, "21.1.2", "y = 3, written as p + 3."),
    ):
        yield refuse("key", name, rule, _encoding(y).encode(), comment, exit=12)
    for name, y in (
        ("the_neutral_point", 1),
        ("the_neutral_point_over_the_field", FIELD + 1),
        ("order_2", FIELD - 1),
        ("order_4", 0),
        ("order_4_over_the_field", FIELD),
        ("order_8", ORDER_8),
        ("order_8_the_other_half", FIELD - ORDER_8),
    ):
        for sign, end in ((0, ""), (1, "_with_the_sign")):
            data = _encoding(y, sign).encode()
            comment = "A signature that is good for every message is known."
            yield refuse("key", f"{name}{end}", "21.1.3", data, comment, exit=12)


ENCRYPTED: Final = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCMPRAX12MfvSgjrSWQ
nMEwAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQ3sc3XTiGGY+2BI3Z
7KOPJQRASPFnGlfwkMYbpyK8xRrQJPcR4xzRuh0BkxEo0eMxSAlHXhVWCOFOxtgk
h0HTUMfbRHPPNwmYV6TNudCV8arDHA==
-----END ENCRYPTED PRIVATE KEY-----
"""
"""Key 1, encrypted once with the password x."""


ED25519: Final = "302e020100300506032b657004220420"
"""PKCS #8 of an Ed25519 key, up to its 32 bytes."""


X25519: Final = "302e020100300506032b656e04220420"
"""The same for a key that only agrees on secrets."""


def _pem(word: str, data: bytes) -> bytes:
    return f"-----BEGIN {word}-----\n{base64(data)}\n-----END {word}-----\n".encode()


def _private_keys() -> Iterator[Vector]:
    secret = (1).to_bytes(32, "big")
    good = _pem("PRIVATE KEY", bytes.fromhex(ED25519) + secret)
    value = {"public": public(1)}
    comment = "The key whose 32 bytes are 1."
    yield accept("private_key", "number_1", "21.2.1", good, comment, value=value)
    cases = {
        "that_is_encrypted": (ENCRYPTED.encode(), "A reader has no password."),
        "of_x25519": (
            _pem("PRIVATE KEY", bytes.fromhex(X25519) + secret),
            "It cannot sign.",
        ),
        "of_31_bytes": (
            _pem("PRIVATE KEY", bytes.fromhex(ED25519) + secret[1:]),
            "Short.",
        ),
        "that_is_public": (
            _pem("PUBLIC KEY", bytes.fromhex("302a300506032b6570032100" + public(1))),
            "The other half.",
        ),
        "that_is_32_bytes": (secret, "No PEM."),
    }
    for name, (data, comment) in cases.items():
        yield refuse("private_key", name, "21.2.1", data, comment, exit=12)
