"""zstd frames by a stranger: what is decoded, and every way to be refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings, strategies as st

from bundle.codec import zstd
from bundle.errors import FormatError, LimitError, TruncatedError
from bundle.limits import KIB, MAX_ZSTD_BLOCKS, MIB
from tests.codec.frames import (
    MAGIC,
    RAW,
    RLE,
    SKIPPABLE,
    block,
    forget_peak,
    frame,
    peak,
    run,
    windowed,
)

PLAIN = b"the quick brown fox jumps over the lazy dog\n" * 200
SIZE = len(PLAIN)


def compressed(**options: int) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(PLAIN)  # type: ignore[arg-type]


GOOD = compressed()
CHECKED = compressed(write_checksum=True)
HELLO = block(RAW, 5, b"hello", last=True)
DICTIONARY = zstandard.ZstdCompressor(
    dict_data=zstandard.train_dictionary(2000, [b"%d fox" % n * 9 for n in range(999)])
).compress(PLAIN)


def decoded(payload: bytes, size: int = SIZE) -> bytes:
    out = np.zeros(size, np.uint8)
    zstd.decompress_into(zstd.decompressor(), memoryview(payload), out)
    return out.tobytes()


READ = {
    "level 3": (GOOD, PLAIN),
    "level 19": (compressed(level=19), PLAIN),
    "a negative level": (compressed(level=-5), PLAIN),
    "with a checksum": (CHECKED, PLAIN),
    "raw by hand": (frame(5, HELLO), b"hello"),
    "a run by hand": (frame(128 << 10, run(b"x", 1)), b"x" * (128 << 10)),
    "an empty block before the last": (
        frame(5, block(RAW, 0, b"") + HELLO),
        b"hello",
    ),
    "a window of 8 MiB": (windowed(5, HELLO, exponent=13), b"hello"),
    "size in one byte": (MAGIC + b"\x20\x05" + HELLO, b"hello"),
    "size in two bytes": (
        MAGIC + b"\x60\x00\x00" + block(RLE, 256, b"a", last=True),
        b"a" * 256,
    ),
    "size in eight bytes": (MAGIC + b"\xe0\x05" + bytes(7) + HELLO, b"hello"),
}

REFUSED = {
    # name: (bytes, size due, class, rule)
    "nothing": (b"", SIZE, FormatError, "10.2.1"),
    "gzip": (b"\x1f\x8b\x08" + GOOD, SIZE, FormatError, "10.2.1"),
    "the format of zstd 0.7": (b"\x27\xb5\x2f\xfd" + GOOD, SIZE, FormatError, "10.2.1"),
    "a magic number alone": (MAGIC, SIZE, TruncatedError, "10.2.1"),
    "a header alone": (GOOD[:5], SIZE, TruncatedError, "10.2.1"),
    "a skippable frame": (SKIPPABLE, SIZE, FormatError, "10.2.1"),
    "a skippable frame before": (SKIPPABLE + GOOD, SIZE, FormatError, "10.2.1"),
    "a skippable frame after": (GOOD + SKIPPABLE, SIZE, FormatError, "10.2.6"),
    "two frames": (GOOD + GOOD, SIZE, FormatError, "10.2.6"),
    "an empty frame after": (
        GOOD + zstandard.compress(b""),
        SIZE,
        FormatError,
        "10.2.6",
    ),
    "one byte after": (GOOD + b"\0", SIZE, FormatError, "10.2.6"),
    "a checksum that was not announced": (
        CHECKED + b"four",
        SIZE,
        FormatError,
        "10.2.6",
    ),
    "a reserved bit": (frame(5, HELLO, flags=0xA8), 5, FormatError, "10.2.1"),
    "the unused bit": (frame(5, HELLO, flags=0xB0), 5, FormatError, "10.2.1"),
    "no content size": (
        compressed(write_content_size=False),
        SIZE,
        FormatError,
        "10.2.2",
    ),
    "a size that is too large": (GOOD, SIZE - 1, FormatError, "10.2.2"),
    "a size that is too small": (GOOD, SIZE + 1, FormatError, "10.2.2"),
    "no bytes declared": (
        frame(0, block(RAW, 0, b"", last=True)),
        5,
        FormatError,
        "10.2.2",
    ),
    "half of 64 bits declared": (
        MAGIC + b"\xe0" + b"\xff" * 8 + HELLO,
        5,
        FormatError,
        "10.2.2",
    ),
    "a window of 128 MiB": (windowed(5, HELLO, exponent=17), 5, LimitError, "10.2.3"),
    "a window just over 8 MiB": (
        MAGIC + bytes([0x80, 13 << 3 | 1]) + b"\x05\0\0\0" + HELLO,
        5,
        LimitError,
        "10.2.3",
    ),
    "the widest window": (windowed(5, HELLO, exponent=31), 5, LimitError, "10.2.3"),
    "a dictionary": (DICTIONARY, SIZE, FormatError, "10.2.4"),
    "a dictionary id of zero": (
        MAGIC + b"\xa1\0" + b"\5\0\0\0" + HELLO,
        5,
        FormatError,
        "10.2.4",
    ),
    "a block of type 3": (frame(5, block(3, 5, b"hello")), 5, FormatError, "10.2.1"),
    "a block past the end": (
        frame(5, block(RAW, 6, b"hello", last=True)),
        5,
        TruncatedError,
        "10.2.5",
    ),
    "no last block": (frame(5, block(RAW, 5, b"hello")), 5, TruncatedError, "10.2.5"),
    "a checksum cut short": (CHECKED[:-1], SIZE, TruncatedError, "10.2.5"),
    "too many blocks": (
        frame(5, block(RAW, 0, b"") * MAX_ZSTD_BLOCKS + HELLO),
        5,
        LimitError,
        "10.2.5",
    ),
    "a wrong checksum": (CHECKED[:-1] + b"\0", SIZE, FormatError, "10.2.7"),
    "fewer bytes than declared": (frame(6, HELLO), 6, FormatError, "10.2.7"),
    "more bytes than declared": (frame(4, HELLO), 4, FormatError, "10.2.7"),
    "more blocks than declared": (
        frame(128 << 10, run(b"x", 2)),
        128 << 10,
        FormatError,
        "10.2.7",
    ),
    "a damaged block": (
        GOOD[:-9] + bytes(9),
        SIZE,
        FormatError,
        "10.2.7",
    ),
}


@pytest.mark.parametrize(("payload", "plain"), READ.values(), ids=READ.keys())
def test_read(payload: bytes, plain: bytes) -> None:
    assert decoded(payload, len(plain)) == plain


@pytest.mark.parametrize(
    ("payload", "size", "error", "rule"), REFUSED.values(), ids=REFUSED.keys()
)
def test_refused(
    payload: bytes, size: int, error: type[FormatError], rule: str
) -> None:
    with pytest.raises(error) as caught:
        decoded(payload, size)
    assert type(caught.value) is error
    assert caught.value.rule == rule


@pytest.mark.parametrize("good", [GOOD, CHECKED], ids=["plain", "checked"])
def test_every_truncation_is_refused(good: bytes) -> None:
    for size in range(len(good)):
        with pytest.raises(FormatError):
            decoded(good[:size])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(CHECKED) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_read(place: int, flip: int) -> None:
    data = bytearray(CHECKED)
    data[place] ^= flip
    try:
        assert len(decoded(bytes(data))) == SIZE
    except FormatError as error:
        assert error.rule.startswith("10.2.")  # noqa: PT017


@given(st.binary(max_size=100))
def test_any_bytes_after_a_magic_number(rest: bytes) -> None:
    try:
        assert len(decoded(MAGIC + rest, 9)) == 9
    except FormatError as error:
        assert error.rule.startswith("10.2.")  # noqa: PT017


BOMBS = {
    "a gigabyte declared where little is due": frame(1 << 30, run(b"x", 8192)),
    "a gigabyte that declares little": frame(MIB, run(b"x", 8192)),
    "a gigabyte after what is due": frame(MIB, run(b"x", 8)) + frame(1 << 30, b""),
    "a window of a gigabyte": windowed(MIB, run(b"x", 8), exponent=20),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_in_the_room_it_is_due(bomb: bytes) -> None:
    assert len(bomb) < 40_000
    out = np.ones(MIB, np.uint8)
    decoder = zstd.decompressor()
    zstd.decompress_into(decoder, memoryview(frame(MIB, run(b"x", 8))), out)
    forget_peak()
    before = peak()
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            zstd.decompress_into(decoder, memoryview(bomb), out)
        assert tracemalloc.get_traced_memory()[1] < 64 * KIB
    finally:
        tracemalloc.stop()
    assert peak() - before < 4 * MIB
