from __future__ import annotations

import pytest

from bundle.errors import FormatError, LimitError
from bundle.format.fields import check_count, check_text
from bundle.limits import MAX_INTEGER, MAX_TEXT

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
