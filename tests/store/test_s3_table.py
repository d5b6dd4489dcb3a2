"""Index objects: the table in front of a segment, and what refuses it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bundle.errors import BundleError, FormatError, LimitError
from bundle.format.columns import RECORD_SIZE, check_of
from bundle.limits import MAX_GENERATION, MAX_INDEX_PACKS
from bundle.store.s3_names import (
    PACKS,
    Commit,
    Content,
    generation_key,
    parse_commit,
    parse_identity,
    parse_index,
)
from bundle.store.s3_table import Frames, PackTable, frames_of_pack

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = Frames(Content(b"\1" * 32, 1), np.array([64, 700, 900], "<u4"))
TWO = Frames(Content(b"\2" * 32, 7), np.array([64, 90], "<u4"))
TABLE = PackTable((ONE, TWO)).serialize()


def test_a_table_is_read_as_it_was_written() -> None:
    table, size = PackTable.parse(TABLE + b"a segment")
    assert size == len(TABLE) == 64 + 2 * 48 + 5 * 4
    assert [one.pack for one in table.packs] == [ONE.pack, TWO.pack]
    assert table.packs[0].offsets.tolist() == [64, 700, 900]
    assert PackTable.parse(PackTable(()).serialize())[0].packs == ()


def test_where_a_frame_ends() -> None:
    assert [ONE.end_of(at) for at in (64, 700, 900, 65, 0)] == [700, 900, 0, 0, 0]
    frames = frames_of_pack(ONE.pack, np.array([700, 64, 700], np.uint32), 900)
    assert frames.offsets.tolist() == [64, 700, 900]


def header(packs: int, frames: int) -> bytes:
    body = b"\x89BDN\r\n\x1a\n" + struct.pack(
        "<HHIQ32s", 1, 0, packs, frames, bytes(32)
    )
    return body + check_of(body)


def changed(offset: int, data: bytes) -> bytes:
    return TABLE[:offset] + data + TABLE[offset + len(data) :]


ROW = RECORD_SIZE
OFFSETS = RECORD_SIZE + 2 * 48
BROKEN = {
    "51.4.1": TABLE[:63],
    "51.4.2": b"\0" + TABLE[1:],
    "51.4.3": changed(20, b"\xff"),
    "51.4.6": header(MAX_INDEX_PACKS + 1, 0),
    "51.4.7": TABLE[:-1],
}
ENDS = {
    "one frame value": changed(ROW + 40, struct.pack("<Q", 1)),
    "another sum": changed(ROW + 48 + 40, struct.pack("<Q", 4)),
    "frames that descend": changed(OFFSETS + 4, struct.pack("<I", 60)),
    "a frame above a volume": changed(OFFSETS + 8, struct.pack("<I", 0xFFFFFFFF)),
    "a generation above ten digits": changed(
        ROW + 32, struct.pack("<Q", MAX_GENERATION + 1)
    ),
}


@pytest.mark.parametrize(("rule", "data"), BROKEN.items())
def test_each_rule_refuses(rule: str, data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        PackTable.parse(data)
    assert caught.value.rule == rule


@pytest.mark.parametrize("data", ENDS.values(), ids=ENDS.keys())
def test_packs_and_frames_ascend(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"51\.4\.8"):
        PackTable.parse(data)


def test_any_byte_may_be_wrong_and_nothing_else_is_raised() -> None:
    for at in range(len(TABLE)):
        for flip in (1, 0x80, 0xFF):
            data = bytearray(TABLE)
            data[at] ^= flip
            try:
                PackTable.parse(data)
            except BundleError:
                continue


def test_names_are_read_as_they_are_written() -> None:
    commit = Commit(12, Content(b"\3" * 32, 4))
    assert parse_commit(commit.key) == commit
    assert PACKS.parse(PACKS.key(commit.release)) == commit.release


@pytest.mark.parametrize(
    ("parse", "name"),
    [
        (PACKS.parse, f"packs/{'A' * 64}-0000000001.bdv"),
        (PACKS.parse, f"packs/{'a' * 64}-1.bdv"),
        (PACKS.parse, f"packs/{'a' * 64}-0000000001.bdvx"),
        (PACKS.parse, f"packs/x/{'a' * 64}-0000000001.bdv"),
        (parse_commit, f"commits/1-{'a' * 64}-0000000001.json"),
        (parse_index, f"indexes/{'a' * 31}.bdx"),
        (parse_identity, "store/"),
    ],
)
def test_other_names_are_nothing(parse: Callable[[str], object], name: str) -> None:
    assert parse(name) is None


def test_generations_have_ten_digits() -> None:
    assert generation_key(MAX_GENERATION, "0" * 16).startswith(
        "generations/9999999999-"
    )
    with pytest.raises(LimitError, match=r"51\.3\.1"):
        generation_key(MAX_GENERATION + 1, "0" * 16)
