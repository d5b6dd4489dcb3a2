"""What lies on a medium beside what readers use: only ``bundle verify`` looks.

Copies of the envelopes, detached signatures, trust files that a receiver has
already, and files that are nobody's. Damage there changes nothing for whoever
unpacks; whoever carries the medium wants to know.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bundle.digest import digest_of
from bundle.errors import IntegrityError, MissingError, TrustError
from bundle.format import layout
from bundle.limits import MAX_DETACHED_SIGNATURE, MAX_ENVELOPE
from bundle.medium.files import names_on, read_whole
from bundle.medium.parity_files import check_parity
from bundle.medium.reader import read_trust
from bundle.trust import envelope
from bundle.trust.chain import file_versions, follow_roots, newest_roles
from bundle.trust.roles import read_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.medium.reader import OpenBundle
    from bundle.trust.keys import PublicKey

_SIGNATURE: Final = re.compile(r"([0-9a-f]{64})\.json", re.ASCII)
_SHOWN: Final = 20


def check_surroundings(opened: OpenBundle) -> tuple[str, ...]:
    """Check what no other reader looks at; return what a person should know.

    Raises:
        FormatError: a detached signature or a trust file is damaged.
        IntegrityError: a file in ``copy/`` is not the original (rule 4.8).
        TrustError: a detached signature is wrong, or the trust files do not
            follow from one another.
        StoreError: the medium cannot be read.
    """
    _check_copies(opened.path)
    _check_trust(opened)
    warnings = [*_check_signatures(opened)]
    warnings += check_parity([opened.path], opened.manifest.shards.raw)
    stray = [*_stray(opened)]
    if stray:
        more = f" and {len(stray) - _SHOWN} more" if len(stray) > _SHOWN else ""
        names = ", ".join(stray[:_SHOWN])
        warnings.append(f"not part of the bundle, not looked at: {names}{more}")
    return tuple(warnings)


def _check_copies(path: Path) -> None:
    for name in (layout.RELEASE, layout.MANIFEST):
        original = read_whole(path / name, MAX_ENVELOPE)
        try:
            same = read_whole(path / layout.COPY / name, MAX_ENVELOPE) == original
        except MissingError:
            same = False
        if not same:
            raise IntegrityError(
                f"{layout.COPY}/{name} is missing or not the same as {name}",
                rule="4.8",
                advice="the bundle can still be unpacked; the copy cannot repair it",
            )


def _check_trust(opened: OpenBundle) -> None:
    """Walk the medium's own chain, from its first root to its newest roles."""
    files = read_trust(opened.path)
    versions = file_versions(files, "root")
    if not versions:
        raise TrustError("there is no root in trust/", rule="22.2.4")
    root = read_root(files[f"{min(versions)}.root.json"])
    for newer in (root, *follow_roots(root, files)):
        root = newer
        if root.version == opened.trust.root.version and (
            root.fingerprint != opened.trust.root.fingerprint
        ):
            raise TrustError(
                f"root {root.version} on the medium is not the one trusted here",
                rule="22.2.4",
            )
    newest_roles(root, files)


def _check_signatures(opened: OpenBundle) -> Iterator[str]:
    """Check each detached signature; say which ones nobody here can check."""
    directory = opened.path / layout.SIGNATURES
    names = [name for name in names_on(directory) if _SIGNATURE.fullmatch(name)]
    if not names:
        return
    release = envelope.parse(
        read_whole(opened.path / layout.RELEASE, MAX_ENVELOPE), limit=MAX_ENVELOPE
    )
    if digest_of(release.payload) != opened.digest:
        raise IntegrityError(
            f"{layout.RELEASE} changed while it was read", rule="26.1.3"
        )
    keys = {key.keyid: key for key in _known_keys(opened)}
    message = envelope.pae(envelope.RELEASE_TYPE, release.payload)
    for name in names:
        shown = f"{layout.SIGNATURES}/{name}"
        signature = envelope.parse_detached(
            read_whole(directory / name, MAX_DETACHED_SIGNATURE)
        )
        key = keys.get(signature.keyid)
        if f"{signature.keyid}.json" != name:
            raise TrustError(f"{shown} names another key", rule="20.4.1")
        if key is None:
            yield f"{shown} is by a key that no role lists: not checked"
        elif not key.verifies(signature.raw, message):
            raise TrustError(f"{shown} does not sign this release", rule="20.4.2")


def _known_keys(opened: OpenBundle) -> Iterator[PublicKey]:
    for role in opened.trust.roles.by_name.values():
        yield from role.keys


def _stray(opened: OpenBundle) -> Iterator[str]:
    """Name the files that are not part of any bundle, or not of this one."""
    volumes = {volume.name for volume in opened.manifest.volumes}
    listed = volumes | layout.FIXED
    yield from (
        name
        for name in names_on(opened.path.resolve())
        if name not in listed and not layout.is_parity(name)
    )
    for directory in (layout.COPY, layout.SIGNATURES, layout.TRUST):
        names = names_on(opened.path / directory)
        known = {
            layout.COPY: {layout.RELEASE, layout.MANIFEST},
            layout.SIGNATURES: {name for name in names if _SIGNATURE.fullmatch(name)},
            layout.TRUST: {
                f"{number}.{kind}.json"
                for kind in ("root", "roles")
                for number in file_versions(names, kind)
            },
        }[directory]
        yield from (f"{directory}/{name}" for name in names if name not in known)
