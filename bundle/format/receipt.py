"""Receipts: the far side's word on what it holds (spec §60.1).

A receipt names releases, never files: whoever packs next knows what is in them.
It is small enough to be read, or typed, from one page, and says nothing about a
site but its name. What it says is a hint. One that is stale or forged leads to a
bundle that needs chunks which are not there, and that one is refused.

>>> check_site("lab-1")
'lab-1'
"""

from __future__ import annotations

import re
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self, TypeAlias

import msgspec

from bundle.digest import Digest
from bundle.errors import FormatError
from bundle.format.columns import FORMAT
from bundle.format.features import KNOWN, Features, check_head
from bundle.format.fields import check_count
from bundle.format.layout import short
from bundle.format.release import Stream, TrustVersion
from bundle.limits import MAX_RECEIPT, MAX_RECEIPT_RELEASES
from bundle.paths import check_slug
from bundle.wire import convert, parse_json, read_moment, write_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_RECEIPT_PAYLOAD: Final = 1280
"""Bytes of a payload that, signed and in base64, stays within ``MAX_RECEIPT``."""

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

Outcome: TypeAlias = Literal["applied", "already-applied", "partial"]
"""What became of the bundle: ``partial`` says that no target takes some of it."""


class StoreState(msgspec.Struct, frozen=True):
    """Which store speaks: its random id, and a number that rises with each loss."""

    id: str
    generation: int

    def __post_init__(self) -> None:
        if _ID.fullmatch(self.id) is None:
            raise FormatError(f"not a store id: {self.id[:40]!r}", rule="60.1.5")
        check_count(self.generation, rule="60.1.5", least=1)


class HeldRelease(msgspec.Struct, frozen=True):
    """A release of which every chunk is there: its number and its digest."""

    seq: int
    digest: str

    def __post_init__(self) -> None:
        check_count(self.seq, rule="60.1.6", least=1)
        Digest.parse(self.digest)


class HeldStream(Stream, frozen=True):
    """A stream and the releases held of it, the newest first."""

    releases: tuple[HeldRelease, ...]

    def __post_init__(self) -> None:
        Stream.__post_init__(self)
        if len(self.releases) > MAX_RECEIPT_RELEASES:
            raise FormatError(
                f"{len(self.releases)} releases, over {MAX_RECEIPT_RELEASES}",
                rule="60.1.6",
            )
        for newer, older in pairwise(self.releases):
            if newer.seq <= older.seq:
                raise FormatError("the newest release is not first", rule="60.1.6")


class Receipt(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What one site holds; ``created`` is a moment as in ``bundle.wire``."""

    format: int = FORMAT
    features: Features = Features()
    site: str
    store: StoreState
    streams: tuple[HeldStream, ...]
    outcome: Outcome
    created: str
    trust_version: TrustVersion

    def __post_init__(self) -> None:
        check_site(self.site)
        ids = [stream.id for stream in self.streams]
        if sorted(set(ids)) != ids:
            raise FormatError(
                "streams are not in the order of their ids, each once", rule="60.1.7"
            )
        read_moment(self.created, rule="60.1.8")

    @classmethod
    def parse(cls, payload: bytes, *, known: Collection[str] = KNOWN) -> Self:
        """Return the receipt in the payload of an envelope.

        Raises:
            LimitError: it asks for more than a reader allows.
            FormatError: rules 2.5 and 60.1; a feature is not in ``known``.
        """
        document = parse_json(payload, limit=MAX_RECEIPT, rule="2.5")
        check_head(document, known, noun="receipt")
        return convert(document, cls, rule="60.1.3")

    def serialize(self) -> bytes:
        """Return the payload: printable ASCII, at most ``MAX_RECEIPT_PAYLOAD`` bytes.

        Raises:
            FormatError: it holds more than fits; see ``fitted``.
        """
        payload = write_json(self)
        if len(payload) > MAX_RECEIPT_PAYLOAD:
            raise FormatError(
                f"a receipt of {len(payload)} bytes, over {MAX_RECEIPT_PAYLOAD}",
                rule="60.1.1",
            )
        return payload

    def fitted(self, stream: str) -> Self:
        """Return this receipt with as much as fits into one.

        Old releases go first, the longest list first; then whole streams, and
        the one with the id ``stream`` last of all.
        """
        fitted = self
        while len(write_json(fitted)) > MAX_RECEIPT_PAYLOAD and fitted.streams:
            fitted = msgspec.structs.replace(
                fitted, streams=_shortened(fitted.streams, stream)
            )
        return fitted

    @property
    def name(self) -> str:
        """The name of its file (rule 60.1.9)."""
        site, store = short(self.site, 24), self.store
        return f"receipt-{site}-{store.id[:8]}-{store.generation}.json"


class Holding(Protocol):
    """A release that is held whole, in any form that says which."""

    @property
    def stream(self) -> str:
        """The id of its stream."""

    @property
    def name(self) -> str:
        """The label of its stream."""

    @property
    def seq(self) -> int:
        """Its number."""

    @property
    def digest(self) -> str:
        """Its digest as text."""


def held_streams(releases: Iterable[Holding]) -> tuple[HeldStream, ...]:
    """Return what a receipt says of releases: by stream, the newest first.

    Of two with one number the first counts.
    """
    ordered = sorted(releases, key=lambda one: (one.stream, -one.seq))
    streams = []
    for stream, group in groupby(ordered, key=lambda one: one.stream):
        first = {one.seq: one for one in reversed(list(group))}
        newest = sorted(first.values(), key=lambda one: -one.seq)
        held = tuple(HeldRelease(one.seq, one.digest) for one in newest)
        name = newest[0].name
        streams.append(HeldStream(stream, name, held[:MAX_RECEIPT_RELEASES]))
    return tuple(streams)


def check_site(name: str) -> str:
    """Return ``name`` if it may name a site: a slug.

    Raises:
        FormatError: it is none.
    """
    return check_slug(name, rule="60.1.4")


def _shortened(streams: tuple[HeldStream, ...], kept: str) -> tuple[HeldStream, ...]:
    """Return one release less, or one stream less where each has but one."""
    longest = max(
        streams, key=lambda each: (len(each.releases), each.id != kept, each.id)
    )
    if len(longest.releases) > 1:
        shorter = msgspec.structs.replace(longest, releases=longest.releases[:-1])
        return tuple(shorter if one is longest else one for one in streams)
    return tuple(one for one in streams if one is not longest)
