"""Where python-tuf is called, and the only place that imports it (spec §22).

Importing TUF takes time, so the other modules import this one when they need
it. No exception of a foreign class leaves it: whatever goes wrong while a
signature is checked is a refusal.
"""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bundle.errors import BundleError, TrustError
from bundle.trust.envelope import Verification
from bundle.trust.keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bundle.trust.keys import PrivateKey

_TOP_LEVEL: Final = ("root", "snapshot", "targets", "timestamp")

_CLOUD_SIGNERS: Final = ("azure", "boto3", "google.cloud", "hvac", "keylet", "pkcs11")
"""What securesystemslib imports where it is installed, for signers not used here."""


@contextlib.contextmanager
def _hidden(names: Iterable[str]) -> Iterator[None]:
    """Let imports of ``names`` fail inside, unless they were imported before."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None refuses
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


# An installed boto3 alone would more than double the time that this takes.
with _hidden(_CLOUD_SIGNERS):
    from tuf.api.metadata import (  # type: ignore[attr-defined]  # its public face
        DelegatedRole,
        Delegations,
        Key,
        Metadata,
        Role,
        Root,
        Signature,
        Targets,
    )


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Turn any failure inside into a refusal.

    Raises:
        TrustError: for every exception that is not the package's own.
    """
    try:
        yield
    except BundleError:
        raise
    except Exception as error:
        raise TrustError(
            f"the file could not be verified: {type(error).__name__}: {error}",
            rule="22.1.7",
        ) from error


def verification(trusted: bytes, role: str, data: bytes) -> Verification:
    """Return how far ``data`` meets the threshold of ``role`` in root ``trusted``.

    Raises:
        TrustError: python-tuf cannot read one of them.
    """
    with refusing():
        root = Metadata[Root].from_bytes(trusted).signed
        metadata = Metadata[Any].from_bytes(data)
        result = root.get_verification_result(
            role, metadata.signed_bytes, metadata.signatures
        )
        # What counts is the key, whatever ids a file gives it (22.1.5).
        signed = {
            PublicKey.parse(key.keyval["public"]).keyid
            for key in result.signed.values()
        }
        return Verification(result.threshold, tuple(sorted(signed)))


def signed_bytes(data: bytes) -> bytes:
    """Return the bytes that the signatures of a metadata file cover.

    Raises:
        TrustError: python-tuf cannot read it.
    """
    with refusing():
        return Metadata[Any].from_bytes(data).signed_bytes


def make_root(
    version: int,
    expires: int,
    keys: Mapping[str, tuple[Sequence[PublicKey], int]],
    signers: Iterable[PrivateKey],
    *,
    name: str | None = None,
) -> bytes:
    """Return a signed root file.

    ``keys`` has the keys and the threshold of ``root`` and of ``targets``; the
    two other roles that python-tuf insists on get those of ``root``.
    """
    everyone = {key.keyid: _tuf_key(key) for some, _ in keys.values() for key in some}
    roles = {}
    for role in _TOP_LEVEL:
        some, threshold = keys.get(role, keys["root"])
        roles[role] = Role([key.keyid for key in some], threshold)
    root = Root(
        version=version,
        expires=datetime.fromtimestamp(expires, UTC),
        keys=everyone,
        roles=roles,
        consistent_snapshot=False,
        unrecognized_fields={} if name is None else {"x-bundle-name": name},
    )
    return _signed(Metadata(root), signers)


def make_roles(
    version: int,
    expires: int,
    roles: Mapping[str, tuple[Sequence[PublicKey], int]],
    signers: Iterable[PrivateKey],
) -> bytes:
    """Return a signed roles file that gives each role its keys and threshold."""
    everyone = {key.keyid: _tuf_key(key) for some, _ in roles.values() for key in some}
    delegated = {
        role: DelegatedRole(
            role, [key.keyid for key in some], threshold, terminating=True, paths=[]
        )
        for role, (some, threshold) in roles.items()
    }
    targets = Targets(
        version=version,
        expires=datetime.fromtimestamp(expires, UTC),
        delegations=Delegations(everyone, delegated),
    )
    return _signed(Metadata(targets), signers)


def add_signatures(data: bytes, signers: Iterable[PrivateKey]) -> bytes:
    """Return a metadata file with more signatures: what it says stays the same.

    Raises:
        TrustError: python-tuf cannot read it.
    """
    with refusing():
        return _signed(Metadata[Any].from_bytes(data), signers)


def _signed(metadata: Metadata[Any], signers: Iterable[PrivateKey]) -> bytes:
    message = metadata.signed_bytes
    for signer in signers:
        keyid = signer.public.keyid
        metadata.signatures[keyid] = Signature(keyid, signer.sign(message).hex())
    return metadata.to_bytes()


def _tuf_key(key: PublicKey) -> Key:
    return Key.from_dict(
        key.keyid,
        {
            "keytype": "ed25519",
            "scheme": "ed25519",
            "keyval": {"public": key.raw.hex()},
        },
    )
