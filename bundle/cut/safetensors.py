"""safetensors: the header alone, then every tensor (spec §11.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bundle.codec.encoding import TEXT, UNKNOWN, elements
from bundle.cut.region import PlanBuilder, Rule, TensorRuns
from bundle.limits import MAX_SAFETENSORS_HEADER, MAX_TENSORS

if TYPE_CHECKING:
    from bundle.cut.region import Read

_KINDS: Final = {
    "BF16": elements(2, 1),
    "F16": elements(2),
    "F32": elements(4, 1),
    "C64": elements(4, 1),
    "F64": elements(8, 1),
    **{name: elements(8) for name in ("I64", "U64")},
    **{name: elements(4) for name in ("I32", "U32")},
    **{name: elements(2) for name in ("I16", "U16")},
    **{name: elements(1) for name in ("I8", "U8", "BOOL")},
    **{name: elements(1) for name in ("F8_E4M3", "F8_E5M2", "F8_E8M0")},
    **{name: elements(1) for name in ("F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4")},
    **{name: elements(1) for name in ("F6_E2M3", "F6_E3M2")},
}


class _Tensor(msgspec.Struct, gc=False):
    """What the header says of one tensor."""

    dtype: str
    data_offsets: tuple[int, int]


_HEADER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TENSOR: Final = msgspec.json.Decoder(_Tensor)


def describe(read: Read, size: int, head: bytes, builder: PlanBuilder) -> bool:
    """Add the regions of a safetensors file; False if it does not look like one.

    Raises:
        ValueError: it looks like one and something is odd (rule 11.1.4).
    """
    header = int.from_bytes(head[:8], "little")
    start = 8 + header
    if head[8:9] != b"{" or header > MAX_SAFETENSORS_HEADER or start > size:
        return False
    text = read(8, header)
    if text.count(b"{") > MAX_TENSORS:
        raise ValueError("too many tensors")
    members = _HEADER.decode(text)
    members.pop("__metadata__", None)
    tensors = map(_TENSOR.decode, members.values())
    spans = sorted((*tensor.data_offsets, tensor.dtype) for tensor in tensors)
    builder.add(0, Rule.FASTCDC, TEXT)
    runs = TensorRuns(builder)
    place = 0
    for begin, end, dtype in spans:
        if begin != place or end < begin:
            raise ValueError("a gap or an overlap")
        runs.add(start + begin, start + end, _KINDS.get(dtype, UNKNOWN))
        place = end
    if start + place != size:
        raise ValueError("tensors end before or after the file")
    return True
