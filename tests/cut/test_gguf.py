"""GGUF: tensors with padding, and metadata that is not what it seems."""

from __future__ import annotations

import struct

import pytest

from bundle.codec.encoding import UNKNOWN, elements
from bundle.limits import MAX_GGUF_ITEMS, MAX_TENSORS
from spec.vectors.cutting.generate import content, gguf
from tests.cut.samples import new_bytes, planned, rules

TENSORS = [("embed", 12, 2_000_016), ("norm", 0, 4096), ("layer", 30, 640_000)]
WHOLE = content(gguf(TENSORS))
DATA = bytes(64 << 10)


def string(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return string(key) + struct.pack("<I", kind) + value


def head(tensors: int, pairs: int, *rest: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs) + b"".join(rest)


def tensor(offset: int, *, kind: int = 0, dimensions: int = 1) -> bytes:
    sizes = struct.pack(f"<I{dimensions}Q", dimensions, *[1] * dimensions)
    return string(b"t") + sizes + struct.pack("<IQ", kind, offset)


def padded(start: bytes, data: bytes = DATA) -> bytes:
    return start + bytes(-len(start) % 32) + data


def test_padding_goes_with_the_tensor_before_it() -> None:
    starts = [region.start for region in planned(WHOLE).regions()]
    first = starts[1]
    assert starts == [0, first, first + 2_000_032, first + 2_004_128]
    assert all(start % 32 == 0 for start in starts)


def test_types_are_kinds() -> None:
    assert [region.kind for region in planned(WHOLE).regions()] == [
        UNKNOWN,
        elements(1),
        elements(4, 1),
        elements(2, 1),
    ]


def test_a_metadata_edit_changes_the_metadata_alone() -> None:
    start = int(planned(WHOLE).starts[1])
    edited = WHOLE[:start].replace(b"a model", b"a daisy") + WHOLE[start:]
    assert new_bytes(WHOLE, edited) == start


def test_another_alignment_changes_metadata_and_ends_of_tensors() -> None:
    other = content(gguf(TENSORS, align=64, version=2))
    start = int(planned(other).starts[1])
    assert new_bytes(WHOLE, other) == start + 2_000_064 - (1 << 20)


GOOD = {
    "one tensor": padded(head(1, 0, tensor(0))),
    "tensors in another order": padded(head(2, 0, tensor(32768), tensor(0))),
    "tensors at one place": padded(head(2, 0, tensor(0), tensor(0))),
    "an array of numbers": padded(
        head(1, 1, pair(b"a", 9, struct.pack("<IQ3H", 2, 3, 1, 2, 3)), tensor(0))
    ),
    "an array of no strings": padded(
        head(1, 1, pair(b"a", 9, struct.pack("<IQ", 8, 0)), tensor(0))
    ),
    "strings over several windows": padded(
        head(
            1,
            1,
            pair(b"a", 9, struct.pack("<IQ", 8, 40) + string(b"s" * 99_999) * 40),
            tensor(0),
        )
    ),
    "many strings over several windows": padded(
        head(
            1,
            1,
            pair(b"a", 9, struct.pack("<IQ", 8, 300_000) + string(b"s") * 300_000),
            tensor(0),
        )
    ),
    "a long key": padded(head(1, 1, pair(b"k" * 5000, 7, b"\1"), tensor(0))),
    "an alignment of another type": padded(
        head(1, 1, pair(b"general.alignment", 10, bytes(8)), tensor(0))
    ),
}
ODD = {
    "nothing but the mark": b"GGUF" + DATA[: 20 << 10],
    "a version of the past": padded(head(1, 0, tensor(0), version=1)),
    "big-endian": padded(head(1, 0, tensor(0), version=3 << 24)),
    "too many tensors": padded(head(MAX_TENSORS + 1, 0, tensor(0))),
    "more tensors than described": padded(head(1 << 17, 0, tensor(0))),
    "too many pairs": padded(head(1, MAX_GGUF_ITEMS + 1, tensor(0))),
    "too many strings": padded(
        head(1, 1, pair(b"a", 9, struct.pack("<IQ", 8, MAX_GGUF_ITEMS)), tensor(0))
    ),
    "strings to the end of the file": padded(
        head(1, 1, pair(b"a", 9, struct.pack("<IQ", 8, 100_000)), tensor(0))
    ),
    "a string past the end": padded(
        head(1, 1, pair(b"a", 8, struct.pack("<Q", 1 << 63)), tensor(0))
    ),
    "a key past the end": padded(head(1, 1, struct.pack("<Q", 1 << 40))),
    "an array past the end": padded(
        head(1, 1, pair(b"a", 9, struct.pack("<IQ", 10, 1 << 62)), tensor(0))
    ),
    "an array of arrays": padded(
        head(1, 1, pair(b"a", 9, struct.pack("<IQ", 9, 1)), tensor(0))
    ),
    "a value of no type": padded(head(1, 1, pair(b"a", 13, bytes(8)), tensor(0))),
    "an array of no type": padded(
        head(1, 1, pair(b"a", 9, struct.pack("<IQ", 99, 1)), tensor(0))
    ),
    "an alignment of zero": padded(
        head(1, 1, pair(b"general.alignment", 4, bytes(4)), tensor(0))
    ),
    "an alignment of seven": padded(
        head(1, 1, pair(b"general.alignment", 4, b"\7\0\0\0"), tensor(0))
    ),
    "an alignment of gigabytes": padded(
        head(1, 1, pair(b"general.alignment", 4, b"\0\0\0\xf0"), tensor(0))
    ),
    "too many dimensions": padded(head(1, 0, tensor(0, dimensions=9))),
    "billions of dimensions": padded(
        head(1, 0, string(b"t") + struct.pack("<I", 1 << 31))
    ),
    "a gap before the first tensor": padded(head(1, 0, tensor(32))),
    "a tensor out of line": padded(head(2, 0, tensor(0), tensor(16))),
    "a tensor past the end of the file": padded(head(2, 0, tensor(0), tensor(1 << 20))),
    "a tensor past everything": padded(head(2, 0, tensor(0), tensor(1 << 63))),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD.keys())
def test_cut_at_tensors(data: bytes) -> None:
    found = rules(data)
    assert found[0] == (0, "FASTCDC")
    assert found[1] == (len(data) - len(DATA), "FIXED")


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_odd_and_so_cut_by_content(data: bytes) -> None:
    assert rules(data) == [(0, "FASTCDC")]
