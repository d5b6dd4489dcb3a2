"""Volumes whole (5.5), and single chunks looked up in them (5.3, 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import (
    b3,
    ending,
    entries_of,
    frame,
    index,
    patch,
    tail,
    volume,
    volume_header,
)
from spec.vectors.generator.container import Vector, accept, refuse
from spec.vectors.generator.samples import HELLO, OTHER, TINY_VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TWO: Final = ([HELLO], [OTHER, b"3"])
"""Two frames with three chunks."""

LAST: Final = 64
"""Bytes of a tail."""


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _whole()
    yield from _frames_gone_wrong()
    yield from _endings_gone_wrong()
    yield from _lookups()


def _value(frames: Sequence[Sequence[bytes]], number: int = 1) -> dict[str, Any]:
    places = dict.fromkeys(place for _, place, _, _ in entries_of(frames))
    return {
        "number": number,
        "frames": [
            {"offset": place, "ids": [b3(chunk).hex() for chunk in chunks]}
            for place, chunks in zip(places, frames, strict=True)
        ],
    }


def _whole() -> Iterator[Vector]:
    yield accept(
        "volume",
        "one_frame",
        "5.5.2 3.1.2 2.1.1",
        TINY_VOLUME,
        "The example of 5.6.",
        value=_value([[HELLO]]),
    )
    yield accept(
        "volume",
        "two_frames",
        "5.5.2 5.5.4 5.5.6",
        volume(*TWO),
        "Three chunks in two frames; the index is sorted by id, not by place.",
        value=_value(TWO),
    )


def _bad(name: str, rules: str, data: bytes, comment: str, **more: Any) -> Vector:
    return refuse("volume", name, rules, data, comment, **more)


def _frames_gone_wrong() -> Iterator[Vector]:
    head, hello, other = volume_header(), frame([HELLO]), frame([OTHER])
    entries = entries_of([[HELLO], [OTHER]])

    body = head + hello + bytes(4) + other
    late = [*entries[:1], (b3(OTHER), len(head + hello) + 4, 0, len(OTHER))]
    yield _bad(
        "a_gap_between_frames",
        "5.5.2",
        body + ending(body, late, 2),
        "Four zero bytes lie between two frames, and the index knows of them.",
    )
    body = head + hello + b"?"
    yield _bad(
        "a_byte_between_frames_and_index",
        "5.5.2",
        body + ending(body, entries[:1], 1),
        "The index begins a byte after the end of the last frame.",
    )
    yield _bad(
        "no_frame",
        "5.4.4",
        head + ending(head, [], 0),
        "A volume without a chunk is not written.",
    )
    body = (
        head
        + hello
        + frame(
            [OTHER],
            stored=len(OTHER) + 2000,
            plain=len(OTHER) + 2000,
            lengths=[len(OTHER) + 2000],
        )
    )
    yield _bad(
        "frame_crosses_the_index",
        "5.5.2",
        body + ending(body, entries, 2),
        "The last frame claims bytes that are the index and the tail, and more.",
    )
    body = head + hello + hello
    yield _bad(
        "a_chunk_in_two_frames",
        "5.3.3 5.5.4",
        body + index(entries_of([[HELLO]])) + tail(len(body), 2, 2, bytes(32)),
        "No chunk is in a volume twice: no index can name both.",
    )
    body = head + frame([HELLO], ids=[b3(OTHER)])
    yield _bad(
        "a_chunk_under_the_id_of_another",
        "5.5.6 3.1.2",
        body + ending(body, [(b3(OTHER), 64, 0, len(HELLO))], 1),
        "Frame and index agree on an id that the bytes do not have.",
        exit=11,
    )
    body = head + patch(hello, 100, b"J")
    yield _bad(
        "a_damaged_payload",
        "5.2.15",
        body + ending(body, entries[:1], 1),
        "One letter is another; header, table and index are as they were.",
        exit=11,
    )
    yield _bad(
        "another_number",
        "5.5.5",
        volume([HELLO], number=2),
        "It is read as vol-00001.bdv, its header says 2.",
    )


def _endings_gone_wrong() -> Iterator[Vector]:
    head = volume_header()
    body = head + b"".join(map(frame, TWO))
    entries = entries_of(TWO)
    size = len(body)

    def with_index(table: bytes, frames: int = 2, chunks: int = 3) -> bytes:
        return body + table + tail(size, frames, chunks, b3(table))

    yield _bad(
        "an_index_that_lacks_a_chunk",
        "5.5.4",
        with_index(index(entries[:2]), chunks=2),
        "A chunk is in a frame and not in the index.",
        names="5.5.2",
    )
    moved = [*entries[:2], (entries[2][0], *entries[1][1:])]
    yield _bad(
        "an_index_that_points_to_another_chunk",
        "5.5.4",
        with_index(index(moved)),
        "Two ids lead to the same place.",
        names="5.5.2",
    )
    more = [*entries, (b3(b"nowhere"), 64, 0, 7)]
    yield _bad(
        "an_index_with_a_chunk_too_many",
        "5.5.4",
        with_index(index(more), chunks=4),
        "No frame has that chunk.",
        names="5.5.2",
    )
    yield _bad(
        "a_tail_that_counts_one_frame",
        "5.5.2",
        with_index(index(entries), frames=1),
        "There are two.",
    )
    table = index(entries)
    ends = tail(size, 2, 3, b3(table))
    yield _bad(
        "a_tail_with_the_digest_of_another_index",
        "5.4.7",
        body + table + tail(size, 2, 3, b3(b"")),
        "A reader that reads on makes index and tail again, and compares.",
        names="5.5.2",
    )
    yield _bad(
        "a_tail_whose_check_is_wrong",
        "5.4.3",
        body + table + patch(ends, 56, bytes(8)),
        "The same, for a reader that reads on.",
        names="5.5.2",
    )
    yield _bad(
        "a_byte_after_the_tail",
        "5.5.2",
        body + table + ends + b"\n",
        "The tail ends the volume.",
    )
    yield _bad(
        "a_tail_that_is_cut_off",
        "5.5.2",
        body + table + ends[:-1],
        "One byte is not there.",
    )
    yield _bad("nothing_but_a_header", "5.5.2", head, "It stops after 64 bytes.")


def _lookup(data: bytes, name: str, rules: str, comment: str, **more: Any) -> Vector:
    given = {"chunk": b3(HELLO).hex()}
    return refuse("chunk", name, rules, data, comment, given=given, **more)


def _lookups() -> Iterator[Vector]:
    data = volume(*TWO)
    for name, chunk in (("the_first", HELLO), ("the_last_of_a_frame", b"3")):
        yield accept(
            "chunk",
            name,
            "5.4.6 5.3.4 5.5.4",
            data,
            "Found through the tail and the index, without reading on.",
            given={"chunk": b3(chunk).hex()},
            value={"plain": chunk.hex()},
        )
    yield refuse(
        "chunk",
        "one_that_is_not_there",
        "5.5.4",
        data,
        "No volume here has it; whoever needs it says what is missing.",
        exit=13,
        given={"chunk": b3(b"nowhere").hex()},
    )
    body = volume_header() + frame([HELLO])
    entries = entries_of([[HELLO]])
    table = index(entries)
    yield _lookup(
        body + table + tail(len(body), 1, 1, b3(b"")),
        "an_index_that_is_not_the_one_of_the_tail",
        "5.4.7",
        "Its digest is compared before it is parsed.",
        exit=11,
    )
    wrong = index(entries, reserved=1)
    yield _lookup(
        body + wrong + tail(len(body), 1, 1, b3(wrong)),
        "an_index_with_a_reserved_byte",
        "5.3.6",
        "The digest of the index is right.",
    )
    yield _lookup(
        body + table + tail(len(body) - 36, 1, 1, b3(table)),
        "an_index_that_begins_elsewhere",
        "5.4.5",
        "There is no room for the frame before it.",
    )
    long = volume_header() + frame([HELLO, OTHER])
    swapped = index(
        [(b3(HELLO), 64, len(HELLO), len(OTHER)), (b3(OTHER), 64, 0, len(HELLO))]
    )
    yield _lookup(
        long + swapped + tail(len(long), 1, 2, b3(swapped)),
        "an_index_that_leads_to_another_chunk",
        "5.5.6 5.5.4",
        "What is read there has not the id that was asked for.",
        exit=11,
    )
    outside = index([(b3(HELLO), 200, 0, len(HELLO))])
    yield _lookup(
        body + outside + tail(len(body), 1, 1, b3(outside)),
        "an_index_that_leads_into_the_index",
        "5.2.2 5.5.4",
        "No frame begins there.",
    )
