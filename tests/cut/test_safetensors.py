"""safetensors: what tensors share, and headers that are not what they seem."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bundle.codec.encoding import TEXT, UNKNOWN, elements
from bundle.limits import MAX_SAFETENSORS_HEADER, MAX_TENSORS
from tests.cut.samples import MODEL, new_bytes, planned, rules, safetensors, with_header

WHOLE = safetensors(MODEL)
DATA = bytes(64 << 10)


def test_every_tensor_starts_a_chunk() -> None:
    starts = [region.start for region in planned(WHOLE).regions()]
    first = 8 + int.from_bytes(WHOLE[:8], "little")
    expected = [0, first]
    for data in MODEL.values():
        expected.append(expected[-1] + len(data))
    assert starts == expected[:-1]


def test_a_header_edit_changes_the_header_alone() -> None:
    edited = safetensors(MODEL, note="fine-tuned on nothing, odd length")
    assert new_bytes(WHOLE, edited) == 8 + int.from_bytes(edited[:8], "little")


def test_a_reshard_changes_the_headers_alone() -> None:
    names = list(MODEL)
    for part in (names[:2], names[2:5], names[5:], names[::-1]):
        shard = safetensors({name: MODEL[name] for name in part})
        assert new_bytes(WHOLE, shard) == 8 + int.from_bytes(shard[:8], "little")


def test_an_appended_tensor_is_all_that_is_new() -> None:
    longer = safetensors({**MODEL, "extra": b"x" * 50_000})
    header = 8 + int.from_bytes(longer[:8], "little")
    assert new_bytes(WHOLE, longer) == header + 50_000


def test_one_changed_tensor_is_all_that_is_new() -> None:
    changed = safetensors({**MODEL, "layer.1": MODEL["layer.1"][::-1]})
    assert new_bytes(WHOLE, changed) == 700_000


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("BF16", elements(2, 1)),
        ("F16", elements(2)),
        ("F32", elements(4, 1)),
        ("F64", elements(8, 1)),
        ("I64", elements(8)),
        ("F8_E4M3", elements(1)),
        ("BOOL", elements(1)),
        ("F7_FUTURE", UNKNOWN),
    ],
)
def test_the_type_of_a_tensor_is_its_kind(dtype: str, kind: object) -> None:
    header = {"a": {"dtype": dtype, "shape": [1], "data_offsets": [0, len(DATA)]}}
    data = with_header(json.dumps(header).encode(), DATA)
    assert [region.kind for region in planned(data).regions()] == [TEXT, kind]


def spans(*offsets: object, **more: Any) -> bytes:  # noqa: ANN401
    members = {
        f"t{number}": {"dtype": "F16", "shape": [1], "data_offsets": place}
        for number, place in enumerate(offsets)
    }
    return with_header(json.dumps({**members, **more}).encode(), DATA)


END = len(DATA)
GOOD = {
    "one tensor": spans([0, END]),
    "in another order": spans([1000, END], [0, 1000]),
    "a tensor without bytes": spans([0, 0], [0, END], [END, END]),
    "metadata that looks like a tensor": spans(
        [0, END], __metadata__={"dtype": 1, "data_offsets": "x"}
    ),
    "members nobody knows": with_header(
        b'{"a": {"dtype": "F16", "x": [[]], "data_offsets": [0, %d]}}' % END, DATA
    ),
}
ODD = {
    "a gap before the first tensor": spans([2, END]),
    "a gap between tensors": spans([0, 100], [102, END]),
    "an overlap": spans([0, 100], [98, END]),
    "the same bytes twice": spans([0, END], [0, END]),
    "a tensor that ends before it starts": spans([0, END], [END, 0]),
    "a tensor past the end of the file": spans([0, END + 1]),
    "bytes after the last tensor": spans([0, END - 1]),
    "a negative offset": spans([-2, END]),
    "an offset that is no integer": spans([0.5, END]),
    "an offset over 64 bits": spans([0, 1 << 70]),
    "three offsets": spans([0, 5, END]),
    "offsets that are a string": spans("0"),
    "no offsets": with_header(b'{"a": {"dtype": "F16"}}', DATA),
    "no type": with_header(b'{"a": {"data_offsets": [0, %d]}}' % END, DATA),
    "a tensor that is a number": with_header(b'{"a": 5}', DATA),
    "no tensors but bytes": with_header(b"{}", DATA),
    "a header that is no JSON": with_header(b"{" * 100, DATA),
    "a header that is a list": with_header(b"{]", DATA),
    "a header that stops": with_header(b'{"a": {"dtype": "F16", ', DATA),
    "a header that is not UTF-8": with_header(b'{"\xff": {}}', DATA),
    "a header of nested objects": with_header(b'{"a":' * 50_000, DATA),
    "a header of nested lists": with_header(b'{"a":' + b"[" * 100_000, DATA),
    "too many tensors": spans([0, END], *[[END, END]] * MAX_TENSORS),
    "a header of nothing": b"\0" * 8 + b"{" + DATA,
    "a header past the end": (1 << 20).to_bytes(8, "little") + b"{" + DATA,
    "a header over the bound": (MAX_SAFETENSORS_HEADER + 1).to_bytes(8, "little")
    + b"{"
    + DATA,
    "the largest header size": b"\xff" * 8 + b"{" + DATA,
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD.keys())
def test_cut_at_tensors(data: bytes) -> None:
    found = rules(data)
    assert found[0] == (0, "FASTCDC")
    assert found[1][0] == 8 + int.from_bytes(data[:8], "little")


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_odd_and_so_cut_by_content(data: bytes) -> None:
    assert rules(data) == [(0, "FASTCDC")]
