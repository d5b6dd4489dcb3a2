"""What a target keeps of what it was given, and what it lets go (spec §60.3).

A stream's release is its whole state. A target that is told to prune keeps what the
newest releases of each stream name and removes the rest of what it published. The
release before the newest stays by default: pods may have its blobs mapped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundle.target.ledger import Applied, Given


UNKNOWN: Final = "a recipe of it is lost: nothing of it is removed"


@dataclass(frozen=True, slots=True)
class Division:
    """The artifacts that stay, those that go, and the releases to be forgotten.

    An artifact may be among both for two streams; then it stays. ``forgotten`` are
    digests.
    """

    kept: frozenset[Given]
    gone: frozenset[Given]
    forgotten: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of what no kept release has.

    ``stayed`` names what was published here and is not as it was published, or is
    in use by something that was not, one line each. ``bytes`` are those of content:
    a link has none.
    """

    files: int = 0
    bytes: int = 0
    stayed: tuple[str, ...] = ()

    def __add__(self, other: Pruned) -> Pruned:
        """Return what was removed together."""
        return Pruned(
            self.files + other.files,
            self.bytes + other.bytes,
            self.stayed + other.stayed,
        )


def newest(releases: Sequence[Applied], keep: int) -> tuple[Applied, ...]:
    """Return the ``keep`` newest releases of each stream; the newest are last."""
    count: dict[str, int] = {}
    found = []
    for one in reversed(releases):
        count[one.stream] = count.get(one.stream, 0) + 1
        if count[one.stream] <= keep:
            found.append(one)
    return tuple(reversed(found))


def divide(releases: Sequence[Applied], keep: int, *, in_place: bool) -> Division:
    """Return what stays of ``releases`` when ``keep`` of each stream are kept.

    ``in_place`` says that what is published of an artifact takes the place of what
    was there of it: then only its newest form of each stream stays.
    """
    held = newest(releases, keep)
    kept: dict[tuple[str, ...], Given] = {}
    for release in held:
        for one in release.artifacts:
            form = () if in_place else (one.recipe,)
            kept[release.stream, one.kind, one.name, *form] = one
    every = {one for release in releases for one in release.artifacts}
    stays = frozenset(kept.values())
    digests = {one.digest for one in held}
    return Division(
        stays,
        frozenset(every - stays),
        frozenset(one.digest for one in releases) - digests,
    )
