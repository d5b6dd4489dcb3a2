"""Parity: records and heads of its files, and what it is computed by (chapter 70)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import MIB, b3, le, record
from spec.vectors.generator.container import Vector, accept, refuse
from spec.vectors.generator.records import common
from spec.vectors.generator.samples import HELLO, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PARITY_MAGIC: Final = b"\x89BDP\r\n\x1a\n"
MODULUS: Final = 0x11D
LARGEST_HEAD: Final = 256 * MIB

COPIES: Final = {"approval.md": b"# models-prod 1\n", "trust/1.root.json": b"{}"}
"""Small files that a head repeats."""

MEMBERS: Final = ("6869", "0180", "ff00")
"""The group of 70.3."""


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _records()
    yield from _heads()
    yield from _rows()


def parity_record(head: bytes, /, **changes: int) -> bytes:
    """Return the record of a parity file (70.4)."""
    values = {
        "number": 1,
        "shards": 5,
        "groups": 2,
        "rows": 1,
        "copies": len(COPIES),
        "first": 0,
        "count": 2,
        "head": len(head),
        **changes,
    }
    return record(
        PARITY_MAGIC,
        le(2, 1, 0),
        le(4, values["number"], values["shards"], values["groups"]),
        le(2, values["rows"], values["copies"]),
        le(4, values["first"], values["count"], values["head"]),
        b3(head)[:16],
    )


def parity_head(
    copies: Mapping[str, bytes], *, sizes: Sequence[int] | None = None, gap: int = 0
) -> bytes:
    """Return a head with two shards; ``gap`` fills the first byte after a name."""
    held = [len(data) for data in copies.values()] if sizes is None else sizes
    data = b3(b"shards.bds") + b3(HELLO) + b3(OTHER)
    for name, size in zip(copies, held, strict=True):
        data += (
            name.encode() + (bytes([gap]) + bytes(56))[: 56 - len(name)] + le(8, size)
        )
    return data + b"".join(copies.values())


HEAD: Final = parity_head(COPIES)


def _records() -> Iterator[Vector]:
    yield accept(
        "parity_record",
        "of_two_groups",
        "70.4.7 70.2.2",
        parity_record(HEAD),
        "Five shards in two groups, one row: two parity shards.",
        value={
            "number": 1,
            "shards": 5,
            "groups": 2,
            "rows": 1,
            "copies": 2,
            "first": 0,
            "count": 2,
            "head": len(HEAD),
        },
    )
    yield from common("parity_record", "70.4", parity_record(HEAD))
    large = {"groups": 4_000_000, "shards": 4_000_000, "rows": 200}
    wide = {"groups": 100, "shards": 100, "rows": 50, "count": 4096}
    cases: dict[str, tuple[str, Mapping[str, int], str]] = {
        "over_no_shards": ("70.2.1", {"shards": 0}, "Of what?"),
        "of_no_group": ("70.2.2", {"groups": 0}, "There is one at least."),
        "of_more_groups_than_shards": ("70.2.2", {"groups": 6}, "Six for five."),
        "of_no_row": ("70.2.3", {"rows": 0}, "No parity."),
        "of_a_group_of_256": ("70.2.3", {"rows": 253}, "3 members, 253 rows."),
        "of_too_many_shards": ("70.2.4 2.1.4", large, "800 million."),
        "number_0": ("70.4.6", {"number": 0}, "Counted from 1."),
        "number_100000": ("70.4.6", {"number": 100_000}, "Five digits."),
        "of_no_parity_shard": ("70.4.7", {"count": 0}, "What for?"),
        "past_the_last_parity_shard": ("70.4.7", {"first": 1}, "1 and 2, of 0 and 1."),
        "first_and_count_that_overflow": (
            "70.4.7",
            {"first": (1 << 32) - 1},
            "Their sum has 33 bits.",
        ),
        "a_head_with_no_room": (
            "70.4.8",
            {"head": 223},
            "Two digests, two copies: 224.",
        ),
        "a_head_over_256_mib": (
            "70.4.9 2.1.4",
            {"head": LARGEST_HEAD + 1},
            "By a byte.",
        ),
        "a_file_over_4_gib": (
            "70.4.9",
            {**wide, "head": 1 << 18},
            "4,096 parity shards.",
        ),
    }
    for name, (rules, changes, comment) in cases.items():
        data = parity_record(HEAD, **changes)
        yield refuse("parity_record", name, rules, data, comment)


def _given(head: bytes, **changes: int) -> dict[str, str]:
    return {"record": parity_record(head, **changes).hex()}


def _heads() -> Iterator[Vector]:
    yield accept(
        "parity_head",
        "with_two_copies",
        "70.4.10 70.4.11 70.4.12",
        HEAD,
        "The digests of two parity shards, and two small files.",
        given=_given(HEAD),
        value={
            "shards": b3(b"shards.bds").hex(),
            "digests": [b3(HELLO).hex(), b3(OTHER).hex()],
            "copies": {name: data.hex() for name, data in COPIES.items()},
        },
    )
    yield refuse(
        "parity_head",
        "a_damaged_one",
        "70.4.10",
        HEAD[:-1] + b"]",
        "Its last byte.",
        exit=11,
        given=_given(HEAD),
    )
    comment = "A byte short."
    given = _given(HEAD)
    yield refuse("parity_head", "cut_off", "70.4.8", HEAD[:-1], comment, given=given)
    backwards = dict(reversed(COPIES.items()))
    cases: dict[str, tuple[str, bytes, str]] = {
        "copies_that_descend": ("70.4.11", parity_head(backwards), "Not sorted."),
        "a_copy_of_a_volume": (
            "70.4.11",
            parity_head({"vol-00001.bdv": b"?"}),
            "Too large.",
        ),
        "a_copy_that_leads_out": (
            "70.4.11",
            parity_head({"../release.json": b"?"}),
            "By ..",
        ),
        "a_copy_of_root_01": (
            "70.4.11",
            parity_head({"trust/01.root.json": b"{}"}),
            "No leading zeros.",
        ),
        "a_name_with_bytes_after_it": (
            "70.4.11 2.1.3",
            parity_head({"approval.md": b"?"}, gap=7),
            "Zeros follow a name.",
        ),
        "copies_that_are_too_short": (
            "70.4.12",
            parity_head(COPIES, sizes=[16, 1]),
            "A byte is nobody's.",
        ),
        "copies_that_are_too_long": (
            "70.4.12",
            parity_head(COPIES, sizes=[16, 3]),
            "A byte is not there.",
        ),
        "copies_of_sizes_that_overflow": (
            "70.4.12 2.1.4",
            parity_head(COPIES, sizes=[(1 << 64) - 1, 19]),
            "Their sum is that of the bytes, in 64 bits.",
        ),
    }
    for name, (rules, data, comment) in cases.items():
        given = _given(data, copies=2 if name.startswith("copies") else 1)
        yield refuse("parity_head", name, rules, data, comment, given=given)


def product(one: int, other: int) -> int:
    """Return the product of two elements of the field."""
    total = 0
    for bit in range(8):
        if other >> bit & 1:
            total ^= one << bit
    for bit in reversed(range(8, 15)):
        if total >> bit & 1:
            total ^= MODULUS << (bit - 8)
    return total


def inverse(element: int) -> int:
    """Return the element whose product with this one is 1."""
    return next(other for other in range(1, 256) if product(element, other) == 1)


def rows_of(members: Sequence[bytes], rows: int) -> list[str]:
    """Return the parity shards of a group (70.3.3)."""
    width = max(map(len, members))
    padded = [member.ljust(width, b"\0") for member in members]
    found = []
    for row in range(rows):
        factors = [inverse(len(members) + row ^ place) for place in range(len(members))]
        made = bytearray(width)
        for factor, member in zip(factors, padded, strict=True):
            for place, byte in enumerate(member):
                made[place] ^= product(factor, byte)
        found.append(made.hex())
    return found


def _rows() -> Iterator[Vector]:
    groups: dict[str, tuple[Sequence[str], int, str]] = {
        "of_three_members": (MEMBERS, 2, "The example of 70.3."),
        "of_one_member": (["00010203"], 3, "Each row is the member times a factor."),
        "of_a_short_member": (["00ff55aa", "8001", "7e7f8081"], 2, "Zeros follow it."),
        "of_seven_members": (
            [bytes(range(start, start + 16)).hex() for start in range(0, 112, 16)],
            5,
            "Every byte from 0 to 111.",
        ),
    }
    for name, (members, rows, comment) in groups.items():
        body = json.dumps({"members": list(members), "rows": rows}).encode()
        value: dict[str, Any] = {"rows": rows_of([*map(bytes.fromhex, members)], rows)}
        listed = "70.3.1 70.3.2 70.3.3"
        yield accept("parity_rows", name, listed, body, comment, value=value)
    assert rows_of([*map(bytes.fromhex, MEMBERS)], 2) == ["a267", "1924"]
