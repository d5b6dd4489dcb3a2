"""A packer's key directory: the first ceremony, and what signing needs.

::

    root.pem          the root key: take it offline after the ceremony
    packer.pem        the key that signs releases and bundles
    ROLE.pub          the public half of a key that ``new_key`` made
    relay.pem         in a relay's directory: the key that signs bundles
    N.root.json       the chain of roots
    N.roles.json      the roles files
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.durable import target_errors
from bundle.errors import ExistsError, MissingError, TrustError
from bundle.limits import MAX_KEY_FILE, MAX_TRUST_FILE
from bundle.paths import check_slug
from bundle.state.files import create_file, names_in, read_bounded
from bundle.trust.chain import (
    expiry_warnings,
    file_versions,
    follow_roots,
    newest_roles,
)
from bundle.trust.keys import PrivateKey
from bundle.trust.roles import (
    PACKER,
    RELAY,
    Role,
    Roles,
    Root,
    read_roles,
    read_root,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bundle.trust.keys import PublicKey


ROOT_KEY: Final = "root.pem"
PACKER_KEY: Final = "packer.pem"
RELAY_KEY: Final = "relay.pem"
LIFETIME: Final = 2 * 365 * 24 * 3600
"""Seconds that the first root and roles last: two years."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that may sign, and the files that prove it.

    ``anchor`` is the first root of the chain, whose fingerprint names it, and
    ``root`` the newest; ``trust_files`` go into ``trust/`` of every bundle,
    ``packers`` are all keys that may sign releases; ``roles`` are those in force,
    for what others signed.
    """

    key: PrivateKey
    anchor: Root
    root: Root
    packers: Role
    root_version: int
    roles_version: int
    trust_files: Mapping[str, bytes]
    warnings: tuple[str, ...]
    roles: Roles


def init(directory: Path, name: str | None, now: float) -> Root:
    """Make keys and a first root and roles in ``directory``; return the root.

    ``name`` is a label that the root carries; ``now`` is in seconds since 1970.
    The roles file is written last: a directory without it is unfinished.

    Raises:
        FormatError: ``name`` is no slug.
        ExistsError: one of the files is there; nothing was changed.
        TargetError: they could not be written.
    """
    from bundle.trust import metadata  # noqa: PLC0415 - slow to import

    if name is not None:
        check_slug(name, rule="2.2")
    root_key, packer_key = PrivateKey.generate(), PrivateKey.generate()
    expires = int(now) + LIFETIME
    roots = ([root_key.public], 1)
    root = metadata.make_root(
        1, expires, {"root": roots, "targets": roots}, [root_key], name=name
    )
    packers = {PACKER: ([packer_key.public], 1)}
    roles = metadata.make_roles(1, expires, packers, [root_key])
    made = read_root(root)
    read_roles(made, roles)
    files = {
        ROOT_KEY: root_key.to_pem(),
        PACKER_KEY: packer_key.to_pem(),
        "1.root.json": root,
        "1.roles.json": roles,
    }
    _refuse_existing(directory, files)
    for file_name, data in files.items():
        create_file(directory / file_name, data)
    return made


def new_key(directory: Path, role: str) -> PublicKey:
    """Make ``role.pem``, a secret, and ``role.pub`` in ``directory``; return the key.

    Raises:
        FormatError: ``role`` is no slug.
        ExistsError: one of the files is there; nothing was changed.
        TargetError: they could not be written.
    """
    check_slug(role, rule="2.2")
    key = PrivateKey.generate()
    files = {
        f"{role}.pem": key.to_pem(),
        f"{role}.pub": f"{key.public.raw.hex()}\n".encode(),
    }
    _refuse_existing(directory, files)
    for name, data in files.items():
        create_file(directory / name, data)
    return key.public


def load_signer(path: Path, now: float) -> Signer:
    """Return the packer whose key is ``path``, or is in the directory ``path``.

    Raises:
        MissingError: there is no key, no root or no roles file.
        TrustError: not a key, or not one of the packer role's.
    """
    return _load(path, now, PACKER, PACKER_KEY, {})


def load_relay(path: Path, now: float, known: Mapping[str, bytes]) -> Signer:
    """Return the relay whose key is ``path``, or is in the directory ``path``.

    ``known`` are trust files by name that came with what is to be sent on. They
    continue the chain of the key's directory, which begins it.

    Raises:
        MissingError: there is no key, no root or no roles file.
        TrustError: not a key, or not one of the relay role's.
    """
    return _load(path, now, RELAY, RELAY_KEY, known)


def _load(
    path: Path, now: float, name: str, key_name: str, known: Mapping[str, bytes]
) -> Signer:
    directory = path if path.is_dir() else path.parent
    path = path / key_name if path.is_dir() else path
    key = PrivateKey.from_pem(_read_key(path))
    files = _read_trust_files(directory)
    first = min(file_versions(files, "root"))
    anchor = root = read_root(files[f"{first}.root.json"])
    files = {**_following(known, first), **files}
    for newer in follow_roots(anchor, files):
        root = newer
    roles = newest_roles(root, files)
    role = roles.role(name)
    if key.public not in role.keys:
        what = "releases" if name == PACKER else "for a relay"
        raise TrustError(
            f"{path}: roles {roles.version} do not let this key sign {what}",
            rule="22.4.4",
            advice=f"put the newest roles file into {directory}",
        )
    warnings = (*_warnings(path, role), *expiry_warnings(root, roles, now))
    return Signer(
        key=key,
        anchor=anchor,
        root=root,
        packers=roles.role(PACKER),
        root_version=root.version,
        roles_version=roles.version,
        trust_files=files,
        warnings=warnings,
        roles=roles,
    )


def _following(known: Mapping[str, bytes], first: int) -> dict[str, bytes]:
    """Return the trust files that continue a chain from root ``first`` on."""
    names = [f"{one}.root.json" for one in file_versions(known, "root") if one > first]
    names += [f"{one}.roles.json" for one in file_versions(known, "roles")]
    return {name: known[name] for name in names}


def _read_key(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_KEY_FILE, rule="21.2.1")
    except MissingError as error:
        error.advice = "make keys with: bundle key init DIR"
        raise


def _read_trust_files(directory: Path) -> dict[str, bytes]:
    names = names_in(directory)
    files = {
        name: read_bounded(directory / name, MAX_TRUST_FILE, rule="22.1.1")
        for kind in ("root", "roles")
        for name in (f"{number}.{kind}.json" for number in file_versions(names, kind))
    }
    for kind in ("root", "roles"):
        if not file_versions(files, kind):
            raise MissingError(
                f"{directory}: no N.{kind}.json beside the key",
                advice="keep the key in the directory of its root and roles files",
            )
    return files


def _refuse_existing(directory: Path, names: Mapping[str, object]) -> None:
    there = sorted(set(names) & set(names_in(directory)))
    if there:
        raise ExistsError(
            f"{directory}: {', '.join(there)} are there already",
            advice="choose another directory; keys are never overwritten",
        )


def _warnings(path: Path, role: Role) -> list[str]:
    warnings = []
    with target_errors(path):
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            warnings.append(f"{path}: others can read this key; chmod 600 it")
    if role.threshold > 1:
        warnings.append(
            f"the {role.name} role asks for {role.threshold} signatures, this is one: "
            "others add theirs with 'bundle sign'"
        )
    return warnings
