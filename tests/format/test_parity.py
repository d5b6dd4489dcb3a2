from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from bundle.codec.erasure import PlainEncoder
from bundle.errors import FormatError, IntegrityError, LimitError, TruncatedError
from bundle.format.parity import (
    ParityEnds,
    ParityHead,
    ParityHeader,
    head_size,
    parse_parity_head,
    parse_parity_header,
    serialize_parity_head,
    serialize_parity_header,
)
from bundle.format.stripes import Stripes
from tests.format.samples import patched, with_field

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
STRIPES = Stripes(9, 4, 2)
DIGESTS = b"".join(blake3(bytes([number])).digest() for number in range(8))
COPIES = {"bundle.json": b"{}", "trust/1.root.json": b"root", "shards.bds": b"list"}
HEAD = ParityHead(blake3(b"list").digest(), DIGESTS, COPIES)
ENDS = ParityEnds.of(1, STRIPES, 0, HEAD)
RECORD = ENDS.front[:64]


def test_a_parity_file_says_the_same_at_both_ends() -> None:
    header = parse_parity_header(ENDS.front)
    assert parse_parity_header(ENDS.back[-64:]) == header
    assert ENDS.front[64:] == ENDS.back[:-64]
    assert parse_parity_head(header, ENDS.front[64:]) == HEAD
    assert header.front_size == len(ENDS.front)
    assert header.file_size(16) == len(ENDS.front) * 2 + 8 * 16
    assert header.head_size == head_size(8, COPIES)


def test_a_parity_file_is_these_bytes() -> None:
    body = b"\x89BDP\r\n\x1a\n"
    body += b"".join(
        value.to_bytes(width, "little")
        for value, width in (
            *((1, 2), (0, 2), (1, 4), (9, 4), (4, 4), (2, 2), (3, 2)),
            *((0, 4), (8, 4), (len(ENDS.front) - 64, 4)),
        )
    )
    entries = b"".join(
        name.encode().ljust(56, b"\0") + len(data).to_bytes(8, "little")
        for name, data in sorted(COPIES.items())
    )
    head = HEAD.shards + DIGESTS + entries + b"{}" + b"list" + b"root"
    body += blake3(head).digest(16)
    assert ENDS.front == body + blake3(body).digest(8) + head


def field(offset: int, kind: str, value: int) -> bytes:
    return with_field(RECORD, offset, kind, value)


BAD: Mapping[str, tuple[bytes, type[FormatError], str]] = {
    "63 bytes": (RECORD[:63], TruncatedError, "70.4.1"),
    "the magic of a volume": (patched(RECORD, 3, b"V"), FormatError, "70.4.2"),
    "a damaged number": (patched(RECORD, 12, b"\7"), FormatError, "70.4.3"),
    "a format to come": (field(8, "<H", 2), FormatError, "70.4.4"),
    "a flag": (field(10, "<H", 1), FormatError, "70.4.5"),
    "number 0": (field(12, "<I", 0), FormatError, "70.4.6"),
    "number 100,000": (field(12, "<I", 100_000), FormatError, "70.4.6"),
    "no shards": (field(16, "<I", 0), FormatError, "70.2.1"),
    "no groups": (field(20, "<I", 0), FormatError, "70.2.2"),
    "no parity": (field(24, "<H", 0), FormatError, "70.2.3"),
    "shards beyond the last": (field(28, "<I", 1), FormatError, "70.4.7"),
    "none of the shards": (field(32, "<I", 0), FormatError, "70.4.7"),
    "a head too small for its tables": (field(36, "<I", 479), FormatError, "70.4.8"),
    "a head of 300 MiB": (field(36, "<I", 300 << 20), LimitError, "70.4.9"),
}


@pytest.mark.parametrize(("data", "kind", "rule"), BAD.values(), ids=BAD.keys())
def test_a_header_is_refused_for(
    data: bytes, kind: type[FormatError], rule: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_parity_header(data)
    assert caught.value.rule == rule


def head_of(data: bytes, **changes: Any) -> tuple[ParityHeader, bytes]:  # noqa: ANN401 - fields
    """A header that ``data`` is the head of, whatever it says."""
    fields: dict[str, Any] = {
        "number": 1,
        "stripes": STRIPES,
        "first": 0,
        "count": 8,
        "copies": 3,
        "head_size": len(data),
        "head_check": blake3(data).digest(16),
    }
    return ParityHeader(**(fields | changes)), data


GOOD = ENDS.front[64:]
TABLE = 32 * 9
BAD_HEADS = {
    "a byte too few": (head_of(GOOD)[0], GOOD[:-1], "70.4.8"),
    "a flipped bit": (*head_of(GOOD)[:1], patched(GOOD, 40, b"\xff"), "70.4.10"),
    "a copy of a volume": (
        *head_of(patched(GOOD, TABLE, b"vol-00001.bdv")),
        "70.4.11",
    ),
    "a copy outside": (*head_of(patched(GOOD, TABLE, b"../bundle.js")), "70.4.11"),
    "copies out of order": (
        *head_of(patched(GOOD, TABLE, b"trust/9.root.json")),
        "70.4.11",
    ),
    "a copy that is not all there": (
        *head_of(GOOD[:-1]),
        "70.4.12",
    ),
    "bytes after the copies": (*head_of(GOOD + b"\0"), "70.4.12"),
    "a copy of enormous size": (
        *head_of(patched(GOOD, TABLE + 56, b"\xff" * 8)),
        "70.4.12",
    ),
}


@pytest.mark.parametrize(
    ("header", "data", "rule"), BAD_HEADS.values(), ids=BAD_HEADS.keys()
)
def test_a_head_is_refused_for(header: ParityHeader, data: bytes, rule: str) -> None:
    with pytest.raises((FormatError, IntegrityError)) as caught:
        parse_parity_head(header, data)
    assert str(caught.value).endswith(f"(rule {rule})")


def test_only_what_repair_needs_is_copied() -> None:
    for name in ("vol-00001.bdv", "sig/x.json", "../release.json", "copy/bundle.json"):
        with pytest.raises(FormatError) as caught:
            serialize_parity_head(ParityHead(HEAD.shards, DIGESTS, {name: b""}))
        assert caught.value.rule == "70.4.11"
    with pytest.raises(FormatError):
        serialize_parity_header(head_of(GOOD, number=0)[0])


@given(st.integers(0, 63), st.binary(min_size=1, max_size=8))
def test_a_header_is_accepted_as_it_is_or_refused(offset: int, new: bytes) -> None:
    changed = patched(RECORD, offset, new)[:64]
    try:
        header = parse_parity_header(changed)
    except FormatError:
        return
    assert serialize_parity_header(header) == changed


def test_a_shard_of_a_parity_file_is_known_by_its_digest() -> None:
    assert HEAD.check(3, b"\3")
    assert not HEAD.check(3, b"\4")


def test_the_example_of_the_specification_is_what_is_computed() -> None:
    """Three members of two bytes, two parity shards, as in 70.3."""
    prose = (ROOT / "spec/parity.md").read_text()
    rows = [
        np.array([list(bytes.fromhex(cell)) for cell in cells], np.uint8)
        for cells in re.findall(r"^\| [DP]\d \| `(.*?)` \|$", prose, re.MULTILINE)
        for cells in [[cells.replace(" ", "")]]
    ]
    assert len(rows) == 5
    members = np.concatenate(rows[:3])
    assert (PlainEncoder(3, 2).encode(members) == np.concatenate(rows[3:])).all()


def test_every_rule_that_code_names_is_in_the_chapter() -> None:
    prose = (ROOT / "spec/parity.md").read_text()
    rules = set(re.findall(r"^\| (70\.\d+\.\d+) \|", prose, re.MULTILINE))
    sections = set(re.findall(r"^## (70\.\d+) ", prose, re.MULTILINE))
    named = set()
    for path in sorted((ROOT / "bundle").rglob("*.py")):
        named |= set(re.findall(r"\b70\.\d+(?:\.\d+)?", path.read_text()))
    assert named <= rules | sections
    assert len(rules) > 25
