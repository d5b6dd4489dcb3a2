"""Bundle manifests: how one release travels (spec §9).

The payload of bundle.json describes every file on the medium that a reader
trusts because of it: the release, recipes.bdr, the volumes, shards.bds and
approval.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, TypeAlias

import msgspec

from bundle.digest import DIGEST_SIZE, Digest, digest_of
from bundle.errors import FormatError, IntegrityError, LimitError
from bundle.format.columns import FORMAT, RECORD_SIZE
from bundle.format.descriptor import (
    APPROVAL,
    RECIPES,
    RELEASE,
    SHARDS,
    VOLUME,
    Descriptor,
)
from bundle.format.features import KNOWN, Features, check_head
from bundle.format.fields import check_count
from bundle.format.layout import volume_name
from bundle.format.shards import shard_starts, shards_file_size
from bundle.format.volume import ENTRY_SIZE, FANOUT_SIZE, INDEX_ENTRY_SIZE
from bundle.limits import (
    MAX_APPROVAL,
    MAX_ENVELOPE,
    MAX_RECIPES,
    MAX_VOLUME,
    MAX_VOLUMES,
)
from bundle.wire import convert, parse_json, write_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from bundle.format.release import Release

_Payload: TypeAlias = bytes
_NO_IDS: Final = str(digest_of(b""))
# Header, frame and tail; the index; one chunk of one byte, raw.
_SMALLEST_VOLUME: Final = (
    3 * RECORD_SIZE + FANOUT_SIZE + INDEX_ENTRY_SIZE + ENTRY_SIZE + 1
)


class Volume(Descriptor, frozen=True, rename="camel"):
    """The descriptor of a volume, and its file name."""

    name: str


class Requires(msgspec.Struct, frozen=True):
    """How many chunks are taken for granted, and the digest of their sorted ids."""

    count: int
    digest: str

    def __post_init__(self) -> None:
        check_count(self.count, rule="9.4.1")
        Digest.parse(self.digest)
        if (self.count == 0) != (self.digest == _NO_IDS):
            raise FormatError(
                "no required chunks, but the digest of some, or the other way round",
                rule="9.4.2",
            )

    @classmethod
    def of(cls, ids: _Payload | memoryview) -> Self:
        """Return what describes the sorted ``ids``, 32 bytes each, in a row."""
        return cls(len(ids) // DIGEST_SIZE, str(digest_of(ids)))

    def check(self, ids: _Payload | memoryview) -> None:
        """Refuse other ids than these.

        Raises:
            IntegrityError: their count or their digest is another.
        """
        if Requires.of(ids) != self:
            raise IntegrityError("the required ids are damaged", rule="9.4.3")


class Manifest(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Everything a bundle carries; ``bytes`` are those of the files but envelopes."""

    format: int = FORMAT
    features: Features = Features()
    release: Descriptor
    contents: str
    recipes: Descriptor
    carried: tuple[str, ...]
    volumes: tuple[Volume, ...]
    shards: Descriptor
    approval: Descriptor
    requires: Requires
    bytes: int
    transforms: tuple[str, ...] = ()
    parity: tuple[str, ...] = ()
    encryption: None = None

    def __post_init__(self) -> None:
        _check_documents(self)
        _check_volumes(self.volumes)
        _check_sizes(self)
        for name in ("transforms", "parity", "encryption"):
            if getattr(self, name):
                raise FormatError(
                    f"the bundle has {name}, which need a feature", rule="9.1.3"
                )

    @classmethod
    def parse(cls, payload: _Payload, *, known: Collection[str] = KNOWN) -> Self:
        """Return the manifest in the payload of bundle.json.

        Raises:
            LimitError: it asks for more than a reader allows.
            FormatError: rules 2.5 and 9; a required feature is not in ``known``.
        """
        document = parse_json(payload, limit=MAX_ENVELOPE, rule="2.5")
        check_head(document, known, noun="bundle")
        return convert(document, cls, rule="9.1.1")

    def serialize(self) -> _Payload:
        """Return the payload of bundle.json."""
        return write_json(self)

    def check_release(self, release: Release) -> None:
        """Refuse a bundle that was not made for ``release``.

        The digest of the release's payload is checked with ``self.release``.

        Raises:
            IntegrityError: the contents differ, or recipes are carried that the
                release does not name, or names in another order.
        """
        if self.contents != str(release.contents):
            raise IntegrityError("bundle and release differ in contents", rule="9.2.2")
        named = dict.fromkeys(one.recipe.digest for one in release.artifacts)
        for digest in self.carried:
            if digest not in named:
                raise IntegrityError(
                    f"the bundle carries a recipe {digest} that is not of its release",
                    rule="9.2.5",
                )
        carried = set(self.carried)
        if [digest for digest in named if digest in carried] != [*self.carried]:
            raise IntegrityError(
                "the recipes are not in the order of the release", rule="7.2.5"
            )


def _check_documents(manifest: Manifest) -> None:
    if len(manifest.carried) > MAX_RECIPES:
        raise LimitError(f"{len(manifest.carried)} recipes", rule="9.2.6")
    manifest.release.check_type(RELEASE, rule="9.2.1")
    manifest.recipes.check_type(RECIPES, rule="9.2.1")
    manifest.shards.check_type(SHARDS, rule="9.2.1")
    manifest.approval.check_type(APPROVAL, rule="9.2.1")
    Digest.parse(manifest.contents)
    for digest in manifest.carried:
        Digest.parse(digest)
    if len(set(manifest.carried)) != len(manifest.carried):
        raise FormatError("a recipe is carried twice", rule="9.2.3")


def _check_volumes(volumes: tuple[Volume, ...]) -> None:
    if len(volumes) > MAX_VOLUMES:
        raise LimitError(f"{len(volumes)} volumes, over {MAX_VOLUMES}", rule="9.3.3")
    for number, volume in enumerate(volumes, 1):
        volume.check_type(VOLUME, rule="9.2.1")
        if volume.name != volume_name(number):
            raise FormatError(
                f"{volume.name[:40]!r} where {volume_name(number)} belongs",
                rule="9.3.1",
            )
        if not _SMALLEST_VOLUME <= volume.size <= MAX_VOLUME:
            raise LimitError(
                f"{volume.name}: no volume has {volume.size} bytes", rule="9.3.2"
            )


def _check_sizes(manifest: Manifest) -> None:
    sizes = [manifest.recipes.size, *(volume.size for volume in manifest.volumes)]
    if manifest.shards.size != shards_file_size(shard_starts(sizes)[-1]):
        raise FormatError(
            "the size of shards.bds does not fit the recipes and volumes", rule="9.3.4"
        )
    if manifest.approval.size > MAX_APPROVAL:
        raise LimitError(f"approval.md over {MAX_APPROVAL} bytes", rule="9.3.5")
    if manifest.bytes != sum(sizes) + manifest.shards.size + manifest.approval.size:
        raise FormatError("bytes is not the sum of the files", rule="9.3.6")
