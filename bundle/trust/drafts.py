"""Roots and roles being drawn up: what the next file says, and who has to sign it.

A draft is the metadata file that it will become, with fewer signatures than it
needs. People add theirs one after another, on whatever machine their key is; a
change to what it says drops all of them. Nothing here is believed by a reader:
a draft counts once ``read_root``, ``read_next_root`` or ``read_roles`` take it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundle.errors import TrustError, UsageError
from bundle.limits import MAX_SIGNATURES
from bundle.trust import metadata
from bundle.trust.roles import Role, check_role_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bundle.trust.envelope import Verification
    from bundle.trust.keys import PrivateKey, PublicKey

ROOT = "root"
TARGETS = "targets"


@dataclass(frozen=True, slots=True)
class Need:
    """A threshold that a draft has to meet: whose keys, and how far they signed."""

    by: str
    role: Role
    verification: Verification

    @property
    def waiting(self) -> tuple[PublicKey, ...]:
        """The keys that could still sign."""
        signed = set(self.verification.signed)
        return tuple(key for key in self.role.keys if key.keyid not in signed)


def draw_up_root(
    version: int, expires: int, name: str | None, roles: Mapping[str, Role]
) -> bytes:
    """Return an unsigned root; ``expires`` is in seconds since 1970."""
    members = {one: _members(role) for one, role in roles.items()}
    return metadata.make_root(version, expires, members, (), name=name)


def draw_up_roles(version: int, expires: int, roles: Mapping[str, Role]) -> bytes:
    """Return an unsigned roles file; ``expires`` is in seconds since 1970."""
    members = {one: _members(role) for one, role in roles.items()}
    return metadata.make_roles(version, expires, members, ())


def need(trusted: bytes, by: str, role: Role, data: bytes) -> Need:
    """Return how far a draft meets ``role`` of the root file ``trusted``.

    Raises:
        TrustError: one of the files cannot be read.
    """
    return Need(by, role, metadata.verification(trusted, role.name, data))


def is_signed(trusted: bytes, role: str, data: bytes) -> bool:
    """Return whether ``data`` meets the role ``role`` of the root file ``trusted``.

    Raises:
        TrustError: one of the files cannot be read.
    """
    return metadata.verification(trusted, role, data).verified


def sign(data: bytes, key: PrivateKey, needs: Iterable[Need]) -> bytes:
    """Return a draft with one more signature, that of ``key``.

    Raises:
        TrustError: nobody asks for a signature by this key.
    """
    if not any(key.public in one.role.keys for one in needs):
        raise TrustError(
            f"key {key.public.keyid[:16]} has no part in this file",
            rule="22.6.3",
            advice="name a root key with --root-key",
        )
    return metadata.add_signatures(data, [key])


def added(role: Role | None, name: str, key: PublicKey) -> Role:
    """Return a role with one more key; a role that is new asks for one signature.

    Raises:
        FormatError: no role can be called that.
        UsageError: the key is in the role already, or the role is full.
    """
    if role is None:
        return Role(check_role_name(name), (key,), 1)
    if key in role.keys:
        raise UsageError(f"key {key.keyid[:16]} is in the role {name} already")
    if len(role.keys) == MAX_SIGNATURES:
        raise UsageError(
            f"the role {name} has {MAX_SIGNATURES} keys, the most there are"
        )
    return replace(role, keys=(*role.keys, key))


def removed(role: Role | None, name: str, key: PublicKey) -> Role | None:
    """Return a role without a key; None where that was its last one.

    Raises:
        UsageError: it does not have the key, or would not meet its threshold.
    """
    if role is None or key not in role.keys:
        raise UsageError(f"the role {name} does not have the key {key.keyid[:16]}")
    keys = tuple(one for one in role.keys if one != key)
    if keys and len(keys) < role.threshold:
        raise UsageError(
            f"{len(keys)} keys of {name} would never meet its threshold "
            f"{role.threshold}",
            advice="add another key first, or lower the threshold",
        )
    return replace(role, keys=keys) if keys else None


def asking(role: Role | None, name: str, threshold: int) -> Role:
    """Return a role that asks for ``threshold`` signatures.

    Raises:
        UsageError: there is no such role, or it can never have as many.
    """
    if role is None:
        raise UsageError(f"there is no role {name}", advice="add a key to it first")
    if not 1 <= threshold <= len(role.keys):
        raise UsageError(
            f"the role {name} has {len(role.keys)} keys: its threshold is 1 to that, "
            f"not {threshold}"
        )
    return replace(role, threshold=threshold)


def find_key(role: Role | None, name: str, text: str) -> PublicKey:
    """Return the key of a role that is ``text``, or whose id begins with it.

    Raises:
        UsageError: none of them is, several are, or ``text`` has under 8 digits.
    """
    keys = () if role is None else role.keys
    found = [key for key in keys if text == key.raw.hex() or key.keyid.startswith(text)]
    if len(found) != 1 or len(text) < 8:
        raise UsageError(
            f"{text[:80]!r} is not one key of the role {name}",
            advice="give the public key, or 8 digits or more of its id",
        )
    return found[0]


def _members(role: Role) -> tuple[tuple[PublicKey, ...], int]:
    return role.keys, role.threshold
