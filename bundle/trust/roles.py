"""Who may sign what: trust roots and the roles they vouch for (spec §22).

``N.root.json`` is a TUF root. Its ``root`` role signs the next root, its
``targets`` role signs ``N.roles.json``, a TUF targets file whose delegations
are the roles of this format: ``packer``, ``relay``, ``approver`` and
``site:<id>``. Both files go through the strict JSON reader first, which checks
every key; then python-tuf counts the signatures. What this module returns was
verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from bundle.digest import Digest, digest_of
from bundle.errors import FormatError, TrustError
from bundle.limits import MAX_INTEGER, MAX_SIGNATURES, MAX_TRUST_FILE
from bundle.paths import check_slug
from bundle.trust.keys import PublicKey
from bundle.wire import read_json, read_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bundle.trust.envelope import Verification

PACKER: Final = "packer"
RELAY: Final = "relay"
APPROVER: Final = "approver"
SITE_PREFIX: Final = "site:"

_Version = Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)]
_Threshold = Annotated[int, msgspec.Meta(ge=1, le=MAX_SIGNATURES)]


class _KeyValue(msgspec.Struct):
    public: str


class _Key(msgspec.Struct):
    keytype: Literal["ed25519"]
    scheme: Literal["ed25519"]
    keyval: _KeyValue


class _Role(msgspec.Struct):
    keyids: list[str]
    threshold: _Threshold


class _NamedRole(_Role):
    name: str


class _Delegations(msgspec.Struct):
    keys: dict[str, _Key]
    roles: list[_NamedRole]


class _SignedRoot(msgspec.Struct):
    type_: Literal["root"] = msgspec.field(name="_type")
    version: _Version
    expires: str
    keys: dict[str, _Key]
    roles: dict[str, _Role]
    name: str | None = msgspec.field(name="x-bundle-name", default=None)


class _SignedRoles(msgspec.Struct):
    type_: Literal["targets"] = msgspec.field(name="_type")
    version: _Version
    expires: str
    delegations: _Delegations


class _Signature(msgspec.Struct):
    keyid: str
    sig: str


class _RootFile(msgspec.Struct):
    signed: _SignedRoot
    signatures: Annotated[list[_Signature], msgspec.Meta(max_length=MAX_SIGNATURES)]


class _RolesFile(msgspec.Struct):
    signed: _SignedRoles
    signatures: Annotated[list[_Signature], msgspec.Meta(max_length=MAX_SIGNATURES)]


@dataclass(frozen=True, slots=True)
class Role:
    """Some keys, and how many of them have to sign."""

    name: str
    keys: tuple[PublicKey, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What a root or a roles file says, before anyone believes it.

    ``by_name`` has its roles; ``expires`` is in seconds since 1970; ``name`` is
    the label that a root carries.
    """

    version: int
    expires: int
    name: str | None
    by_name: Mapping[str, Role]


@dataclass(frozen=True, slots=True)
class Root:
    """A verified trust root; ``data`` are the bytes of its file."""

    version: int
    expires: int
    name: str | None
    fingerprint: Digest
    data: bytes


@dataclass(frozen=True, slots=True)
class Roles:
    """A verified roles file; ``data`` are its bytes, ``expires`` is in seconds."""

    version: int
    expires: int
    by_name: Mapping[str, Role]
    data: bytes

    def role(self, name: str) -> Role:
        """Return the role called ``name``.

        Raises:
            TrustError: the roles file does not have it.
        """
        try:
            return self.by_name[name]
        except KeyError:
            raise TrustError(
                f"roles {self.version} give no keys to {name!r}", rule="22.3.7"
            ) from None


def parse_root(data: bytes) -> Contents:
    """Return what a root file says, signed or not.

    Raises:
        FormatError: not a root file as §22 allows it.
        TrustError: a bad key.
    """
    signed = read_json(data, _RootFile, limit=MAX_TRUST_FILE, rule="22.2.1").signed
    keys = _read_keys(signed.keys)
    return Contents(
        version=signed.version,
        expires=read_moment(signed.expires, rule="22.1.3"),
        name=None if signed.name is None else check_slug(signed.name, rule="22.2.6"),
        by_name={
            name: _read_role(name, role, keys) for name, role in signed.roles.items()
        },
    )


def parse_roles(data: bytes) -> Contents:
    """Return what a roles file says, signed or not.

    Raises:
        FormatError: not a roles file as §22 allows it.
        TrustError: a bad key, or one that both packs and approves.
    """
    signed = read_json(data, _RolesFile, limit=MAX_TRUST_FILE, rule="22.3.1").signed
    keys = _read_keys(signed.delegations.keys)
    roles: dict[str, Role] = {}
    for item in signed.delegations.roles:
        check_role_name(item.name)
        if item.name in roles:
            raise FormatError(f"role {item.name!r} is there twice", rule="22.3.2")
        roles[item.name] = _read_role(item.name, item, keys)
    _check_separate(roles)
    expires = read_moment(signed.expires, rule="22.1.3")
    return Contents(signed.version, expires, None, roles)


def read_root(data: bytes) -> Root:
    """Return a root that meets its own threshold: fit to be enrolled, not yet trusted.

    Raises:
        FormatError: not a root file as §22 allows it.
        TrustError: a bad key, or not enough signatures of its own.
    """
    from bundle.trust import metadata  # noqa: PLC0415 - slow to import

    said = parse_root(data)
    root = Root(
        version=said.version,
        expires=said.expires,
        name=said.name,
        fingerprint=digest_of(metadata.signed_bytes(data)),
        data=data,
    )
    _require(
        metadata.verification(data, "root", data), f"root {root.version}", "22.2.2"
    )
    return root


def read_next_root(trusted: Root, data: bytes) -> Root:
    """Return the root after ``trusted``, signed by the thresholds of both.

    Raises:
        FormatError: not a root file.
        TrustError: not the next version, or not enough signatures of either.
    """
    from bundle.trust import metadata  # noqa: PLC0415 - slow to import

    root = read_root(data)
    if root.version != trusted.version + 1:
        raise TrustError(
            f"root {root.version} does not follow root {trusted.version}", rule="22.2.3"
        )
    verification = metadata.verification(trusted.data, "root", data)
    _require(verification, f"root {root.version} by root {trusted.version}", "22.2.3")
    return root


def read_roles(root: Root, data: bytes) -> Roles:
    """Return the roles that ``root`` vouches for.

    Raises:
        FormatError: not a roles file as §22 allows it.
        TrustError: a bad key, or not signed by the root's ``targets`` role.
    """
    from bundle.trust import metadata  # noqa: PLC0415 - slow to import

    said = parse_roles(data)
    verification = metadata.verification(root.data, "targets", data)
    _require(verification, f"roles {said.version} by root {root.version}", "22.3.3")
    return Roles(said.version, said.expires, said.by_name, data)


def fingerprint_text(root: Root) -> str:
    """Return a root's fingerprint to be read aloud: 16 groups of 4 digits (22.2.7)."""
    digits = root.fingerprint.raw.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def fingerprint_matches(root: Root, text: str) -> bool:
    """Return whether ``text`` is a root's whole fingerprint, grouped in any way."""
    digits = "".join(text.replace("-", " ").split()).lower()
    return digits.removeprefix("blake3:") == root.fingerprint.raw.hex()


def _read_keys(keys: Mapping[str, _Key]) -> dict[str, PublicKey]:
    """Check every key of a file, used or not, and that none has two ids (22.1.5)."""
    known: dict[PublicKey, str] = {}
    for keyid, key in keys.items():
        public = PublicKey.parse(key.keyval.public)
        other = known.setdefault(public, keyid)
        if other != keyid:
            raise TrustError(
                f"key ids {other[:16]} and {keyid[:16]} are one key", rule="22.1.5"
            )
    return {keyid: public for public, keyid in known.items()}


def _read_role(name: str, role: _Role, keys: Mapping[str, PublicKey]) -> Role:
    if len(set(role.keyids)) != len(role.keyids):
        raise TrustError(f"role {name!r} lists a key twice", rule="22.1.6")
    unknown = [keyid for keyid in role.keyids if keyid not in keys]
    if unknown:
        raise FormatError(
            f"role {name!r}: no key has the id {unknown[0][:16]!r}", rule="22.1.6"
        )
    if len(role.keyids) < role.threshold:
        raise TrustError(
            f"role {name!r}: {len(role.keyids)} keys never meet {role.threshold}",
            rule="22.1.6",
        )
    return Role(name, tuple(keys[keyid] for keyid in role.keyids), role.threshold)


def check_role_name(name: str) -> str:
    """Return ``name`` if a roles file may have a role called that.

    Raises:
        FormatError: it is no slug, nor ``site:`` and a slug (rule 22.3.2).
    """
    check_slug(name.removeprefix(SITE_PREFIX), rule="22.3.2")
    return name


def _check_separate(roles: Mapping[str, Role]) -> None:
    """Refuse a packer that could approve what it packed (22.3.6)."""
    if APPROVER in roles and PACKER in roles:
        shared = _keys_of([roles[APPROVER]]) & _keys_of([roles[PACKER]])
        if shared:
            raise TrustError(
                f"key {min(shared).keyid[:16]} is packer and approver", rule="22.3.6"
            )


def _keys_of(roles: Iterable[Role]) -> set[PublicKey]:
    return {key for role in roles for key in role.keys}


def _require(verification: Verification, what: str, rule: str) -> None:
    if not verification.verified:
        raise TrustError(f"{what}: {verification}", rule=rule)
