"""Digests have one text each."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from bundle.digest import DIGEST_SIZE, Digest, digest_of
from bundle.errors import FormatError

# The published BLAKE3 vectors for inputs of 0, 1 and 1024 bytes i % 251.
VECTORS = {
    0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    1: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
    1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
}
GOOD = "blake3:" + "0123456789abcdef" * 4

NOT_DIGESTS = {
    "empty": "",
    "no algorithm": GOOD.removeprefix("blake3:"),
    "another algorithm": GOOD.replace("blake3", "sha256"),
    "algorithm in capitals": GOOD.replace("blake3", "BLAKE3"),
    "digits in capitals": "blake3:" + "ABCDEF0123456789" * 4,
    "one digit short": GOOD[:-1],
    "one digit long": GOOD + "0",
    "truncated to 128 bits": GOOD[:39],
    "a letter past f": GOOD[:-1] + "g",
    "a blank before": " " + GOOD,
    "a blank after": GOOD + " ",
    "a newline after": GOOD + "\n",
    "two colons": GOOD.replace(":", "::"),
    "Arabic digits": "blake3:" + "\N{ARABIC-INDIC DIGIT ZERO}" * 64,
    "fullwidth digits": "blake3:" + "\N{FULLWIDTH DIGIT ZERO}" * 64,
    "a path": "blake3:../../../../etc/passwd".ljust(71, "a"),
    "a NUL inside": GOOD[:-1] + "\0",
}


@pytest.mark.parametrize("size", VECTORS)
def test_published_vectors(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    assert str(digest_of(data)) == f"blake3:{VECTORS[size]}"


@pytest.mark.parametrize("text", NOT_DIGESTS.values(), ids=NOT_DIGESTS)
def test_refuses(text: str) -> None:
    with pytest.raises(FormatError, match=r"rule 3\.1"):
        Digest.parse(text)


@given(st.binary(min_size=DIGEST_SIZE, max_size=DIGEST_SIZE))
def test_text_and_bytes_are_one(raw: bytes) -> None:
    digest = Digest(raw)
    assert Digest.parse(str(digest)) == digest
    assert str(digest) in repr(digest)


@pytest.mark.parametrize("size", [0, 20, 31, 33, 64])
def test_a_digest_of_another_size_is_the_callers_mistake(size: int) -> None:
    with pytest.raises(ValueError, match="a digest has 32 bytes"):
        Digest(bytes(size))


def test_digests_sort_by_their_bytes() -> None:
    low, high = Digest(bytes(32)), Digest(b"\1" + bytes(31))
    assert sorted([high, low]) == [low, high]


def test_a_view_is_hashed_as_its_bytes() -> None:
    assert digest_of(memoryview(b"abc")) == digest_of(b"abc")
