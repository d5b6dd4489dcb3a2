from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from bundle.cli.units import count_text, parse_size, size_text
from bundle.limits import GIB, KIB, MIB

SIZES = {
    "a number alone is bytes": ("4096", 4096),
    "B": ("12B", 12),
    "binary units": ("1GiB", GIB),
    "decimal units": ("500MB", 500_000_000),
    "kilo is small": ("2kB", 2000),
    "a fraction": ("1.5GiB", GIB + GIB // 2),
    "a fraction of a byte is dropped": ("0.001KiB", 1),
    "a blank before the unit": ("3 MiB", 3 * MIB),
}
NOT_SIZES = ["", "GiB", "1G", "1gib", "-1", "1.2345MB", "1,5GB", "1GiB ", "٣MB", "1e3"]


@pytest.mark.parametrize(("text", "size"), SIZES.values(), ids=SIZES.keys())
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", NOT_SIZES)
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="not a size such as 1GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (10 * KIB, "10.0 KiB"),
        (MIB - 1, "1.0 MiB"),
        (GIB, "1.0 GiB"),
        (GIB * 5000, "4.9 TiB"),
        (GIB * GIB, "1048576.0 TiB"),
    ],
)
def test_a_size_is_shown_in_a_unit_that_fits(size: int, text: str) -> None:
    assert size_text(size) == text


@given(st.integers(0, 1 << 60))
def test_what_is_shown_can_be_typed(size: int) -> None:
    assert parse_size(size_text(size)) == pytest.approx(size, rel=0.06, abs=60)


def test_nouns_take_the_plural() -> None:
    counts = [count_text(number, "file") for number in (0, 1, 2, 12345)]
    assert counts == ["0 files", "1 file", "2 files", "12,345 files"]
