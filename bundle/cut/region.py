"""The regions of one file, as columns (spec §11.1)."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bundle.codec.encoding import Kind
from bundle.limits import KIB, MAX_CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Read: TypeAlias = Callable[[int, int], bytes]

SMALL: int = 16 * KIB
"""Bytes under which a tensor joins its neighbours (rule 11.1.6)."""


class Rule(IntEnum):
    """How a region is cut (rule 11.1.2)."""

    FASTCDC = 1
    FIXED = 2
    ATOM = 3


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes ``start`` to ``end`` of a file, cut by one rule, of one kind."""

    start: int
    end: int
    rule: Rule
    kind: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Regions that cover a file of ``size`` bytes in order, without gaps.

    ``starts`` ascends from 0; ``rules`` holds ``Rule`` values and ``kinds``
    holds ``Kind.code`` values. An empty file has no region.
    """

    size: int
    starts: npt.NDArray[np.uint64]
    rules: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return self.starts.size

    def region(self, index: int) -> Region:
        """Return the region at ``index``, from 0.

        Raises:
            IndexError: there is none.
        """
        last = index == len(self) - 1
        end = self.size if last else int(self.starts[index + 1])
        kind = Kind.from_code(int(self.kinds[index]))
        return Region(int(self.starts[index]), end, Rule(int(self.rules[index])), kind)

    def regions(self) -> Iterator[Region]:
        """Yield the regions in order."""
        return (self.region(index) for index in range(len(self)))


class PlanBuilder:
    """Takes region starts in ascending order."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._starts = array("Q")
        self._rules = bytearray()
        self._kinds = bytearray()

    def add(self, start: int, rule: Rule, kind: Kind) -> None:
        """Begin a region at ``start``, which ends the one before.

        Raises:
            ValueError: ``start`` is not after the last one or not in the file.
        """
        after = self._starts[-1] + 1 if self._starts else 0
        if not after <= start < self._size or (not self._starts and start):
            raise ValueError(f"region at {start} after {after} of {self._size}")
        self._starts.append(start)
        self._rules.append(rule)
        self._kinds.append(kind.code)

    def finish(self) -> Plan:
        """Return the plan.

        Raises:
            ValueError: the file is not empty and has no region.
        """
        if self._size and not self._starts:
            raise ValueError("no region")
        return Plan(
            self._size,
            np.array(self._starts, np.uint64),
            np.frombuffer(bytes(self._rules), np.uint8),
            np.frombuffer(bytes(self._kinds), np.uint8),
        )


class TensorRuns:
    """Turns tensors in file order into regions: large ones alone, small in runs.

    A tensor of ``SMALL`` bytes or more is a region of its own, cut at fixed
    steps. Smaller neighbours of one kind become one chunk (rule 11.1.6).
    """

    def __init__(self, builder: PlanBuilder) -> None:
        self._builder = builder
        self._run: tuple[int, Kind] | None = None
        self._end = 0

    def add(self, start: int, end: int, kind: Kind) -> None:
        """Take the tensor at ``start``, which is where the last one ended."""
        if end == start:
            return
        if end - start >= SMALL:
            self._builder.add(start, Rule.FIXED, kind)
            self._run = None
        elif (
            self._run is None or self._run[1] != kind or end - self._run[0] > MAX_CHUNK
        ):
            self._builder.add(start, Rule.ATOM, kind)
            self._run = (start, kind)
