"""Frames: encoded and back, never larger, and refused when they are not right."""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings, strategies as st

from bundle.codec import estimate
from bundle.codec.codec import Decoder, Encoder
from bundle.codec.encoding import (
    DENSE,
    TEXT,
    UNKNOWN,
    WIDTHS,
    Encoding,
    Kind,
    elements,
)
from bundle.errors import FormatError, LimitError, TruncatedError
from bundle.limits import KIB, MAX_FRAME_PLAIN, MIB
from tests.codec.frames import forget_peak, frame, peak, run

if TYPE_CHECKING:
    from bundle.codec.codec import Encoded

ENCODER, DECODER = Encoder(), Decoder()
KINDS = [
    TEXT,
    DENSE,
    UNKNOWN,
    *[elements(width) for width in WIDTHS],
    *[elements(width, 1) for width in WIDTHS[1:]],
]
random = np.random.default_rng(11)
NORMAL = random.standard_normal(MIB).astype(np.float32) * 0.02
BF16 = ((NORMAL.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)
CLEAN = BF16.astype(np.uint32) << 16
INT8 = np.clip(NORMAL * 1500, -127, 127).astype(np.int8)
NOISE = random.bytes(MIB)


def encode(plain: bytes, kind: Kind) -> Encoded:
    return ENCODER.encode(memoryview(plain), kind)


def decode(encoded: Encoded, size: int, out: memoryview | None = None) -> memoryview:
    return DECODER.decode(
        encoded.encoding, encoded.width, encoded.rotate, 0, encoded.payload, size, out
    )


def returns(plain: bytes, kind: Kind) -> float:
    """Check that ``plain`` comes back; return its ratio."""
    encoded = encode(plain, kind)
    assert decode(encoded, len(plain)) == plain
    assert len(encoded.payload) <= len(plain)
    if encoded.encoding is not Encoding.RAW:
        assert len(encoded.payload) < len(plain)
    return len(plain) / len(encoded.payload)


RATIOS = {
    # name: (plain, kind, least ratio)
    "bf16": (BF16, elements(2, 1), 1.49),
    "f16": (NORMAL.astype(np.float16), elements(2), 1.17),
    "f32": (NORMAL, elements(4, 1), 1.19),
    "bf16 kept as f32": (CLEAN, elements(4, 1), 2.8),
    "f64 that was f32": (NORMAL[: MIB // 2].astype(np.float64), elements(8, 1), 2),
    "int8": (INT8, elements(1), 1.05),
    "int64 counting up": (np.arange(100_000), elements(8), 3.5),
    "zeros as bf16": (np.zeros(MIB, np.uint16), elements(2, 1), 100_000),
    "bf16, nobody said so": (BF16, UNKNOWN, 1.49),
    "f32, nobody said so": (NORMAL, UNKNOWN, 1.19),
    "text": (np.frombuffer(b"all work and no play\n" * 9999, "u1"), TEXT, 1000),
    "text, nobody said so": (np.arange(10**5).astype("S7"), UNKNOWN, 3),
    "text where compressed content is due": (np.arange(10**5).astype("S7"), DENSE, 3),
}


@pytest.mark.parametrize(("plain", "kind", "least"), RATIOS.values(), ids=RATIOS.keys())
def test_ratio(plain: np.ndarray, kind: Kind, least: float) -> None:
    assert returns(plain.tobytes(), kind) >= least


@pytest.mark.parametrize("size", [64 * KIB, 256 * KIB, MIB, 2 * MIB])
def test_the_ratio_of_bf16_holds_for_frames_of_all_sizes(size: int) -> None:
    assert returns(BF16.tobytes()[:size], elements(2, 1)) >= 1.49


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 9, 1001, 4096, 300_001, MIB])
def test_noise_is_stored_raw(kind: Kind, size: int) -> None:
    encoded = encode(NOISE[:size], kind)
    assert (encoded.encoding, encoded.width, encoded.rotate) == (Encoding.RAW, 0, 0)
    assert encoded.payload == NOISE[:size]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.sampled_from([BF16, NORMAL, CLEAN, INT8]),
    st.integers(0, 999),
    st.integers(1, 100_000),
)
def test_any_stretch_of_numbers_comes_back(
    kind: Kind, numbers: np.ndarray, start: int, size: int
) -> None:
    """Wrong kinds, odd sizes and unaligned memory included."""
    view = numbers.data.cast("B")[start : start + size]
    encoded = ENCODER.encode(view, kind)
    assert decode(encoded, size) == view


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.binary(min_size=1, max_size=300), st.integers(1, 99))
def test_any_bytes_come_back(kind: Kind, unit: bytes, times: int) -> None:
    returns(unit * times, kind)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_largest_frame(kind: Kind) -> None:
    returns(bytes(MAX_FRAME_PLAIN - 9) + b"different", kind)


@pytest.mark.parametrize(
    ("kind", "mask"), [(elements(2, 1), 0x9FFF), (elements(8), (1 << 62) - 1)], ids=str
)
def test_a_plane_that_only_looks_worth_it_is_stored_raw(kind: Kind, mask: int) -> None:
    """What a sample sees has 6 bits in its highest byte, the rest is noise."""
    words = np.frombuffer(NOISE * 4, f"<u{kind.width}").copy()
    runs = words.reshape(16, -1)
    runs[:, : 1024 // kind.width] &= words.dtype.type(mask)
    bits = estimate.plane_entropies(estimate.sample(words), kind.rotate)
    assert bits[-1] == pytest.approx(6, abs=0.1)
    assert returns(words.tobytes(), kind) == 1


@pytest.mark.parametrize("size", [0, MAX_FRAME_PLAIN + 1])
def test_no_frame_has_that_size(size: int) -> None:
    with pytest.raises(ValueError, match="a frame of"):
        encode(bytes(size), TEXT)


def test_scratch_of_the_last_call_is_not_seen_in_the_next() -> None:
    for size, kind in [(MIB, elements(2, 1)), (1001, elements(8, 1)), (7, TEXT)]:
        returns(BF16.tobytes()[:size], kind)
        returns(bytes(size), kind)


def test_room_of_the_caller_is_filled() -> None:
    room = bytearray(b"." * 2007)
    for kind in (elements(2, 1), TEXT, DENSE):
        plain = NOISE[:2000] if kind == DENSE else BF16.tobytes()[:1999] + b"x"
        for start in (0, 1, 7):
            view = memoryview(room)[start : start + 2000]
            assert decode(encode(plain, kind), 2000, view) == plain
            assert bytes(view) == plain


@pytest.mark.parametrize("kind", [TEXT, DENSE, elements(2, 1)], ids=str)
def test_room_of_another_size_is_refused(kind: Kind) -> None:
    plain = NOISE[:1] if kind == DENSE else bytes(1000)
    with pytest.raises(ValueError, match="room of"):
        decode(encode(plain, kind), len(plain), memoryview(bytearray(999)))


def test_the_same_bytes_are_encoded_the_same_by_every_encoder() -> None:
    for kind in KINDS:
        plain = BF16.tobytes()[:300_001]
        first = bytes(encode(plain, kind).payload)
        assert Encoder().encode(memoryview(plain), kind).payload == first


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.sampled_from([BF16, NORMAL, CLEAN, INT8]),
    st.integers(1, 100_000),
)
def test_room_of_the_callers_changes_nothing(
    kind: Kind, numbers: np.ndarray, size: int
) -> None:
    plain = numbers.data.cast("B")[:size]
    room = memoryview(bytearray(size))
    first = ENCODER.encode(plain, kind)
    expected = (first.encoding, bytes(first.payload))
    given_room = ENCODER.encode(plain, kind, room)
    assert (given_room.encoding, bytes(given_room.payload)) == expected
    if given_room.encoding is not Encoding.RAW:
        assert room[: len(given_room.payload)] == given_room.payload


def test_room_for_less_than_the_plain_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="room of"):
        ENCODER.encode(memoryview(bytes(1000)), TEXT, memoryview(bytearray(999)))


def test_encoders_of_several_threads_do_not_meet() -> None:
    plain = BF16.tobytes()[: 512 * KIB]
    expected = bytes(encode(plain, elements(2, 1)).payload)
    found: list[bytes] = []

    def work() -> None:
        encoder = Encoder()
        for _ in range(8):
            encoded = encoder.encode(memoryview(plain), elements(2, 1))
            found.append(bytes(encoded.payload))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 24


def plane(coder: int, body: bytes, size: int | None = None, pad: bytes = b"") -> bytes:
    head = struct.pack("<BxxxI", coder, len(body) if size is None else size)
    return head[:1] + (pad or head[1:4]) + head[4:] + body


def zeros(size: int) -> bytes:
    return zstandard.compress(bytes(size))


# The example of rule 10.3, and the same in other words.
EXAMPLE = bytes.fromhex("803f80bf803f07")
PLANES = {
    "as a writer has it": plane(2, b"\x7f") + plane(0, b"\0\1\0") + b"\7",
    "without a constant plane": plane(0, b"\x7f" * 3) + plane(0, b"\0\1\0") + b"\7",
    "with zstd": plane(1, zstandard.compress(b"\x7f" * 3))
    + plane(1, zstandard.compress(b"\0\1\0"))
    + b"\7",
}


@pytest.mark.parametrize("payload", PLANES.values(), ids=PLANES.keys())
def test_the_example_of_the_specification(payload: bytes) -> None:
    assert DECODER.decode(2, 2, 1, 0, memoryview(payload), 7) == EXAMPLE


GOOD = PLANES["as a writer has it"]
REFUSED = {
    # name: (encoding, width, rotate, flags), payload, plain size, class, rule
    "an encoding nobody knows": ((3, 0, 0, 0), b"x", 1, FormatError, "10.1.1"),
    "raw with a width": ((0, 2, 0, 0), b"x", 1, FormatError, "10.1.2"),
    "raw with a rotation": ((0, 0, 1, 0), b"x", 1, FormatError, "10.1.2"),
    "zstd with a width": ((1, 1, 0, 0), zeros(9), 9, FormatError, "10.1.2"),
    "differences from a base": ((2, 2, 1, 1), GOOD, 7, FormatError, "10.1.3"),
    "a sparse frame": ((2, 2, 1, 2), GOOD, 7, FormatError, "10.1.3"),
    "a flag nobody knows": ((0, 0, 0, 128), b"x", 1, FormatError, "10.1.3"),
    "no plain bytes": ((0, 0, 0, 0), b"", 0, LimitError, "10.1.4"),
    "a negative size": ((0, 0, 0, 0), b"", -1, LimitError, "10.1.4"),
    "too many plain bytes": (
        (0, 0, 0, 0),
        bytes(MAX_FRAME_PLAIN + 1),
        MAX_FRAME_PLAIN + 1,
        LimitError,
        "10.1.4",
    ),
    "raw bytes too few": ((0, 0, 0, 0), b"x", 2, FormatError, "10.1.5"),
    "raw bytes too many": ((0, 0, 0, 0), b"xxx", 2, FormatError, "10.1.5"),
    "zstd of another size": ((1, 0, 0, 0), zeros(10), 9, FormatError, "10.2.2"),
    "zstd and more": ((1, 0, 0, 0), zeros(9) + b"x", 9, FormatError, "10.2.6"),
    "no width": ((2, 0, 0, 0), GOOD, 7, FormatError, "10.3.1"),
    "a width of three": ((2, 3, 0, 0), GOOD, 7, FormatError, "10.3.1"),
    "a rotation by two": ((2, 2, 2, 0), GOOD, 7, FormatError, "10.3.2"),
    "bytes that are rotated": ((2, 1, 1, 0), GOOD, 7, FormatError, "10.3.2"),
    "less than an element": ((2, 8, 0, 0), GOOD, 7, FormatError, "10.3.3"),
    "no planes": ((2, 2, 1, 0), b"", 7, TruncatedError, "10.3.4"),
    "one plane of two": ((2, 2, 1, 0), GOOD[:9], 7, TruncatedError, "10.3.4"),
    "half a plane header": ((2, 2, 1, 0), GOOD[:13], 7, TruncatedError, "10.3.4"),
    "a plane cut short": ((2, 2, 1, 0), GOOD[:19], 7, TruncatedError, "10.3.4"),
    "a plane of gigabytes": (
        (2, 2, 1, 0),
        plane(0, b"x" * 99, 1 << 31),
        7,
        TruncatedError,
        "10.3.4",
    ),
    "padding that is not zero": (
        (2, 2, 1, 0),
        plane(2, b"x", pad=b"\0\0\1") + plane(0, b"xxx") + b"x",
        7,
        FormatError,
        "10.3.4",
    ),
    "a coder nobody knows": ((2, 1, 0, 0), plane(3, b"xxx"), 3, FormatError, "10.3.5"),
    "a raw plane too short": ((2, 1, 0, 0), plane(0, b"xx"), 3, FormatError, "10.3.5"),
    "a raw plane too long": ((2, 1, 0, 0), plane(0, b"xxxx"), 3, FormatError, "10.3.5"),
    "a constant of no bytes": ((2, 1, 0, 0), plane(2, b""), 3, FormatError, "10.3.5"),
    "two constants": ((2, 1, 0, 0), plane(2, b"xx"), 3, FormatError, "10.3.5"),
    "a zstd plane too long": (
        (2, 2, 0, 0),
        plane(1, zeros(4)) * 2,
        6,
        FormatError,
        "10.2.2",
    ),
    "a zstd plane and more": (
        (2, 2, 0, 0),
        plane(1, zeros(3) + b"x") * 2,
        6,
        FormatError,
        "10.2.6",
    ),
    "no tail": ((2, 2, 1, 0), GOOD[:-1], 7, FormatError, "10.3.6"),
    "a tail too long": ((2, 2, 1, 0), GOOD + b"x", 7, FormatError, "10.3.6"),
    "a third plane": ((2, 2, 1, 0), GOOD[:20] + GOOD[:9], 6, FormatError, "10.3.6"),
}


@pytest.mark.parametrize(
    ("fields", "payload", "size", "error", "rule"), REFUSED.values(), ids=REFUSED.keys()
)
def test_refused(
    fields: tuple[int, int, int, int],
    payload: bytes,
    size: int,
    error: type[FormatError],
    rule: str,
) -> None:
    with pytest.raises(error) as caught:
        DECODER.decode(*fields, memoryview(payload), size)
    assert type(caught.value) is error
    assert caught.value.rule == rule


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0, 9999), st.binary(min_size=1, max_size=4))),
    st.integers(-9, 9),
)
def test_a_damaged_payload_is_refused_or_read(
    kind: Kind, edits: list[tuple[int, bytes]], more: int
) -> None:
    plain = BF16.tobytes()[:3001]
    encoded = encode(plain, kind)
    data = bytearray(encoded.payload)
    for place, value in edits:
        start = place % len(data)
        data[start : start + len(value)] = value
    try:
        found = DECODER.decode(
            encoded.encoding,
            encoded.width,
            encoded.rotate,
            0,
            memoryview(data),
            len(plain) + more,
        )
    except FormatError as error:
        assert error.rule.startswith("10.")  # noqa: PT017
    else:
        assert len(found) == len(plain) + more


@settings(max_examples=300)
@given(
    st.integers(0, 3),
    st.sampled_from([0, 1, 2, 4, 8]),
    st.integers(0, 1),
    st.binary(max_size=60),
    st.integers(1, 30),
)
def test_any_payload_is_refused_or_read(
    encoding: int, width: int, rotate: int, payload: bytes, size: int
) -> None:
    try:
        found = DECODER.decode(encoding, width, rotate, 0, memoryview(payload), size)
    except FormatError as error:
        assert error.rule.startswith("10.")  # noqa: PT017
    else:
        assert len(found) == size


BOMBS = {
    "zstd": ((1, 0, 0, 0), frame(1 << 30, run(b"x", 8192))),
    "zstd that lies": ((1, 0, 0, 0), frame(MIB, run(b"x", 8192))),
    "a plane": ((2, 2, 1, 0), plane(1, frame(1 << 30, run(b"x", 8192))) * 2),
    "a plane that lies": ((2, 2, 1, 0), plane(1, frame(MIB // 2, run(b"x", 8192))) * 2),
}


@pytest.mark.parametrize(("fields", "payload"), BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_takes_no_memory(
    fields: tuple[int, int, int, int], payload: bytes
) -> None:
    room = memoryview(bytearray(MIB))
    decode(encode(bytes(MIB), TEXT), MIB, room)
    decode(encode(BF16.tobytes()[:MIB], elements(2, 1)), MIB, room)
    forget_peak()
    before = peak()
    with pytest.raises(FormatError):
        DECODER.decode(*fields, memoryview(payload), MIB, room)
    assert peak() - before < 4 * MIB
