"""Keys, roots and roles for tests, made as a ceremony would make them.

``key(n)`` is always the same key. ``Ceremony`` holds what the people at the
table hold: who is in which role, and the files that were signed so far.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.formats import encode_canonical

from bundle.trust import metadata
from bundle.trust.keys import PrivateKey

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = 1_800_000_000
YEAR = 365 * 24 * 3600


@cache
def key(number: int) -> PrivateKey:
    """Return the key of this number, the same in every run."""
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")))


def seats(keys: Iterable[PrivateKey], threshold: int) -> Any:  # noqa: ANN401 - a role's keys
    return [member.public for member in keys], threshold


@dataclass
class Ceremony:
    """One organisation: two of three root keys, one packer."""

    root_keys: list[PrivateKey] = field(
        default_factory=lambda: [key(1), key(2), key(3)]
    )
    root_threshold: int = 2
    roles: dict[str, tuple[list[PrivateKey], int]] = field(
        default_factory=lambda: {"packer": ([key(10)], 1)}
    )
    root_version: int = 0
    roles_version: int = 0
    expires: int = NOW + YEAR
    files: dict[str, bytes] = field(default_factory=dict)

    def root(self, signers: Iterable[PrivateKey] | None = None) -> bytes:
        """Sign the next root, by all the root keys unless told otherwise."""
        self.root_version += 1
        members = seats(self.root_keys, self.root_threshold)
        data = metadata.make_root(
            self.root_version,
            self.expires,
            {"root": members, "targets": members},
            self.root_keys if signers is None else signers,
        )
        self.files[f"{self.root_version}.root.json"] = data
        return data

    def rotate(self, keys: list[PrivateKey], threshold: int) -> bytes:
        """Sign the next root by the keys of the old and of the new."""
        signers = {*self.root_keys, *keys}
        self.root_keys, self.root_threshold = keys, threshold
        return self.root(signers)

    def sign_roles(self, signers: Iterable[PrivateKey] | None = None) -> bytes:
        """Sign the next roles file."""
        self.roles_version += 1
        data = metadata.make_roles(
            self.roles_version,
            self.expires,
            {name: seats(*members) for name, members in self.roles.items()},
            self.root_keys if signers is None else signers,
        )
        self.files[f"{self.roles_version}.roles.json"] = data
        return data


def founded(**changes: Any) -> Ceremony:  # noqa: ANN401 - fields of a Ceremony
    """Return an organisation with its first root and roles signed."""
    ceremony = Ceremony(**changes)
    ceremony.root()
    ceremony.sign_roles()
    return ceremony


def resign(document: dict[str, Any], signers: Iterable[PrivateKey]) -> bytes:
    """Return a metadata file with ``document`` as it stands, truly signed."""
    message = encode_canonical(document["signed"])
    assert message is not None
    document["signatures"] = [
        {"keyid": signer.public.keyid, "sig": signer.sign(message.encode()).hex()}
        for signer in signers
    ]
    return json.dumps(document).encode()
