"""From one trusted root to the roles in force (spec §22.2, §22.3).

Every medium carries the whole chain. A reader walks it root by root, each
step verified by the one before, and takes the newest roles file that the last
root vouches for. Nothing here is read or written: the files come in as bytes
and what was verified goes out, one root at a time, so that a shell can keep
each before the next is tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.errors import TrustError
from bundle.limits import MAX_ENVELOPE, MAX_ROOTS
from bundle.trust import envelope
from bundle.trust.roles import (
    APPROVER,
    PACKER,
    RELAY,
    Role,
    Roles,
    Root,
    read_next_root,
    read_roles,
)
from bundle.wire import write_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAME: Final = re.compile(r"([1-9][0-9]{0,15})\.(root|roles)\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trust:
    """The root and the roles in force, and what a reader should be told of them.

    ``stateless`` means that they came from the caller and the medium alone:
    nothing is known of later revocations or of newer releases.
    """

    root: Root
    roles: Roles
    warnings: tuple[str, ...]
    stateless: bool

    def verify_release(
        self, data: bytes, approvals: Iterable[bytes] = (), *, approved: bool = True
    ) -> envelope.Verified:
        """Return the payload of ``release.json``, signed by the packer role.

        Where the roles have an approver, ``approvals`` (detached signatures)
        must meet its threshold too (rule 22.4.3), unless it is yet to be
        ``approved``.

        Raises:
            FormatError: not an envelope.
            TrustError: a threshold is not met, or another type of payload.
        """
        parsed = envelope.parse(data, limit=MAX_ENVELOPE)
        verification = _check(parsed, self.roles.role(PACKER))
        envelope.require(verification, parsed, envelope.RELEASE_TYPE)
        role = self.roles.by_name.get(APPROVER)
        if role is None:
            return envelope.Verified(parsed.payload, verification)
        approval = _approval(parsed, role, approvals)
        if approved and not approval.verified:
            raise TrustError(
                f"the release is not approved: {approval}",
                rule="22.4.3",
                advice="put the approvers' files into sig/ beside the release, or "
                "name their directory with --signatures",
            )
        return envelope.Verified(parsed.payload, verification, approval.signed)

    def verify_manifest(self, data: bytes) -> envelope.Verified:
        """Return the payload of ``bundle.json``, signed by packer or by relay.

        Raises:
            FormatError: not an envelope.
            TrustError: neither threshold is met, or another type of payload.
        """
        parsed = envelope.parse(data, limit=MAX_ENVELOPE)
        verification = _check(parsed, self.roles.role(PACKER))
        if not verification.verified and RELAY in self.roles.by_name:
            relayed = _check(parsed, self.roles.role(RELAY))
            # Where neither is enough, what got further says what is missing.
            if relayed.verified or len(relayed.signed) > len(verification.signed):
                verification = relayed
        envelope.require(verification, parsed, envelope.MANIFEST_TYPE)
        return envelope.Verified(parsed.payload, verification)


def follow_roots(trusted: Root, files: Mapping[str, bytes]) -> Iterator[Root]:
    """Yield each newer root in ``files`` that the one before it verifies.

    Keep a root before asking for the next: it stays true whatever follows.

    Raises:
        FormatError: the next root is not a root file.
        TrustError: it does not verify, or the chain is too long.
    """
    for _ in range(MAX_ROOTS):
        data = files.get(f"{trusted.version + 1}.root.json")
        if data is None:
            return
        trusted = read_next_root(trusted, data)
        yield trusted
    if f"{trusted.version + 1}.root.json" in files:
        raise TrustError(f"over {MAX_ROOTS} roots in one chain", rule="22.2.4")


def newest_roles(root: Root, files: Mapping[str, bytes], *, kept: int = 0) -> Roles:
    """Return the roles file of the highest number in ``files``.

    ``kept`` is the highest version that was ever accepted, 0 if none was.

    Raises:
        FormatError: it is not a roles file.
        TrustError: there is none, ``root`` does not vouch for it, or it goes back.
    """
    version = max(file_versions(files, "roles"), default=0)
    if version == 0:
        raise TrustError(
            f"no roles file comes with root {root.version}",
            rule="22.3.4",
            advice="read a complete medium: trust/ holds every roles file",
        )
    if version < kept:
        raise TrustError(
            f"roles {version} are older than roles {kept}, accepted before",
            rule="22.3.5",
        )
    roles = read_roles(root, files[f"{version}.roles.json"])
    if roles.version != version:
        raise TrustError(
            f"{version}.roles.json says it is version {roles.version}", rule="22.3.4"
        )
    return roles


def file_versions(names: Iterable[str], kind: str) -> list[int]:
    """Return the numbers N for which ``names`` has ``N.<kind>.json``."""
    matches = (_NAME.fullmatch(name) for name in names)
    return [int(match[1]) for match in matches if match and match[2] == kind]


def expiry_warnings(root: Root, roles: Roles, now: float) -> tuple[str, ...]:
    """Say which of the two files are past their date at ``now``, in seconds."""
    return tuple(
        f"{what} expired on {write_moment(expires)}"
        for what, expires in (
            (f"root {root.version}", root.expires),
            (f"roles {roles.version}", roles.expires),
        )
        if expires <= now
    )


def _approval(
    release: envelope.Envelope, role: Role, approvals: Iterable[bytes]
) -> envelope.Verification:
    """Return how far detached signatures of ``role`` approve a release.

    One person may have signed in several places; a file that signs something else
    does not take a good one's place.
    """
    signed: set[str] = set()
    for data in approvals:
        one = envelope.Envelope(
            release.payload, release.payload_type, (envelope.parse_detached(data),)
        )
        signed.update(_check(one, role).signed)
    return envelope.Verification(role.threshold, tuple(sorted(signed)))


def _check(parsed: envelope.Envelope, role: Role) -> envelope.Verification:
    return envelope.check(parsed, role.keys, role.threshold)
