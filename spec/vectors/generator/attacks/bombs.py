"""A little that becomes much: refused from what is declared, before it is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import Attack, attack, roomy
from spec.vectors.generator.binary import (
    MIB,
    File,
    b3,
    ending,
    frame,
    le,
    volume_header,
)
from spec.vectors.generator.medium import Bundle, Item
from spec.vectors.generator.payloads import (
    COMPRESSED,
    RAW,
    RESERVED,
    RLE,
    SKIPPABLE,
    ZSTD_MAGIC,
    block,
    plane,
    windowed,
    zstd,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK: Final = b"hello"
ZSTD: Final = "CVE-2026-48702 (rekor); CVE-2023-30551 (rekor); CVE-2026-39396 (OpenBao)"
WINDOW: Final = "GO-2024-2911 (go-grpc-compression)"
HELM: Final = "CVE-2025-55199 (Helm: a schema that becomes much)"


def runs(size: int) -> bytes:
    """Return blocks of one repeated byte that decode to ``size`` bytes."""
    count, rest = divmod(size, 128 << 10)
    assert not rest
    one = block(RLE, 128 << 10, b"z", last=False)
    return one * (count - 1) + block(RLE, 128 << 10, b"z")


def framed(payload: bytes, plain: int = 5, encoding: int = 1, **changes: Any) -> bytes:
    """Return a volume of one frame with this payload, for a chunk of five bytes."""
    made = frame(
        [CHUNK],
        payload=payload,
        encoding=encoding,
        plain=plain,
        lengths=[plain],
        **changes,
    )
    body = volume_header() + made
    return body + ending(body, [(b3(CHUNK), 64, 0, plain)], 1)


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    hello = zstd(CHUNK)
    gib = 1 << 30
    inner = zstd(b"", size=4 * MIB, blocks=runs(4 * MIB))
    cases: dict[str, tuple[str, bytes, int, str, str]] = {
        "of_1_gib_in_32_kib": (
            "10.2.2",
            ZSTD_MAGIC + b"\xa0" + le(4, gib) + runs(gib),
            5,
            "32 KiB that declare and hold 1 GiB.",
            ZSTD,
        ),
        "of_1_gib_that_declares_5_bytes": (
            "10.2.7",
            ZSTD_MAGIC + b"\xa0" + le(4, 5) + runs(gib),
            5,
            "It holds 1 GiB and declares what the frame says.",
            ZSTD,
        ),
        "of_1_gib_that_declares_nothing": (
            "10.2.2",
            ZSTD_MAGIC + b"\0\x58" + runs(gib),
            5,
            "It decodes to as many bytes as it likes.",
            ZSTD,
        ),
        "of_4_gib": (
            "10.2.2",
            ZSTD_MAGIC + b"\xa0" + le(4, (1 << 32) - 1) + runs(MIB),
            5,
            "It declares 4 GiB less 1.",
            ZSTD,
        ),
        "of_a_terabyte": (
            "10.2.2 2.1.4",
            ZSTD_MAGIC + b"\xe0" + le(8, 1 << 40) + block(RAW, 5, CHUNK),
            5,
            "A library may allocate what it declares.",
            ZSTD,
        ),
        "of_2_to_the_64": (
            "10.2.2 2.1.4",
            ZSTD_MAGIC + b"\xe0" + le(8, (1 << 64) - 1) + block(RAW, 5, CHUNK),
            5,
            "The number that some libraries keep for unknown.",
            ZSTD,
        ),
        "nested": ("10.2.2", zstd(inner), 5, "A frame in a frame.", ZSTD),
        "with_a_window_of_9_mib": (
            "10.2.3",
            windowed(13, 1, CHUNK),
            5,
            "The next over the most.",
            WINDOW,
        ),
        "with_a_window_of_128_mib": (
            "10.2.3",
            windowed(17, 0, CHUNK),
            5,
            "A library takes it from memory.",
            WINDOW,
        ),
        "with_a_window_of_3_tib": (
            "10.2.3",
            windowed(31, 7, CHUNK),
            5,
            "The largest there is.",
            WINDOW,
        ),
        "and_a_second_frame": (
            "10.2.6",
            hello + ZSTD_MAGIC + b"\xa0" + le(4, gib) + runs(gib),
            5,
            "Libraries decode all frames there are.",
            ZSTD,
        ),
        "after_a_skippable_frame": (
            "10.2.1",
            SKIPPABLE + hello,
            5,
            "Libraries skip it.",
            "",
        ),
        "and_a_skippable_frame": ("10.2.6", hello + SKIPPABLE, 5, "Hidden bytes.", ""),
        "and_a_byte": ("10.2.6", hello + b"\0", 5, "Hidden.", ""),
        "with_a_dictionary": (
            "10.2.4",
            ZSTD_MAGIC + b"\xa1\7" + hello[5:],
            5,
            "Whoever chooses the dictionary chooses the bytes.",
            "",
        ),
        "that_decodes_to_more": (
            "10.2.7",
            zstd(b"", size=5, blocks=block(RAW, 6, b"hello!")),
            5,
            "A byte past the buffer.",
            "",
        ),
        "that_decodes_to_less": (
            "10.2.7",
            zstd(b"", size=5, blocks=block(RAW, 4, b"hell")),
            5,
            "The rest is whatever was there before.",
            "CVE-2014-0160 (Heartbleed)",
        ),
        "that_does_not_decode": (
            "10.2.7",
            zstd(b"", size=5, blocks=block(COMPRESSED, 5, b"\xff" * 5)),
            5,
            "Garbage.",
            "",
        ),
        "of_a_block_that_is_reserved": (
            "10.2.1",
            zstd(b"", size=5, blocks=block(RESERVED, 5, CHUNK)),
            5,
            "Type 3.",
            "",
        ),
        "of_a_million_empty_blocks": (
            "10.2.5 2.1.4",
            ZSTD_MAGIC
            + b"\xa0"
            + le(4, 5)
            + block(RAW, 0, b"", last=False) * 1_000_000
            + block(RAW, 5, CHUNK),
            5,
            "Work without end for nothing.",
            "",
        ),
        "that_never_ends": (
            "10.2.5",
            zstd(b"", size=5, blocks=block(RAW, 5, CHUNK, last=False)),
            5,
            "No block is the last.",
            "",
        ),
        "of_gzip": ("10.2.1", b"\x1f\x8b\x08\0" + bytes(20), 5, "Another format.", ""),
    }
    for name, (rules, payload, plain, comment, known) in cases.items():
        yield _bomb(f"zstd_{name}", rules, framed(payload, plain), comment, known)
    planes = {
        "with_a_size_of_4_gib": (
            "10.3.4",
            plane(0, b"\x7f\x7f", size=(1 << 32) - 1),
            "One plane of 4 GiB.",
        ),
        "one_too_few": ("10.3.4", plane(2, b"\0"), "The second is not there."),
        "of_a_constant_of_two_bytes": (
            "10.3.5",
            plane(2, b"\0\1") + plane(2, b"\0") + b"o",
            "Which?",
        ),
        "with_a_gap": (
            "10.3.4",
            plane(2, b"\0", gap=b"abc") + plane(2, b"\0") + b"o",
            "Hidden.",
        ),
        "with_bytes_after_them": (
            "10.3.6",
            plane(2, b"\0") + plane(2, b"\0") + b"oo",
            "Hidden.",
        ),
        "with_a_bomb": (
            "10.2.2",
            plane(1, ZSTD_MAGIC + b"\xa0" + le(4, gib) + runs(gib))
            + plane(2, b"\0")
            + b"o",
            "A plane that declares and holds 1 GiB.",
        ),
    }
    for name, (rules, payload, comment) in planes.items():
        yield _bomb(
            f"planes_{name}",
            rules,
            framed(payload, 5, encoding=2, width=2),
            comment,
            ZSTD,
        )
    raw = framed(CHUNK + bytes(MIB), encoding=0)
    yield _bomb("raw_of_two_sizes", "5.2.5", raw, "5 bytes, and a MiB of them.", "")
    yield from _recipes()


def _bomb(name: str, rules: str, data: bytes, comment: str, known: str) -> Attack:
    item = Item([File(b"bomb", ([CHUNK],))], "bomb")
    bundle = Bundle([item], release=roomy(item), volumes=[data])
    named = rules.split(maxsplit=1)[0]
    return attack(
        "bombs", f"bomb_{name}", rules, bundle, comment, names=named, known=known
    )


def _recipes() -> Iterator[Attack]:
    """One byte that a recipe asks for very often."""
    many = Item(
        [File(f"{number:05d}".encode(), (b"?",)) for number in range(200)],
        "many",
        changes={"files": 1, "bytes": 1},
    )
    bundle = Bundle([many], release=roomy(many), volumes=[])
    yield attack(
        "bombs",
        "bomb_of_files_over_the_budget",
        "8.4.7",
        bundle,
        "The release promises one file, the recipe has 200.",
        exit=11,
        known=HELM,
    )
    chunk = b"x" * 64
    often = Item(
        [File(b"a", ([chunk] * 256,))], "often", changes={"bytes": 64, "chunks": 1}
    )
    from spec.vectors.generator.binary import volume  # noqa: PLC0415 - for this alone

    bundle = Bundle([often], release=roomy(often), volumes=[volume([chunk])])
    yield attack(
        "bombs",
        "bomb_of_one_chunk_256_times",
        "8.4.7",
        bundle,
        "64 bytes travel, 16 KiB are written, 64 were promised.",
        exit=11,
        known=HELM,
    )
