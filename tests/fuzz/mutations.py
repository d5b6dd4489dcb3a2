"""Inputs that are nearly others: what a fuzzer without instruments makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

TOKENS: Final = (
    *(
        b"\0",
        b"\xff",
        b"\x7f",
        b"\x80",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b",",
        b":",
        b"\\",
    ),
    *(b"null", b"true", b"-1", b"1e999", b"NaN", b'"a":', b"\\u0000", b"\\ud800"),
    *(b"\xff" * 4, b"\xff" * 8, b"\0" * 8, (1 << 31).to_bytes(4, "little")),
    *((1 << 63).to_bytes(8, "little"), b"../", b"\xc0\xaf", b"\xed\xa0\x80"),
)
"""Bytes at which readers go wrong."""


def mutated(seeds: Sequence[bytes], random: Random) -> bytes:
    """Return a seed with one to eight things done to it."""
    data = bytearray(random.choice(seeds))
    for _ in range(random.randint(1, 8)):
        _mutate(data, seeds, random)
    return bytes(data[: 1 << 17])


def _mutate(data: bytearray, seeds: Sequence[bytes], random: Random) -> None:
    """Flip, remove, double, insert, or take a piece of another."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((1, 1, 2, 4, 8, 64)))
    what = random.randrange(6)
    if what == 0 and start < len(data):
        data[start] ^= 1 << random.randrange(8)
    elif what == 1:
        del data[start:end]
    elif what == 2:
        data[start:start] = data[start:end] * random.choice((1, 1, 2, 100))
    elif what == 3:
        data[start:start] = random.choice(TOKENS)
    elif what == 4:
        token = random.choice(TOKENS)
        data[start : start + len(token)] = token
    else:
        other = random.choice(seeds)
        place = random.randrange(len(other) + 1)
        data[start:end] = other[place : place + random.choice((4, 32, 256))]
