"""No character that a terminal obeys, or that misleads the eye, gets through."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from bundle.cli.escape import MAX_SHOWN, escape, escape_lines

HOSTILE = {
    "an escape sequence that clears the screen": ("a\x1b[2Jb", r"a\x1b[2Jb"),
    "an escape sequence that sets the title": ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
    "the one-byte form of ESC [": ("\x9b31m", r"\x9b31m"),
    "a line end that forges a second line": ("ok\nbundle: done", r"ok\nbundle: done"),
    "a carriage return that overwrites the line": ("bad\rgood", r"bad\rgood"),
    "a backspace": ("x\x08y", r"x\x08y"),
    "a right-to-left override": ("gpj\u202etxt", r"gpj\u202etxt"),
    "a right-to-left isolate": ("\u2067x\u2069", r"\u2067x\u2069"),
    "a zero-width space": ("a\u200bb", r"a\u200bb"),
    "a byte-order mark": ("\ufeffa", r"\ufeffa"),
    "a line separator": ("a\u2028b", r"a\u2028b"),
    "a tag character": ("a\U000e0041", r"a\U000e0041"),
    "a byte that is not UTF-8": ("a\udcffb", r"a\udcffb"),
    "a blank that is not a space": ("a\u00a0b", r"a\xa0b"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE.keys())
def test_is_written_out(text: str, shown: str) -> None:
    assert escape(text) == shown


@pytest.mark.parametrize(
    "text", ["", "model.safetensors", "köln", "模型", "[bold]x[/]"]
)
def test_what_prints_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


def test_a_long_text_is_cut() -> None:
    assert escape("x" * (MAX_SHOWN + 1)) == "x" * MAX_SHOWN + "…"


def test_anything_can_be_escaped() -> None:
    assert escape(12) == "12"


@given(st.text(st.characters()))
def test_nothing_but_printing_characters_is_left(text: str) -> None:
    for shown in (escape(text), escape_lines(text).replace("\n", "").replace("\t", "")):
        assert shown.isprintable()
        assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs"}


def test_lines_keep_their_ends_and_tabs() -> None:
    assert escape_lines("a\tb\n\x1b[0m\r\n") == "a\tb\n\\x1b[0m\\r\n"
