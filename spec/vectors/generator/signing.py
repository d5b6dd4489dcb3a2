"""Keys, signatures and the files that say whose count (chapters 20 to 22).

Keys are made from small numbers, so that everybody has the private ones. No
reader may ever be told to trust one of them.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spec.vectors.generator.documents import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spec.vectors.generator.statements import JSON

ROOT: Final = 1
SECOND_ROOT: Final = 2
PACKER: Final = 10
SECOND_PACKER: Final = 11
RELAY: Final = 20
SECOND_RELAY: Final = 21
APPROVER: Final = 30
SECOND_APPROVER: Final = 31
STRANGER: Final = 99
"""Numbers of keys, by what they are used for."""

RELEASE_TYPE: Final = "application/vnd.in-toto+json"
MANIFEST_TYPE: Final = "application/vnd.bundle.manifest.v1+json"
EXPIRES: Final = "2036-01-01T00:00:00Z"


@cache
def key(number: int) -> Ed25519PrivateKey:
    """Return the private key whose 32 bytes are ``number``, big-endian."""
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))


def public(number: int) -> str:
    """Return the text of a public key (21.1.1)."""
    return key(number).public_key().public_bytes_raw().hex()


def key_object(text: str) -> JSON:
    """Return a public key as metadata has it."""
    return {"keytype": "ed25519", "keyval": {"public": text}, "scheme": "ed25519"}


def canonical(value: object) -> bytes:
    """Return the canonical JSON of a value without control characters."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.encode()


def id_of(text: str) -> str:
    """Return the id of a public key (21.1.4)."""
    return hashlib.sha256(canonical(key_object(text))).hexdigest()


def keyid(number: int) -> str:
    """Return the id of one of the keys here."""
    return id_of(public(number))


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed (20.2.1)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def base64(data: bytes) -> str:
    """Return the one base64 of some bytes."""
    return b64encode(data).decode("ascii")


def signature(number: int, message: bytes, *, name: str | None = None) -> JSON:
    """Return a signature over ``message``, under the key's own id or another."""
    return {"keyid": name or keyid(number), "sig": base64(key(number).sign(message))}


def envelope(payload: bytes, payload_type: str, *signers: int) -> JSON:
    """Return an envelope (20)."""
    message = pae(payload_type, payload)
    return {
        "payload": base64(payload),
        "payloadType": payload_type,
        "signatures": [signature(number, message) for number in signers],
    }


def metadata(signed: JSON, *signers: int) -> JSON:
    """Return a root or roles file, truly signed."""
    message = canonical(signed)
    return {
        "signatures": [
            {"keyid": keyid(number), "sig": key(number).sign(message).hex()}
            for number in signers
        ],
        "signed": signed,
    }


def seats(numbers: Sequence[int], threshold: int = 1) -> JSON:
    """Return the keys of a role, by their ids."""
    return {"keyids": [keyid(number) for number in numbers], "threshold": threshold}


def keys_of(*numbers: int) -> JSON:
    """Return keys by their ids."""
    return {keyid(number): key_object(public(number)) for number in numbers}


def root(
    version: int = 1,
    members: Sequence[int] = (ROOT,),
    threshold: int = 1,
    *,
    name: object = None,
    **changes: Any,
) -> JSON:
    """Return what a root signs (22.2); ``name`` is the organisation's."""
    role = seats(members, threshold)
    signed: JSON = {} if name is None else {"x-bundle-name": name}
    signed |= {
        "_type": "root",
        "consistent_snapshot": False,
        "expires": EXPIRES,
        "keys": keys_of(*members),
        "roles": dict.fromkeys(("root", "snapshot", "targets", "timestamp"), role),
        "spec_version": "1.0.31",
        "version": version,
    }
    return signed | changes


def roles(
    named: Mapping[str, tuple[Sequence[int], int]] | None = None,
    version: int = 1,
    **changes: Any,
) -> JSON:
    """Return what a roles file signs (22.3); keys and threshold by role."""
    held = named or {"packer": ([PACKER], 1)}
    numbers = dict.fromkeys(number for some, _ in held.values() for number in some)
    signed = {
        "_type": "targets",
        "delegations": {
            "keys": keys_of(*numbers),
            "roles": [
                {
                    "name": name,
                    **seats(some, threshold),
                    "paths": [],
                    "terminating": True,
                }
                for name, (some, threshold) in held.items()
            ],
        },
        "expires": EXPIRES,
        "spec_version": "1.0.31",
        "targets": {},
        "version": version,
    }
    return signed | changes


ROOT_FILE: Final = dumps(metadata(root(), ROOT))
ROLES_FILE: Final = dumps(metadata(roles(), ROOT))
"""The root and the roles of most vectors."""
