"""zip: members that are tensors, and archives that are not what they seem."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from bundle.codec.encoding import DENSE, UNKNOWN, elements
from tests.cut.samples import (
    MODEL,
    archive,
    chunks,
    new_bytes,
    planned,
    rules,
    safetensors,
)

STORED = archive(MODEL)


def test_the_same_weights_share_all_tensors_with_safetensors() -> None:
    around = len(STORED) - sum(map(len, MODEL.values()))
    assert new_bytes(safetensors(MODEL), STORED) == around
    assert around < 2000


def test_arrays_share_all_tensors_with_safetensors() -> None:
    arrays = {name: np.frombuffer(data, "<u2") for name, data in MODEL.items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    around = len(file.getvalue()) - sum(map(len, MODEL.values()))
    assert new_bytes(safetensors(MODEL), file.getvalue()) == around
    assert around < 4000


def test_an_appended_member_is_all_that_is_new() -> None:
    longer = archive({**MODEL, "extra": b"x" * 50_000})
    assert new_bytes(STORED, longer) < 50_000 + 2000


def test_a_comment_is_part_of_the_end() -> None:
    found = rules(archive(MODEL, comment="PK\x05\x06? No, just words."))
    assert len(found) == 1
    assert len(rules(archive(MODEL, comment="words"))) == len(rules(STORED))


def test_packed_members_alone_are_compressed_content() -> None:
    data = archive({name: bytes(99) + data for name, data in MODEL.items()}, 8)
    (region,) = planned(data).regions()
    assert (region.rule.name, region.kind) == ("FIXED", DENSE)


def test_packed_members_between_stored_ones_are_dense() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("a", MODEL["layer.0"], zipfile.ZIP_STORED)
        opened.writestr("b", MODEL["layer.1"], zipfile.ZIP_DEFLATED)
    kinds = [region.kind for region in planned(file.getvalue()).regions()]
    assert kinds == [UNKNOWN, UNKNOWN, UNKNOWN, DENSE, UNKNOWN]


def test_small_members_stay_together() -> None:
    small = {f"{number}": b"small" * 100 for number in range(100)}
    assert rules(archive(small)) == [(0, "FASTCDC")]


def test_sizes_of_64_bits_are_read() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        info = zipfile.ZipInfo("a")
        with opened.open(info, "w", force_zip64=True) as member:
            member.write(MODEL["layer.0"])
    assert MODEL["layer.0"] in chunks(file.getvalue())


def long(data: bytes) -> bytes:
    """Say all sizes and places of an archive of one member in 64 bits."""
    place = data.index(b"PK\x01\x02")
    (size, _, names, extras) = struct.unpack_from("<2I2H", data, place + 20)
    assert not extras
    entry = bytearray(data[place : place + 46 + names])
    struct.pack_into("<II", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, 36)
    struct.pack_into("<I", entry, 42, 0xFFFFFFFF)
    entry += struct.pack("<HH4s", 9, 4, b"more")
    entry += struct.pack("<HHQQQ", 1, 24, size, size, 0)
    end = place + len(entry)
    record = b"PK\x06\x06" + struct.pack(
        "<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, len(entry), place
    )
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    last = b"PK\x05\x06" + struct.pack(
        "<4H2IH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0
    )
    return data[:place] + bytes(entry) + record + locator + last


ONE = archive({"one": MODEL["norm.0"] * 4})
LONG = long(ONE)


def test_a_directory_of_64_bits_is_read() -> None:
    assert zipfile.ZipFile(io.BytesIO(LONG)).testzip() is None
    assert rules(LONG)[:2] == rules(ONE)[:2]
    assert len(rules(ONE)) == 3


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("<f2", elements(2)),
        ("<f4", elements(4, 1)),
        ("<f8", elements(8, 1)),
        ("<i4", elements(4)),
        ("|u1", elements(1)),
        ("|b1", elements(1)),
        (">f4", UNKNOWN),
        ("<c16", UNKNOWN),
    ],
)
def test_the_type_of_an_array_is_its_kind(dtype: str, kind: object) -> None:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, a=np.zeros(30_000, dtype))
    regions = list(planned(file.getvalue()).regions())
    assert regions[1].kind == kind
    header = file.getvalue()[: regions[1].start]
    assert header.endswith(
        b"}" + b" " * (len(header) - header.rindex(b"}") - 2) + b"\n"
    )


def test_a_member_that_is_hardly_an_array_starts_at_its_first_byte() -> None:
    for start in (b"\x93NUMPY\x01\x00\xff\xff", b"\x93NUMPY\x09\x00\x10\x00"):
        data = archive({"a": start + bytes(20_000)})
        assert rules(data)[1][0] == len(data.split(start)[0])


def test_a_member_that_is_mostly_header_stays_with_its_neighbours() -> None:
    data = archive({"a": b"\x93NUMPY\x01\x00\x00\x10" + bytes(18_000)})
    assert rules(data) == [(0, "FASTCDC")]


def edited(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    place = data.rindex(mark) + offset
    return data[:place] + value + data[place + len(value) :]


def grown(data: bytes, place: int) -> bytes:
    """Say that the member whose entry is at ``place`` has 40 bytes more."""
    (size,) = struct.unpack_from("<I", data, place + 20)
    return data[: place + 20] + struct.pack("<I", size + 40) + data[place + 24 :]


CENTRAL, END, LOCAL = b"PK\x01\x02", b"PK\x05\x06", b"PK\x03\x04"
RECORD, LOCATOR = b"PK\x06\x06", b"PK\x06\x07"
ODD = {
    "cut short": ONE[:-1],
    "bytes after the end": ONE + b"x",
    "no directory": ONE[: ONE.index(CENTRAL)],
    "bytes before the start move every place": ONE[:4] + b"x" + ONE[4:],
    "a second disk": edited(ONE, END, 4, b"\1\0"),
    "a directory on another disk": edited(ONE, END, 6, b"\1\0"),
    "a directory of another place": edited(ONE, END, 16, b"\1\0\0\0"),
    "a directory past the end": edited(ONE, END, 16, b"\0\0\0\x7f"),
    "a directory of gigabytes": edited(ONE, END, 12, b"\0\0\0\x7f"),
    "a directory that is too short": edited(ONE, END, 12, b"\x10\0\0\0"),
    "an entry without its mark": edited(ONE, CENTRAL, 0, b"PK\1\1"),
    "an entry with a long name": edited(ONE, CENTRAL, 28, b"\xff\xff"),
    "an entry on another disk": edited(ONE, CENTRAL, 34, b"\1\0"),
    "a member past the directory": edited(ONE, CENTRAL, 20, b"\xff\xff\xff\x7f"),
    "a member without a header": edited(ONE, CENTRAL, 42, b"\1\0\0\0"),
    "a member past the file": edited(ONE, CENTRAL, 42, b"\xfe\xff\xff\x7f"),
    "64-bit values that are missing": edited(ONE, CENTRAL, 20, b"\xff" * 4),
    "a header with a long name": edited(ONE, LOCAL, 26, b"\xff\xff"),
    "64-bit values cut short": edited(LONG, struct.pack("<HH", 1, 24), 2, b"\x08\0"),
    "64-bit values past the entry": edited(LONG, struct.pack("<HH", 1, 24), 2, b"\xff"),
    "no locator": edited(LONG, LOCATOR, 0, b"PK\6\6"),
    "a locator on another disk": edited(LONG, LOCATOR, 4, b"\1"),
    "a locator past the end": edited(LONG, LOCATOR, 8, b"\xff" * 8),
    "a record without its mark": edited(LONG, RECORD, 0, b"PK\6\5"),
    "a record on another disk": edited(LONG, RECORD, 16, b"\1"),
    "a record with a directory past the end": edited(LONG, RECORD, 48, b"\xff" * 8),
    "two members at one place": edited(STORED, CENTRAL, 42, bytes(4)),
    "a member that reaches over the next one's header": grown(
        STORED, STORED.index(CENTRAL)
    ),
    "a member that reaches into the directory": grown(ONE, ONE.index(CENTRAL)),
    "only the first mark": LOCAL + bytes(50_000),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_odd_and_so_cut_by_content(data: bytes) -> None:
    assert rules(data) == [(0, "FASTCDC")]
