"""Makes the vectors of chapter 11: inputs by rule, and where they are cut.

Run it from the root of the repository: ``python -m spec.vectors.cutting.generate``.
Every file beside it is a list of cases, one a line:

* ``name``: a sentence.
* ``file``: what the file is called.
* ``parts``: the input, as rule 11.9 describes it; ``size`` and ``blake3`` of it.
* ``regions``: where each one starts, and its rule.
* ``chunks``: the length of each chunk, in order.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blake3 import blake3

from bundle.cut.plan import cut_region, plan
from bundle.limits import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Part = Mapping[str, Any]
    Case = dict[str, Any]

HERE: Final = Path(__file__).parent


def content(parts: Iterable[Part]) -> bytes:
    """Return the bytes that ``parts`` stand for."""
    return b"".join(map(_content, parts))


def _content(part: Part) -> bytes:
    if "hex" in part:
        return bytes.fromhex(part["hex"])
    if "text" in part:
        return str(part["text"]).encode()
    size = int(part["size"])
    if "repeat" in part:
        unit = bytes.fromhex(part["repeat"])
        return (unit * (size // len(unit) + 1))[:size]
    return blake3(str(part["random"]).encode()).digest(length=size)


def case(name: str, file: str, parts: list[Part]) -> Case:
    """Return the case: where the input is cut."""
    data = content(parts)
    whole = plan(lambda start, size: data[start : start + size], len(data), file)
    regions = list(whole.regions())
    return {
        "name": name,
        "file": file,
        "parts": parts,
        "size": len(data),
        "blake3": blake3(data).hexdigest(),
        "regions": [[region.start, region.rule.name] for region in regions],
        "chunks": [
            length
            for region in regions
            for length in cut_region(
                region.rule, memoryview(data)[region.start : region.end], final=True
            ).tolist()
        ],
    }


def random(seed: str, size: int) -> Part:
    """Return a part of unpredictable bytes."""
    return {"random": seed, "size": size}


def little(*values: int, width: int = 8) -> Part:
    """Return a part of little-endian integers."""
    return {"hex": b"".join(v.to_bytes(width, "little") for v in values).hex()}


def text(value: str | bytes) -> Part:
    """Return a part that is shown as it reads."""
    return {"text": value.decode() if isinstance(value, bytes) else value}


def fastcdc_cases() -> list[Case]:
    """Content without structure."""
    odd = 300 * KIB + 1
    return [
        case("nothing", "a", []),
        case("one byte", "a", [text("x")]),
        case("just the smallest chunk", "a", [random("a", 16 * KIB)]),
        case("one byte over the smallest chunk", "a", [random("a", 16 * KIB + 1)]),
        case("random bytes", "a", [random("b", 3 * MIB)]),
        case("the same after an insertion", "a", [text("new"), random("b", 3 * MIB)]),
        case("an odd number of bytes", "a", [random("c", odd)]),
        case("one byte fewer", "a", [random("c", odd - 1)]),
        case("zeros never meet a mask", "a", [{"repeat": "00", "size": 600 * KIB}]),
        case(
            "a short period",
            "a",
            [{"repeat": b"the quick brown fox\n".hex(), "size": 700_001}],
        ),
        case("just the largest chunk", "a", [{"repeat": "00", "size": 256 * KIB}]),
        case("one byte over it", "a", [{"repeat": "00", "size": 256 * KIB + 1}]),
    ]


def safetensors(tensors: Iterable[tuple[str, str, int]], note: str = "") -> list[Part]:
    """Return a safetensors file of tensors given by name, type and size."""
    header: dict[str, Any] = {"__metadata__": {"note": note}} if note else {}
    place = 0
    parts = []
    for name, dtype, size in tensors:
        width = {"F32": 4, "BF16": 2, "F16": 2}.get(dtype, 1)
        header[name] = {
            "dtype": dtype,
            "shape": [size // width],
            "data_offsets": [place, place + size],
        }
        place += size
        if size:
            parts.append(random(name, size))
    encoded = json.dumps(header, separators=(",", ":"))
    encoded += " " * (-len(encoded) % 8)
    return [little(len(encoded)), text(encoded), *parts]


_MODEL: Final = [
    ("embed", "BF16", 5 * MIB // 2),
    ("norm.0", "BF16", 4096),
    ("bias.0", "BF16", 8192),
    ("scale.0", "F32", 512),
    ("layer.0", "BF16", MIB),
    ("norm.1", "BF16", 16 * KIB),
    ("last", "BF16", 16 * KIB - 2),
]


def safetensors_cases() -> list[Case]:
    """Tensors, and headers that are not what they seem."""
    shard = safetensors(_MODEL[5:])
    return [
        case("tensors of many sizes", "model.safetensors", safetensors(_MODEL)),
        case("a longer header moves no tensor", "m", safetensors(_MODEL, "x" * 999)),
        case("one of its shards", "m-00002.safetensors", safetensors(_MODEL[4:])),
        case("no suffix is needed", "blob", safetensors(_MODEL[:1])),
        case(
            "a run of small tensors ends at a MiB",
            "m",
            safetensors([(f"n.{i}", "F16", 15 * KIB) for i in range(70)]),
        ),
        case(
            "tensors without bytes",
            "m",
            safetensors([("a", "F16", 0), ("b", "F16", 32 * KIB), ("c", "F32", 0)]),
        ),
        case("bytes after the last tensor", "m", [*shard, text("x")]),
        case("the last tensor is cut short", "m", shard[:-1]),
        case(
            "a header that is no JSON",
            "m",
            [little(40), text("{" * 40), random("z", 64 * KIB)],
        ),
    ]


def _string(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(
    tensors: list[tuple[str, int, int]], *, version: int = 3, align: int = 32
) -> list[Part]:
    """Return a GGUF file of tensors given by name, type and size."""
    words = ["the", "quick", "brown"] * 9
    pairs = [
        _string("general.alignment") + struct.pack("<II", 4, align),
        _string("general.name") + struct.pack("<I", 8) + _string("a model"),
        _string("a.list")
        + struct.pack("<IIQ", 9, 8, len(words))
        + b"".join(map(_string, words)),
        _string("a.flag") + struct.pack("<IB", 7, 1),
        _string("some.numbers") + struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3),
    ]
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    head += b"".join(pairs)
    place = 0
    parts: list[Part] = []
    for name, kind, size in tensors:
        head += _string(name) + struct.pack("<IQIQ", 1, size, kind, place)
        padding = -size % align
        parts += [random(name, size), {"hex": "00" * padding}]
        place += size + padding
    head += bytes(-len(head) % align)
    return [{"hex": head.hex()}, *(part for part in parts if part != {"hex": ""})]


def gguf_cases() -> list[Case]:
    """Tensors again, with padding."""
    tensors = [
        ("token_embd", 12, 3 * MIB // 2 + 144),
        ("norm.0", 0, 4096),
        ("norm.1", 0, 4100),
        ("blk.0", 2, 100_008),
        ("out", 30, 32 * KIB),
    ]
    return [
        case("quantised and plain tensors", "model.gguf", gguf(tensors)),
        case("version 2, wide padding", "m", gguf(tensors, version=2, align=4096)),
        case("a version that is not known", "m", gguf(tensors, version=4)),
        case("an alignment of zero", "m", _zero_align()),
        case("a tensor past the end", "m", gguf(tensors)[:3]),
    ]


def _zero_align() -> list[Part]:
    pair = _string("general.alignment") + struct.pack("<II", 4, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair
    return [{"hex": head.hex()}, random("q", 64 * KIB)]


def archive(
    members: list[tuple[str, int, list[Part]]], comment: str = ""
) -> list[Part]:
    """Return a zip archive of members given by name, method and bytes."""
    parts: list[Part] = []
    directory = b""
    place = 0
    for name, method, body in members:
        size = len(content(body))
        fixed = struct.pack(
            "<5H3I2H", 20, 0, method, 0, 33, 0, size, size, len(name), 0
        )
        local = b"PK\x03\x04" + fixed + name.encode()
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + fixed
        directory += struct.pack("<3H2I", 0, 0, 0, 0, place) + name.encode()
        parts += [{"hex": local.hex()}, *body]
        place += len(local) + size
    end = struct.pack(
        "<4H2IH",
        *(0, 0, len(members), len(members), len(directory), place, len(comment)),
    )
    last = directory + b"PK\x05\x06" + end + comment.encode()
    return [*parts, {"hex": last.hex()}]


def npy(descr: str, name: str, size: int) -> list[Part]:
    """Return an array file as NumPy writes it."""
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({size},), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    prefix = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head))
    return [{"hex": prefix.hex()}, text(head), random(name, size)]


def zip_cases() -> list[Case]:
    """Stored members are tensors; packed ones are not."""
    stored: list[tuple[str, int, list[Part]]] = [
        ("m/data.pkl", 0, [text("small")]),
        ("m/data/0", 0, [random("embed", 5 * MIB // 2)]),
        ("m/data/1", 0, [random("norm.0", 4096)]),
        ("m/data/2", 0, [random("layer.0", MIB)]),
    ]
    packed: list[tuple[str, int, list[Part]]] = [
        ("a", 8, [random("packed", 300 * KIB)]),
        ("b", 8, [random("b", 999)]),
    ]
    small: list[tuple[str, int, list[Part]]] = [("s", 0, [random("s", 900)])]
    first: tuple[str, int, list[Part]] = ("a.npy", 0, npy("<f4", "layer.0", MIB))
    short = archive(stored[:1] + packed)
    return [
        case("stored members", "pytorch_model.bin", archive(stored)),
        case("with a comment", "m.pt", archive(stored, comment="made by hand")),
        case("arrays begin after their header", "m.npz", archive([first, *stored])),
        case("packed members only", "a.whl", archive([*packed, *packed])),
        case("packed and stored members", "a.zip", archive([*packed, *stored])),
        case("small stored members", "a.zip", archive(small * 30)),
        case("bytes after the end", "a.zip", [*short, text("x")]),
        case("an end that is not there", "a.zip", short[:-1]),
    ]


def compressed_cases() -> list[Case]:
    """Marks at the start, and names where there is no mark."""
    body = random("media", 5 * MIB // 4)
    marks = {
        "gzip": "1f8b08",
        "zstd": "28b52ffd",
        "xz": "fd377a585a00",
        "bzip2": b"BZh91AY&SY".hex(),
        "PNG": "89504e470d0a1a0a",
        "JPEG": "ffd8ffe0",
        "MP4": "00000020" + b"ftypisom".hex(),
        "WebP": (b"RIFF" + bytes(4) + b"WEBP").hex(),
    }
    cases = [case(name, "a", [{"hex": mark}, body]) for name, mark in marks.items()]
    named = case("MP3 without a tag", "a.MP3", [{"hex": "fffb90"}, body])
    short = case("a short one is one chunk", "a", [{"hex": "1f8b08"}, random("m", 999)])
    return [*cases, named, short]


def member(
    name: str, body: list[Part], *, kind: str = "0", size: bytes = b""
) -> list[Part]:
    """Return a member of a tar: its header, its bytes and its padding."""
    length = len(content(body))
    head = name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2
    head += size or b"%011o\0" % length
    head += b"00000000000\0" + b" " * 8 + kind.encode()
    head = head.ljust(257, b"\0") + b"ustar\x0000"
    head = head.ljust(512, b"\0")
    head = head[:148] + b"%06o\0 " % sum(head) + head[156:]
    padding = "00" * (-length % 512)
    return [{"hex": head.hex()}, *body, *([{"hex": padding}] if padding else [])]


def pax(**records: str) -> list[Part]:
    """Return the header with records that is before a member."""
    body = ""
    for name, value in records.items():
        rest = f" {name}={value}\n"
        size = len(rest) + 1
        while len(f"{size}{rest}") != size:
            size = len(f"{size}{rest}")
        body += f"{size}{rest}"
    return member("PaxHeaders/1", [text(body)], kind="x")


def tar_cases() -> list[Case]:
    """Large members are files of their own; all else is between them."""
    library = [random("library", 200 * KIB + 7)]
    small = [
        part
        for number in range(40)
        for part in member(f"etc/{number}", [random(f"e{number}", 1000)])
    ]
    model = safetensors(_MODEL)
    end: list[Part] = [{"repeat": "00", "size": 1024}]
    wide = b"\x80" + (200 * KIB + 7).to_bytes(11, "big")
    long_name = "opt/" + "x" * 120
    bad = [{"hex": "00" * 8 + "ff" * 504}]
    return [
        case("large and small members", "a.tar", [*small, *member("lib", library)]),
        case("the library alone", "lib", library),
        case(
            "a model in a layer is cut as a model",
            "blob",
            [*member("m", []), *member("model.safetensors", model), *end],
        ),
        case(
            "long names come first",
            "a",
            [
                *member("././@LongLink", [text(long_name)], kind="L"),
                *member(long_name[:100], library),
                *pax(path=long_name),
                *member("x", library),
                *end,
            ],
        ),
        case(
            "sizes in records and in binary",
            "a",
            [
                *pax(size=str(200 * KIB + 7)),
                *member("x", library, size=b"0" * 11 + b"\0"),
                *member("y", library, size=wide),
                *end,
            ],
        ),
        case(
            "links have no bytes",
            "a",
            [
                *member("l", [], kind="1", size=b"%011o\0" % (1 << 20)),
                *member("x", library),
            ],
        ),
        case(
            "a tar in a tar is not looked into",
            "a",
            [*member("inner.tar", [*member("x", library), *small]), *end],
        ),
        case(
            "bytes after the end", "a", [*member("x", library), *end, random("z", 99)]
        ),
        case("no header where one is due", "a", [*member("x", library), *bad, *end]),
        case(
            "a member past the end",
            "a",
            [member("x", library)[0], random("library", 100 * KIB)],
        ),
        case("a sparse member", "a", [*member("s", library, kind="S"), *small, *end]),
    ]


FILES: Final = {
    "fastcdc.json": fastcdc_cases,
    "safetensors.json": safetensors_cases,
    "gguf.json": gguf_cases,
    "zip.json": zip_cases,
    "tar.json": tar_cases,
    "compressed.json": compressed_cases,
}


def render(cases: list[Case]) -> bytes:
    """Return a vector file."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in cases)
    return f"[\n{lines}\n]\n".encode()


def main() -> None:
    """Write every vector file."""
    for name, cases in FILES.items():
        (HERE / name).write_bytes(render(cases()))


if __name__ == "__main__":
    main()
