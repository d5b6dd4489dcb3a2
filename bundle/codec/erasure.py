"""Reed-Solomon with known places: every parity shard makes good one that is lost.

Parity is the product of a Cauchy matrix with the shards of a group (spec §70.3),
so any square part of the matrix has an inverse and any loss up to the number of
parity shards can be solved. Encoding is ISA-L's, by way of ``pyeclib``, where that
is installed; the same sums with numpy are slower by the number of parity shards.
What is lost is solved with numpy alone: only as many sums as there are losses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from bundle.codec.galois import add_product, coefficient, inverted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from bundle.codec.galois import Pairs

    Bytes = NDArray[np.uint8]

WINDOW: Final = 1 << 14
"""Bytes of each shard that are encoded at a time: what caches hold of a group."""

_STEP: Final = 16
"""ISA-L by way of pyeclib pads what is no multiple of this many bytes."""


class Encoder(Protocol):
    """Computes the parity of groups of one shape."""

    def encode(self, members: Bytes) -> Bytes:
        """Return the parity shards of ``members``, one shard a row."""


def encoder_of(data: int, parity: int) -> Encoder:
    """Return the fastest encoder there is here for groups of this many shards."""
    if is_fast():
        return FastEncoder(data, parity)
    return PlainEncoder(data, parity)


def is_fast() -> bool:
    """Say whether the library that encodes at the speed of media is installed."""
    try:
        import pyeclib.ec_iface  # noqa: F401, PLC0415 - the extra `parity`
    except ImportError:
        return False
    return True


class FastEncoder:
    """ISA-L, a window of the group at a time."""

    def __init__(self, data: int, parity: int) -> None:
        from pyeclib.ec_iface import ECDriver  # noqa: PLC0415 - the extra `parity`

        self._data = data
        self._parity = parity
        self._driver = ECDriver(k=data, m=parity, ec_type="isa_l_rs_cauchy")

    def encode(self, members: Bytes) -> Bytes:
        """Return the parity shards of ``members``, one shard a row."""
        size = members.shape[1]
        if size % _STEP:
            raise ValueError(f"{size} bytes are no multiple of {_STEP}")
        found = np.empty((self._parity, size), np.uint8)
        for start in range(0, size, WINDOW):
            window = members[:, start : start + WINDOW]
            width = window.shape[1]
            # A fragment is a header of the library and then the bytes.
            for row, fragment in enumerate(
                self._driver.encode(window.tobytes())[self._data :]
            ):
                found[row, start : start + width] = np.frombuffer(
                    fragment, np.uint8, width, len(fragment) - width
                )
        return found


class PlainEncoder:
    """The definition, with numpy."""

    def __init__(self, data: int, parity: int) -> None:
        self._data = data
        self._parity = parity

    def encode(self, members: Bytes) -> Bytes:
        """Return the parity shards of ``members``, one shard a row."""
        found = np.zeros((self._parity, members.shape[1]), np.uint8)
        scratch = np.empty(members.shape[1] // 2, np.uint16)
        for row in range(self._parity):
            for member in range(self._data):
                add_product(
                    found[row].view(np.uint16),
                    coefficient(self._data, row, member),
                    members[member].view(np.uint16),
                    scratch,
                )
        return found


class Recovery:
    """Solves the lost members of one group from those that are left.

    Every member that is not lost and that has bytes is taken once, and as many
    parity shards as there are losses; one shard is held for each loss.
    """

    def __init__(
        self, data: int, lost: Sequence[int], rows: Sequence[int], size: int
    ) -> None:
        if len(lost) != len(rows):
            raise ValueError(f"{len(rows)} parity shards for {len(lost)} losses")
        self._data = data
        self._lost = lost
        self._rows = rows
        self._sums = [np.zeros(size // 2, np.uint16) for _ in rows]
        self._scratch = np.empty(size // 2, np.uint16)

    def take_member(self, member: int, shard: Bytes) -> None:
        """Take a member that is whole."""
        values: Pairs = shard.view(np.uint16)
        for row, total in zip(self._rows, self._sums, strict=True):
            factor = coefficient(self._data, row, member)
            add_product(total, factor, values, self._scratch)

    def take_parity(self, row: int, shard: Bytes) -> None:
        """Take one of the parity shards that were promised."""
        total = self._sums[self._rows.index(row)]
        np.bitwise_xor(total, shard.view(np.uint16), out=total)

    def solve(self) -> Mapping[int, Bytes]:
        """Return the bytes of each lost member."""
        matrix = inverted(
            [
                [coefficient(self._data, row, member) for member in self._lost]
                for row in self._rows
            ]
        )
        found: dict[int, Bytes] = {}
        for member, factors in zip(self._lost, matrix, strict=True):
            total = np.zeros_like(self._scratch)
            for factor, syndrome in zip(factors, self._sums, strict=True):
                if factor:
                    add_product(total, factor, syndrome, self._scratch)
            found[member] = total.view(np.uint8)
        return found
