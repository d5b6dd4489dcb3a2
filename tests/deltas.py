"""What lies on a medium, found by looking at every frame of every volume."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bundle.digest import digest_of
from bundle.format.columns import RECORD_SIZE
from bundle.format.manifest import Manifest
from bundle.format.receipt import HeldRelease, HeldStream, Receipt, StoreState
from bundle.format.recipe import Recipe
from bundle.format.recipes import Recipes
from bundle.format.release import Release, TrustVersion
from bundle.format.volume import FRAME_MAGIC, parse_frame
from bundle.limits import MAX_ENVELOPE
from bundle.trust.envelope import parse
from bundle.trust.receipts import sign_receipt
from bundle.wire import write_moment
from tests.trust.ceremony import NOW, key

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from bundle.packing.holdings import FarSide
    from bundle.trust.keys import PrivateKey
    from tests.bundles import Site

SITE_KEY: Final = 40
"""The number of the key that a site signs with in tests."""

STORE: Final = "5e" * 16


def ids_of(rows: np.ndarray[Any, Any]) -> set[bytes]:
    """Return the ids in an array of rows of 32 bytes."""
    return {bytes(row) for row in rows}


@dataclass(frozen=True)
class Medium:
    """A bundle as it lies on a medium, read without trusting any index."""

    path: Path

    @property
    def carried(self) -> set[bytes]:
        """The ids of all chunks in all volumes, frame by frame."""
        found: set[bytes] = set()
        for volume in sorted(self.path.glob("vol-*.bdv")):
            data = volume.read_bytes()
            offset = RECORD_SIZE
            while data.startswith(FRAME_MAGIC, offset):
                header = parse_frame(memoryview(data)[offset:])
                own = ids_of(header.ids)
                assert not own & found, "a chunk is carried twice"
                found |= own
                offset += header.size
        return found

    @property
    def required(self) -> set[bytes]:
        """The ids of the chunks that it takes for granted."""
        table = self._table()
        ids = ids_of(table.required)
        self.manifest.requires.check(table.required.tobytes())
        assert len(ids) == len(table.required)
        return ids

    @property
    def recipes(self) -> dict[str, Recipe]:
        """The recipes it carries, by digest."""
        table = self._table()
        return {
            str(entry.digest): Recipe.parse(table.read(entry))
            for entry in table.entries
        }

    @property
    def release(self) -> Release:
        """What it says of its release."""
        return Release.parse(self._payload("release.json"))

    @property
    def digest(self) -> str:
        """The digest of its release."""
        return str(digest_of(self._payload("release.json")))

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""
        return Manifest.parse(self._payload("bundle.json"))

    @property
    def size(self) -> int:
        """Bytes of everything on the medium."""
        return sum(one.stat().st_size for one in self.path.rglob("*") if one.is_file())

    @property
    def approval(self) -> str:
        """What a reviewer reads."""
        return (self.path / "approval.md").read_text()

    def _table(self) -> Recipes:
        return Recipes.parse((self.path / "recipes.bdr").read_bytes())

    def _payload(self, name: str) -> bytes:
        data = (self.path / name).read_bytes()
        return parse(data, limit=MAX_ENVELOPE).payload


def chunks_of(recipes: dict[str, Recipe]) -> set[bytes]:
    """Return the ids of all chunks that recipes use."""
    return set().union(*(ids_of(recipe.chunk_ids) for recipe in recipes.values()))


@dataclass
class Stream:
    """A sender that packs one release after another, and its far side's word."""

    site: Site
    _serial: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def pack(self, *sources: object, far: FarSide | None = None, **more: Any) -> Medium:  # noqa: ANN401 - fields of PackRequest
        """Pack the next release."""
        if far is not None:
            more["far"] = far
        return Medium(self.site.bundle(*sources, **more))

    def receipt(
        self,
        *media: Medium,
        signer: PrivateKey | None = None,
        digest: str | None = None,
        **changes: Any,  # noqa: ANN401 - fields of Receipt
    ) -> Path:
        """Return the file in which the far side says that it holds these releases."""
        releases = sorted((one.release for one in media), key=lambda one: -one.seq)
        digests = {one.release.seq: one.digest for one in media}
        held = tuple(
            HeldRelease(one.seq, digest or digests[one.seq]) for one in releases
        )
        streams = {one.stream.id: one.stream for one in releases}
        fields: dict[str, Any] = {
            "site": "lab",
            "store": StoreState(STORE, 1),
            "streams": tuple(
                HeldStream(each.id, each.name, held)
                for each in sorted(streams.values(), key=lambda one: one.id)
            ),
            "outcome": "applied",
            "created": write_moment(NOW),
            "trust_version": TrustVersion(1, 1),
        }
        receipt = Receipt(**{**fields, **changes})
        path = self.site.path / f"{next(self._serial)}-{receipt.name}"
        path.write_bytes(sign_receipt(receipt, signer or key(SITE_KEY)))
        return path
