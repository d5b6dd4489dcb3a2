"""A look at bytes: near the truth, and good enough to choose by."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard

from bundle.codec import zstd
from bundle.codec.encoding import DENSE, TEXT, Encoding, Kind, elements
from bundle.codec.estimate import entropy, guess, plane_entropies, sample
from bundle.codec.planes import words_of

random = np.random.default_rng(7)
NORMAL = random.standard_normal(1 << 18).astype(np.float32) * 0.02


def bf16(values: np.ndarray) -> np.ndarray:
    """Return float32 values rounded to bfloat16."""
    return ((values.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)


def bytes_of(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(np.uint8).ravel()


CONTENT: dict[str, tuple[np.ndarray, Kind]] = {
    "bf16": (bytes_of(bf16(NORMAL)), elements(2, 1)),
    "f16": (bytes_of(NORMAL.astype(np.float16)), elements(2)),
    "f32": (bytes_of(NORMAL), elements(4, 1)),
    "random bytes": (random.integers(0, 256, 1 << 20, np.uint8), DENSE),
    "int8": (
        bytes_of(np.clip(NORMAL * 1500, -127, 127).astype(np.int8)),
        elements(1),
    ),
    "text": (
        np.frombuffer(b"".join(b"%d bottles of beer\n" % n for n in range(9999)), "u1"),
        TEXT,
    ),
    "a compressed file": (
        np.frombuffer(zstandard.compress(NORMAL.tobytes(), 3), "u1"),
        DENSE,
    ),
    "zeros": (np.zeros(100_000, np.uint8), elements(1)),
}


@pytest.mark.parametrize(("data", "kind"), CONTENT.values(), ids=CONTENT.keys())
def test_the_kind_of_content_is_guessed(data: np.ndarray, kind: Kind) -> None:
    assert guess(data, zstd.text_compressor()) == kind


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_guess_about_little(size: int) -> None:
    kind = guess(np.arange(size, dtype=np.uint8), zstd.text_compressor())
    assert kind.encoding in (*Encoding, None)


@pytest.mark.parametrize("bits", range(9))
def test_entropy_of_equal_shares(bits: int) -> None:
    data = np.arange(16384, dtype=np.uint64).astype(np.uint8) >> np.uint8(8 - bits)
    assert entropy(data) == pytest.approx(bits, abs=0.02)


def test_entropy_of_nothing() -> None:
    assert entropy(np.zeros(0, np.uint8)) == 0


def test_a_sample_is_bounded_and_from_all_over() -> None:
    words = words_of(np.arange(1 << 18, dtype=np.uint32).view(np.uint8), 4)
    taken = sample(words)
    assert taken.nbytes == 16384
    assert taken[0] == 0
    assert taken[-1] > words.size * 15 / 16
    assert sample(words[:9]).size == 9


def test_a_sample_tells_the_entropy_of_a_plane() -> None:
    words = bf16(NORMAL)
    whole = words << np.uint16(1) | words >> np.uint16(15)
    for plane, bits in enumerate(plane_entropies(sample(words), 1)):
        counts = np.bincount(whole >> np.uint16(8 * plane) & 0xFF)
        shares = counts[counts > 0] / whole.size
        assert bits == pytest.approx(-(shares * np.log2(shares)).sum(), abs=0.05)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_a_plane_that_never_changes_has_no_entropy(width: int) -> None:
    words = np.full(1000, 7, f"<u{width}")
    words[::2] += 1 << 8 * (width - 1)
    assert plane_entropies(words, 0) == [0.0] * (width - 1) + [pytest.approx(1, 0.01)]
