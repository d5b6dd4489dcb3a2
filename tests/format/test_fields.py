from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from bundle.errors import FormatError, LimitError
from bundle.format.fields import check_count, check_text, instant, timestamp
from bundle.limits import MAX_INTEGER, MAX_TEXT

TIMES = {
    "a year of three digits": ("0999-12-31T23:59:59Z", -30_610_224_001),
    "the epoch": ("1970-01-01T00:00:00Z", 0),
    "a day that a leap year has": ("2028-02-29T23:59:59Z", 1_835_481_599),
    "the last second there is": ("9999-12-31T23:59:59Z", 253_402_300_799),
}
BAD_TIMES = {
    "a fraction": "2026-01-31T12:00:00.5Z",
    "an offset": "2026-01-31T12:00:00+00:00",
    "no zone": "2026-01-31T12:00:00",
    "a blank for the T": "2026-01-31 12:00:00Z",
    "lower case": "2026-01-31t12:00:00z",
    "a leap second": "2016-12-31T23:59:60Z",
    "a day that no month has": "2026-02-30T12:00:00Z",
    "a day that this year does not have": "2026-02-29T12:00:00Z",
    "hour 24": "2026-01-31T24:00:00Z",
    "the year 0": "0000-01-01T00:00:00Z",
    "digits of another script": "٢٠٢٦-01-31T12:00:00Z",
    "a newline": "2026-01-31T12:00:00Z\n",
    "nothing": "",
}


@pytest.mark.parametrize(("text", "seconds"), TIMES.values(), ids=TIMES.keys())
def test_a_time_is_read_and_written(text: str, seconds: int) -> None:
    assert instant(text, rule="8.3.7") == seconds
    assert timestamp(seconds) == text


@pytest.mark.parametrize("text", BAD_TIMES.values(), ids=BAD_TIMES.keys())
def test_a_time_is_refused_for(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        instant(text, rule="8.3.7")
    assert caught.value.rule == "8.3.7"


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_any_time_is_read_back(seconds: int) -> None:
    assert instant(timestamp(seconds), rule="8.3.7") == seconds


BAD_TEXTS = {
    "a newline": "a\nb",
    "an escape": "a\x1b[2Jb",
    "a direction override": "a\u202eb",
    "a byte-order mark": "\ufeffa",
    "a line separator": "a\u2028b",
    "a C1 control": "a\x9bb",
    "half a surrogate": "\ud800",
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_text_is_refused_for(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_text(text, rule="8.4.5")
    assert caught.value.rule == "8.4.5"


def test_text_is_as_long_as_its_bytes() -> None:
    check_text("ß" * (MAX_TEXT // 2), rule="8.4.5")
    with pytest.raises(LimitError):
        check_text("ß" * (MAX_TEXT // 2) + "a", rule="8.4.5")


def test_a_count_has_bounds() -> None:
    check_count(0, rule="8.4.4")
    check_count(MAX_INTEGER, rule="8.4.4", least=1)
    for count, least in ((-1, 0), (0, 1), (MAX_INTEGER + 1, 0)):
        with pytest.raises(FormatError):
            check_count(count, rule="8.4.4", least=least)
