"""Ed25519 keys that are safe to count (spec §21).

A public key is checked when it is made, so a value of ``PublicKey`` is always
a point of the curve, in its one encoding, and not one of the eight points of
small order: for those a constant signature passes for every message, and the
library that verifies does not mind.

>>> PublicKey(bytes([1]) + bytes(31))
Traceback (most recent call last):
bundle.errors.TrustError: public key 0100...00: a point of small order... (rule 21.1.3)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import (
    InternalError,
    InvalidSignature,
    UnsupportedAlgorithm,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from bundle.errors import FormatError, TrustError
from bundle.wire import shown

KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64

_P: Final = (1 << 255) - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_Y_OF_ORDER_8: Final = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "little",
)
_SMALL_ORDER: Final = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})


@dataclass(frozen=True, slots=True, order=True)
class PublicKey:
    """The 32 bytes of a public key that may be trusted to mean one signer.

    Raises:
        FormatError: there are not 32 bytes.
        TrustError: they are no point, not its only encoding, or of small order.
    """

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != KEY_SIZE:
            raise FormatError(
                f"a public key has {KEY_SIZE} bytes, not {len(self.raw)}", rule="21.1.1"
            )
        y = int.from_bytes(self.raw, "little") & ((1 << 255) - 1)
        if y % _P in _SMALL_ORDER:
            raise TrustError(
                f"public key {self.raw.hex()}: a point of small order, "
                "for which anyone can sign",
                rule="21.1.3",
                advice="make a new key and find out who offered this one",
            )
        if y >= _P or not _is_on_curve(y):
            raise TrustError(
                f"public key {self.raw.hex()}: not the encoding of a point",
                rule="21.1.2",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form: 64 lower-case hexadecimal digits.

        Raises:
            FormatError: ``text`` is anything else (rule 21.1.1).
            TrustError: the bytes are no key to be trusted.
        """
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raw = b""
        if raw.hex() != text:
            raise FormatError(f"not a public key: {text[:80]!r}", rule="21.1.1")
        return cls(raw)

    @property
    def keyid(self) -> str:
        """The name of this key: 64 hexadecimal digits, computed from it (21.1.4)."""
        public = f'"keyval":{{"public":"{self.raw.hex()}"}}'
        canonical = f'{{"keytype":"ed25519",{public},"scheme":"ed25519"}}'
        return hashlib.sha256(canonical.encode()).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether ``signature`` is this key's over ``message``.

        Raises:
            TrustError: the library failed in any other way than by saying no.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        except Exception as error:
            raise TrustError(
                f"a signature could not be checked: {error}", rule="20.3.4"
            ) from error
        return True


class PrivateKey:
    """A signer; its secret leaves it only through ``to_pem``."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Return a new key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, data: bytes) -> Self:
        """Read an unencrypted PKCS #8 key in PEM (rule 21.2.1).

        Raises:
            TrustError: it is not that, or not Ed25519.
        """
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:
            reason = shown(f"{error}")
            raise TrustError(f"not a private key: {reason}", rule="21.2.1") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise TrustError("the private key is not Ed25519", rule="21.2.1")
        return cls(key)

    def to_pem(self) -> bytes:
        """Return the secret as unencrypted PKCS #8 in PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of this key's signature over ``message``."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"<PrivateKey {self.public.keyid[:16]}>"


def _is_on_curve(y: int) -> bool:
    """Return whether some x makes -x² + y² = 1 + d·x²·y² true."""
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    return pow(x_squared, (_P - 1) // 2, _P) == 1
