"""Past releases of a stream, as its packer remembers them (spec §30.5).

What lies in the state was written by this packer, so signatures are not checked
again; what does not parse or has gone is a release that nothing is known of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.digest import digest_of
from bundle.errors import FormatError, MissingError
from bundle.format.release import Release
from bundle.limits import MAX_ENVELOPE
from bundle.state.destination import destinations_in
from bundle.trust.envelope import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.state.sender import SenderStream


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """One release that was packed here: its envelope and what is in it."""

    seq: int
    digest: str
    release: Release
    payload: bytes
    envelope: bytes


def recall(stream: SenderStream, seq: int) -> Past | None:
    """Return release ``seq`` of a stream, None where it is not remembered.

    Raises:
        TargetError: the state could not be read.
    """
    try:
        envelope = stream.read(seq)
        payload = parse(envelope, limit=MAX_ENVELOPE).payload
        release = Release.parse(payload)
    except (FormatError, MissingError):
        return None
    return Past(seq, str(digest_of(payload)), release, payload, envelope)


def remember(
    stream: SenderStream, seq: int, envelope: bytes, recipes: Iterable[bytes]
) -> None:
    """Keep a finished release with its recipes, and drop what is too old.

    Raises:
        TargetError: it could not be written.
    """
    for data in recipes:
        stream.shelf.put(data)
    stream.finish(seq, envelope, keep=_acknowledged(stream))
    used: set[str] = set()
    for number in stream.finished():
        past = recall(stream, number)
        if past is not None:
            used.update(one.recipe.digest for one in past.release.artifacts)
    stream.shelf.trim(used)


def _acknowledged(stream: SenderStream) -> set[int]:
    """Return the numbers that the receipt of some destination names."""
    return {
        held.seq
        for destination in destinations_in(stream.directory)
        if destination.acknowledged is not None
        for held in destination.acknowledged.releases
    }
