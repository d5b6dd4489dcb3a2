"""What a reviewer is told about an image: platforms, licence, signatures.

Signatures are not verified here: who signed is what the signature claims.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from bundle.limits import MAX_OCI_MANIFEST, MAX_TEXT
from bundle.oci.manifests import Index, Manifest
from bundle.oci.media_types import IMAGE_CONFIGS
from bundle.oci.platforms import Platform
from bundle.oci.riders import role_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bundle.oci.descriptors import Descriptor
    from bundle.oci.manifests import Document
    from bundle.source.images import Blobs, Rider

    Documents = Mapping[str, Document]

LICENCES: Final = "org.opencontainers.image.licenses"
"""The annotation or label that names the licences."""

_CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
_UNSHOWN: Final = re.compile(r"[^\x20-\x7e\xa1-\u024f]+")
_LONGEST: Final = 200


class _Container(msgspec.Struct):
    labels: dict[str, str] | None = msgspec.field(default=None, name="Labels")


class _Config(msgspec.Struct):
    os: str = ""
    architecture: str = ""
    variant: str = ""
    config: _Container | None = None


def notes_of(
    root: Descriptor, riders: Sequence[Rider], documents: Documents, blobs: Blobs
) -> tuple[str, ...]:
    """Return a line of platforms, and one for each thing that is about the image."""
    platforms = [str(one) for one in _platforms(root, documents, blobs)]
    notes = []
    if platforms:
        notes.append(f"platforms: {', '.join(dict.fromkeys(platforms))}")
    for rider in riders:
        document = documents.get(rider.root.digest)
        kind = document.type if isinstance(document, Manifest) else ""
        signers = _signers(document, blobs) if isinstance(document, Manifest) else []
        by = f" by {', '.join(signers)}" if signers else ""
        what = role_of(rider.tag, rider.root, kind)
        notes.append(f"{what}{by}, not verified here: {rider.root.digest}")
    return tuple(shown(note) for note in notes)


def licence_of(root: Descriptor, documents: Documents, blobs: Blobs) -> str | None:
    """Return what the image calls its licences, in an annotation or a label."""
    document = documents.get(root.digest)
    if document is None:
        return None
    candidates = [document, *(documents.get(one.digest) for one in document.children)]
    for one in candidates:
        if one is not None and (one.annotations or {}).get(LICENCES):
            return shown((one.annotations or {})[LICENCES])
    for one in candidates:
        config = _config(one, blobs)
        labels = config.config.labels if config and config.config else None
        if labels and labels.get(LICENCES):
            return shown(labels[LICENCES])
    return None


def shown(text: str) -> str:
    """Return ``text`` as one line that may stand in a release (rule 8.4.5)."""
    line = _UNSHOWN.sub(" ", text).strip()
    return line if len(line.encode()) <= MAX_TEXT else line[: MAX_TEXT // 4] + "…"


def _platforms(
    root: Descriptor, documents: Documents, blobs: Blobs
) -> Iterator[Platform]:
    """Yield what the image runs on, as its index or its config says."""
    document = documents.get(root.digest)
    if isinstance(document, Index):
        for child in document.children:
            if child.digest not in documents:
                continue
            if child.platform is not None and child.platform.known:
                yield child.platform
            elif child.platform is None:
                yield from _platforms(child, documents, blobs)
        return
    config = _config(document, blobs)
    if config is not None and config.os:
        yield Platform(config.os, config.architecture, config.variant)


def _config(document: Document | None, blobs: Blobs) -> _Config | None:
    """Return the config of an image as far as it is understood."""
    if not isinstance(document, Manifest):
        return None
    if document.config.media_type not in IMAGE_CONFIGS:
        return None
    found = _json(document.config, blobs, _Config)
    return found if isinstance(found, _Config) else None


def _json(one: Descriptor, blobs: Blobs, type_: Any) -> object:  # noqa: ANN401 - a type
    """Return a small blob as a ``type_``; None for anything else."""
    if one.size > MAX_OCI_MANIFEST:
        return None
    data = blobs.read(one.blob, one.size + 1)
    if data is None or not one.blob.matches(data):
        return None
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, RecursionError):
        return None


def _signers(manifest: Manifest, blobs: Blobs) -> list[str]:
    """Return whom the certificates in a signature name."""
    names: dict[str, None] = {}
    for layer in manifest.layers:
        text = layer.annotation(_CERTIFICATE)
        if text:
            names |= dict.fromkeys(_names(text.encode()))
        elif layer.media_type.startswith(_BUNDLE):
            names |= dict.fromkeys(_of_bundle(_json(layer, blobs, dict[str, Any])))
    return list(names)


def _of_bundle(document: object) -> list[str]:
    """Return whom the certificate of a Sigstore bundle names."""
    found = document
    for step in ("verificationMaterial", "certificate", "rawBytes"):
        found = found.get(step) if isinstance(found, dict) else None
    if not isinstance(found, str):
        return []
    try:
        return _names(base64.b64decode(found, validate=True))
    except binascii.Error:
        return []


def _names(data: bytes) -> list[str]:
    """Return the addresses that a certificate in PEM or DER is made out to."""
    pem = data.lstrip().startswith(b"-----")
    try:
        load = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
        extension = load(data).extensions.get_extension_for_oid(
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        )
    except (ValueError, x509.ExtensionNotFound):
        return []
    value = extension.value
    if not isinstance(value, x509.SubjectAlternativeName):
        return []
    kinds = (x509.RFC822Name, x509.UniformResourceIdentifier)
    names = [name for kind in kinds for name in value.get_values_for_type(kind)]
    return [name[:_LONGEST] for name in names]
