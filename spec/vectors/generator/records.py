"""Pieces of volumes: header, frame, index, tail; and shards (5.1 to 5.4, 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import (
    MIB,
    b3,
    entries_of,
    frame,
    index,
    le,
    patch,
    record,
    shards,
    tail,
    volume_header,
)
from spec.vectors.generator.container import Repeat, Vector, accept, refuse
from spec.vectors.generator.samples import HELLO, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator

TWO: Final = [HELLO, OTHER]
LARGEST: Final = (4 << 30) - (64 << 10)
"""Bytes of the largest volume."""


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _headers()
    yield from _frames()
    yield from _indexes()
    yield from _tails()
    yield from _shards()


def common(kind: str, section: str, good: bytes) -> Iterator[Vector]:
    """Give what is wrong with any record in the same way (2.6)."""
    body = good[:56]
    text = body.replace(b"\r\n", b"\n") + b" "
    cases: dict[str, tuple[bytes, int, str]] = {
        "nothing": (b"", 1, "An empty file."),
        "63_bytes": (good[:63], 1, "The last byte of the record is not there."),
        "the_magic_of_another_file": (
            record(b"\x89PNG\r\n\x1a\n", body[8:]),
            2,
            "PNG.",
        ),
        "carried_as_text": (text + good[56:], 2, "A carriage return was dropped."),
        "a_check_that_is_wrong": (patch(good, 63, b"\0"), 3, "Its last byte is 0."),
        "a_field_that_was_changed": (
            patch(good, 55, b"\1"),
            3,
            "The check is that of the record before the change.",
        ),
        "format_2": (record(body[:8], le(2, 2), body[10:]), 4, "A later format."),
        "format_0": (record(body[:8], le(2, 0), body[10:]), 4, "No format."),
        "format_1_in_big_endian": (
            record(body[:8], b"\0\1", body[10:]),
            4,
            "256 in the order of this format (2.1.1).",
        ),
        "a_flag": (
            record(body[:10], le(2, 0x8000), body[12:]),
            5,
            "Format 1 has none.",
        ),
    }
    for name, (data, last, comment) in cases.items():
        if kind == "tail" and (last > 3 or name == "carried_as_text"):
            continue  # it has no line end, no format and no flags
        rules = f"{section}.{last}" + (" 2.1.1" if "endian" in name else "")
        given = {"volumeSize": 1315} if kind == "tail" else None
        yield refuse(kind, name, rules, data, comment, given=given)


def _headers() -> Iterator[Vector]:
    for name, number in (("the_first", 1), ("number_258", 258), ("the_last", 99_999)):
        yield accept(
            "volume_header",
            name,
            "5.1.7 2.1.1",
            volume_header(number),
            f"Volume {number}.",
            value={"number": number},
        )
    yield from common("volume_header", "5.1", volume_header())
    yield refuse(
        "volume_header",
        "a_reserved_byte",
        "5.1.6 2.1.3",
        volume_header(reserved=bytes(39) + b"\1"),
        "The last of the reserved bytes is 1; the check is right.",
    )
    for name, number in (("number_0", 0), ("number_100000", 100_000)):
        data = volume_header(number)
        comment = "Volumes are counted from 1 to 99,999."
        yield refuse("volume_header", name, "5.1.7", data, comment)


def _bad_frame(name: str, rules: str, data: bytes, comment: str, **more: Any) -> Vector:
    return refuse("frame", name, rules, data, comment, **more)


def _frames() -> Iterator[Vector]:
    yield accept(
        "frame",
        "two_chunks",
        "5.2.13 5.2.15 3.1.2",
        frame(TWO),
        "Raw; the chunks follow one another.",
        value={
            "encoding": 0,
            "width": 0,
            "rotate": 0,
            "chunks": [[b3(chunk).hex(), len(chunk)] for chunk in TWO],
            "plain": b"".join(TWO).hex(),
        },
    )
    good = frame(TWO)
    yield from _frame_headers(good)
    yield from _frame_tables(good)
    yield _bad_frame(
        "a_payload_of_another_digest",
        "5.2.15",
        frame(TWO, digest=b3(HELLO)),
        "Compared before the payload is decoded.",
        exit=11,
    )


def _frame_headers(good: bytes) -> Iterator[Vector]:
    cases = {
        "63_bytes": ("5.2.1", good[:63], "Not even the header."),
        "another_magic": ("5.2.2", frame(TWO, magic=b"\xf1BDG"), "No frame."),
        "a_check_that_is_wrong": ("5.2.3", patch(good, 56, bytes(8)), "All zeros."),
        "encoding_3": ("5.2.4 10.1.1", frame(TWO, encoding=3), "None has that number."),
        "raw_with_two_sizes": (
            "5.2.5 10.1.5",
            frame(TWO, stored=sum(map(len, TWO)) - 1),
            "A raw payload is the plain bytes.",
        ),
        "raw_with_a_width": ("5.2.6 10.1.2", frame(TWO, width=2), "Planes have one."),
        "zstd_with_a_rotation": (
            "5.2.6 10.1.2",
            frame(TWO, encoding=1, rotate=1),
            "Planes have one.",
        ),
        "the_flag_of_a_delta": ("5.2.7 10.1.3", frame(TWO, flags=1), "A feature."),
        "the_flag_of_sparse": ("5.2.7 10.1.3", frame(TWO, flags=2), "A feature."),
        "a_flag_without_a_name": ("5.2.7 10.1.3", frame(TWO, flags=0x80), "Unknown."),
        "no_chunk": ("5.2.8", frame([], plain=1, stored=1), "A frame has a chunk."),
        "65537_chunks": (
            "5.2.8 2.1.4",
            frame(TWO, count=65_537)[:64],
            "Refused from the header alone, before a table is asked for.",
        ),
        "plain_of_0": ("5.2.9 10.1.4", frame(TWO, encoding=1, plain=0), "No bytes."),
        "plain_over_4_mib": (
            "5.2.9 10.1.4 2.1.4",
            frame(TWO, encoding=1, plain=4 * MIB + 1),
            "One byte more than the most.",
        ),
        "stored_of_0": ("5.2.10", frame(TWO, encoding=1, stored=0), "No bytes."),
        "stored_over_4_mib": (
            "5.2.10 2.1.4",
            frame(TWO, encoding=1, stored=4 * MIB + 1)[:64],
            "One byte more than the most.",
        ),
        "a_reserved_byte": (
            "5.2.11 2.1.3",
            frame(TWO, reserved=b"\0\0\0\1"),
            "The check is right.",
        ),
    }
    for name, (rules, data, comment) in cases.items():
        yield _bad_frame(name, rules, data, comment)


def _frame_tables(good: bytes) -> Iterator[Vector]:
    sizes = [len(chunk) for chunk in TWO]
    cases = {
        "a_table_that_is_cut_off": ("5.2.1", good[: 64 + 71], "A byte short."),
        "a_table_that_the_check_does_not_cover": (
            "5.2.3",
            patch(good, 64, b"\0"),
            "Another id; the check is that of the table before.",
        ),
        "a_chunk_of_0_bytes": (
            "5.2.12",
            frame([*TWO, b""]),
            "Nothing is no chunk.",
        ),
        "a_chunk_over_1_mib": (
            "5.2.12",
            frame([b"x"], encoding=1, plain=MIB + 1, lengths=[MIB + 1]),
            "One byte more than the most.",
        ),
        "lengths_that_are_too_few": (
            "5.2.13",
            frame(TWO, lengths=[sizes[0] - 1, sizes[1]]),
            "They add up to a byte less than plain.",
        ),
        "lengths_that_are_too_many": (
            "5.2.13",
            frame(TWO, lengths=[sizes[0] + 1, sizes[1]]),
            "They add up to a byte more than plain.",
        ),
        "an_id_twice": (
            "5.2.14",
            frame(TWO, ids=[b3(HELLO), b3(HELLO)]),
            "A chunk is in a frame once.",
        ),
    }
    for name, (rules, data, comment) in cases.items():
        yield _bad_frame(name, rules, data, comment)


def _indexes() -> Iterator[Vector]:
    entries = entries_of([[HELLO], [OTHER, b"3"]])
    first, second, third = rows = sorted(entries)
    yield accept(
        "index",
        "three_chunks",
        "5.3.3 5.3.4",
        index(entries),
        "Sorted by id; two chunks are in one frame.",
        value={"chunks": [[row[0].hex(), *row[1:]] for row in rows]},
    )
    good = index(entries)
    counts = list(memoryview(good[:1024]).cast("I"))
    low = first[0][0]
    descending = [*counts[:low], 2, *[1] * (255 - low - 1), 3]
    cases = {
        "1023_bytes": ("5.3.1", good[:1023], "Not even the fan-out."),
        "a_record_that_is_cut_off": ("5.3.1", good[:-1], "A byte short."),
        "a_record_too_many": ("5.3.1", good + good[-48:], "The fan-out counts 3."),
        "a_fan_out_that_descends": (
            "5.3.2",
            index(entries, fanout=descending),
            "2, 1.",
        ),
        "ids_that_descend": (
            "5.3.3",
            index(rows, ordered=[second, first, third]),
            "Not sorted.",
        ),
        "an_id_twice": ("5.3.3", index([first, first, third]), "A chunk lies once."),
        "a_fan_out_of_other_ids": (
            "5.3.4 2.1.2",
            index(entries, fanout=[*[0] * 255, 3]),
            "It sends every look-up astray but those of 255.",
        ),
        "a_frame_in_the_header": (
            "5.3.5",
            index([(b3(HELLO), 63, 0, 15)]),
            "The first frame begins at 64.",
        ),
        "a_reserved_byte": (
            "5.3.6 2.1.3",
            index(entries, reserved=1 << 24),
            "Not zero.",
        ),
        "a_length_of_0": ("5.3.7", index([(b3(b""), 64, 0, 0)]), "No chunk."),
        "a_length_over_1_mib": (
            "5.3.7",
            index([(b3(HELLO), 64, 0, MIB + 1)]),
            "One byte more than the most.",
        ),
        "a_chunk_that_ends_past_4_mib": (
            "5.3.8",
            index([(b3(HELLO), 64, 4 * MIB - 14, 15)]),
            "A frame has no more plain bytes.",
        ),
        "an_offset_that_overflows": (
            "5.3.8",
            index([(b3(HELLO), 64, (1 << 32) - 1, 1)]),
            "The sum has 33 bits.",
        ),
    }
    for name, (rules, data, comment) in cases.items():
        yield refuse("index", name, rules, data, comment)
    yield accept(
        "index",
        "of_nothing",
        "5.3.1",
        index([]),
        "A fan-out of zeros; no volume has it, since no volume is empty.",
        value={"chunks": []},
    )


def _tails() -> Iterator[Vector]:
    digest = b3(index(entries_of([[HELLO]])))
    good = tail(179, 1, 1, digest)
    value = {"indexOffset": 179, "frames": 1, "chunks": 1, "indexDigest": digest.hex()}
    given = {"volumeSize": 1315}
    comment = "The tail of 5.6."
    yield accept(
        "tail", "of_one_frame", "5.4.6", good, comment, given=given, value=value
    )
    largest = LARGEST - 64 - 1024 - 48
    value = {**value, "indexOffset": largest}
    yield accept(
        "tail",
        "of_the_largest_volume",
        "5.5.1",
        tail(largest, 1, 1, digest),
        "4 GiB - 64 KiB.",
        given={"volumeSize": LARGEST},
        value=value,
    )
    yield from common("tail", "5.4", good)
    many = 1 << 21
    most = 64 + 100 * many
    cases: dict[str, tuple[str, bytes, int, str]] = {
        "65_bytes": ("5.4.1", good + b"\n", 1315, "It is the last 64."),
        "no_frame": ("5.4.4", tail(64, 0, 0, digest), 1152, "A volume has one."),
        "fewer_chunks_than_frames": (
            "5.4.4",
            tail(300, 2, 1, digest),
            1436,
            "Every frame has a chunk.",
        ),
        "no_room_for_the_frames": (
            "5.4.5",
            tail(163, 1, 1, digest),
            1299,
            "Header, frame header and table take 164 bytes.",
        ),
        "a_volume_that_is_longer": ("5.4.6", good, 1316, "By a byte."),
        "a_volume_that_is_shorter": ("5.4.6", good, 1314, "By a byte."),
        "a_volume_over_4_gib": (
            "5.5.1",
            tail(largest + 1, 1, 1, digest),
            LARGEST + 1,
            "FAT32 would take it still; this format does not.",
        ),
        "an_index_offset_that_overflows": (
            "5.5.1",
            tail((1 << 64) - 1, 1, 1, digest),
            1315,
            "2 to the 64, less 1: no sum of 64 bits.",
        ),
        "2097153_chunks": (
            "5.5.3 2.1.4",
            tail(most, 1, many + 1, digest),
            most + 1024 + 48 * (many + 1) + 64,
            "One more than the most.",
        ),
    }
    for name, (rules, data, size, comment) in cases.items():
        given = {"volumeSize": size}
        yield refuse("tail", name, rules, data, comment, given=given)


def _shards() -> Iterator[Vector]:
    digests = [b3(HELLO), b3(OTHER)]
    value = {"digests": [digest.hex() for digest in digests]}
    comment = "The digests of two pieces."
    yield accept("shards", "two", "3.3.8", shards(digests), comment, value=value)
    comment = "A header alone."
    yield accept("shards", "none", "3.3.8", shards([]), comment, value={"digests": []})
    yield from common("shards", "3.3", shards(digests))
    cases = {
        "shards_of_2_mib": ("3.3.6", shards(digests, size=2 * MIB), "One size only."),
        "a_reserved_byte": (
            "3.3.7 2.1.3",
            shards(digests, reserved=b"\1" + bytes(31)),
            "The first of the reserved bytes is 1.",
        ),
        "a_digest_that_is_cut_off": ("3.3.8", shards(digests)[:-1], "A byte short."),
        "a_digest_too_many": ("3.3.8", shards([*digests, b3(b"")], count=2), "3 of 2."),
        "a_count_that_overflows": (
            "3.3.8 2.1.4",
            shards([], count=(1 << 64) - 1),
            "32 times it is no integer of 64 bits.",
        ),
    }
    for name, (rules, data, comment) in cases.items():
        yield refuse("shards", name, rules, data, comment)
    head = shards([], count=1 << 16)
    yield accept(
        "shards",
        "65536_of_zeros",
        "3.3.8",
        (head, Repeat(b"\0", 32 << 16)),
        "The shards of 64 GiB; the digests are not compared here.",
        value={"count": 1 << 16},
    )
