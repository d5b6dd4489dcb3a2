"""Files to cut, made of a few tensors; and how a test looks at their chunks."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

from blake3 import blake3

from bundle.cut.plan import cut_region, plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundle.cut.plan import Plan

MODEL: Mapping[str, bytes] = {
    name: blake3(name.encode()).digest(length=size)
    for name, size in {
        "embed": 2_500_000,
        "layer.0": 1 << 20,
        "norm.0": 16 << 10,
        "layer.1": 700_000,
        "norm.1": 16 << 10,
        "head": 1_300_000,
    }.items()
}


def planned(data: bytes, name: str = "file") -> Plan:
    """Return the plan of a file with that content."""
    return plan(lambda start, size: data[start : start + size], len(data), name)


def rules(data: bytes) -> list[tuple[int, str]]:
    """Return start and rule of each region."""
    return [(region.start, region.rule.name) for region in planned(data).regions()]


def chunks(data: bytes, name: str = "file") -> list[bytes]:
    """Return the content of each chunk."""
    found = []
    view = memoryview(data)
    for region in planned(data, name).regions():
        start = region.start
        for length in cut_region(
            region.rule, view[region.start : region.end], final=True
        ).tolist():
            found.append(bytes(view[start : start + length]))
            start += length
    return found


def new_bytes(old: bytes, new: bytes) -> int:
    """Return how many bytes of ``new`` are in chunks that ``old`` has not."""
    known = set(chunks(old))
    return sum(len(chunk) for chunk in chunks(new) if chunk not in known)


def safetensors(tensors: Mapping[str, bytes], note: str = "") -> bytes:
    """Return a safetensors file."""
    header: dict[str, object] = {"__metadata__": {"note": note}}
    place = 0
    for name, data in tensors.items():
        header[name] = {
            "dtype": "BF16",
            "shape": [len(data) // 2],
            "data_offsets": [place, place + len(data)],
        }
        place += len(data)
    return with_header(json.dumps(header).encode(), b"".join(tensors.values()))


def with_header(header: bytes, data: bytes) -> bytes:
    """Return a file that starts like a safetensors file."""
    return len(header).to_bytes(8, "little") + header + data


def archive(
    tensors: Mapping[str, bytes], method: int = zipfile.ZIP_STORED, comment: str = ""
) -> bytes:
    """Return a zip archive as the standard library writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, data in tensors.items():
            opened.writestr(zipfile.ZipInfo(f"archive/data/{name}"), data, method)
        opened.comment = comment.encode()
    return file.getvalue()
