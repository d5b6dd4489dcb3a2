"""A further signature on a finished bundle, where one is not enough (spec §22.4).

Only the envelopes change, and not what they hold: the release and the bundle keep
their digests, and every other file is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.durable import write_file
from bundle.errors import TrustError
from bundle.format import layout
from bundle.format.manifest import Manifest
from bundle.format.release import Release
from bundle.limits import MAX_ENVELOPE
from bundle.medium.files import read_whole
from bundle.medium.reader import read_trust
from bundle.state.receiver import load_trust
from bundle.trust.envelope import (
    MANIFEST_TYPE,
    RELEASE_TYPE,
    Envelope,
    Verification,
    check,
    parse,
    require,
    with_signature,
)
from bundle.trust.roles import PACKER, RELAY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundle.state.receiver import TrustChoice
    from bundle.trust.chain import Trust
    from bundle.trust.keys import PrivateKey
    from bundle.trust.roles import Role


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What was signed, and how far the bundle is signed now by its role."""

    release: Release
    digest: str
    role: str
    verification: Verification


def cosign(
    directories: Sequence[Path], choice: TrustChoice, key: PrivateKey, clock: float
) -> Cosigned:
    """Add the signature of ``key`` to the bundle that lies in ``directories``.

    A packer signs the release and the bundle, a relay the bundle alone. Signing
    again changes nothing. The last file written is ``bundle.json``.

    Raises:
        MissingError: an envelope is not here.
        FormatError, IntegrityError: the bundle is damaged.
        TrustError: nobody of the key's role has signed it yet, or it has no role.
        TargetError: the medium cannot be written.
    """
    first = directories[0]
    trust = load_trust(choice, read_trust(first), clock, keep=False)
    role = _role_of(key, trust)
    envelopes = {
        name: read_whole(first / name, MAX_ENVELOPE)
        for name in (layout.RELEASE, layout.MANIFEST)
    }
    release = _begun(envelopes[layout.RELEASE], trust.roles.role(PACKER), RELEASE_TYPE)
    manifest = _begun(envelopes[layout.MANIFEST], role, MANIFEST_TYPE)
    parsed = Release.parse(release.payload)
    described = Manifest.parse(manifest.payload)
    described.release.check(release.payload, layout.RELEASE)
    signed = {layout.MANIFEST: with_signature(manifest, key)}
    if role.name == PACKER:
        signed = {layout.RELEASE: with_signature(release, key), **signed}
    for directory in directories:
        _write(directory, envelopes[layout.MANIFEST], signed)
    after = parse(signed[layout.MANIFEST], limit=MAX_ENVELOPE)
    return Cosigned(
        release=parsed,
        digest=described.release.digest,
        role=role.name,
        verification=check(after, role.keys, role.threshold),
    )


def _role_of(key: PrivateKey, trust: Trust) -> Role:
    for name in (PACKER, RELAY):
        role = trust.roles.by_name.get(name)
        if role is not None and key.public in role.keys:
            return role
    raise TrustError(
        f"roles {trust.roles.version} let the key {key.public.keyid[:16]} neither "
        "pack nor relay",
        rule="22.4.5",
        advice="an approver signs with: bundle approve",
    )


def _begun(data: bytes, role: Role, payload_type: str) -> Envelope:
    """Return an envelope that somebody of ``role`` has signed."""
    envelope = parse(data, limit=MAX_ENVELOPE)
    require(check(envelope, role.keys, 1), envelope, payload_type)
    return envelope


def _write(directory: Path, manifest: bytes, signed: dict[str, bytes]) -> None:
    if read_whole(directory / layout.MANIFEST, MAX_ENVELOPE) not in (
        manifest,
        signed[layout.MANIFEST],
    ):
        raise TrustError(f"{directory} holds another bundle", rule="4.10.2")
    for name, data in signed.items():
        write_file(directory / layout.COPY / name, data)
    for name, data in signed.items():
        write_file(directory / name, data)
