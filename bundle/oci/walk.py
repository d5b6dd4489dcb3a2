"""Everything that a reference needs, found by reading manifests (spec §90.4).

``walk`` goes down from one descriptor: an index to its manifests, a manifest to
its config and layers. It opens what it knows how to read and takes the rest as
it is. A blob that a manifest refers to is listed once however often it is named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundle.errors import FormatError, LimitError
from bundle.limits import MAX_OCI_MANIFESTS, MAX_OCI_NESTING
from bundle.oci import manifests
from bundle.oci.descriptors import REFERENCE_DIGEST, Descriptor
from bundle.oci.media_types import is_foreign
from bundle.oci.platforms import Platform, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bundle.oci.manifests import Document

    ReadBlob = Callable[[Descriptor], bytes | None]


@dataclass(slots=True)
class Needs:
    """What was found, in an order in which it may be written: leaves first.

    ``blobs`` are configs and layers, and manifests of types that nobody reads
    here; ``documents`` are manifests and indexes with what they say, each after
    all that it refers to. ``foreign`` are layers that may be missing,
    ``missing`` is what was asked for and is not there, ``left_out`` the manifests
    that the platforms do not take. Keys are digests.
    """

    blobs: dict[str, Descriptor] = field(default_factory=dict)
    documents: dict[str, tuple[Descriptor, Document]] = field(default_factory=dict)
    foreign: dict[str, Descriptor] = field(default_factory=dict)
    missing: dict[str, Descriptor] = field(default_factory=dict)
    left_out: dict[str, Descriptor] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Descriptor]:
        """Every blob and document that is needed and is not foreign."""
        documents = {digest: one for digest, (one, _) in self.documents.items()}
        return {**self.blobs, **documents}


def walk(
    root: Descriptor,
    read: ReadBlob,
    *,
    platforms: Collection[Platform] = (),
    needs: Needs | None = None,
) -> Needs:
    """Return everything that ``root`` needs, added to ``needs``.

    ``read`` returns the checked bytes of a manifest, or None without it. With
    ``platforms`` an index is followed to those manifests only, and to what is
    about them; a manifest that is the root itself is taken whatever it is for.

    Raises:
        LimitError: it is nested too deep or has too many manifests (rule 90.4.3).
        FormatError: a manifest is none, or one leads to itself (rule 90.4.2).
    """
    walker = _Walker(read, platforms, Needs() if needs is None else needs)
    walker.visit(root, ())
    return walker.needs


class _Walker:
    """One walk; ``above`` are the digests that lead to where it is."""

    def __init__(
        self, read: ReadBlob, platforms: Collection[Platform], needs: Needs
    ) -> None:
        self.needs = needs
        self._read = read
        self._platforms = platforms

    def visit(self, one: Descriptor, above: tuple[str, ...]) -> None:
        if one.digest in above:
            raise FormatError(f"the index {one.digest} leads to itself", rule="90.4.2")
        if len(above) > MAX_OCI_NESTING:
            raise LimitError(
                f"{one.digest}: nested over {MAX_OCI_NESTING} levels", rule="90.4.3"
            )
        if one.digest in self.needs.documents:
            return
        if not manifests.is_document(one.media_type):
            self.needs.blobs.setdefault(one.digest, one)
            return
        data = self._read(one)
        if data is None:
            self.needs.missing.setdefault(one.digest, one)
            return
        document = manifests.parse(data, one.media_type)
        for blob in document.blobs:
            kept = (
                self.needs.foreign if is_foreign(blob.media_type) else self.needs.blobs
            )
            kept.setdefault(blob.digest, blob)
        for child in self._chosen(document.children):
            self.visit(child, (*above, one.digest))
        self.needs.documents[one.digest] = (one, document)
        if len(self.needs.documents) > MAX_OCI_MANIFESTS:
            raise LimitError(f"over {MAX_OCI_MANIFESTS} manifests", rule="90.4.3")

    def _chosen(self, children: tuple[Descriptor, ...]) -> list[Descriptor]:
        """Return the manifests of an index that the platforms take."""
        if not self._platforms:
            return list(children)
        kept = {
            one.digest
            for one in children
            if one.platform is None or wanted(one.platform, self._platforms)
        }
        chosen = []
        for one in children:
            if one.digest in kept or one.annotation(REFERENCE_DIGEST) in kept:
                chosen.append(one)
            else:
                self.needs.left_out.setdefault(one.digest, one)
        return chosen
