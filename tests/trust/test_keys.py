"""Keys that mean one signer, and those that would mean anybody."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, strategies as st
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

from bundle.errors import BundleError, FormatError, TrustError
from bundle.trust.keys import PrivateKey, PublicKey
from tests.trust.ceremony import key

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
L = 2**252 + 27742317777372353535851937790883648493


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def multiply(point: tuple[int, int], times: int) -> tuple[int, int]:
    result = (0, 1)
    while times:
        if times & 1:
            result = add(result, point)
        point, times = add(point, point), times >> 1
    return result


def recover_x(y: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_M1 % P
    return x if x * x % P == square else None


def torsion() -> list[tuple[int, int]]:
    """Find the eight points of small order from the curve's equation alone."""
    for y in range(2, 100):
        x = recover_x(y)
        if x is not None:
            eighth = multiply((x, y), L)
            points = [multiply(eighth, times) for times in range(8)]
            if len(set(points)) == 8:
                return points
    raise AssertionError


def small_order_encodings() -> dict[str, bytes]:
    """Every 32 bytes that some decoder takes for a point of small order."""
    encodings = {}
    for y in sorted({y for _, y in torsion()}):
        for written in (y, y + P):
            for sign in (0, 1):
                if written < 2**255:
                    raw = (written | sign << 255).to_bytes(32, "little")
                    encodings[raw.hex()] = raw
    return encodings


SMALL_ORDER = small_order_encodings()


def test_there_are_fourteen_encodings_of_points_of_small_order() -> None:
    assert len(torsion()) == 8
    assert len(SMALL_ORDER) == 14


@pytest.mark.parametrize("raw", SMALL_ORDER.values(), ids=SMALL_ORDER)
def test_a_point_of_small_order_is_no_key(raw: bytes) -> None:
    with pytest.raises(TrustError, match=r"small order.*rule 21\.1\.3"):
        PublicKey(raw)
    with pytest.raises(TrustError, match=r"rule 21\.1\.3"):
        PublicKey.parse(raw.hex())


def test_the_library_takes_a_signature_by_nobody_for_any_message() -> None:
    """Why the check is ours: one constant signature is good for everything."""
    nobody = bytes([1]) + bytes(31)
    forged = nobody + bytes(32)
    for message in (b"", b"any message", b"any other"):
        Ed25519PublicKey.from_public_bytes(nobody).verify(forged, message)
    with pytest.raises(TrustError):
        PublicKey(nobody)


NOT_CANONICAL = [y + P for y in range(19) if y not in (0, 1)]


@pytest.mark.parametrize("y", NOT_CANONICAL)
@pytest.mark.parametrize("sign", [0, 1])
def test_a_second_encoding_of_a_point_is_no_key(y: int, sign: int) -> None:
    raw = (y | sign << 255).to_bytes(32, "little")
    with pytest.raises(TrustError, match=r"rule 21\.1\.2"):
        PublicKey(raw)


def test_bytes_that_are_no_point_are_no_key() -> None:
    off_curve = [y for y in range(2, 60) if recover_x(y) is None]
    assert len(off_curve) > 10
    for y in off_curve:
        with pytest.raises(TrustError, match=r"rule 21\.1\.2"):
            PublicKey(y.to_bytes(32, "little"))


NOT_KEYS = {
    "empty": "",
    "31 bytes": "02" * 31,
    "33 bytes": "02" * 33,
    "capitals": key(1).public.raw.hex().upper(),
    "a blank inside": key(1).public.raw.hex()[:-2] + " " + key(1).public.raw.hex()[-2:],
    "a blank after": key(1).public.raw.hex() + " ",
    "an odd digit": key(1).public.raw.hex()[:-1],
    "0x": "0x" + key(1).public.raw.hex()[2:],
    "base64": "A" * 43 + "=",
    "not hexadecimal": "zz" * 32,
    "fullwidth digits": "\N{FULLWIDTH DIGIT ZERO}" * 64,
}


@pytest.mark.parametrize("text", NOT_KEYS.values(), ids=NOT_KEYS)
def test_not_the_text_of_a_key(text: str) -> None:
    with pytest.raises(FormatError, match=r"rule 21\.1\.1"):
        PublicKey.parse(text)


@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_are_a_sound_key_or_refused(raw: bytes) -> None:
    try:
        public = PublicKey(raw)
    except BundleError:
        return
    x = recover_x(int.from_bytes(raw, "little") & (2**255 - 1))
    assert x is not None
    assert PublicKey.parse(raw.hex()) == public


def test_a_key_id_is_what_tuf_calls_the_key() -> None:
    public = key(1).public
    theirs = CryptoSigner(key(1)._key).public_key
    assert theirs.keyid == public.keyid


def test_a_signature_is_good_for_its_key_and_message_alone() -> None:
    signature = key(1).sign(b"message")
    assert key(1).public.verifies(signature, b"message")
    assert not key(1).public.verifies(signature, b"massage")
    assert not key(2).public.verifies(signature, b"message")
    assert not key(1).public.verifies(bytes(64), b"message")


def test_a_signature_has_no_second_form() -> None:
    """S + L verifies in careless libraries; two signatures for one are refused."""
    signature = key(1).sign(b"message")
    raised = int.from_bytes(signature[32:], "little") + L
    second = signature[:32] + raised.to_bytes(32, "little")
    assert not key(1).public.verifies(second, b"message")


@pytest.mark.parametrize("message", [None, 7], ids=["nothing", "a number"])
def test_any_failure_of_the_library_is_a_refusal(message: object) -> None:
    with pytest.raises(TrustError, match=r"rule 20\.3\.4"):
        key(1).public.verifies(bytes(64), message)  # type: ignore[arg-type]


def test_a_private_key_survives_its_file() -> None:
    made = PrivateKey.generate()
    again = PrivateKey.from_pem(made.to_pem())
    assert again.public == made.public
    assert again.sign(b"message") == made.sign(b"message")


def test_a_private_key_does_not_print_its_secret() -> None:
    made = key(7)
    secret = (7).to_bytes(32, "big")
    assert secret.hex() not in repr(made)
    assert made.public.keyid[:16] in repr(made)


def pem(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


NOT_PRIVATE_KEYS = {
    "nothing": b"",
    "text": b"not a key",
    "an elliptic curve of another kind": pem(ec.generate_private_key(ec.SECP256R1())),
    "RSA": pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - never used
    "a key behind a passphrase": key(1)._key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    ),
    "half a key": key(1).to_pem()[:60],
    "DER": key(1)._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
}


@pytest.mark.parametrize("data", NOT_PRIVATE_KEYS.values(), ids=NOT_PRIVATE_KEYS)
def test_not_a_private_key(data: bytes) -> None:
    with pytest.raises(TrustError, match=r"rule 21\.2\.1"):
        PrivateKey.from_pem(data)
