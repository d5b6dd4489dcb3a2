"""Signed bytes: DSSE envelopes, read strictly (spec §20).

An envelope is JSON with exactly three members: ``payload`` (base64),
``payloadType`` and ``signatures``, a list of ``keyid`` and ``sig``. What is
signed is not the JSON but the type and the payload, each with its length, so
there is no canonical form to disagree about. ``verify`` hands out the payload
only when enough keys signed it; nobody parses the envelope a second time.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.errors import FormatError, LimitError, TrustError
from bundle.limits import MAX_DETACHED_SIGNATURE, MAX_SIGNATURES
from bundle.trust.keys import SIGNATURE_SIZE
from bundle.wire import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bundle.trust.keys import PrivateKey, PublicKey

RELEASE_TYPE: Final = "application/vnd.in-toto+json"
MANIFEST_TYPE: Final = "application/vnd.bundle.manifest.v1+json"
RECEIPT_TYPE: Final = "application/vnd.bundle.receipt.v1+json"

_KEYID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: list[_Signature]


@dataclass(frozen=True, slots=True)
class Signature:
    """64 bytes, and the name of the key they claim to come from."""

    keyid: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an envelope says, before anyone believes it."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """How far some signatures meet a threshold.

    ``signed`` names the keys whose signatures verified; each key counts once.
    """

    threshold: int
    signed: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Whether enough keys signed."""
        return len(self.signed) >= self.threshold

    @property
    def missing(self) -> int:
        """How many more keys would have to sign."""
        return max(0, self.threshold - len(self.signed))

    def __str__(self) -> str:
        keys = ", ".join(keyid[:16] for keyid in self.signed) or "none"
        return f"signed by {keys}: {len(self.signed)} of {self.threshold} needed"


@dataclass(frozen=True, slots=True)
class Verified:
    """Payload bytes that enough keys signed, and the account of it.

    ``approvers`` are the ids of the keys whose detached signatures verified.
    """

    payload: bytes
    verification: Verification
    approvers: tuple[str, ...] = ()


def sign(payload: bytes, payload_type: str, signers: Iterable[PrivateKey]) -> bytes:
    """Return the envelope of ``payload``, signed by each of ``signers``.

    Raises:
        ValueError: no signer, one of them twice, or more than a reader takes.
    """
    message = pae(payload_type, payload)
    keys = [*signers]
    signatures = {key.public.keyid: key.sign(message) for key in keys}
    if len(signatures) != len(keys) or not 1 <= len(keys) <= MAX_SIGNATURES:
        raise ValueError(f"an envelope has 1 to {MAX_SIGNATURES} distinct signers")
    return write_json(
        _Envelope(
            payload=_to_base64(payload),
            payload_type=payload_type,
            signatures=[
                _Signature(keyid, _to_base64(raw))
                for keyid, raw in sorted(signatures.items())
            ],
        )
    )


def with_signature(envelope: Envelope, signer: PrivateKey) -> bytes:
    """Return ``envelope`` with one more signature; what it says stays the same.

    Raises:
        ValueError: that would be more than a reader takes.
    """
    raw = signer.sign(pae(envelope.payload_type, envelope.payload))
    signatures = {one.keyid: one.raw for one in envelope.signatures}
    signatures[signer.public.keyid] = raw
    if len(signatures) > MAX_SIGNATURES:
        raise ValueError(f"an envelope has at most {MAX_SIGNATURES} signatures")
    return write_json(
        _Envelope(
            payload=_to_base64(envelope.payload),
            payload_type=envelope.payload_type,
            signatures=[
                _Signature(keyid, _to_base64(raw))
                for keyid, raw in sorted(signatures.items())
            ],
        )
    )


def parse(data: bytes, *, limit: int) -> Envelope:
    """Read an envelope of at most ``limit`` bytes without believing it.

    Raises:
        LimitError: too many bytes or signatures.
        FormatError: a rule of §20 is broken.
    """
    if len(data) > limit:
        raise LimitError(
            f"an envelope of {len(data)} bytes, over {limit}", rule="20.1.1"
        )
    # Neither base64 nor a key id has these characters, so counting them bounds
    # what the JSON parser can be made to allocate.
    if (
        data.count(b"{") > 1 + MAX_SIGNATURES
        or data.count(b",") > 2 + 2 * MAX_SIGNATURES
    ):
        raise LimitError(
            f"an envelope with more than {MAX_SIGNATURES} signatures", rule="20.1.3"
        )
    document = read_json(data, _Envelope, limit=limit, rule="20.1.2")
    signatures = tuple(_parse_signature(item) for item in document.signatures)
    if len({signature.keyid for signature in signatures}) != len(signatures):
        raise FormatError("two signatures with one key id", rule="20.1.5")
    payload = _from_base64(document.payload, "payload")
    _check_spelling(data, document)
    return Envelope(payload, document.payload_type, signatures)


def check(
    envelope: Envelope, keys: Collection[PublicKey], threshold: int
) -> Verification:
    """Return how far ``envelope`` is signed by ``threshold`` of ``keys``.

    Raises:
        ValueError: ``threshold`` is not at least 1.
    """
    if threshold < 1:
        raise ValueError("a threshold is at least 1")
    message = pae(envelope.payload_type, envelope.payload)
    # Names are computed from the key, so a key can be counted only once and a
    # signature that lies about its name is tried against no other key (20.3.1).
    known = {key.keyid: key for key in keys}
    signed = sorted(
        signature.keyid
        for signature in envelope.signatures
        if signature.keyid in known
        and known[signature.keyid].verifies(signature.raw, message)
    )
    return Verification(threshold, tuple(dict.fromkeys(signed)))


def verify(
    data: bytes,
    payload_type: str,
    keys: Collection[PublicKey],
    threshold: int,
    *,
    limit: int,
) -> Verified:
    """Return the payload that ``threshold`` of ``keys`` signed as ``payload_type``.

    Raises:
        FormatError: not an envelope as §20 allows it.
        TrustError: not enough keys signed, or another type of payload.
    """
    envelope = parse(data, limit=limit)
    verification = check(envelope, keys, threshold)
    require(verification, envelope, payload_type)
    return Verified(envelope.payload, verification)


def require(verification: Verification, envelope: Envelope, payload_type: str) -> None:
    """Refuse what is not signed by enough keys or not of type ``payload_type``.

    Raises:
        TrustError: one of the two.
    """
    if not verification.verified:
        raise TrustError(
            f"{verification}; it names {len(envelope.signatures)} signatures",
            rule="20.3.3",
            advice="check that the enrolled root is the one the packer belongs to",
        )
    if envelope.payload_type != payload_type:
        raise TrustError(
            f"the payload is {envelope.payload_type[:80]!r}, not {payload_type!r}",
            rule="20.3.5",
        )


def sign_detached(payload: bytes, payload_type: str, signer: PrivateKey) -> bytes:
    """Return one signature over ``payload`` as a file of its own (spec §20.4)."""
    raw = signer.sign(pae(payload_type, payload))
    return write_json(_Signature(signer.public.keyid, _to_base64(raw)))


def parse_detached(data: bytes) -> Signature:
    """Read a file made by ``sign_detached`` without believing it.

    Raises:
        LimitError: too many bytes.
        FormatError: rule 20.4.1 is broken.
    """
    limit = MAX_DETACHED_SIGNATURE
    item = read_json(data, _Signature, limit=limit, rule="20.4.1")
    signature = _parse_signature(item)
    _check_spelling(data, item)
    return signature


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: DSSE's pre-authentication encoding.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _check_spelling(data: bytes, document: _Envelope | _Signature) -> None:
    """Refuse blanks, escapes and another order of members (20.1.9).

    So no byte of an envelope can be added or changed unnoticed.
    """
    if write_json(document) != data:
        raise FormatError("not the one way to write this JSON", rule="20.1.9")


def _parse_signature(item: _Signature) -> Signature:
    if _KEYID.fullmatch(item.keyid) is None:
        raise FormatError(f"not a key id: {item.keyid[:80]!r}", rule="20.1.4")
    raw = _from_base64(item.sig, "sig")
    if len(raw) != SIGNATURE_SIZE:
        raise FormatError(f"a signature of {len(raw)} bytes", rule="20.1.8")
    return Signature(item.keyid, raw)


def _to_base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _from_base64(text: str, member: str) -> bytes:
    """Decode the one base64 text there is for some bytes (20.1.7)."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise FormatError(f"{member}: not base64: {error}", rule="20.1.6") from None
    if _to_base64(data) != text:
        raise FormatError(f"{member}: not the only base64 of its bytes", rule="20.1.7")
    return data
