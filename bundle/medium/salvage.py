"""The small files of a damaged bundle, each from the first place where it is true.

A file may be in its own place, in ``copy/``, in another directory with the same
bundle, or in a parity file. None of these is believed: an envelope has to verify
with the roles of this receiver, everything else has to be what the signed manifest
describes (spec §70.6).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from bundle.digest import Digest
from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    MissingError,
    TrustError,
)
from bundle.format import layout
from bundle.format.manifest import Manifest
from bundle.format.release import Release
from bundle.format.shards import Shards
from bundle.limits import (
    MAX_APPROVAL,
    MAX_DETACHED_SIGNATURE,
    MAX_ENVELOPE,
    MAX_SHARDS_FILE,
    MAX_TRUST_FILE,
)
from bundle.medium.files import names_on, read_whole
from bundle.medium.parity_files import parity_paths, read_parity_file
from bundle.state.receiver import TrustChoice, load_trust
from bundle.trust import envelope
from bundle.trust.chain import file_versions, follow_roots, newest_roles
from bundle.trust.roles import PACKER, read_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bundle.format.descriptor import Descriptor
    from bundle.trust.chain import Trust

_T = TypeVar("_T")

_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The small files of a bundle as they have to be, by name.

    ``digest`` is that of the release. ``warnings`` are what the trust files and
    the detached signatures ask to be said.
    """

    release: Release
    digest: Digest
    manifest: Manifest
    shards: Shards
    files: Mapping[str, bytes]
    warnings: tuple[str, ...]


def salvage(directories: Sequence[Path], choice: TrustChoice, clock: float) -> Salvaged:
    """Find a true copy of every small file of the bundle in ``directories``.

    Raises:
        MissingError: there is no bundle here.
        IntegrityError: one of them is nowhere true; names it.
        TrustError: what is here is not signed by whom this receiver trusts.
    """
    copies = _copies(directories)
    trust, files = _trust(directories, copies, choice, clock)
    places = _Places(directories, copies)
    described, manifest = _first(
        places.of(layout.MANIFEST, MAX_ENVELOPE),
        lambda data: Manifest.parse(trust.verify_manifest(data).payload),
        layout.MANIFEST,
    )
    _require_one_bundle(directories, trust, manifest)
    signed, release = _first(
        places.of(layout.RELEASE, MAX_ENVELOPE),
        lambda data: _read_release(data, trust, manifest),
        layout.RELEASE,
    )
    raw = _described(places, layout.SHARDS, manifest.shards, MAX_SHARDS_FILE)
    signatures, warnings = _signatures(directories)
    return Salvaged(
        release=release,
        digest=Digest(manifest.release.raw),
        manifest=manifest,
        shards=Shards.parse(raw),
        files={
            layout.SHARDS: raw,
            layout.APPROVAL: _described(
                places, layout.APPROVAL, manifest.approval, MAX_APPROVAL
            ),
            **{f"{layout.TRUST}/{name}": data for name, data in files.items()},
            **signatures,
            layout.RELEASE: signed,
            f"{layout.COPY}/{layout.RELEASE}": signed,
            f"{layout.COPY}/{layout.MANIFEST}": described,
            layout.MANIFEST: described,
        },
        warnings=trust.warnings + warnings,
    )


def _require_one_bundle(
    directories: Sequence[Path], trust: Trust, manifest: Manifest
) -> None:
    """Refuse directories of which one has another bundle that is signed as well."""
    for directory in directories:
        for data in _Places([directory], ()).of(layout.MANIFEST, MAX_ENVELOPE):
            try:
                other = Manifest.parse(trust.verify_manifest(data).payload)
            except BundleError:
                continue
            if other != manifest:
                raise FormatError(
                    f"{directory} has another bundle than {directories[0]}",
                    rule="4.10.2",
                    advice="name copies or parts of one bundle",
                )


def _copies(directories: Sequence[Path]) -> list[Mapping[str, bytes]]:
    """Return the copies in every parity file that can be read."""
    found = []
    for path in parity_paths(directories):
        with suppress(BundleError):
            found.append(read_parity_file(path).head.copies)
    return found


class _Places:
    """Where copies of one file may be, the most likely place first."""

    def __init__(
        self, directories: Sequence[Path], copies: Sequence[Mapping[str, bytes]]
    ) -> None:
        self._directories = directories
        self._copies = copies

    def of(self, name: str, limit: int) -> Iterator[bytes]:
        """Yield the bytes of each copy that can be read."""
        for directory in self._directories:
            for place in (name, f"{layout.COPY}/{name}"):
                with suppress(BundleError):
                    yield read_whole(directory / place, limit)
        for copies in self._copies:
            if name in copies:
                yield copies[name]


def _first(
    candidates: Iterator[bytes], read: Callable[[bytes], _T], name: str
) -> tuple[bytes, _T]:
    """Return the first candidate that can be read, and what it says.

    Raises:
        MissingError: there is no candidate.
        TrustError: one is an envelope, but of others.
        IntegrityError: all are damaged.
    """
    errors: list[BundleError] = []
    for data in candidates:
        try:
            return data, read(data)
        except BundleError as error:
            errors.append(error)
    if not errors:
        raise MissingError(
            f"{name} is not here, and no copy of it",
            advice="name the bundle's own directory",
        )
    untrusted = [error for error in errors if isinstance(error, TrustError)]
    if untrusted:
        raise untrusted[0]
    raise IntegrityError(
        f"every copy of {name} is damaged: {errors[0].args[0]}",
        rule="70.6.1",
        advice="carry the bundle again",
    )


def _read_release(data: bytes, trust: Trust, manifest: Manifest) -> Release:
    """Return the release that the signed manifest names.

    Approvals are for those who publish: nothing of it is used here.
    """
    parsed = envelope.parse(data, limit=MAX_ENVELOPE)
    role = trust.roles.role(PACKER)
    verification = envelope.check(parsed, role.keys, role.threshold)
    envelope.require(verification, parsed, envelope.RELEASE_TYPE)
    manifest.release.check(parsed.payload, layout.RELEASE)
    release = Release.parse(parsed.payload)
    manifest.check_release(release)
    return release


def _described(places: _Places, name: str, descriptor: Descriptor, limit: int) -> bytes:
    def read(data: bytes) -> None:
        descriptor.check(data, name)

    return _first(places.of(name, limit), read, name)[0]


def _trust(
    directories: Sequence[Path],
    copies: Sequence[Mapping[str, bytes]],
    choice: TrustChoice,
    clock: float,
) -> tuple[Trust, Mapping[str, bytes]]:
    """Return whom this receiver trusts, and the trust files of the medium.

    A set of files that is a chain by itself comes before one that is not: that
    one may still do for a receiver who knows what is damaged in it.

    Raises:
        TrustError, FormatError: no set of trust files leads anywhere.
    """
    prefix = f"{layout.TRUST}/"
    repeated = {
        name.removeprefix(prefix): data
        for files in reversed(copies)
        for name, data in files.items()
        if name.startswith(prefix)
    }
    sets = [_trust_files(directory) for directory in directories]
    sets += [{**files, **repeated} for files in sets]
    errors: list[BundleError] = []
    for files in sorted(sets, key=_is_chain, reverse=True):
        try:
            return load_trust(choice, files, clock, keep=False), files
        except BundleError as error:
            errors.append(error)
    raise errors[0]


def _trust_files(directory: Path) -> dict[str, bytes]:
    names = names_on(directory / layout.TRUST)
    found: dict[str, bytes] = {}
    for kind in ("root", "roles"):
        for number in file_versions(names, kind):
            name = f"{number}.{kind}.json"
            with suppress(BundleError):
                found[name] = read_whole(
                    directory / layout.TRUST / name, MAX_TRUST_FILE
                )
    return found


def _is_chain(files: Mapping[str, bytes]) -> bool:
    versions = file_versions(files, "root")
    if not versions:
        return False
    try:
        root = read_root(files[f"{min(versions)}.root.json"])
        for newer in follow_roots(root, files):
            root = newer
        newest_roles(root, files)
    except BundleError:
        return False
    return root.version == max(versions)


def _signatures(
    directories: Sequence[Path],
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the detached signatures that can be read, and name the others."""
    found: dict[str, bytes] = {}
    damaged: dict[str, str] = {}
    for directory in directories:
        for base in names_on(directory / layout.SIGNATURES):
            name = f"{layout.SIGNATURES}/{base}"
            if _SIGNATURE.fullmatch(base) is None or name in found:
                continue
            try:
                data = read_whole(directory / name, MAX_DETACHED_SIGNATURE)
                envelope.parse_detached(data)
            except BundleError:
                damaged[name] = f"{name} is damaged: ask for it again"
            else:
                found[name] = data
    return found, tuple(damaged[name] for name in damaged if name not in found)
