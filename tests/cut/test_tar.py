"""tar: members that are files of their own, and archives that only seem to be."""

from __future__ import annotations

import io
import random
import struct
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from bundle.cut import tar as cutter
from bundle.cut.plan import plan
from bundle.limits import KIB, MAX_TAR_MEMBERS, MIB
from tests.cut.samples import MODEL, chunks, new_bytes, planned, rules, safetensors

if TYPE_CHECKING:
    from collections.abc import Mapping

LIBRARY = random.Random(1).randbytes(300 * KIB + 11)
SMALL = {f"etc/{number}": random.Random(number).randbytes(900) for number in range(90)}


def tar(files: Mapping[str, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:  # noqa: A002 - tarfile's word
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_a_large_member_shares_all_with_the_file_alone() -> None:
    layer = tar({**SMALL, "usr/lib/a.so": LIBRARY, "zz": b"last"})
    assert new_bytes(layer, LIBRARY) == 0
    assert len(rules(layer)) == 3


def test_weights_in_a_layer_share_all_tensors_with_the_model() -> None:
    model = safetensors(MODEL)
    layer = tar({"models/config.json": b"{}", "models/model.safetensors": model})
    assert new_bytes(layer, model) == 0
    assert new_bytes(model, layer) < 12 * KIB


def test_one_small_file_that_changes_is_what_is_new() -> None:
    files = {**SMALL, "usr/lib/a.so": LIBRARY, "usr/lib/b.so": LIBRARY[::-1]}
    changed = {**files, "etc/40": b"changed" * 99}
    assert new_bytes(tar(files), tar(changed)) <= 256 * KIB
    assert new_bytes(tar({"a": LIBRARY}), tar({"b/c": b"x", "a": LIBRARY})) <= 12 * KIB


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_hide_no_member(form: int) -> None:
    layer = tar({f"{'long/' * 60}name": LIBRARY, "größe": LIBRARY[::-1]}, form)
    assert new_bytes(layer, LIBRARY) == 0
    assert new_bytes(layer, LIBRARY[::-1]) == 0


def test_a_small_tar_is_one_chunk() -> None:
    assert [len(one) for one in chunks(tar({"a": b"x"}))] == [10240]


def spoilt(offset: int, data: bytes) -> bytes:
    layer = bytearray(tar({"a": LIBRARY, "b": LIBRARY[::-1]}))
    layer[offset : offset + len(data)] = data
    return bytes(layer)


SECOND = 512 + -(-len(LIBRARY) // 512) * 512

ODD = {
    "the second header has another sum": spoilt(SECOND + 148, b"000001\0 "),
    "the second header is no header": spoilt(SECOND, b"\xff" * 512),
    "it stops within a member": tar({"a": LIBRARY})[: 200 * KIB],
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_what_is_odd_is_cut_by_content(data: bytes) -> None:
    assert rules(data) == [(0, "FASTCDC")]


def header(**fields: bytes) -> bytes:
    """Return a header with a right sum, and fields changed before that."""
    info = tarfile.TarInfo("a")
    info.size = len(LIBRARY)
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    places = {"size": 124, "kind": 156, "magic": 257}
    for name, value in fields.items():
        block[places[name] : places[name] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


HEADERS = {
    "a size that is no number": header(size=b"12x45678901\0"),
    "a size below nothing": header(size=b"\xff" * 12),
    "a size of 2 to the 80": header(size=b"\x80" + b"\x01" + bytes(10)),
    "a sparse member": header(kind=b"S"),
    "records that are too many": header(kind=b"x", size=b"%011o\0" % (2 * MIB)),
    "records that are none": header(kind=b"x"),
}


@pytest.mark.parametrize("block", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_that_is_odd_makes_no_member(block: bytes) -> None:
    data = block + LIBRARY + bytes(-len(LIBRARY) % 512) + bytes(1024)
    assert rules(data) == [(0, "FASTCDC")]


def test_what_is_no_tar_is_not_taken_for_one() -> None:
    data = header(magic=b"nomag") + LIBRARY + bytes(1024)
    assert rules(data) == [(0, "FASTCDC")]
    assert len(rules(header() + LIBRARY + bytes(1024))) == 3


def test_a_size_that_is_blank_is_nothing() -> None:
    data = header(size=b" " * 12) + tar({"a": LIBRARY})
    assert len(rules(data)) == 3


@pytest.mark.parametrize(
    "records",
    [b"0 size=1\n", b"99 size=1\n", b"9 size=x\n", b"x size=1\n", b"6 a=1\nrest"],
)
def test_records_that_are_odd_are_cut_by_content(records: bytes) -> None:
    size = b"%011o\0" % len(records)
    before = header(kind=b"x", size=size) + records.ljust(512, b"\0")
    assert rules(before + tar({"a": LIBRARY})) == [(0, "FASTCDC")]


def test_headers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = tar({str(number): b"" for number in range(20)} | {"a": LIBRARY})
    assert len(rules(layer)) == 3
    assert MAX_TAR_MEMBERS == 1 << 20
    monkeypatch.setattr(cutter, "MAX_TAR_MEMBERS", 20)
    assert len(rules(layer)) == 1


def test_headers_are_read_many_at_a_time() -> None:
    layer = tar({str(number): b"x" for number in range(1000)})
    reads: list[int] = []

    def read(offset: int, size: int) -> bytes:
        reads.append(size)
        return layer[offset : offset + size]

    plan(read, len(layer), "layer")
    assert len(reads) < 40
    assert sum(reads) < len(layer) + 100 * KIB


@given(st.lists(st.tuples(st.sampled_from("0125xgLKS7V"), st.integers(0, 200_000))))
@settings(max_examples=100)
def test_no_headers_make_a_plan_fail(kinds: list[tuple[str, int]]) -> None:
    data = b"".join(
        header(kind=kind.encode(), size=b"%011o\0" % size)
        + bytes(-(-size // 512) * 512)
        for kind, size in kinds
    )
    found = planned(data)
    assert found.size == len(data)
    assert sum(map(len, chunks(data))) == len(data)


@given(st.binary(max_size=600), st.integers(0, 5_000))
@settings(max_examples=100)
def test_no_damage_makes_a_plan_fail(damage: bytes, offset: int) -> None:
    data = bytearray(tar({**SMALL, "a": LIBRARY[: 70 * KIB]}))
    data[offset : offset + len(damage)] = damage
    assert sum(map(len, chunks(bytes(data)))) == len(data)


def test_a_size_in_binary_is_read() -> None:
    wide = b"\x80" + struct.pack(">3xQ", len(LIBRARY))
    data = header(size=wide) + LIBRARY + bytes(-len(LIBRARY) % 512) + bytes(1024)
    assert len(rules(data)) == 3
