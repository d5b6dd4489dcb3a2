"""Payloads of frames: raw, zstd and planes (chapter 10).

What zstd makes of some bytes differs from one version of the library to the
next, so frames of it are put together here block by block, or were made once
and are kept as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import MIB, b3, le
from spec.vectors.generator.container import (
    Body,
    Repeat,
    Vector,
    accept,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ZSTD_MAGIC: Final = bytes.fromhex("28b52ffd")
SKIPPABLE: Final = bytes.fromhex("502a4d18") + le(4, 4) + b"skip"
RAW, RLE, COMPRESSED, RESERVED = range(4)

TEXT: Final = b"the quick brown fox jumps over the lazy dog, and " * 4 + b"sleeps.\n"
"""What the next constant stands for."""

TEXT_ZSTD: Final = bytes.fromhex(
    "28b52ffd20cc1d0200840374686520717569636b2062726f776e20666f78206a"
    "756d7073206f76657220746865206c617a7920646f672c20616e64736c656570"
    "732e0a02000caa0840b5130a"
)
"""``TEXT`` as zstd 1.5 compresses it at level 3, without a checksum."""

TEXT_ZSTD_CHECKSUM: Final = bytes.fromhex(
    "28b52ffd24cc1d0200840374686520717569636b2062726f776e20666f78206a"
    "756d7073206f76657220746865206c617a7920646f672c20616e64736c656570"
    "732e0a02000caa0840b5130abe050205"
)
"""The same with a checksum."""


def block(kind: int, size: int, body: bytes, *, last: bool = True) -> bytes:
    """Return a block; ``size`` is what its header says."""
    return le(3, int(last) | kind << 1 | size << 3) + body


def zstd(
    plain: bytes, *, size: int | None = None, blocks: bytes | None = None
) -> bytes:
    """Return a frame of one raw block: single segment, size in four bytes."""
    declared = len(plain) if size is None else size
    body = block(RAW, len(plain), plain) if blocks is None else blocks
    return ZSTD_MAGIC + b"\xa0" + le(4, declared) + body


def windowed(exponent: int, mantissa: int, plain: bytes) -> bytes:
    """Return a frame with a window of its own, size in four bytes."""
    window = le(1, exponent << 3 | mantissa)
    return (
        ZSTD_MAGIC
        + b"\x80"
        + window
        + le(4, len(plain))
        + block(RAW, len(plain), plain)
    )


def plane(
    coder: int, data: bytes, *, size: int | None = None, gap: bytes = bytes(3)
) -> bytes:
    """Return one plane with its header (10.3.4)."""
    return le(1, coder) + gap + le(4, len(data) if size is None else size) + data


NUMBERS: Final = bytes.fromhex("803f80bf803f07")
"""The bf16 numbers 1.0, -1.0, 1.0 and a byte: the example of 10.3."""

HIGH: Final = plane(2, b"\x7f")
LOW: Final = plane(0, b"\0\1\0")
TAIL: Final = b"\7"


def given(
    encoding: int, plain: int, width: int = 0, rotate: int = 0, flags: int = 0
) -> dict[str, int]:
    """Return what a frame header says of a payload."""
    return {
        "encoding": encoding,
        "width": width,
        "rotate": rotate,
        "flags": flags,
        "plain": plain,
    }


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _raw()
    yield from _zstd_good()
    yield from _zstd_bad()
    yield from _planes_good()
    yield from _planes_bad()


def _good(
    name: str, rules: str, body: Body, plain: bytes, comment: str, **fields: Any
) -> Vector:
    value: dict[str, Any] = {"plain": plain.hex()}
    if len(plain) > 1 << 10:
        value = {"size": len(plain), "blake3": b3(plain).hex()}
    fields = {"encoding": 1, "plain": len(plain), **fields}
    return accept(
        "payload", name, rules, body, comment, given=given(**fields), value=value
    )


def _bad(name: str, rules: str, body: Body, comment: str, **fields: Any) -> Vector:
    fields = {"encoding": 1, "plain": 5, **fields}
    return refuse("payload", name, rules, body, comment, given=given(**fields))


def _raw() -> Iterator[Vector]:
    yield _good("raw", "10.1.5", b"hello", b"hello", "As it is.", encoding=0)
    yield _bad("raw_and_longer", "10.1.5", b"hello!", "6 bytes for 5.", encoding=0)
    yield _bad("raw_and_shorter", "10.1.5", b"hell", "4 bytes for 5.", encoding=0)
    yield _bad("encoding_3", "10.1.1", b"hello", "None has that number.", encoding=3)
    yield _bad(
        "raw_with_a_width", "10.1.2", b"hello", "Planes have.", encoding=0, width=1
    )
    yield _bad("zstd_rotated", "10.1.2", zstd(b"hello"), "Planes are.", rotate=1)
    yield _bad("a_flag", "10.1.3", b"hello", "A feature.", encoding=0, flags=1)
    yield _bad("no_plain_bytes", "10.1.4", b"", "A frame has one.", encoding=0, plain=0)
    over = (Repeat(b"x", 4 * MIB + 1),)
    comment = "One byte more than the most."
    yield _bad(
        "over_4_mib", "10.1.4 2.1.4", over, comment, encoding=0, plain=4 * MIB + 1
    )


def _zstd_good() -> Iterator[Vector]:
    yield _good("zstd", "10.2.7", TEXT_ZSTD, TEXT, "Compressed by a library.")
    comment = "The four bytes at the end are a checksum."
    yield _good("zstd_with_a_checksum", "10.2.5", TEXT_ZSTD_CHECKSUM, TEXT, comment)
    comment = "A raw block: longer than the plain bytes. 10.1.6 binds writers alone."
    yield _good(
        "zstd_that_is_longer", "10.1.6 10.2.2", zstd(b"hello"), b"hello", comment
    )
    runs = block(RLE, 128 << 10, b"z", last=False) * 31 + block(RLE, 128 << 10, b"z")
    comment = "4 MiB out of 32 blocks of one repeated byte."
    plain = b"z" * (4 * MIB)
    yield _good(
        "zstd_of_4_mib", "10.1.4", zstd(b"", size=4 * MIB, blocks=runs), plain, comment
    )
    comment = "2 to the 23, the largest that is allowed."
    yield _good(
        "zstd_with_a_window_of_8_mib",
        "10.2.3",
        windowed(13, 0, b"hello"),
        b"hello",
        comment,
    )
    one = ZSTD_MAGIC + b"\x20\5" + block(RAW, 5, b"hello")
    comment = "Single segment: one byte is enough for the size."
    yield _good("zstd_with_a_size_of_one_byte", "10.2.2", one, b"hello", comment)


def _zstd_bad() -> Iterator[Vector]:
    hello = zstd(b"hello")
    empty = block(RAW, 0, b"", last=False)
    many = (
        ZSTD_MAGIC + b"\xa0" + le(4, 5),
        Repeat(empty, 8192),
        block(RAW, 5, b"hello"),
    )
    broken = zstd(b"", size=5, blocks=block(COMPRESSED, 5, b"\xff\xff\xff\xff\xff"))
    cases: dict[str, tuple[str, Body, str]] = {
        "zstd_nothing": ("10.2.1", b"", "No frame."),
        "zstd_another_magic": (
            "10.2.1",
            b"\x1f\x8b\x08\0" + hello[4:],
            "That of gzip.",
        ),
        "zstd_skippable_first": ("10.2.1", SKIPPABLE + hello, "No content."),
        "zstd_a_reserved_bit": ("10.2.1", ZSTD_MAGIC + b"\xa8" + hello[5:], "Bit 3."),
        "zstd_an_unused_bit": ("10.2.1", ZSTD_MAGIC + b"\xb0" + hello[5:], "Bit 4."),
        "zstd_a_block_of_type_3": (
            "10.2.1",
            zstd(b"", size=5, blocks=block(RESERVED, 5, b"hello")),
            "Reserved.",
        ),
        "zstd_without_a_size": (
            "10.2.2",
            ZSTD_MAGIC + b"\0\0" + block(RAW, 5, b"hello"),
            "It decodes to as many bytes as it likes.",
        ),
        "zstd_that_declares_more": ("10.2.2", zstd(b"hello", size=6), "6 for 5."),
        "zstd_that_declares_a_terabyte": (
            "10.2.2 2.1.4",
            ZSTD_MAGIC + b"\xe0" + le(8, 1 << 40) + block(RAW, 5, b"hello"),
            "A library may allocate it.",
        ),
        "zstd_with_a_window_over_8_mib": (
            "10.2.3 2.1.4",
            windowed(13, 1, b"hello"),
            "The next larger one: 9 MiB.",
        ),
        "zstd_with_the_largest_window": (
            "10.2.3 2.1.4",
            windowed(31, 7, b"hello"),
            "3.75 TiB.",
        ),
        "zstd_with_a_dictionary": (
            "10.2.4",
            ZSTD_MAGIC + b"\xa1\7" + hello[5:],
            "Nobody has it.",
        ),
        "zstd_cut_in_a_block": ("10.2.5", hello[:-1], "A byte short."),
        "zstd_cut_before_a_block": ("10.2.5", hello[:9], "No block."),
        "zstd_without_a_last_block": (
            "10.2.5",
            zstd(b"", size=5, blocks=block(RAW, 5, b"hello", last=False)),
            "No block says that it is the last.",
        ),
        "zstd_cut_in_the_checksum": (
            "10.2.5",
            TEXT_ZSTD_CHECKSUM[:-1],
            "3 bytes of 4.",
        ),
        "zstd_of_8193_blocks": ("10.2.5 2.1.4", many, "All but the last are empty."),
        "zstd_and_a_second_frame": ("10.2.6", hello + hello, "Readers take the first."),
        "zstd_and_a_skippable_frame": ("10.2.6", hello + SKIPPABLE, "Hidden bytes."),
        "zstd_and_a_zero_byte": ("10.2.6", hello + b"\0", "Padding."),
        "zstd_that_decodes_to_less": (
            "10.2.7",
            zstd(b"", size=5, blocks=block(RAW, 4, b"hell")),
            "It declares 5.",
        ),
        "zstd_that_decodes_to_more": (
            "10.2.7",
            zstd(b"", size=5, blocks=block(RAW, 6, b"hello!")),
            "It declares 5.",
        ),
        "zstd_that_is_damaged": ("10.2.7", broken, "The block does not decode."),
        "zstd_with_a_wrong_checksum": (
            "10.2.7",
            TEXT_ZSTD_CHECKSUM[:-1] + b"\0",
            "The plain bytes have another.",
        ),
    }
    for name, (rules, body, comment) in cases.items():
        plain = len(TEXT) if "checksum" in name else 5
        yield _bad(name, rules, body, comment, plain=plain)


def _planes_good() -> Iterator[Vector]:
    coding = {"encoding": 2, "width": 2, "rotate": 1}
    yield _good(
        "planes",
        "10.3.4 10.3.5 10.3.6",
        HIGH + LOW + TAIL,
        NUMBERS,
        "The example of 10.3.",
        **coding,
    )
    yield _good(
        "planes_of_zstd",
        "10.3.5",
        plane(1, zstd(b"\x7f\x7f\x7f")) + plane(1, zstd(b"\0\1\0")),
        NUMBERS[:6],
        "Both planes are zstd frames; no tail.",
        **coding,
    )
    yield _good(
        "planes_of_eight_bytes",
        "10.3.1",
        b"".join(plane(2, bytes([byte])) for byte in range(8)),
        bytes(reversed(range(8))),
        "One element; the most significant byte is 0.",
        encoding=2,
        width=8,
    )
    yield _good(
        "planes_of_four_bytes_rotated",
        "10.3.2",
        plane(0, b"\x7f\x80") + plane(2, b"\0") + plane(2, b"\0") + plane(0, b"\1\0"),
        bytes.fromhex("000080bf00000040"),
        "-1.0 and 2.0 as f32.",
        encoding=2,
        width=4,
        rotate=1,
    )
    yield _good(
        "planes_of_one_byte",
        "10.3.1",
        plane(2, b"\x2a"),
        b"\x2a" * 300,
        "One plane, and no tail whatever the size.",
        encoding=2,
        width=1,
    )


def _planes_bad() -> Iterator[Vector]:
    coding = {"encoding": 2, "width": 2, "rotate": 1, "plain": 7}
    good = HIGH + LOW + TAIL
    cases: dict[str, tuple[str, bytes, str, dict[str, int]]] = {
        "planes_of_width_0": ("10.3.1", good, "No element.", {"width": 0}),
        "planes_of_width_3": ("10.3.1", good, "None has it.", {"width": 3}),
        "planes_of_width_16": ("10.3.1", good, "None has it.", {"width": 16}),
        "planes_rotated_by_2": ("10.3.2", good, "0 or 1.", {"rotate": 2}),
        "planes_of_one_byte_rotated": ("10.3.2", good, "No sign.", {"width": 1}),
        "planes_of_no_element": ("10.3.3", b"\7", "Less than one.", {"plain": 1}),
        "planes_that_stop_in_a_header": ("10.3.4", HIGH + LOW[:7], "A byte short.", {}),
        "planes_that_stop_in_a_plane": ("10.3.4", HIGH + LOW[:-1], "A byte short.", {}),
        "planes_one_too_few": (
            "10.3.4",
            HIGH,
            "The second is not there.",
            {"plain": 6},
        ),
        "planes_with_a_gap_that_is_not_zero": (
            "10.3.4 2.1.3",
            plane(2, b"\x7f", gap=b"\0\0\1") + LOW + TAIL,
            "Three zero bytes follow the coder.",
            {},
        ),
        "planes_with_a_size_over_the_payload": (
            "10.3.4 2.1.4",
            plane(0, b"\x7f\x7f\x7f", size=(1 << 32) - 1) + LOW + TAIL,
            "4 GiB.",
            {},
        ),
        "planes_of_coder_3": ("10.3.5", plane(3, b"\x7f") + LOW + TAIL, "None.", {}),
        "planes_raw_and_too_short": (
            "10.3.5",
            plane(0, b"\x7f\x7f") + LOW + TAIL,
            "2 bytes for 3 elements.",
            {},
        ),
        "planes_constant_of_two_bytes": (
            "10.3.5",
            plane(2, b"\x7f\x7f") + LOW + TAIL,
            "A constant is one byte.",
            {},
        ),
        "planes_constant_of_no_byte": (
            "10.3.5",
            plane(2, b"") + LOW + TAIL,
            "None.",
            {},
        ),
        "planes_zstd_of_another_size": (
            "10.2.2 10.3.5",
            plane(1, zstd(b"\x7f\x7f")) + LOW + TAIL,
            "2 bytes for 3 elements.",
            {},
        ),
        "planes_zstd_and_more_in_the_plane": (
            "10.2.6 10.3.5",
            plane(1, zstd(b"\x7f\x7f\x7f") + b"\0") + LOW + TAIL,
            "A plane of zstd is one frame.",
            {},
        ),
        "planes_without_the_tail": ("10.3.6", HIGH + LOW, "A byte short.", {}),
        "planes_with_a_longer_tail": ("10.3.6", good + b"\7", "A byte too many.", {}),
    }
    for name, (rules, body, comment, changes) in cases.items():
        yield _bad(name, rules, body, comment, **(coding | changes))
