"""Which shards parity goes over, and what that survives (spec §70.2, §70.5).

The shards of a bundle are dealt out to groups like cards: shard *n* goes to group
*n* modulo the number of groups. Neighbours are therefore in different groups, and
damage in a row takes as little as possible from each.

>>> shape_for(9000, 10)
Stripes(shards=9000, groups=78, parity=12)
>>> shape_for(9000, 10).run
936
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.errors import FormatError, LimitError
from bundle.limits import (
    MAX_GROUP,
    MAX_PARITY_PERCENT,
    MAX_PARITY_SHARDS,
    WRITTEN_GROUP,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHARDS_OFFSET: Final = 16
_GROUPS_OFFSET: Final = 20
_PARITY_OFFSET: Final = 24


@dataclass(frozen=True, slots=True)
class Stripes:
    """How ``shards`` are dealt to ``groups``, with ``parity`` shards for each."""

    shards: int
    groups: int
    parity: int

    def __post_init__(self) -> None:
        if self.shards < 1:
            raise FormatError(
                "parity over no shards", rule="70.2.1", offset=_SHARDS_OFFSET
            )
        if not 1 <= self.groups <= self.shards:
            raise FormatError(
                f"{self.groups} groups for {self.shards} shards",
                rule="70.2.2",
                offset=_GROUPS_OFFSET,
            )
        if self.parity < 1 or self.data + self.parity > MAX_GROUP:
            raise FormatError(
                f"a group of {self.data} and {self.parity} shards, not 1 to "
                f"{MAX_GROUP} with at least one of parity",
                rule="70.2.3",
                offset=_PARITY_OFFSET,
            )
        if self.total > MAX_PARITY_SHARDS:
            raise LimitError(
                f"{self.total} parity shards, over {MAX_PARITY_SHARDS}",
                rule="70.2.4",
                offset=_PARITY_OFFSET,
            )

    @property
    def data(self) -> int:
        """Members of the largest group; those that others lack are zeros."""
        return -(-self.shards // self.groups)

    @property
    def total(self) -> int:
        """Parity shards of all groups."""
        return self.parity * self.groups

    @property
    def run(self) -> int:
        """How many shards in a row may be lost, wherever they begin."""
        return min(self.total, self.shards)

    def members(self, group: int) -> range:
        """Return the shards of a group; the member's number is its place here."""
        return range(group, self.shards, self.groups)

    def positions(self, group: int) -> range:
        """Return where the parity shards of a group are among all parity shards."""
        return range(group, self.total, self.groups)

    def place(self, shard: int) -> tuple[int, int]:
        """Return the group of a shard and its number there."""
        member, group = divmod(shard, self.groups)
        return group, member


@dataclass(frozen=True, slots=True)
class Survival:
    """What parity makes good: each line alone is survived, whatever else is whole.

    ``anywhere`` and ``run`` count shards, ``volumes`` the lost ones out of
    ``of``. ``enough`` is the percentage that survives one lost volume, None where
    none does.
    """

    anywhere: int
    run: int
    volumes: int
    of: int
    enough: int | None

    def sentences(self) -> tuple[str, ...]:
        """Say it in words, the most useful first."""
        volumes = f"any one lost volume of {self.of}"
        if self.volumes > 1:
            volumes = f"any {self.volumes} lost volumes of {self.of}"
        elif self.of == 1:
            volumes = "its one volume lost"
        return (
            *((volumes,) if self.volumes else ()),
            f"any {_mib(self.run)} in a row, such as a torn tail",
            f"any {_mib(self.anywhere)}, wherever the damage is",
        )

    def advice(self) -> str:
        """Say what a lost volume would take, or nothing."""
        if self.volumes or not self.of:
            return ""
        if self.enough is None:
            return "a lost volume is not survived: make smaller volumes"
        return f"a lost volume is not survived: that takes {self.enough} percent"


def _mib(shards: int) -> str:
    return "damaged MiB" if shards == 1 else f"{shards:,} damaged MiB"


def survival(stripes: Stripes, volumes: Sequence[int]) -> Survival:
    """Return what ``stripes`` survive, with volumes of so many shards each."""
    found = _lost_volumes(stripes, volumes)
    enough = None
    if not found:
        enough = next(
            (
                percent
                for percent in range(1, MAX_PARITY_PERCENT + 1)
                if _lost_volumes(shape_for(stripes.shards, percent), volumes)
            ),
            None,
        )
    return Survival(stripes.parity, stripes.run, found, len(volumes), enough)


def _lost_volumes(stripes: Stripes, volumes: Sequence[int]) -> int:
    """Return how many of the largest volumes may be lost together."""
    left, found = stripes.parity, 0
    for size in sorted(volumes, reverse=True):
        left -= -(-size // stripes.groups)
        if left < 0:
            break
        found += 1
    return found


def shape_for(shards: int, percent: int) -> Stripes:
    """Return how a writer deals ``shards``, with ``percent`` of parity or a bit more.

    Groups are as large as ``WRITTEN_GROUP`` allows, since a large group survives
    more damage that happens to meet in one.
    """
    largest = WRITTEN_GROUP * 100 // (100 + percent)
    while largest + _parity(largest, percent) > WRITTEN_GROUP:
        largest -= 1
    groups = -(-shards // largest)
    return Stripes(shards, groups, _parity(-(-shards // groups), percent))


def _parity(data: int, percent: int) -> int:
    return -(-data * percent // 100)
